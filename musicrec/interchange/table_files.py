"""Write tracks as CSV for spreadsheets, and collections and sets as JSON for other programs."""

import dataclasses
import json
import os
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from musicrec.errors import PlaylistError
from musicrec.interchange.collection import Collection, CollectionPlaylist, CollectionTrack, PlaylistFolder
from musicrec.interchange.key_notation import KeyNotation, format_key
from musicrec.interchange.output_files import check_output, check_paths, clean_text
from musicrec.system.atomic_write import atomic_write
from musicrec.system.csv_table import write_csv

COLUMNS = (
    *("position", "artist", "title", "album", "genre", "year", "duration_s", "bpm", "key", "rating", "play_count"),
    *("date_added", "last_played", "comment", "path"),
)
# A spreadsheet takes a cell that begins so for a formula, which may start programs or send data away. The wide forms
# are read as the plain ones by some.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# Where the comma separates decimals, a spreadsheet opens a table with another separator, and marks of quotation in the
# middle of a line hold nothing together: what follows becomes a cell of its own.
_FORMULA_WITHIN = re.compile('([;\t\r\n|][ "\u00a0]*)(?=[=+\\-@＝＋－＠])')


def write_track_table(
    path: str | os.PathLike,
    tracks: Iterable[CollectionTrack],
    *,
    key_notation: KeyNotation = "as_written",
    replace: bool = False,
) -> Path:
    """Write tracks as a CSV table in UTF-8, with a header, one row per track.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, which the spreadsheet shows in the
    cell; numbers are written as they are.

    Args:
        path: The file, .csv.
        tracks: The tracks, in their order.
        key_notation: How keys are written.
        replace: Replace an existing file.

    Returns:
        The path.

    Raises:
        ConfigError: There is no such notation.
        PlaylistError: The file cannot be written, or the name of a file is not UTF-8.
    """
    path, tracks = check_output(path, suffixes=(".csv",), replace=replace), list(tracks)
    check_paths(tracks, output=path)
    format_key(None, key_notation)
    rows = (
        [safe_cell(cell) for cell in _cells(number, track, key_notation)]
        for number, track in enumerate(tracks, start=1)
    )
    return write_csv(path, COLUMNS, rows, error=PlaylistError)


def write_collection_json(
    path: str | os.PathLike,
    collection: Collection,
    *,
    key_notation: KeyNotation = "as_written",
    replace: bool = False,
) -> Path:
    """Write a collection, or a set of tracks, as JSON.

    ``tracks`` is a list of the fields of `CollectionTrack` without those that are unknown; ``camelot`` is added.
    ``playlists`` is the tree, in which a playlist lists positions in ``tracks`` from 0.

    Args:
        path: The file, .json.
        collection: The collection.
        key_notation: How ``key`` is written.
        replace: Replace an existing file.

    Returns:
        The path.

    Raises:
        ConfigError: There is no such notation.
        PlaylistError: The file cannot be written, or the name of a file is not UTF-8.
    """
    path = check_output(path, suffixes=(".json",), replace=replace)
    check_paths(collection.tracks, output=path)
    format_key(None, key_notation)
    with atomic_write(path, error=PlaylistError) as file:
        file.write('{"tracks": [')
        for number, track in enumerate(collection.tracks):
            file.write(",\n" if number else "\n")
            file.write(_json(_record(track, key_notation)))
        file.write(f'\n],\n"playlists": {_json([_tree(item) for item in collection.playlists])}}}\n')
    return path


def safe_cell(cell: object) -> object:
    """Return a cell of a table, with an apostrophe before each text that a spreadsheet would run as a formula."""
    if not isinstance(cell, str):
        return cell
    cell = _FORMULA_WITHIN.sub(r"\1'", cell)
    return f"'{cell}" if cell.lstrip(" \u00a0").startswith(_FORMULA) else cell


def _json(value: object) -> str:
    """Return a value on one line; the halves of characters, which UTF-8 cannot hold, become question marks."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="replace").decode()


def _cells(number: int, track: CollectionTrack, key_notation: KeyNotation) -> list[object]:
    values = {
        **{name: getattr(track, name) for name in COLUMNS[1:]},
        "position": number,
        "key": format_key(track.key_class, key_notation, written=track.key),
    }
    texts = {name: clean_text(text) for name, text in values.items() if isinstance(text, str) and name != "path"}
    return [(values | texts)[name] for name in COLUMNS]


def _record(track: CollectionTrack, key_notation: KeyNotation) -> dict[str, Any]:
    record = _plain(track)
    if track.key_class is not None:
        record["key"] = format_key(track.key_class, key_notation, written=track.key)
        record["camelot"] = format_key(track.key_class, "camelot")
    return record


def _plain(value: Any) -> Any:
    """Return the fields of a dataclass as plain types, without those that are unknown."""
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(item) for name, item in fields if item not in (None, (), {})}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _tree(item: CollectionPlaylist | PlaylistFolder) -> dict[str, Any]:
    if isinstance(item, CollectionPlaylist):
        return {"name": item.name, "tracks": list(item.tracks)}
    return {"name": item.name, "children": [_tree(child) for child in item.children]}
