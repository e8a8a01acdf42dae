"""Dumps of Spotify's audio features with the previews that belong to them.

The Web API has given neither to new applications since November 2024, so that this reads dumps that exist, and nothing
can fetch more.
"""

import ast
import os
from pathlib import Path

import polars as pl

from musicrec.data.adapters.checks import Report
from musicrec.data.adapters.source import Dataset, Files, Source
from musicrec.data.adapters.tables import table
from musicrec.data.schema import UNIT_FEATURES, complete
from musicrec.data.splitting import split_tracks
from musicrec.errors import ManifestError

DATASET = Dataset(
    name="spotify",
    layout="a CSV file of audio features (data.csv names it where there are several), and, in any folders, previews "
    "named by their tracks' ids, such as 4uLU6hMCjMI75M1A2tKUQC.mp3",
    get="only dumps that exist: since November 2024 Spotify gives audio features and previews to no new application",
    licence="Spotify's terms, which restrict what may be learned from its content: read them first",
)
COLUMNS = ["track_uri", *UNIT_FEATURES, "loudness", "mode", "tempo", "key", "time_signature"]
NAMES = {"artist_name": "artist", "track_name": "title", "album_name": "album"}
PREVIEW_S = 30.0


def spotify(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    csv: str | None = None,
    seed: int = 0,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """The manifest of a dump. Its column `split` is used where it has one; else tracks are split by artist.

    csv: the file of the features, below the root; None where it is the only one.
    """
    source = Source(DATASET, root, download=download)
    found = sorted(source.root.glob("*.csv"))
    if csv is None and len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise DATASET.error(f"data.csv is not set, and data.root={source.root} does not hold one CSV file but {names}")
    features = source.file(csv) if csv else found[0]

    def read(files: Files, report: Report) -> pl.DataFrame:
        frame = table(features, columns=COLUMNS)
        report.ok(f"{features.name}: {frame.height:,} rows")
        by_id = {Path(name).stem: name for name in files}
        track_id = pl.col("track_uri").str.split(":").list.last()
        numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in (*UNIT_FEATURES, "loudness")]
        others = ("key", "mode", "time_signature", "tempo")
        key, mode, metre, tempo = (pl.col(name).cast(pl.Float64, strict=False) for name in others)
        frame = frame.select(
            *numbers,
            *(pl.col(old).alias(new) for old, new in NAMES.items() if old in frame.columns),
            *([pl.col("split")] if "split" in frame.columns else []),
            track_id=track_id,
            path=track_id.replace_strict(by_id, default=None).fill_null(track_id + ".mp3"),
            bpm=pl.when(tempo > 0).then(tempo),  # 0, and a key of -1: Spotify has found none
            key=pl.when(key >= 0).then(key).cast(pl.Int8),
            mode=mode.replace_strict({0.0: "minor", 1.0: "major"}, default=None),
            time_signature=pl.when(metre > 0).then(metre).cast(pl.Int8),
            tags=pl.Series(_genres(frame, features), dtype=pl.List(pl.String)),
            duration_s=pl.lit(PREVIEW_S),
        )
        if "split" in frame.columns:
            return frame
        return split_tracks(complete(frame.unique("track_id", keep="first", maintain_order=True)), seed=seed)

    return source.manifest(
        read,
        folder=folder,
        options={"csv": features.stem, "seed": seed},
        annotations=[features],
        audio=source.root,
        partial=partial,
    )


def _genres(frame: pl.DataFrame, path: Path) -> list[list[str] | None]:
    """Cells such as ``['rock', 'pop']`` or ``rock, pop``."""
    if "genres" not in frame.columns:
        return [None] * frame.height
    found = []
    for number, cell in enumerate(frame["genres"], start=2):
        try:
            names = ast.literal_eval(cell) if cell and cell.startswith("[") else (cell or "").split(",")
        except (ValueError, SyntaxError):
            expected = "a list such as ['rock', 'pop']"
            raise ManifestError(f"{path}: row {number}, genres: {cell!r}, expected {expected}") from None
        found.append([str(name).strip() for name in names if str(name).strip()] or None)
    return found
