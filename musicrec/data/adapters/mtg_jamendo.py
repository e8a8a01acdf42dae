"""MTG-Jamendo: 55,525 full tracks with tags of genre, instrument, mood and theme, in five splits by artist.

Bogdanov, Won, Tovstogan, Porter, Serra (2019): The MTG-Jamendo dataset for automatic music tagging. ICML workshop on
machine learning for music discovery.
"""

import logging
import os
import re
from pathlib import Path

import polars as pl

from musicrec.config.value_check import check_choice
from musicrec.data.adapters.download import Archive
from musicrec.data.adapters.files import list_matching
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.adapters.tables import damaged_file, read_rows, read_text_file
from musicrec.data.checks import DatasetReport
from musicrec.errors import ManifestError

REPOSITORY = "https://github.com/MTG/mtg-jamendo-dataset"
log = logging.getLogger(__name__)

HOST = "https://cdn.freesound.org/mtg-jamendo/raw_30s"
DATASET = Dataset(
    name="mtg_jamendo",
    layout="the repository of the dataset with its folder data/, and the audio in the folders 00 to 99, which may be "
    "in audio/ or audio-low/",
    how_to_get=f"git clone {REPOSITORY} DIR, which is data.root; then its scripts/download, or data.download=true for "
    "the low-quality audio (audio-low, 156 GB; the full audio has 508 GB)",
    licence="metadata CC BY-NC-SA 4.0; every track has a Creative Commons licence of its own (audio_licenses.txt)",
)
FILES = {
    "all": "autotagging",
    "top50": "autotagging_top50tags",
    "genre": "autotagging_genre",
    "instrument": "autotagging_instrument",
    "mood": "autotagging_moodtheme",
}
TAGS = {"all": 87 + 40 + 56, "top50": 50, "genre": 87, "instrument": 40, "mood": 56}
TRACKS = {"all": 55_525, "top50": 54_380}  # for the other subsets no counts are published
COLUMNS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
FORMATS = {
    "PATH": (re.compile(r"\d\d/\d+\.mp3"), "a path such as 14/214.mp3"),
    "DURATION": (re.compile(r"\d+(\.\d+)?"), "a number of seconds"),
    "TAGS": (re.compile(r"(genre|instrument|mood/theme)---.+"), "a tag such as genre---rock"),
}
AUDIO = ("audio", "audio-low", ".")
PARTS = {"train": "train", "valid": "validation", "test": "test"}


def mtg_jamendo(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    subset: str = "top50",
    fold: int = 0,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of MTG-Jamendo.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        subset: The tags, and the tracks that have any of them: top50, genre, instrument, mood (with themes) or all.
        fold: The split, 0 to 4; 0 is the usual one.
        partial: Leave out tracks whose file is missing.
        download: Download the low-quality audio that is missing.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting has an unknown value.
        ManifestError: If files are missing or damaged.
        DownloadError: If a download fails.
    """
    check_choice("data.subset", subset, list(FILES))
    check_choice("data.fold", fold, range(5))
    source = DatasetSource(DATASET, root)
    lists = {name: source.file(f"data/splits/split-{fold}/{FILES[subset]}-{part}.tsv") for name, part in PARTS.items()}
    if download:
        source.fetch(_archives(source))
    audio = source.folder(*AUDIO, holding="[0-9][0-9]")
    whole = source.root / "data" / "raw_30s.tsv"

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        low = sum(name.lower().endswith(".low.mp3") for name in files) * 2 > len(files)
        tracks = [track | {"split": split} for split, path in lists.items() for track in _tracks(path)]
        frame = pl.DataFrame(tracks, infer_schema_length=None)
        report.ok(f"{FILES[subset]}, split {fold}: {frame.height:,} tracks{', low-quality audio' * low}")
        if whole.is_file():  # tracks of other subsets are not reported as surplus
            try:
                others = pl.DataFrame(_tracks(whole), infer_schema_length=None).select("track_id", "path")
                frame = pl.concat([frame, others.join(frame, on="track_id", how="anti")], how="diagonal")
            except ManifestError as error:
                report.warn(f"{error}. Therefore tracks of other subsets are reported as not in the annotations")
        return frame.with_columns(pl.col("path").str.replace(r"\.mp3$", ".low.mp3")) if low else frame

    published = {"all": TRACKS[subset]} if subset in TRACKS else {}
    if subset == "mood" and fold == 0:
        published = {"train": 9_949, "valid": 3_802, "test": 4_231}
    return source.manifest(
        read,
        folder=folder,
        options={"subset": subset, "fold": f"split{fold}"},
        annotations=list(lists.values()),
        audio=audio,
        published=published,
        vocabulary={"tags": TAGS[subset]},
        partial=partial,
    )


def _tracks(path: Path) -> list[dict]:
    """Return one row per track. The header names six columns, but every tag after the first is one more cell."""
    lines = read_rows(path, separator="\t", quoted=False)
    _, header = next(lines, (1, []))
    if header != COLUMNS:
        begins = "\t".join(header)[:80]
        raise damaged_file(path, f"begins with {begins!r}, expected the columns {' '.join(COLUMNS)}")
    tracks = []
    for number, cells in lines:
        tags = [tag for tag in cells[5:] if tag]
        if not tags:
            begins = "\t".join(cells)[:80]
            raise damaged_file(path, f"{begins!r} is not a track with its tags", row=number)
        track, artist, album, audio, duration_s = cells[:5]
        for column, cell in (("PATH", audio), ("DURATION", duration_s), *(("TAGS", tag) for tag in tags)):
            like, expected = FORMATS[column]
            if not like.fullmatch(cell):
                raise damaged_file(path, f"{cell[:60]!r}, expected {expected}", row=number, column=column)
        instruments = [tag.removeprefix("instrument---") for tag in tags if tag.startswith("instrument---")]
        tracks.append(
            {
                "track_id": track,
                "path": audio,
                "artist": artist,
                "album": album,
                "tags": tags,
                "instruments": instruments or None,  # no instrument tag does not mean no instrument
                "duration_s": float(duration_s),
            }
        )
    if not tracks:
        raise damaged_file(path, "has a header but no rows")
    return tracks


def _archives(source: DatasetSource) -> list[Archive]:
    """Return the tar files of the low-quality audio, with the checksums from the repository.

    If there is audio in another folder, that is used, and nothing is to be downloaded.
    """
    home = next((name for name in AUDIO if list_matching(source.root / name, "[0-9][0-9]")), "audio-low")
    if home != "audio-low":
        log.warning("using the audio in %s; data.download=true downloads nothing", source.root / home)
        return []
    sums = source.file("data/download/raw_30s_audio-low_sha256_tars.txt")
    archives = []
    for number, line in enumerate(read_text_file(sums).splitlines(), start=1):
        like = re.fullmatch(r"([0-9a-f]{64})\s+(raw_30s_audio-low-(\d\d)\.tar)", line.strip())
        if like is None:
            raise damaged_file(sums, f"{line[:80]!r}, expected a SHA-256 sum and the name of an archive", row=number)
        checksum, name, part = like.groups()
        archives.append(
            Archive(
                urls=(f"{HOST}/audio-low/{name}",),
                checksums=(f"sha256:{checksum}",),
                target=f"audio-low/{part}",
                unpack=True,
                inner=part,
            )
        )
    return archives
