"""FMA: 106,574 tracks of the Free Music Archive in four sizes, with a hierarchy of genres.

Defferrard, Benzi, Vandergheynst, Bresson (2017): FMA: a dataset for music analysis. ISMIR.
"""

import json
import os
from pathlib import Path

import polars as pl

from musicrec.config.value_check import check_choice
from musicrec.data.adapters.download import Archive
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.adapters.tables import check_column, collect_columns, damaged_file, read_rows, read_table
from musicrec.data.checks import DatasetReport

HOST = "https://os.unil.cloud.switch.ch/fma"
SHA1 = {
    "metadata": "f0df49ffe5f2a6008d7dc83c6915b31835dfe733",
    "small": "ade154f733639d52e35e32f5593efe5be76c6d70",
    "medium": "c67b69ea232021025fca9231fc1c7c1a063ab50b",
    "large": "497109f4dd721066b5ce5e5f250ec604dc78939e",
    "full": "0f0ace23fbe9ba30ecb7e95f763e435ea802b8ab",
}
# Clips that are too short or unreadable, as the stated duration of their track was wrong:
# https://github.com/mdeff/fma/issues/8
SHORT = (1486, 5574, 65753, 80391, 98558, 98559, 98560, 98565, 98566, 98567, 98568, 98569, 98571, 99134, 105247, 108924,
         108925, 126981, 127336, 133297, 143992)  # fmt: skip
DATASET = Dataset(
    name="fma",
    layout="fma_metadata/ with tracks.csv and genres.csv, and beside it fma_small/ (or fma_medium/, fma_large/, "
    "fma_full/) with the folders 000 to 155",
    how_to_get=f"{HOST}/fma_metadata.zip (342 MiB) and fma_small.zip (7.2 GiB), fma_medium.zip (22 GiB), fma_large.zip "
    "(93 GiB) or fma_full.zip (879 GiB), unpacked; or data.download=true",
    licence="metadata CC BY 4.0; every track has the licence that its artist chose",
    suspects=tuple(f"{track:06}" for track in SHORT),
)
PUBLISHED = {
    "small": {"train": 6_400, "valid": 800, "test": 800},
    "medium": {"train": 19_922, "valid": 2_505, "test": 2_573},
    "large": {"all": 106_574},
    "full": {"all": 106_574},
}
TOP_GENRES = {"small": 8, "medium": 16, "large": 16, "full": 16}
GENRES = 161
SUBSETS = ("small", "medium", "large")  # a track is labelled with the smallest that has it
SPLITS = {"training": "train", "validation": "valid", "test": "test"}
NEEDED = {
    "split": ("set", "split"),
    "subset": ("set", "subset"),
    "genre": ("track", "genre_top"),
    "genres": ("track", "genres"),
    "title": ("track", "title"),
    "artist": ("artist", "name"),
    "album": ("album", "title"),
    "artist_id": ("artist", "id"),
    "album_id": ("album", "id"),
    "duration_s": ("track", "duration"),
}
CLIP_S = 30.0
TABLES = ("fma_metadata", ".", "fma_metadata/fma_metadata")  # copies on Kaggle have one more folder


def fma(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    subset: str = "small",
    genres: str = "top",
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of FMA.

    The column `genre` is the top genre; `tags` are all genres of a track and their ancestors in the hierarchy.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        subset: Small (8 balanced genres), medium (16 genres), large (all tracks, clips of 30 s) or full (all tracks,
            whole).
        genres: "top" leaves out tracks without a top genre, about half of large and full; "all" keeps them.
        partial: Leave out tracks whose file is missing.
        download: Download what is missing.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting has an unknown value.
        ManifestError: If files are missing or damaged.
        DownloadError: If a download fails.
    """
    check_choice("data.subset", subset, list(PUBLISHED))
    check_choice("data.genres", genres, ("top", "all"))
    audio_in = (f"fma_{subset}", f"fma_{subset}/fma_{subset}")
    archives = [
        Archive(
            urls=(f"{HOST}/fma_{name}.zip",),
            checksums=(f"sha1:{SHA1[name]}",),
            target=f"fma_{name}",
            unpack=True,
            inner=f"fma_{name}",
            present_patterns=there,
        )
        for name, there in (
            ("metadata", tuple(f"{place}/tracks.csv" for place in TABLES)),
            (subset, tuple(f"{place}/[0-9][0-9][0-9]/*" for place in audio_in)),
        )
    ]
    source = DatasetSource(DATASET, root, archives=archives, download=download)
    tracks = source.file(*(f"{place}/tracks.csv" for place in TABLES))
    hierarchy = source.file(*(f"{place}/genres.csv" for place in TABLES))
    audio = source.folder(*audio_in, holding="[0-9][0-9][0-9]")

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        frame = _tracks(tracks)
        report.ok(f"tracks.csv: {frame.height:,} tracks")
        smaller = {"small": ("small",), "medium": ("small", "medium")}.get(subset)
        if smaller:
            frame = frame.filter(pl.col("subset").is_in(smaller))
        used = pl.col("genre").is_not_null() | (genres == "all")
        name = pl.col("track_id").str.zfill(6)
        length_s = pl.col("duration_s").cast(pl.Float64)
        return frame.with_columns(
            track_id=name,
            path=pl.concat_str(name.str.slice(0, 3), pl.lit("/"), name, pl.lit(".mp3")),
            split=pl.when(used).then(pl.col("split").replace_strict(SPLITS, default=None)),
            tags=_with_ancestors(frame["genres"], hierarchy),
            # The id is added because two artists may have the same name.
            artist=pl.concat_str("artist", pl.lit(" ["), "artist_id", pl.lit("]")),
            album=pl.concat_str("album", pl.lit(" ["), "album_id", pl.lit("]")),
            duration_s=pl.when(length_s > 0).then(length_s) if subset == "full" else pl.lit(CLIP_S),
        ).drop("subset", "genres", "artist_id", "album_id")

    every = genres == "all" or subset in ("small", "medium")  # all tracks of small and medium have a top genre
    return source.manifest(
        read,
        folder=folder,
        options={"subset": subset, "genres": genres},
        annotations=[tracks, hierarchy],
        audio=audio,
        published=PUBLISHED[subset] if every else {},
        vocabulary={"genre": TOP_GENRES[subset]} | ({"tags": GENRES} if subset in ("large", "full") else {}),
        partial=partial,
    )


def _tracks(path: Path) -> pl.DataFrame:
    """Return track_id and the columns of `NEEDED` as text. The header has three rows."""
    lines = read_rows(path)
    above, below, index = (next(lines, (0, []))[1] for _ in range(3))
    columns = list(zip(above, below, strict=False))
    absent = [f"({group}, {name})" for group, name in NEEDED.values() if (group, name) not in columns]
    if absent or index[:1] != ["track_id"]:
        what = f"has no column {', '.join(absent)}" if absent else "has no third row that begins with track_id"
        raise damaged_file(path, f"{what}; its header should have three rows")
    places = {"track_id": 0, **{name: columns.index(column) for name, column in NEEDED.items()}}
    frame = collect_columns(lines, places, width=len(above), path=path)
    for column, good, expected in (
        ("track_id", pl.col("track_id").str.contains(r"^\d{1,6}$"), "a number"),
        ("split", pl.col("split").is_in(list(SPLITS)), f"one of {', '.join(SPLITS)}"),
        ("subset", pl.col("subset").is_in(SUBSETS), f"one of {', '.join(SUBSETS)}"),
        ("genres", pl.col("genres").str.contains(r"^\[(\d+(, *\d+)*)?\]$"), "a list such as [21, 12]"),
        ("duration_s", pl.col("duration_s").str.contains(r"^\d+(\.\d+)?$"), "a number of seconds"),
    ):
        called = f"({', '.join(NEEDED[column])})" if column in NEEDED else column
        check_column(frame, column, good, expected, path=path, called=called, first_row=4)
    return frame


def _with_ancestors(genres: pl.Series, hierarchy: Path) -> pl.Series:
    """Turn lists of genre ids such as ``[21, 12]`` into the titles of these genres and of all their ancestors."""
    listed = read_table(hierarchy, columns=["genre_id", "parent", "title"])
    for column in ("genre_id", "parent"):
        check_column(listed, column, pl.col(column).str.contains(r"^\d+$"), "a number", path=hierarchy)
    check_column(listed, "title", pl.col("title").is_not_null(), "the name of a genre", path=hierarchy)
    titles = dict(listed.select("genre_id", "title").iter_rows())
    parents = dict(listed.select("genre_id", "parent").iter_rows())
    known: dict[str, list[str]] = {}
    for cell in genres.unique():
        found: dict[str, None] = {}
        for genre in map(str, json.loads(cell)):
            if genre not in titles:
                raise damaged_file(hierarchy, f"has no genre {genre}, which tracks.csv names")
            while genre in titles and titles[genre] not in found:
                found[titles[genre]] = None
                genre = parents[genre]
        known[cell] = list(found)
    return pl.Series([known[cell] or None for cell in genres], dtype=pl.List(pl.String))
