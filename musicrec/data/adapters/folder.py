"""A folder of the user's own music: labels from the tags in the files, from a table, or both."""

import hashlib
import json
import os
import textwrap
from pathlib import Path

import polars as pl
from rich.box import MARKDOWN
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.data.adapters.kept import digest, keep, up_to_date
from musicrec.data.build import with_file_state
from musicrec.data.file_tags import FIELDS, read_tags
from musicrec.data.journal import KEY
from musicrec.data.manifest import read_manifest, scan_folder
from musicrec.data.schema import LABELS, REQUIRED
from musicrec.data.splitting import split_tracks
from musicrec.errors import ManifestError
from musicrec.keys import PITCH_CLASSES
from musicrec.locks import locked

_VERSION = 1  # raise it whenever the same files give another manifest
_SHOWN = 5


def music_folder(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    labels: str | os.PathLike | None = None,
    valid_share: float = 0.1,
    test_share: float = 0.1,
    split_by: str = "artist",
    split_seed: int = 0,
) -> Path:
    """The manifest of the audio files below a folder. It is made unless it is there and up to date; one that somebody
    has edited is used as it is. When music is added, the tracks that were there stay in their splits.

    Args:
        root: the folder; of any depth, format and sample rate.
        folder: where manifests go.
        labels: a table with a column `path`, relative to itself or to root, and columns of a manifest. Where it has a
            value, that of the file's tags does not count; where it has a split, that is the split.
        valid_share, test_share, split_by, split_seed: as `split_tracks` takes them.

    Raises:
        ManifestError: there is no audio, no label at all, or the table fits no file.
        ConfigError: the tracks cannot be split so.
    """
    if root is None:
        raise ManifestError("data.root is not set: name the folder of your music; see docs/datasets.md#folder")
    top = Path(os.path.abspath(Path(root).expanduser()))
    labels = labels and Path(os.path.abspath(Path(labels).expanduser()))
    files = with_file_state(scan_folder(top).select(*REQUIRED))
    place = Path(folder) / f"folder-{hashlib.sha256(str(top.resolve()).encode()).hexdigest()[:8]}" / top.name
    manifest = place / "manifest.csv"
    split = {"valid_share": valid_share, "test_share": test_share, "split_by": split_by, "split_seed": split_seed}
    state = {
        "adapter": _VERSION,
        "data.root": str(top),
        "data.labels": str(labels or ""),
        "the table of labels": digest(labels) if labels and labels.is_file() else "",
        "the split": split,
        "the audio files": hashlib.sha256(files.select(KEY).write_csv().encode()).hexdigest(),
    }
    if up_to_date(manifest, state):
        return manifest
    with locked(place / ".lock"):
        if up_to_date(manifest, state, tell=False):  # another process has just made it
            return manifest
        tags = _tags(files, place / "tags.parquet")
        frame = files.join(tags, on="path", how="left", maintain_order="left").select(*REQUIRED, *FIELDS)
        frame = frame.with_columns(split=pl.lit(None, pl.String))
        if labels is not None:
            frame = _preferred(frame, _table(labels, frame, top))
        frame = frame.with_columns(_one_spelling(frame["genre"]))
        there = [name for name in LABELS if name in frame.columns]
        if not any(frame[name].null_count() < frame.height for name in there):
            raise ManifestError(
                f"{top}: none of its {frame.height:,} audio files has a label to learn from: no genre, BPM or key in "
                f"its tags{'' if labels is None else f', and none in {labels}'}. Write them there with a tagger or "
                "DJ software, or give a table, data.labels=FILE.csv with a column path and columns such as genre, "
                "bpm, key (docs/manifest.md). A library for recommendations needs none: recommend.py action=index"
            )
        settings = {"valid_share": valid_share, "test_share": test_share, "unit": split_by, "seed": split_seed}
        frame = split_tracks(_with_earlier_splits(frame, manifest, state), **settings)
        keep(frame, manifest, state)
    _print(frame, tags, place=top, manifest=manifest)
    return manifest


def _tags(files: pl.DataFrame, cache: Path) -> pl.DataFrame:
    """What the tags of the files say; only files that are new or have changed since the last time are read."""
    known = pl.read_parquet(cache) if cache.is_file() else None
    todo = files if known is None else files.join(known, on=KEY, how="anti", maintain_order="left")
    tags = todo.select(KEY).join(read_tags(todo["path"]), on="path", how="left", maintain_order="left")
    if known is not None:
        tags = pl.concat([known.join(files, on=KEY, how="semi"), tags])
    temporary = cache.with_suffix(".tmp")
    tags.write_parquet(temporary)
    os.replace(temporary, cache)
    return tags.drop(KEY[1:])


def _one_spelling(genre: pl.Series) -> pl.Series:
    """Genres that differ in upper and lower case only are one: in the spelling that is most frequent."""
    counts = genre.drop_nulls().value_counts().sort("count", genre.name, descending=[True, False])
    folded = counts.with_columns(folded=pl.col(genre.name).str.to_lowercase())
    kept = folded.unique("folded", keep="first", maintain_order=True)
    names = folded.join(kept.select("folded", kept=genre.name), on="folded", maintain_order="left")
    return genre.replace(names[genre.name], names["kept"])


def _table(labels: Path, frame: pl.DataFrame, top: Path) -> pl.DataFrame:
    """The table of labels, its paths those of the files; rows that fit no file are left out, and said."""
    table = read_manifest(labels, check_files=False, required=("path",))
    found = set(frame["path"])
    beside, below = f"{os.path.abspath(labels.parent).rstrip('/')}/", f"{top}/"
    paths = [
        path if path in found else next((p for p in [below + path.removeprefix(beside)] if p in found), None)
        for path in table["path"]
    ]
    lost = table.filter(pl.Series(paths, dtype=pl.String).is_null())["path"]
    if len(lost) == table.height:
        raise ManifestError(
            f"data.labels={labels}: fits none of the audio files below data.root={top}; its column path, with "
            f"{lost[0]!r} first, is to hold paths relative to the table or to data.root"
        )
    if len(lost):
        more = f" and {len(lost) - _SHOWN:,} more" if len(lost) > _SHOWN else ""
        print(f"{labels}: {len(lost):,} rows name no file below {top}: {', '.join(lost.head(_SHOWN))}{more}")
    table = table.with_columns(path=pl.Series(paths, dtype=pl.String)).drop_nulls("path")
    again = table.filter(~pl.col("path").is_first_distinct())
    if again.height:
        raise ManifestError(f"data.labels={labels}: {again.height:,} files have two rows, first {again['path'][0]}")
    return table


def _preferred(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """The values of the table, and where it has none those of the tags. A key brings its mode along."""
    used = [name for name in table.columns if name not in REQUIRED and table[name].null_count() < table.height]
    of_table = table.select("path", pl.col(used).name.suffix(" in the table"))
    joined = frame.join(of_table, on="path", how="left", maintain_order="left")
    values = {name: pl.coalesce(*(c for c in (f"{name} in the table", name) if c in joined.columns)) for name in used}
    if "key" in used:
        mode = pl.col("mode in the table") if "mode" in used else pl.lit(None, pl.String)
        values["mode"] = pl.when(pl.col("key in the table").is_null()).then(values.get("mode", "mode")).otherwise(mode)
    return joined.with_columns(**values).drop(pl.selectors.ends_with(" in the table"))


def _with_earlier_splits(frame: pl.DataFrame, manifest: Path, state: dict) -> pl.DataFrame:
    """The splits of a manifest that was made before, in the same way, of tracks that are still there."""
    try:
        before = json.loads(manifest.with_suffix(".json").read_text())["state"]
        if any(before[name] != state[name] for name in ("adapter", "data.labels", "the split")):
            return frame
        earlier = read_manifest(manifest, check_files=False).select("path", earlier="split")
    except (OSError, ValueError, KeyError, ManifestError):
        return frame
    joined = frame.join(earlier, on="path", how="left", maintain_order="left")
    return joined.with_columns(split=pl.coalesce("split", "earlier")).drop("earlier")


def _print(frame: pl.DataFrame, tags: pl.DataFrame, *, place: Path, manifest: Path) -> None:
    out = Console(highlight=False, soft_wrap=True, width=160)
    table = Table("", "tracks", "", box=MARKDOWN)
    for name in (name for name in frame.columns if name not in (*REQUIRED, "split", "title", "duration_s")):
        column = frame[name].drop_nulls()
        table.add_row(
            escape(name), f"{len(column):,}", escape(textwrap.shorten(_values(column), 120, placeholder=" …"))
        )
    out.print(f"\n{escape(str(place))}: {frame.height:,} audio files", table)
    problems = tags.drop_nulls("problem")
    if problems.height:
        first = [f"{os.path.relpath(path, place)} ({what})" for path, what in
                 problems.select("path", "problem").head(_SHOWN).iter_rows()]  # fmt: skip
        more = f" and {problems.height - _SHOWN:,} more" if problems.height > _SHOWN else ""
        out.print(f"not understood in the tags of {problems.height:,}: {escape(', '.join(first) + more)}")
    counts = dict(frame["split"].value_counts().iter_rows())
    order = sorted(counts, key=lambda name: (("train", "valid", "test", name).index(name), name))
    out.print(f"split: {', '.join(f'{name} {counts[name]:,}' for name in order)}")
    out.print(f"manifest: {escape(str(manifest))}")


def _values(column: pl.Series) -> str:
    """The most frequent values of a column of labels, or its range."""
    if column.is_empty():
        return ""
    if column.name in ("bpm", "loudness") or column.dtype == pl.Float64:
        return f"{column.min():g} to {column.max():g}"
    values = column.explode().drop_nulls() if isinstance(column.dtype, pl.List) else column
    if column.name == "key":
        values = values.replace_strict(dict(enumerate(PITCH_CLASSES)), return_dtype=pl.String)
    counts = values.value_counts().sort("count", values.name, descending=[True, False])
    shown = ", ".join(f"{value} {count}" for value, count in counts.head(_SHOWN).iter_rows())
    return f"{counts.height:,} different: {shown}{' …' * (counts.height > _SHOWN)}"
