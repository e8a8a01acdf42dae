"""Changes of a library in LanceDB, each within a write of the caller."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicrec.errors import LibraryError
from musicrec.recommend.lance import reading, summary_rows
from musicrec.recommend.lance.commits import Draft
from musicrec.recommend.lance.schema import FILE_FACTS, SCHEMAS, SUMMARISED, file_row, recording_row, to_table
from musicrec.recommend.library import Changes, LibraryFile, Listing, Recording, Source, now
from musicrec.recommend.space import Space
from musicrec.recommend.summaries import SummaryLayout


class FileRows:
    """The rows of the table `files` that a write looks at or changes.

    Args:
        draft: The write.
        sources: {place: id} of the sources.
    """

    def __init__(self, draft: Draft, sources: Mapping[str, int]) -> None:
        self._draft, self.sources = draft, dict(sources)
        self._before: dict[str, dict[str, Any] | None] = {}
        self._rows: dict[str, dict[str, Any] | None] = {}

    def load(self, paths: Iterable[str]) -> None:
        """Read the rows of some paths."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self._rows]
        self._rows |= dict.fromkeys(wanted)
        columns = [*FILE_FACTS, "recording", "listings"]
        for row in self._draft.tables.among("files", columns, "path", wanted).to_pylist():
            self._rows[row["path"]] = row
        for path in wanted:
            row = self._rows[path]
            self._before[path] = None if row is None else {**row, "listings": list(row["listings"])}

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the row of a path that was loaded; None if there is no such file."""
        return self._rows[path]

    def put(self, path: str, row: dict[str, Any] | None) -> None:
        """Set the row of a path; None removes it."""
        self._rows[path] = None if row is None else {**row, "path": path}

    @property
    def changed_recordings(self) -> set[int]:
        """The recordings of which the files that are there say something else than before, or of which there is none.

        A file that only moves changes nothing, unless it has copies that say something else.
        """
        before, after = self._said(self._before), self._said(self._rows)
        return {
            number
            for number in before.keys() | after.keys()
            if before.get(number) != after.get(number) or len(after[number]) > 1
        }

    @staticmethod
    def _said(rows: Mapping[str, dict[str, Any] | None]) -> dict[int, set[tuple]]:
        found: dict[int, set[tuple]] = {}
        for row in rows.values():
            if row is not None and row["missing_since"] is None:
                found.setdefault(row["recording"], set()).add(tuple(row[name] for name in SUMMARISED))
        return found

    def save(self) -> None:
        """Write what has changed."""
        changed = {path: row for path, row in self._rows.items() if row != self._before[path]}
        new = [row for path, row in changed.items() if row is not None and self._before[path] is None]
        others = [row for path, row in changed.items() if row is not None and self._before[path] is not None]
        gone = [path for path, row in changed.items() if row is None and self._before[path] is not None]
        self._draft.add("files", to_table("files", new))
        self._draft.replace("files", to_table("files", others))
        self._draft.delete("files", "path", gone)


def save(draft: Draft, changes: Changes, *, heads: Sequence[str]) -> None:
    """Save changes in their order.

    Args:
        draft: The write.
        changes: What to save.
        heads: Names of the heads in the order in which the library stores them.

    Raises:
        LibraryError: A file has no path, or its recording is not known.
    """
    _check(changes)
    if changes.source is not None:
        _save_source(draft, changes.source)
    rows = FileRows(draft, _sources(draft))
    rows.load(
        [
            *changes.moved,
            *changes.moved.values(),
            *(file.path for file in changes.files),
            *(listing.path for listing in changes.listed),
            *changes.unlisted,
            *changes.missing,
        ]
    )
    _move_files(rows, changes.moved)
    known, stale = _save_recordings(draft, changes.recordings, heads=heads)
    _save_files(draft, rows, changes.files, known)
    source = rows.sources.get(changes.place or "")
    if source is not None:
        for listing in changes.listed:
            _list(rows, listing, source)
    since = now()
    for path in changes.unlisted:
        row = rows.get(path)
        if row is not None:
            kept = [one for one in row["listings"] if one["source"] != source]
            gone = {} if kept else {"missing_since": row["missing_since"] or since}
            rows.put(path, row | {"listings": kept} | gone)
    for path in changes.missing:
        row = rows.get(path)
        if row is not None:
            rows.put(path, row | {"missing_since": row["missing_since"] or since})
    stale |= rows.changed_recordings
    rows.save()
    forget_summaries(draft, stale)


def prune(draft: Draft) -> tuple[int, int]:
    """Delete the missing files and the recordings without a file; return how many of both."""
    missing = draft.tables.count("files", "missing_since IS NOT NULL")
    if missing:
        draft.delete_where("files", "missing_since IS NOT NULL")
    return missing, _delete_without_file(draft)


def relocate(draft: Draft, moved: Mapping[str, str], *, present: Iterable[str]) -> None:
    """Change the paths of files and the places of sources; see `Library.relocate`."""
    sources = _sources(draft)
    of_sources = {old: new for old, new in moved.items() if old in sources}
    of_files = {old: new for old, new in moved.items() if old not in of_sources}
    rows = FileRows(draft, sources)
    rows.load([*of_files, *of_files.values()])
    _move_files(rows, of_files)
    there, since = set(present), now()
    for new in of_files.values():
        row = rows.get(new)
        if row is not None:
            rows.put(new, row | {"missing_since": None if new in there else row["missing_since"] or since})
    joined: dict[int, int] = {}
    described = {row["id"]: row for row in draft.tables.rows("sources", SCHEMAS["sources"].names).to_pylist()}
    for old, new in of_sources.items():
        number = sources.pop(old)
        if new in sources:  # it was indexed there, too
            joined[number] = sources[new]
        else:
            sources[new] = number
            draft.replace("sources", to_table("sources", [described[number] | {"place": new}]))
    stale = rows.changed_recordings
    rows.save()
    if joined:
        _join_listings(draft, joined)
        draft.delete("sources", "id", list(joined))
    forget_summaries(draft, stale)


def save_summaries(
    draft: Draft, ids: np.ndarray, summaries: np.ndarray, layout: SummaryLayout, space: Space | None
) -> None:
    """Save summaries of recordings with a file that is there.

    Args:
        draft: The write.
        ids: (recordings,) int64.
        summaries: (recordings,) of `layout.dtype`.
        layout: How summaries are laid out.
        space: A new space, with which all earlier summaries are deleted.
    """
    here = reading.present(draft.tables, ids)
    order = np.argsort(ids)
    places = order[np.searchsorted(ids[order], here.ids)] if len(here) else np.zeros(0, np.int64)
    rows = summary_rows.to_rows(here.ids, summaries[places], here, layout)
    if space is not None:
        described, arrays = space.to_bytes()
        draft.replace_all("space", to_table("space", [{"described": described, "arrays": arrays}]))
        draft.replace_all("summaries", rows)
    else:
        known = draft.tables.among("summaries", ["recording"], "recording", here.ids.tolist())["recording"]
        is_known = pc.is_in(rows["recording"], known)
        draft.replace("summaries", rows.filter(is_known))
        draft.add("summaries", rows.filter(pc.invert(is_known)))


def forget_summaries(draft: Draft, recordings: Iterable[int]) -> None:
    """Delete the summaries of recordings about which something has changed, so that they are made again."""
    wanted = list(recordings)
    if not wanted or not draft.tables.count("summaries"):
        return
    known = draft.tables.among("summaries", ["recording"], "recording", wanted)["recording"].to_pylist()
    draft.delete("summaries", "recording", known)


def _check(changes: Changes) -> None:
    paths = [*(file.path for file in changes.files), *changes.moved.values()]
    if not all(isinstance(path, str) and path for path in paths):
        raise LibraryError("a file without a path cannot be saved; nothing was saved")


def _sources(draft: Draft) -> dict[str, int]:
    found = draft.tables.rows("sources", ["place", "id"])
    return dict(zip(found["place"].to_pylist(), found["id"].to_pylist(), strict=True))


def _save_source(draft: Draft, source: Source) -> None:
    rows = draft.tables.rows("sources", SCHEMAS["sources"].names).to_pylist()
    same = [row for row in rows if row["place"] == source.place]
    number = same[0]["id"] if same else max((row["id"] for row in rows), default=0) + 1
    row = {
        "id": number,
        "place": source.place,
        "kind": source.kind,
        "indexed_at": source.indexed_at or (same[0]["indexed_at"] if same else None),
        "metadata": json.dumps(source.metadata),
    }
    if same != [row]:
        draft.replace("sources", to_table("sources", [row]))


def _move_files(rows: FileRows, moved: Mapping[str, str]) -> None:
    """Rename files. A file that is known at a new path stays, and is listed where the old one was."""
    renamed: dict[str, dict[str, Any]] = {}
    for old, new in moved.items():
        row = rows.get(old)
        if row is None:
            continue
        stays = renamed.get(new) or (rows.get(new) if new not in moved else None)
        renamed[new] = row if stays is None else stays | {"listings": _joined(stays["listings"], row["listings"])}
    for old in moved:
        rows.put(old, None)
    for new, row in renamed.items():
        rows.put(new, row)


def _joined(listings: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the listings of two files of which one is left; of two by one source, the first."""
    by_source = {one["source"]: one for one in (*reversed(others), *reversed(listings))}
    return sorted(by_source.values(), key=lambda one: one["source"])


def _save_recordings(
    draft: Draft, recordings: Sequence[Recording], *, heads: Sequence[str]
) -> tuple[dict[str, int], set[int]]:
    """Save recordings; return their ids, {audio_hash: id}, and the recordings that need another summary."""
    by_hash = {one.audio_hash: one for one in recordings}
    known = reading.ids_of(draft.tables, by_hash)
    new = [name for name in by_hash if name not in known]
    ids = known | {name: draft.next_id + place for place, name in enumerate(new)}
    draft.next_id += len(new)
    draft.add("recordings", _recordings([by_hash[name] for name in new], ids, heads))
    draft.replace("recordings", _recordings([by_hash[name] for name in known], ids, heads))
    stale = set(known.values())
    first = {one.version_of for one in recordings if one.version_of is not None}
    if first:
        stale |= set(reading.ids_of(draft.tables, first).values())
    return ids, stale


def _recordings(recordings: Sequence[Recording], ids: Mapping[str, int], heads: Sequence[str]) -> pa.Table:
    return to_table("recordings", [recording_row(one, ids[one.audio_hash], heads) for one in recordings])


def _save_files(draft: Draft, rows: FileRows, files: Sequence[LibraryFile], known: Mapping[str, int]) -> None:
    others = [file.audio_hash for file in files if file.audio_hash not in known]
    ids = {**known, **reading.ids_of(draft.tables, others)} if others else known
    for file in files:
        if file.audio_hash not in ids:
            raise LibraryError(f"{file.path}: its recording {file.audio_hash} is not in the library; nothing was saved")
        before = rows.get(file.path)
        rows.put(file.path, file_row(file, ids[file.audio_hash], before["listings"] if before else []))


def _list(rows: FileRows, listing: Listing, source: int) -> None:
    row = rows.get(listing.path)
    if row is None:
        return
    said = {"source": source, "track_id": listing.track_id, "metadata": json.dumps(listing.metadata)}
    others = [one for one in row["listings"] if one["source"] != source]
    rows.put(listing.path, row | {"listings": sorted([*others, said], key=lambda one: one["source"])})


def _join_listings(draft: Draft, joined: Mapping[int, int]) -> None:
    """Let sources list what others listed that they take the place of."""
    found = draft.tables.rows("files", ["path", "listings"]).to_pylist()
    paths = [row["path"] for row in found if any(one["source"] in joined for one in row["listings"])]
    rows = FileRows(draft, {})
    rows.load(paths)
    for path in paths:
        row = rows.get(path)
        if row is None:
            continue
        own = [one for one in row["listings"] if one["source"] not in joined]
        others = [one | {"source": joined[one["source"]]} for one in row["listings"] if one["source"] in joined]
        rows.put(path, row | {"listings": _joined(own, others)})
    rows.save()


def _delete_without_file(draft: Draft) -> int:
    with_file = set(draft.tables.rows("files", ["recording"])["recording"].to_pylist())
    recordings = draft.tables.rows("recordings", ["id"])["id"].to_pylist()
    gone = [number for number in recordings if number not in with_file]
    draft.delete("recordings", "id", gone)
    forget_summaries(draft, gone)
    return len(gone)
