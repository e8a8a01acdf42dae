"""A folder or a playlist of your own music, with labels from the tags in the files, a table, or both."""

import contextlib
import hashlib
import json
import os
import shlex
from pathlib import Path

import polars as pl

from musicrec.audio.file_tags import FIELDS, read_tags
from musicrec.data.adapters.folder_checks import (
    drop_empty_files,
    print_summary,
    report_split_leaks,
    report_unreadable_tags,
)
from musicrec.data.adapters.folder_labels import merge_labels, read_labels, with_folder_names
from musicrec.data.adapters.manifest_cache import file_digest, is_up_to_date, save_manifest
from musicrec.data.checks import DatasetReport, count_of, find_copies
from musicrec.data.journal import KEY
from musicrec.data.manifest import read_manifest
from musicrec.data.scan import SourceScan, scan_source, unlabelled_manifest
from musicrec.data.schema import LABELS, REQUIRED
from musicrec.data.splitting import split_tracks
from musicrec.data.store_build import with_file_state
from musicrec.errors import ConfigError, ManifestError
from musicrec.interchange.m3u import is_playlist
from musicrec.system.atomic_write import atomic_write, write_text
from musicrec.system.file_names import path_on_disk
from musicrec.system.lock import wait_for_lock

_VERSION = 3  # increase it whenever the same files give another manifest


def music_folder(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    labels: str | os.PathLike | None = None,
    folder_label: str | None = None,
    valid_share: float = 0.1,
    test_share: float = 0.1,
    split_by: str = "artist",
    split_seed: int = 0,
) -> Path:
    """Return the manifest of the audio files of a folder or a playlist; make it if it is missing or out of date.

    A manifest that the user has edited is used as it is. When music is added, the earlier tracks keep their splits.

    Args:
        root: The folder, of any depth, with files of any format and sample rate, or an M3U playlist of such files.
        folder: Where manifests are written.
        labels: A table with a column `path`, relative to the table or to the root, and columns of a manifest. Its
            values replace those of the tags in the files, and its splits are kept.
        folder_label: The label that the folders directly below the root name, such as "genre". Their names replace the
            values of the tags; None if they are no label.
        valid_share: Share of the tracks for validation.
        test_share: Share of the tracks for the test.
        split_by: "artist", "album" or "track", whose tracks stay in one split.
        split_seed: Seed of the random split.

    Returns:
        The path of the manifest.

    Raises:
        ManifestError: If there is no audio or no label, or if no row of the table matches a file.
        ConfigError: If there are too few artists (albums, tracks) to split, or the folders cannot be this label.
    """
    source = _music_source(root)
    if folder_label is not None and not source.is_dir():
        raise ConfigError(f"data.folder_label={folder_label}: needs a folder, but data.root={root} is a playlist")
    labels = labels and Path(path_on_disk(os.path.abspath(Path(labels).expanduser())))
    found = scan_source(source)
    top = Path(found.top)
    files = with_file_state(unlabelled_manifest(found).select(*REQUIRED))
    place = Path(folder) / f"folder-{hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:8]}" / source.name
    manifest = place / "manifest.csv"
    split = {"valid_share": valid_share, "test_share": test_share, "split_by": split_by, "split_seed": split_seed}
    state = {
        "adapter": _VERSION,
        "data.root": str(source),
        "data.labels": str(labels or ""),
        "the table of labels": file_digest(labels) if labels and labels.is_file() else "",
        "the split": split,
        "the audio files": hashlib.sha256(files.select(KEY).write_csv().encode()).hexdigest(),
    }
    if folder_label is not None:
        state["data.folder_label"] = folder_label
    if not source.is_dir():
        state["the playlist"] = file_digest(source)
    if is_up_to_date(manifest, state):
        return manifest
    with wait_for_lock(place / ".lock"):
        if is_up_to_date(manifest, state, log_reason=False):  # another process has made it while this one waited
            return manifest
        report = DatasetReport("folder", str(source))
        usable = drop_empty_files(files, found, report)
        tags = _tags(usable, place / f"tags-{_VERSION}.parquet")
        report_unreadable_tags(tags, top, report)
        frame = usable.join(tags, on="path", how="left", maintain_order="left").select(*REQUIRED, *FIELDS)
        frame = _with_names(frame, found).with_columns(split=pl.lit(None, pl.String))
        if folder_label is not None:
            frame = with_folder_names(frame, folder_label, top)
        if labels is not None:
            frame = merge_labels(frame, read_labels(labels, files["path"].to_list(), top, report))
        frame = frame.with_columns(_one_spelling(frame["genre"]), _one_spelling(frame["artist"]))
        present = [name for name in LABELS if name in frame.columns]
        if not any(frame[name].null_count() < frame.height for name in present):
            raise ManifestError(
                f"{source}: none of its {count_of(frame, 'audio file')} has a label, so there is nothing to learn: no "
                f"genre, BPM or key in the tags{'' if labels is None else f', and no label in {labels}'}. Write tags "
                "with a tagger or DJ software, or give a table, data.labels=FILE.csv, with a column path and columns "
                "such as genre, bpm, key (docs/datasets.md#folder). If the names of the folders are the label, say so: "
                "data.folder_label=genre. A library for recommendations needs no labels: "
                f"musicrec recommend action=index {shlex.quote(f'source={source}')}"
            )
        sizes = {os.path.relpath(path, top): size for path, size in usable["path", "size"].iter_rows()}
        copies = find_copies(sizes, audio=top)
        settings = {"valid_share": valid_share, "test_share": test_share, "unit": split_by, "seed": split_seed}
        frame = _split(_with_earlier_splits(frame, manifest, state), copies, top, settings)
        report_split_leaks(frame, copies, top, report)
        write_text(manifest.with_suffix(".checks.txt"), report.text() + "\n", error=ManifestError)
        save_manifest(frame, manifest, state)
    print(report.text(shown=5))
    print_summary(frame, manifest=manifest)
    return manifest


def _music_source(root: str | os.PathLike | None) -> Path:
    """Return the absolute path of the folder or playlist, or raise a ManifestError that says what is wrong with it."""
    if root is None:
        raise ManifestError(
            "data.root is not set: give the folder of your music or a playlist (in a mixture: data.sets.NAME.root); "
            "see docs/datasets.md#folder"
        )
    source = Path(path_on_disk(os.path.abspath(Path(root).expanduser())))
    if not source.is_dir() and not is_playlist(source):
        raise ManifestError(
            f"data.root={root}: no such folder; give the folder of your music or an M3U playlist, see "
            "docs/datasets.md#folder"
        )
    shown = os.fsencode(source).decode(errors="backslashreplace")
    if shown != str(source):
        raise ManifestError(f"data.root={shown}: the name of this folder is not UTF-8; rename it")
    return source


def _with_names(frame: pl.DataFrame, found: SourceScan) -> pl.DataFrame:
    """Fill in the artists and titles that the tags lack from the playlist."""
    stated = [found.names.get(os.path.relpath(path, found.top), (None, None)) for path in frame["path"]]
    columns = pl.DataFrame(stated, schema={"artist": pl.String, "title": pl.String}, orient="row")
    return frame.with_columns(pl.coalesce(frame[name], columns[name]).alias(name) for name in ("artist", "title"))


def _tags(files: pl.DataFrame, cache: Path) -> pl.DataFrame:
    """Return the tags of the files, reading only files that are new or have changed since the last call."""
    known, columns = None, [*KEY, *FIELDS, "problem"]
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):  # missing or damaged: read all files again
        known = pl.read_parquet(cache, columns=columns, glob=False)
    unread = files if known is None else files.join(known, on=KEY, how="anti", maintain_order="left")
    tags = unread.select(KEY).join(read_tags(unread["path"]), on="path", how="left", maintain_order="left")
    if known is not None:
        tags = pl.concat([known.join(files, on=KEY, how="semi"), tags.select(columns)])
    with atomic_write(cache, "wb", error=ManifestError) as file:
        tags.write_parquet(file)
    return tags.drop(KEY[1:])


def _one_spelling(names: pl.Series) -> pl.Series:
    """Replace names that differ only in case or in the encoding of accents by the most frequent spelling."""
    column, name = names.name, pl.col(names.name)
    counts = names.drop_nulls().value_counts().sort("count", column, descending=[True, False])
    folded = counts.with_columns(folded=name.str.strip_chars().str.normalize("NFC").str.to_lowercase())
    usual = folded.unique("folded", keep="first", maintain_order=True)
    found = folded.join(usual.select("folded", usual=column), on="folded", maintain_order="left")
    return names.replace(found[column], found["usual"])


def _split(frame: pl.DataFrame, copies: list[list[str]], top: Path, settings: dict) -> pl.DataFrame:
    """Split the tracks; copies of a file without artist and album are treated as one track."""
    track_ids = dict(frame.select("path", "track_id").iter_rows())
    first = {str(top / path): track_ids[str(top / group[0])] for group in copies for path in group}
    as_one = frame["path"].replace_strict(first, default=frame["track_id"], return_dtype=pl.String)
    return split_tracks(frame.with_columns(track_id=as_one), **settings).with_columns(frame["track_id"])


def _with_earlier_splits(frame: pl.DataFrame, manifest: Path, state: dict) -> pl.DataFrame:
    """Add the splits of the earlier manifest, if it was made with the same settings."""
    name = pl.col("path").str.normalize("NFC")
    try:
        before = json.loads(manifest.with_suffix(".json").read_text())["state"]
        if any(before.get(name) != state.get(name) for name in ("data.labels", "data.folder_label", "the split")):
            return frame
        earlier = read_manifest(manifest, check_files=False).select(name=name, earlier="split").unique("name")
    except (OSError, ValueError, KeyError, ManifestError):
        return frame
    joined = frame.with_columns(name=name).join(earlier, on="name", how="left", maintain_order="left")
    return joined.with_columns(split=pl.coalesce("split", "earlier")).drop("name", "earlier")
