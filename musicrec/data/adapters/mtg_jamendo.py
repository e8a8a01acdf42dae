"""MTG-Jamendo: 55,525 full tracks in five splits by artist, with tags of genre, instrument, mood and theme.

Bogdanov, Won, Tovstogan, Porter, Serra (2019): The MTG-Jamendo dataset for automatic music tagging. ICML workshop on
machine learning for music discovery.
"""

import os
from pathlib import Path

import polars as pl

from musicrec.data.adapters.checks import Report
from musicrec.data.adapters.download import Archive
from musicrec.data.adapters.source import Dataset, Files, Source, one_of
from musicrec.errors import ManifestError

REPOSITORY = "https://github.com/MTG/mtg-jamendo-dataset"
HOST = "https://cdn.freesound.org/mtg-jamendo/raw_30s"
DATASET = Dataset(
    name="mtg_jamendo",
    layout="the repository of the dataset with its folder data/, and the audio in the folders 00 to 99, or in audio/ "
    "or audio-low/",
    get=f"git clone {REPOSITORY} DIR, which is data.root; then its scripts/download, or data.download=true for the "
    "small audio (audio-low, 156 GB; the full audio has 508 GB)",
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
TRACKS = {"all": 55_525, "top50": 54_380}  # of the others no count is published for the splits
COLUMNS = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
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
    """The manifest of MTG-Jamendo.

    subset: which tags, and the tracks that have any of them: top50, genre, instrument, mood (with themes), or all.
    fold: the split, 0 to 4; 0 is the usual one.
    """
    one_of("data.subset", subset, list(FILES))
    one_of("data.fold", fold, range(5))
    source = Source(DATASET, root)
    lists = {name: source.file(f"data/splits/split-{fold}/{FILES[subset]}-{part}.tsv") for name, part in PARTS.items()}
    if download:
        source = Source(DATASET, root, archives=_archives(source), download=True)
    audio = source.folder("audio", "audio-low", ".", holding="[0-9][0-9]")
    whole = source.root / "data" / "raw_30s.tsv"

    def read(files: Files, report: Report) -> pl.DataFrame:
        low = sum(name.endswith(".low.mp3") for name in files) * 2 > len(files)
        rows = [row | {"split": split} for split, path in lists.items() for row in _rows(path)]
        frame = pl.DataFrame(rows, infer_schema_length=None)
        report.ok(f"{FILES[subset]}, split {fold}: {frame.height:,} tracks{', audio in low quality' * low}")
        if whole.is_file():  # tracks of other subsets are no surplus
            cells = [line.split("\t") for line in whole.read_text().splitlines()[1:] if line.count("\t") >= 3]
            others = pl.DataFrame({"track_id": [row[0] for row in cells], "path": [row[3] for row in cells]})
            frame = pl.concat([frame, others.join(frame, on="track_id", how="anti")], how="diagonal")
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


def _rows(path: Path) -> list[dict]:
    """A row a track. The header names six columns, but every further tag is a cell of its own."""
    header, *lines = path.read_text().splitlines() or [""]
    if header.split("\t") != COLUMNS:
        raise ManifestError(f"{path}: begins with {header[:80]!r}, expected the columns {' '.join(COLUMNS)}")
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        tags = [tag for tag in cells[5:] if tag]
        if not tags:
            raise ManifestError(f"{path}: row {number}: {line[:80]!r} is no track with its tags; fetch the file again")
        track, artist, album, audio, duration_s = cells[:5]
        instruments = [tag.removeprefix("instrument---") for tag in tags if tag.startswith("instrument---")]
        rows.append(
            {
                "track_id": track,
                "path": audio,
                "artist": artist,
                "album": album,
                "tags": tags,
                "instruments": instruments or None,  # nobody has said that it has none
                "duration_s": float(duration_s),
            }
        )
    return rows


def _archives(source: Source) -> list[Archive]:
    """The tar files of the small audio; their checksums come with the repository."""
    sums = source.file("data/download/raw_30s_audio-low_sha256_tars.txt").read_text().split()
    return [
        Archive(
            urls=(f"{HOST}/audio-low/{name}",),
            checksums=(f"sha256:{checksum}",),
            becomes=f"audio-low/{name[-6:-4]}",
            unpack=True,
            inner=name[-6:-4],
        )
        for checksum, name in zip(sums[::2], sums[1::2], strict=True)
    ]
