"""Dumps of Spotify's audio features, with the previews of the tracks.

Since November 2024 the Web API gives neither to new applications, so only existing dumps can be read.
"""

import ast
import os
from pathlib import Path

import polars as pl

from musicrec.config.number_types import Seed, Share
from musicrec.config.value_check import check_choice
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.checks import DatasetReport, count_of, drop_repeated_tracks
from musicrec.data.csv_text import read_csv
from musicrec.data.schema import RANGES, ROW, UNIT_FEATURES, Problems, with_all_columns
from musicrec.data.splitting import split_tracks

DATASET = Dataset(
    name="spotify",
    layout="a CSV file of audio features (set data.csv if there are several) and, in any folders, previews named by "
    "track id, such as 4uLU6hMCjMI75M1A2tKUQC.mp3",
    how_to_get="only existing dumps: since November 2024 Spotify gives no audio features and previews to "
    "new applications",
    licence="Spotify's terms, which restrict what may be learned from its content: read them first",
    version=2,
)
NAMES = {"artist_name": "artist", "track_name": "title", "album_name": "album", "split": "split"}
# {column: (range, value that means that Spotify found none, both in words)}
VALUES = {
    **{name: (RANGES[name], None, "a number from 0 to 1") for name in UNIT_FEATURES},
    "loudness": (RANGES["loudness"], None, "a number of decibels from -200 to 100"),
    "mode": ((0, 1), None, "1 (major) or 0 (minor)"),
    "tempo": (RANGES["bpm"], 0, "a tempo from 20 to 400, 0 for none"),
    "key": ((0, 11), -1, "a whole number from 0 (C) to 11 (B), -1 for none"),
    "time_signature": ((1, 7), 0, "a whole number from 1 to 7, 0 for none"),
}
WHOLE = ("mode", "key", "time_signature")
COLUMNS = ["track_uri", *VALUES]
PREVIEW_S = 30.0


def spotify(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    csv: str | None = None,
    valid_share: Share = 0.1,
    test_share: Share = 0.1,
    split_by: str = "artist",
    seed: Seed = 0,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of a dump. Tracks are split at random unless the dump has a column `split`.

    Args:
        root: The folder of the dump.
        folder: Where the manifest is written.
        csv: The file of the features, relative to the root; None if there is one CSV file only.
        valid_share: Share of the tracks for validation.
        test_share: Share of the tracks for the test.
        split_by: "artist", "album" or "track", whose tracks stay in one split.
        seed: The seed of the random split.
        partial: Leave out tracks whose preview is missing.
        download: Refused, as dumps cannot be downloaded.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting has an unknown value, or the tracks cannot be split.
        ManifestError: If files are missing or damaged.
    """
    check_choice("data.split_by", split_by, ("artist", "album", "track"))
    source = DatasetSource(DATASET, root, download=download)
    found = sorted(source.root.glob("*.csv"))
    if csv is None and len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DATASET.error(
            f"data.csv is not set: name the file of the features; data.root={source.root} holds {names}"
        )
    features = source.file(csv) if csv else found[0]

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        frame = _checked(features)
        report.ok(f"{features.name}: {frame.height:,} rows")
        by_id = {Path(name).stem: name for name in files}
        path = pl.col("track_id").replace_strict(by_id, default=None, return_dtype=pl.String)
        frame = frame.with_columns(path=path.fill_null(pl.col("track_id") + ".mp3"), duration_s=PREVIEW_S)
        frame = drop_repeated_tracks(with_all_columns(frame), report)
        lost = frame.filter(pl.col("split").is_null())["track_id"]
        if len(lost) == frame.height:
            return split_tracks(frame, valid_share=valid_share, test_share=test_share, unit=split_by, seed=seed)
        if len(lost):
            report.warn(f"{count_of(lost, 'track')} left out: no split, although other tracks have one", lost)
        return frame

    usual = split_by == "artist" and valid_share == test_share == 0.1
    own = {} if usual else {"split_by": split_by, "valid_share": valid_share, "test_share": test_share}
    return source.manifest(
        read,
        folder=folder,
        options={"csv": features.stem, "seed": seed, **own},
        annotations=[features],
        audio=source.root,
        partial=partial,
    )


def _checked(path: Path) -> pl.DataFrame:
    """Read a dump, and return its rows with the names and types of a manifest, without paths.

    Raises:
        ManifestError: With all problems of the file.
    """
    problems = Problems(path)
    raw = read_csv(path, problems)
    for name in COLUMNS:
        if name not in raw.columns:
            problems.add(1, name, f"required column is missing; the file has {', '.join(raw.columns[:-1]) or 'none'}")
    if ROW not in raw.columns or "track_uri" not in raw.columns:
        problems.raise_if_any()
    if raw.is_empty():
        problems.add(0, "", "no rows, expected at least one track")
    uri = raw["track_uri"]
    track_id = uri.str.strip_chars().str.extract(r"([^:/?\s]+)(?:\?\S*)?$")
    problems.add_cells(
        raw[ROW], "track_uri", uri, track_id.is_null(), "a URI such as spotify:track:4uLU6hMCjMI75M1A2tKUQC"
    )
    numbers = {name: _numbers(raw, name, problems) for name in COLUMNS[1:] if name in raw.columns}
    tags = _genres(raw, problems)
    problems.raise_if_any()
    mode = numbers.pop("mode").replace_strict({0: "minor", 1: "major"}, return_dtype=pl.String)
    numbers["bpm"] = numbers.pop("tempo")
    texts = {new: raw[old].str.strip_chars().replace("", None) for old, new in NAMES.items() if old in raw.columns}
    return pl.DataFrame({"track_id": track_id, **texts, **numbers, "mode": mode, "tags": tags}).cast(
        {"key": pl.Int8, "time_signature": pl.Int8}
    )


def _numbers(raw: pl.DataFrame, name: str, problems: Problems) -> pl.Series:
    """Return a column of features, null for cells that are empty or mean that Spotify found nothing."""
    (low, high), nothing, expected = VALUES[name]
    text = raw[name].str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    known = (values.is_between(low, high) & ((values % 1 == 0) | (name not in WHOLE))).fill_null(False)
    fits = known if nothing is None else known | (values == nothing).fill_null(False)
    bad = text.is_not_null() & (text != "") & ~fits
    problems.add_cells(raw[ROW], name, raw[name], bad, f"{expected}, or an empty cell")
    return values.set(~known, None)


def _genres(raw: pl.DataFrame, problems: Problems) -> pl.Series:
    """Return lists from cells such as ``['rock', 'pop']``, ``rock, pop`` or ``rock|pop``."""
    found = []
    for row, cell in raw.select(ROW, "genres").iter_rows() if "genres" in raw.columns else ():
        names = [cell or ""]
        if names[0].lstrip().startswith("["):
            try:
                names = [str(name) for name in ast.literal_eval(cell.strip())]
            except (ValueError, SyntaxError, TypeError):
                problems.add(row, "genres", f"{cell!r}, expected a list such as ['rock', 'pop'], or an empty cell")
        else:
            names = names[0].split(",")
        parts = [part.strip() for name in names for part in name.split("|")]  # | separates items in a manifest
        found.append([part for part in parts if part] or None)
    return pl.Series(found or [None] * raw.height, dtype=pl.List(pl.String))
