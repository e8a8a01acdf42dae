"""GTZAN: 1,000 clips of 30 s, ten genres.

Tzanetakis, Cook (2002): Musical genre classification of audio signals. IEEE TSAP 10(5). Its faults: Sturm (2013),
arXiv 1306.1461. The fault-filtered split: Kereliuk, Sturm, Larsen (2015), Deep learning and music adversaries,
arXiv 1507.04761.
"""

import os
from collections import Counter
from pathlib import Path

import polars as pl
from torchaudio.datasets import gtzan as lists

from musicrec.data.adapters.checks import Report
from musicrec.data.adapters.source import Dataset, Files, Source, one_of
from musicrec.data.adapters.splitting import tenths

DATASET = Dataset(
    name="gtzan",
    layout="genres/<genre>/<genre>.NNNNN.wav (or .au; the folder may be genres_original, or Data/genres_original), "
    "and, for the names of artists, GTZANindex.txt",
    get="the original host is gone; copies of 1.2 GB are on Kaggle (andradaolteanu/gtzan-dataset-music-genre-"
    "classification) and elsewhere",
    licence="none is stated; for research",
    suspects=("jazz.00054",),  # unreadable in the copy on Kaggle
)
PUBLISHED = {"filtered": {"train": 443, "valid": 197, "test": 290}}
DURATION_S = 30.0


def gtzan(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    split: str = "filtered",
    seed: int = 0,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """The manifest of GTZAN.

    split: "filtered" is the published one, without faulty clips and with every artist in one part; "artist" takes all
    clips, an artist's in one part, and needs GTZANindex.txt; "stratified" is random, so that artists leak.
    seed: of the other two.
    """
    one_of("data.split", split, ("filtered", "artist", "stratified"))
    source = Source(DATASET, root, download=download)
    audio = source.folder("genres", "genres_original", "Data/genres_original", ".", holding="blues")
    index = source.root / "GTZANindex.txt"
    if split == "artist":
        source.file("GTZANindex.txt")
    artists = _artists(index) if index.is_file() else {}

    def read(files: Files, report: Report) -> pl.DataFrame:
        by_stem = {os.path.splitext(name)[0]: name for name in sorted(files)}  # .wav rather than .au
        usual = Counter(os.path.splitext(name)[1] for name in files).most_common(1)
        names = [(genre, f"{genre}.{number:05}") for genre in lists.gtzan_genres for number in range(100)]
        rows = []
        for genre, name in names:
            path = by_stem.get(f"{genre}/{name}", f"{genre}/{name}{usual[0][0] if usual else '.wav'}")
            rows.append({"track_id": name, "path": path, "genre": genre, "artist": artists.get(name)})
        frame = pl.DataFrame(rows, schema_overrides={"artist": pl.String}).with_columns(duration_s=DURATION_S)
        if split == "filtered":
            parts = {"train": lists.filtered_train, "valid": lists.filtered_valid, "test": lists.filtered_test}
            of = {name: part for part, members in parts.items() for name in members}
            return frame.with_columns(split=pl.col("track_id").replace_strict(of, default=None))
        if split == "stratified":
            report.warn("a random split: artists are in several parts, and figures come out too high")
        return tenths(frame, seed=seed, by="artist" if split == "artist" else None, alike="genre")

    return source.manifest(
        read,
        folder=folder,
        options={"split": split} | ({"seed": seed} if split != "filtered" else {}),
        annotations=[index] if artists else [],
        audio=audio,
        published=PUBLISHED.get(split, {}),
        vocabulary={"genre": lists.gtzan_genres},
        partial=partial,
    )


def _artists(index: Path) -> dict[str, str]:
    """Of lines such as ``blues.00002.wav ::: John Lee Hooker ::: Think Twice Before You Go``."""
    cells = [line.split(":::") for line in index.read_text(errors="replace").splitlines()]
    named = {row[0].strip().removesuffix(".wav"): row[1].strip() for row in cells if len(row) >= 2}
    return {name: artist for name, artist in named.items() if artist}
