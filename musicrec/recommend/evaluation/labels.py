"""What is known of the tracks of a library apart from the models: from the tags in their files, or from a table."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.value_check import check_choice
from musicrec.errors import ManifestError
from musicrec.heads.keys import MODES, key_index
from musicrec.recommend.columns import Columns
from musicrec.recommend.track import Track

if TYPE_CHECKING:
    import polars as pl

LABELS = ("artist", "album", "genre", "year", "title")
TAG_COLUMNS = ("genre", "instruments", "tags")


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """The labels that rankings are measured by, one row per track. No ranking may use them.

    Attributes:
        artist: (tracks,) text, "" if unknown.
        album: (tracks,) text, "" if unknown.
        genre: (tracks,) text, "" if unknown.
        label: (tracks,) text, what "of the same label" compares, such as the soundtrack; "" if unknown.
        label_name: What the label is, for people: "artist", "soundtrack" …
        tags: (tracks, tags) bool; no columns if no tags are known.
        bpm: (tracks,) tempo in BPM, NaN if unknown.
        key: (tracks,) index in `KEYS_24`, -1 if unknown.
        energy: (tracks,) from 1 to 10, NaN if unknown.
        sources: {"tempo" …: where it comes from, in words}.
    """

    artist: np.ndarray
    album: np.ndarray
    genre: np.ndarray
    label: np.ndarray
    label_name: str
    tags: np.ndarray
    bpm: np.ndarray
    key: np.ndarray
    energy: np.ndarray
    sources: Mapping[str, str]


def library_labels(tracks: Sequence[Track], columns: Columns, *, label: str = "artist") -> Labels:
    """Return what the files say of the tracks; tempo, key and energy are the answers of the models.

    Args:
        tracks: The tracks.
        columns: Their facts.
        label: The fact that "of the same label" compares, one of `LABELS`.

    Raises:
        ConfigError: The label is none of these.
    """
    check_choice("evaluate.label", label, LABELS)
    of_label = [getattr(track, label) for track in tracks]
    return Labels(
        artist=_texts(track.artist for track in tracks),
        album=_texts(track.album for track in tracks),
        genre=_texts(track.genre for track in tracks),
        label=_texts(of_label),
        label_name=label,
        tags=np.zeros((len(tracks), 0), dtype=bool),
        bpm=columns.bpm.astype(np.float64),
        key=columns.key.astype(np.int64),
        energy=columns.energy.astype(np.float64),
        sources={"tempo": "the models", "key": "the models", "energy": "the descriptor"},
    )


def table_labels(
    path: str | os.PathLike, tracks: Sequence[Track], columns: Columns, *, label: str = "artist"
) -> Labels:
    """Return the labels of a table, and what the library says where the table lacks a column.

    Args:
        path: A manifest, or another table with a column `path` and labels as a manifest has (docs/manifest.md).
        tracks: The tracks of the library.
        columns: Their facts.
        label: The column that "of the same label" compares.

    Raises:
        ManifestError: The table cannot be read, has none of the tracks, or lacks the column of the label.
    """
    from musicrec.data.manifest import read_manifest

    frame = read_manifest(path, check_files=False, required=("path",))
    if label not in frame.columns:
        raise ManifestError(f"{path}: has no column {label}; name one of it as the label (evaluate.label=…)")
    rows = {os.path.abspath(one): row for row, one in enumerate(frame["path"].to_list())}
    places = np.array([rows.get(track.path, -1) for track in tracks])
    if (places < 0).all():
        raise ManifestError(f"{path}: has none of the tracks of the library; its paths must be those that were indexed")
    known = {name: _column(frame, name, places) for name in dict.fromkeys(("artist", "album", "genre", "bpm", label))}
    texts = {name: _texts(values) for name, values in known.items() if name != "bpm"}
    found = library_labels(tracks, columns)
    sources = dict(found.sources)
    changes: dict[str, Any] = {
        name: np.where(texts[name] != "", texts[name], getattr(found, name)) for name in ("artist", "album", "genre")
    }
    if any(value is not None for value in known["bpm"]):
        changes["bpm"], sources["tempo"] = np.array([value or np.nan for value in known["bpm"]], np.float64), "labels"
    keys = _keys(frame, places)
    if (keys >= 0).any():
        changes["key"], sources["key"] = keys, "labels"
    return replace(
        found,
        **changes,
        label=changes.get(label, texts[label]),
        label_name=label,
        tags=_tags(frame, places),
        sources=sources,
    )


def _column(frame: "pl.DataFrame", name: str, places: np.ndarray) -> list[Any]:
    values = frame[name].to_list()
    return [None if place < 0 else values[place] for place in places]


def _keys(frame: "pl.DataFrame", places: np.ndarray) -> np.ndarray:
    tonics, modes = (_column(frame, name, places) for name in ("key", "mode"))
    return np.array(
        [
            key_index(int(tonic), mode) if tonic is not None and mode in MODES else -1
            for tonic, mode in zip(tonics, modes, strict=True)
        ]
    )


def _tags(frame: "pl.DataFrame", places: np.ndarray) -> np.ndarray:
    """Return the tags of all columns of tags side by side, (tracks, tags) bool."""
    owners: dict[tuple[str, str], list[int]] = {}
    for name in TAG_COLUMNS:
        for row, value in enumerate(_column(frame, name, places)):
            for tag in [value] if isinstance(value, str) else value or ():
                owners.setdefault((name, tag), []).append(row)
    found = np.zeros((len(places), len(owners)), dtype=bool)
    for column, of_tag in enumerate(owners.values()):
        found[of_tag, column] = True
    return found


def _texts(values: Any) -> np.ndarray:
    return np.array(["" if value is None else str(value) for value in values], dtype=object)
