"""GTZAN: 1,000 clips of 30 s, ten genres.

Tzanetakis, Cook (2002): Musical genre classification of audio signals. IEEE TSAP 10(5). Its faults: Sturm (2013),
arXiv 1306.1461. The fault-filtered split: Kereliuk, Sturm, Larsen (2015), Deep learning and music adversaries,
arXiv 1507.04761.
"""

import os
import re
from collections import Counter
from pathlib import Path

import polars as pl
from torchaudio.datasets import gtzan as lists

from musicrec.config.number_types import Seed
from musicrec.config.value_check import check_choice
from musicrec.data.adapters.random_splits import split_in_tenths
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.adapters.tables import damaged_file
from musicrec.data.checks import DatasetReport, count_of

DATASET = Dataset(
    name="gtzan",
    layout="genres/<genre>/<genre>.NNNNN.wav (or .au; the folder may be genres_original, or Data/genres_original), "
    "and, for the names of the artists, GTZANindex.txt",
    how_to_get="the original host is gone; copies of 1.2 GB are on Kaggle (andradaolteanu/gtzan-dataset-music-genre-"
    "classification) and elsewhere",
    licence="not stated; for research",
    suspects=("jazz.00054",),  # unreadable in the copy on Kaggle
)
PARTS = {"train": lists.filtered_train, "valid": lists.filtered_valid, "test": lists.filtered_test}
FILTERED = {name: part for part, names in PARTS.items() for name in names}  # {clip without faults: split}
PUBLISHED = {"filtered": {"train": 443, "valid": 197, "test": 290}, "keep": {"all": 1_000}, "drop": {"all": 930}}
DURATION_S = 30.0


def gtzan(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    split: str = "filtered",
    faults: str = "keep",
    seed: Seed = 0,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of GTZAN.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        split: "filtered" is the published split, without faulty clips and with every artist in one part. "artist" is
            random with every artist in one part, and needs GTZANindex.txt. "stratified" is random by clip, so artists
            leak between its parts.
        faults: For "artist" and "stratified": "keep" uses all clips, "drop" those of the filtered split.
        seed: The seed of the random splits.
        partial: Leave out clips whose file is missing.
        download: Refused, as GTZAN cannot be downloaded from its host.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting has an unknown value.
        ManifestError: If files are missing or damaged.
    """
    check_choice("data.split", split, ("filtered", "artist", "stratified"))
    check_choice("data.faults", faults, ("keep", "drop"))
    source = DatasetSource(DATASET, root, download=download)
    audio = source.folder("genres", "genres_original", "Data/genres_original", ".", holding="blues")
    index = source.root / "GTZANindex.txt"
    if split == "artist":
        source.file("GTZANindex.txt")
    indexed = os.path.isfile(index)

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        artists = _artists(index, report) if indexed else {}
        if split == "artist" and not artists:
            raise damaged_file(index, "names no artists, expected lines such as blues.00002.wav ::: Artist ::: Title")
        by_stem = {os.path.splitext(name)[0]: name for name in sorted(files)}  # .wav, if there is an .au, too
        usual = Counter(os.path.splitext(name)[1] for name in files).most_common(1)
        names = [(genre, f"{genre}.{number:05}") for genre in lists.gtzan_genres for number in range(100)]
        rows = []
        for genre, name in names:
            path = by_stem.get(f"{genre}/{name}", f"{genre}/{name}{usual[0][0] if usual else '.wav'}")
            rows.append({"track_id": name, "path": path, "genre": genre, "artist": artists.get(name)})
        frame = pl.DataFrame(rows, schema_overrides={"artist": pl.String}).with_columns(duration_s=DURATION_S)
        published = frame.with_columns(split=pl.col("track_id").replace_strict(FILTERED, default=None))
        if split == "filtered":
            return published
        unused = published.filter(pl.col("split").is_null(), faults == "drop")
        frame = frame.join(unused, on="track_id", how="anti")
        unknown = frame.filter(pl.col("artist").is_null())["track_id"]
        if split == "stratified":
            report.warn("this split is random: artists are in several parts, so results will be too good")
        elif len(unknown):
            report.warn(
                f"the index has no artist for {count_of(unknown, 'clip')}; only the other "
                f"{frame.height - len(unknown):,} are split by artist",
                unknown,
            )
        return pl.concat(
            [split_in_tenths(frame, seed=seed, by="artist" if split == "artist" else None, stratify_by="genre"), unused]
        )

    own = {} if split == "filtered" else {"seed": seed} | ({"faults": faults} if faults == "drop" else {})
    return source.manifest(
        read,
        folder=folder,
        options={"split": split} | own,
        annotations=[index] if indexed else [],
        audio=audio,
        published=PUBLISHED[split if split == "filtered" else faults],
        vocabulary={"genre": lists.gtzan_genres},
        partial=partial,
    )


def _artists(index: Path, report: DatasetReport) -> dict[str, str]:
    """Read {clip: artist} from lines such as ``blues.00002.wav ::: John Lee Hooker ::: Think Twice Before You Go``.

    The artist of some clips is unknown. Bytes that are not UTF-8 are replaced, as names are only compared.
    """
    artists, strange = {}, []
    for row, line in enumerate(index.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        clip, *names = (cell.strip() for cell in line.split(":::"))
        name = re.fullmatch(r"([a-z]+\.\d{5})(\.wav|\.au)?", clip)
        if name is None or name[1].partition(".")[0] not in lists.gtzan_genres:
            strange += [f"row {row} {line[:40]!r}"] * bool(clip)
        elif names and names[0]:
            artists[name[1]] = names[0]
    if strange:
        report.warn(
            f"{count_of(strange, 'row')} of {index.name} without a clip of GTZAN; download the file again", strange
        )
    return artists
