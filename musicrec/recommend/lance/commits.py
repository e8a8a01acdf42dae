"""Writes to several tables that count together or not at all.

Each write to a table of LanceDB makes a new version of this table, and older versions can still be read. The table
`state` says which version of each table belongs to the library. A write changes the tables first and the state last, in
one operation. Readers read the versions that the state names, so they never see half a write. If a program is killed
between two tables, these are ahead of the state; the next writer puts them back to the version that the state names.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicrec.errors import LibraryError
from musicrec.recommend.lance import package, schema
from musicrec.recommend.lance.lease import Lease, leased
from musicrec.recommend.lance.object_store import is_remote
from musicrec.recommend.lance.sql import in_parts, is_one_of
from musicrec.recommend.library import ANOTHER
from musicrec.system.lock import wait_for_lock

LOCK = "write.lock"
KEPT = timedelta(hours=1)
"""How long versions are kept that another program may still be reading."""
_FOREVER = timedelta(days=36_500)
_WRITES_UNTIL_TIDY = 40  # a write adds a file or two to each table, and many small files are slow to read
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, kw_only=True)
class State:
    """The row of the table `state`.

    Attributes:
        format: The format of the tables; the first write changes an older one to the newest.
        number: Number of finished writes.
        versions: {table: version}.
        next_id: The id of the next new recording.
        described: What describes the library, in plain JSON types.
    """

    format: int
    number: int
    versions: dict[str, int]
    next_id: int
    described: dict[str, Any]


class Tables:
    """Reads tables as they are at one moment.

    Args:
        open_table: Returns a table of LanceDB by its name.
    """

    def __init__(self, open_table: Callable[[str], Any]) -> None:
        self.open = open_table

    def rows(self, name: str, columns: Sequence[str], where: str | None = None) -> pa.Table:
        """Return columns of the rows for which a condition in SQL holds."""
        return self._selection(name, columns, where).to_arrow()

    def batches(self, name: str, columns: Sequence[str], where: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the same in parts."""
        yield from self._selection(name, columns, where).to_batches(_ROWS_AT_ONCE)

    def among(self, name: str, columns: Sequence[str], key: str, values: Sequence[Any]) -> pa.Table:
        """Return columns of the rows whose key is one of some values."""
        parts = [self.rows(name, columns, is_one_of(key, some)) for some in in_parts(values)]
        return pa.concat_tables(parts) if parts else self.rows(name, columns, "false")

    def count(self, name: str, where: str | None = None) -> int:
        """Return the number of rows for which a condition in SQL holds."""
        return int(self.open(name).count_rows(where))

    def _selection(self, name: str, columns: Sequence[str], where: str | None) -> Any:
        selection = self.open(name).search().select(list(columns))
        return selection if where is None else selection.where(where)


class Draft:
    """A write that is not finished.

    Args:
        connection: The connection to LanceDB.
        state: The state before the write.
        lease: The right to write, in an object store; None in a folder, which is locked.

    Attributes:
        tables: The tables after the changes so far.
        state: The state before the write.
        next_id: The id of the next new recording.
        described: See `State`; replace it to change it.
        lease: As given.
    """

    def __init__(self, connection: Any, state: State, lease: Lease | None) -> None:
        self._connection, self.lease = connection, lease
        self._opened: dict[str, Any] = {}
        self._changed: set[str] = set()
        self.tables, self.state = Tables(self._open), state
        self.next_id, self.described = state.next_id, state.described

    def add(self, name: str, rows: pa.Table) -> None:
        """Add rows whose keys are not in a table."""
        if not rows.num_rows:
            return
        table = self.touch(name)
        before = table.count_rows()
        table.add(rows)
        _check_count(name, table.count_rows() - before, rows.num_rows)

    def replace(self, name: str, rows: pa.Table) -> None:
        """Replace the rows with the same keys, and add those whose key is not in the table."""
        if not rows.num_rows:
            return
        table = self.touch(name)
        merge = table.merge_insert(schema.KEYS[name]).when_matched_update_all().when_not_matched_insert_all()
        done = merge.execute(rows)
        _check_count(name, done.num_updated_rows + done.num_inserted_rows, rows.num_rows)

    def replace_all(self, name: str, rows: pa.Table) -> None:
        """Replace all rows of a table, and its columns."""
        self.touch(name)
        table = self._opened[name] = self._connection.create_table(name, rows, mode="overwrite")
        _check_count(name, table.count_rows(), rows.num_rows)

    def delete(self, name: str, key: str, values: Sequence[Any]) -> None:
        """Delete the rows whose key is one of some values."""
        for some in in_parts(values):
            self.touch(name).delete(is_one_of(key, some))

    def delete_where(self, name: str, where: str) -> None:
        """Delete the rows for which a condition in SQL holds."""
        self.touch(name).delete(where)

    def touch(self, name: str) -> Any:
        """Return a table that the caller changes."""
        if self.lease is not None:
            self.lease.check()
        self._changed.add(name)
        return self._open(name)

    @property
    def versions(self) -> dict[str, int]:
        """The versions of the tables after the changes."""
        return self.state.versions | {name: self._opened[name].version for name in self._changed}

    def take_back(self) -> None:
        """Put the changed tables back to the versions before the write."""
        if self.lease is not None and not self.lease.is_held():
            return  # they are another program's now
        for name in self._changed:
            table = self._opened[name]
            table.checkout(self.state.versions[name])
            table.restore()

    def _open(self, name: str) -> Any:
        if name not in self._opened:
            table, version = self._connection.open_table(name), self.state.versions[name]
            if table.version != version:  # an earlier write was not finished
                table.checkout(version)
                table.restore()
                self._changed.add(name)
            self._opened[name] = table
        return self._opened[name]


class Database:
    """The tables of a library, of which one program at a time changes some, and any number read them.

    Args:
        place: A folder, or an address in an object store.

    Attributes:
        writes: Number of writes since the last `tidy`.

    Raises:
        LibraryError: There is no library at the place, or this version cannot read it.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._connection = package.connect(place)
        self._tables: dict[str, Any] = {}
        self._shown: State | None = None
        self._held: State | None = None  # the state that is shown whatever is written
        self._last: tuple[int, State] | None = None  # the newest state that was read, and the version of its table
        self.writes = 0
        with package.named_errors(place):
            self._state_table = self._opened_state()
        self._check_format()

    @property
    def name(self) -> str:
        """The library, for messages."""
        return package.name_of(self.place)

    def close(self) -> None:
        """Close the tables."""
        self._tables, self._shown = {}, None

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """See one state of the library, whatever another program writes meanwhile."""
        with package.named_errors(self.place):
            yield self._tables_now()

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """See one state of the library in all that is read meanwhile."""
        held = self._held
        with self.reading():
            self._held = self._shown
            try:
                yield
            finally:
                self._held = held

    @contextmanager
    def writing(self) -> Iterator[Draft]:
        """Change tables. The changes count when the `with` block ends, all of them or none."""
        with package.named_errors(self.place), self._alone() as (state, lease):
            draft = Draft(self._connection, state, lease)
            try:
                schema.upgrade(draft.touch, state.format)
                yield draft
                self._finish(draft)
            except BaseException:
                with suppress(Exception):  # otherwise the next writer does it
                    draft.take_back()
                raise
        self.writes += 1
        if self.writes % _WRITES_UNTIL_TIDY == 0:
            self.tidy()

    def tidy(self, *, before: Callable[[Draft], object] = lambda draft: None) -> None:
        """Join small files, extend the indices, and delete versions that nobody reads any more.

        Args:
            before: Called first, to make indices that are not there yet.
        """
        with package.named_errors(self.place), self._alone() as (state, lease):
            draft = Draft(self._connection, state, lease)
            schema.upgrade(draft.touch, state.format)
            before(draft)
            for name in state.versions:
                draft.touch(name).optimize(cleanup_older_than=_FOREVER)
            if draft.versions != state.versions:
                self._finish(draft)
            # Only now does the state name the newest versions, which are never deleted.
            for name in state.versions:
                draft.tables.open(name).optimize(cleanup_older_than=KEPT)
            self._state_table.optimize(cleanup_older_than=KEPT)
        self.writes = 0

    def state(self) -> State:
        """Return the state after the last finished write."""
        with package.named_errors(self.place):
            return self._held or self._state()

    def _opened_state(self) -> Any:
        try:
            return self._connection.open_table(schema.STATE)
        except ValueError as error:
            if is_remote(self.place) and "was not found" in str(error):
                raise LibraryError(package.none_at(self.name)) from None
            raise

    def _tables_now(self) -> Tables:
        for last in (False, True):
            try:
                self._show(self._held or self._state())
                break
            except (OSError, RuntimeError, ValueError):  # its versions were deleted between two looks
                self._shown = None
                if last:
                    raise
        return Tables(self._tables.__getitem__)

    def _show(self, state: State) -> None:
        if self._shown is state:
            return
        for name, version in state.versions.items():
            if name not in self._tables:
                self._tables[name] = self._connection.open_table(name)
            elif self._shown is not None and self._shown.versions.get(name) == version:
                continue
            self._tables[name].checkout(version)
        self._shown = state

    def _state(self) -> State:
        version = self._state_table.version  # asked before the row, so that a newer row is read again
        if self._last is None or self._last[0] != version:
            row = self._state_row()
            state = State(
                format=row["format"],
                number=row["number"],
                versions=json.loads(row["versions"]),
                next_id=row["next_id"],
                described=json.loads(row["described"]),
            )
            self._last = version, state
        return self._last[1]

    def _state_row(self) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self._state_table.search().limit(2).to_arrow().to_pylist()
        if len(rows) != 1:
            raise RuntimeError(f"its table {schema.STATE} has {len(rows)} rows instead of 1: corrupt")
        return rows[0]

    def _finish(self, draft: Draft) -> None:
        """Let the state name what a draft has made."""
        number = draft.state.number
        values = {
            "format": schema.FORMAT,
            "number": number + 1,
            "versions": json.dumps(draft.versions),
            "next_id": draft.next_id,
            "described": json.dumps(draft.described),
        }
        unchanged = f"number = {number}"
        if draft.lease is not None:
            unchanged += f" AND writer = '{draft.lease.writer}'"
        done = self._state_table.update(where=unchanged, values=values)
        if done.rows_updated != 1:
            raise LibraryError(f"{self.name} was written by another program meanwhile; try again")

    @contextmanager
    def _alone(self) -> Iterator[tuple[State, Lease | None]]:
        """Wait until no other program writes, and keep others from it. A killed program does not keep them."""
        if is_remote(self.place):
            with leased(self._state_table, name=self.name) as lease:
                yield self._state(), lease
            return
        note = f"another program is writing {self.name}; waiting until it has saved"
        with wait_for_lock(Path(self.place) / LOCK, note=note):
            yield self._state(), None

    def _check_format(self) -> None:
        with package.named_errors(self.place):
            row = self._state_row()
        if row.get("application") != schema.APPLICATION:
            raise LibraryError(f"{self.name} is not a library of musicrec; {ANOTHER}")
        if row["format"] > schema.FORMAT:
            raise LibraryError(
                f"{self.name} is a library of format {row['format']}, but this version reads formats up to "
                f"{schema.FORMAT}; update musicrec, or index again into a new folder"
            )


def _check_count(name: str, written: int, expected: int) -> None:
    # A fault in a thread of LanceDB is not always reported to the caller.
    if written != expected:
        raise RuntimeError(f"{written} of {expected} rows of the table {name} were written")


def create(place: str, described: dict[str, Any]) -> None:
    """Create the tables of an empty library. The state comes last: without it there is no library."""
    connection = package.connect(place)
    with package.named_errors(place):
        left = _tables_there(connection)  # by a program that was killed here
        versions = {
            name: connection.create_table(name, schema=columns, mode="overwrite" if name in left else "create").version
            for name, columns in schema.SCHEMAS.items()
        }
        row = {
            "application": schema.APPLICATION,
            "format": schema.FORMAT,
            "number": 0,
            "versions": json.dumps(versions),
            "next_id": 1,
            "described": json.dumps(described),
            "writer": "",
            "until": 0.0,
        }
        try:
            connection.create_table(schema.STATE, pa.Table.from_pylist([row], schema=schema.STATE_SCHEMA))
        except ValueError as error:
            if "already exists" not in str(error):
                raise
            raise LibraryError(f"{package.name_of(place)} was made by another program meanwhile; try again") from None


def _tables_there(connection: Any) -> set[str]:
    found, token = set(), None
    while True:
        some = connection.list_tables(page_token=token, limit=100)
        found |= set(some.tables)
        token = some.page_token
        if not token or not some.tables:
            return found


def exists(place: str) -> bool:
    """Return whether there is a library at a place."""
    connection = package.connect(place)
    with package.named_errors(place):
        return schema.STATE in _tables_there(connection)


def delete(place: str) -> None:
    """Delete the tables of a library, the state first."""
    connection = package.connect(place)
    with package.named_errors(place):
        there = _tables_there(connection)
        for name in (schema.STATE, *schema.SCHEMAS):
            if name in there:
                connection.drop_table(name)
