"""Connections to the database of profiles: the file of a library, a file of its own, or PostgreSQL."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool, StaticPool

from musicrec.errors import ProfileError
from musicrec.recommend.profiles import schema
from musicrec.system.atomic_write import may_write_in

LIBRARY_ID, PROFILES_ID = 0x6D757265, 0x6D757270  # "mure", "murp" in the header of a file: a library, profiles alone
_BUSY_S = 30.0
_ANOTHER = "name the file of a library, a file for profiles, or postgresql://USER:PASSWORD@HOST/DATABASE"


class ProfileDatabase:
    """A database of profiles, which `open` brings to the newest version of the schema.

    Attributes:
        name: The file, or the address without its password.
        read_only: Whether nothing can be written.
    """

    def __init__(self, engine: Engine, *, name: str, read_only: bool = False) -> None:
        self._engine, self.name, self.read_only = engine, name, read_only

    @classmethod
    def open(cls, where: str | os.PathLike[str], *, create: bool = False, read_only: bool = False) -> "ProfileDatabase":
        """Open a database.

        Args:
            where: The file of a library or of profiles, or the URL of a PostgreSQL database.
            create: Make a file for profiles if there is none. The database of a URL must exist.
            read_only: Never write. A library without profiles then looks like one without users.

        Raises:
            ProfileError: There is no such database, it is something else, or it cannot be reached.
        """
        url = _server(where)
        if url is not None:
            database = cls(_postgresql(url, read_only), name=_shown(url), read_only=read_only)
        else:
            path = _path(where)
            _check_file(path, create=create, read_only=read_only)
            database = cls(_sqlite(path, read_only), name=str(path), read_only=read_only)
        try:
            database._prepare()
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _prepare(self) -> None:
        with self.reading() as connection:
            if connection.dialect.name == "postgresql":
                self._check_encoding(connection)
            found = schema.version_of(connection)
        schema.check_version(found, name=self.name)
        if found == max(schema.STEPS):
            return
        if not self.read_only:
            with self.writing() as connection:
                schema.migrate(connection, name=self.name)
        elif found >= schema.READABLE:
            return
        elif found:
            raise ProfileError(f"{self.name}: the profiles are of an older version; open it once for writing")
        else:  # nobody has a profile here
            self._engine.dispose()
            self._engine = _empty()

    def _check_encoding(self, connection: Connection) -> None:
        """Raise ProfileError if a server cannot keep every name and title."""
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise ProfileError(
                f"{self.name}: the database keeps text as {encoding}, which has not all letters; make one with "
                "CREATE DATABASE musicrec TEMPLATE template0 ENCODING 'UTF8'"
            )

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the database."""
        with self._errors(), self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Yield a connection in a transaction: all of it is kept, or nothing if an exception leaves the block.

        SQLite has one writer at a time, and others wait here for their turn.
        """
        if self.read_only:
            raise ProfileError(f"{self.name} is opened for reading only")
        connect = self._engine.execution_options(musicrec_writes=True).begin
        with self._errors(), connect() as connection:
            yield connection

    def forget_deleted(self) -> None:
        """Remove what was deleted from the log of an SQLite file, too. PostgreSQL does this itself, at its time."""
        if self._engine.dialect.name == "sqlite" and not self.read_only:
            # Not in a transaction, where there can be no checkpoint. If another process reads, the next one does it.
            with closing(self._engine.raw_connection()) as connection, suppress(sqlite3.OperationalError):
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            reason = str(error.orig).strip().partition("\n")[0]
            if _is_read_only(reason):
                raise ProfileError(f"{_read_only_text(self.name, reason)}; earlier feedback is kept") from None
            raise ProfileError(f"{self.name}: {reason}; earlier feedback is kept") from None


def _server(where: str | os.PathLike[str]) -> URL | None:
    """Return the URL of a PostgreSQL database; None for a file."""
    text = os.fspath(where)
    if "://" not in text or text.startswith("sqlite:"):
        return None
    try:
        url = make_url(text)
    except ArgumentError:
        raise ProfileError(f"the address of the profiles is not a URL; {_ANOTHER}") from None  # it may hold a password
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise ProfileError(f"{_shown(url)}: profiles are kept in SQLite or PostgreSQL; {_ANOTHER}")
    return url.set(drivername="postgresql+psycopg")


def _shown(url: URL) -> str:
    """Return an address without its password, and without the name of the driver, which nobody has typed."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def _path(where: str | os.PathLike[str]) -> Path:
    text = os.fspath(where)
    if not text.startswith("sqlite:"):
        return Path(text)
    database = make_url(text).database
    if not database or database == ":memory:":
        raise ProfileError(f"{text} names no file; {_ANOTHER}")
    return Path(database)


def _check_file(path: Path, *, create: bool, read_only: bool) -> None:
    """Check that a file may hold profiles, and make one where `create` says so."""
    if path.is_dir():
        raise ProfileError(f"{path} is a folder; {_ANOTHER}")
    if not path.is_file() or not path.stat().st_size:
        if not create or read_only:
            raise ProfileError(f"{path}: no such library; create one with `musicrec index FOLDER`, or {_ANOTHER}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
                connection.execute(f"PRAGMA application_id={PROFILES_ID}")
                with suppress(sqlite3.OperationalError):  # another process is about to do the same
                    connection.execute("PRAGMA journal_mode=WAL")  # readers and a writer need not wait for each other
        except (OSError, sqlite3.Error) as error:
            raise ProfileError(f"{path} cannot be written: {error}; {_ANOTHER}") from None
    try:
        with closing(sqlite3.connect(_address(path, read_only), uri=True, timeout=_BUSY_S)) as connection:
            found = connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        if not read_only and _is_read_only(str(error)):
            raise ProfileError(_read_only_text(path, str(error))) from None
        raise ProfileError(f"{path} holds no profiles ({error}); {_ANOTHER}") from None
    if found not in (LIBRARY_ID, PROFILES_ID):
        raise ProfileError(f"{path} is not a file of musicrec; {_ANOTHER}")


def _is_read_only(reason: str) -> bool:
    """Return whether SQLite says that a file cannot be written, or that it can make no file beside it."""
    return "readonly" in reason or "unable to open" in reason


def _read_only_text(path: Path | str, reason: str) -> str:
    return (
        f"{path} cannot be written: the file or its folder is read-only ({reason}); make both writable, or keep "
        "profiles in another file with --profiles FILE"
    )


def _address(path: Path, read_only: bool) -> str:
    """Return the URI of a file. "rw" never creates it, and repairs what a killed program left.

    Where nothing may be written in the folder, SQLite cannot make the files by which readers and a writer share a file,
    and reads it as one that does not change. It would miss writes that a killed program left beside the file.
    """
    journal = Path(f"{path}-wal")
    alone = read_only and not may_write_in(path.parent) and not (journal.exists() and journal.stat().st_size)
    return f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}{'&immutable=1' if alone else ''}"


def _sqlite(path: Path, read_only: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        # Transactions are begun below, not by the driver: a writer takes the lock first, and so never has to give up
        # halfway because another one was faster.
        connection = sqlite3.connect(_address(path, read_only), uri=True, timeout=_BUSY_S, isolation_level=None)
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA secure_delete=ON")  # a deleted user is overwritten in the file
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)  # a new connection takes 0.1 ms
    event.listen(engine, "begin", _begin)
    return engine


def _empty() -> Engine:
    """Return a database in memory without users."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        schema.migrate(connection, name="memory")
    return engine


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("musicrec_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, read_only: bool) -> Engine:
    options: dict[str, Any] = {"connect_args": {"client_encoding": "utf8"}}  # whatever the environment says
    if read_only:
        options["execution_options"] = {"postgresql_readonly": True}
    try:
        return create_engine(url, pool_pre_ping=True, **options)
    except ModuleNotFoundError as error:
        raise ProfileError(f"{_shown(url)}: needs the package {error.name}; pip install 'musicrec[postgres]'") from None
