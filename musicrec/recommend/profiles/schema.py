"""The tables of profiles, and the numbered steps that create and change them.

All names begin with "profile_", so the tables can live in the file of a library, or in a database with other tables.
The version of the schema is a row in `profile_schema`: the version number in the header of an SQLite file belongs to
the library.
"""

from datetime import datetime, timezone

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)
from sqlalchemy.types import TypeDecorator

from musicrec.errors import ProfileError

_LOCK = 0x6D757270  # any number: two processes that migrate a PostgreSQL database lock the same one

STEPS: dict[int, tuple[str, ...]] = {  # {version: what turns the one before into it}; released steps never change
    1: (
        "CREATE TABLE profile_users (id {id}, name TEXT NOT NULL UNIQUE, created_at {time} NOT NULL)",
        """CREATE TABLE profile_events (
            id {id},
            user_id {reference} NOT NULL REFERENCES profile_users (id) ON DELETE CASCADE,
            kind TEXT NOT NULL CHECK (kind IN ('played', 'liked', 'disliked', 'skipped', 'rated', 'paired')),
            audio_hash TEXT NOT NULL,
            title TEXT NOT NULL,
            rating INTEGER CHECK (rating BETWEEN 1 AND 5),
            after_hash TEXT,
            after_title TEXT NOT NULL,
            at {time} NOT NULL,
            undone_at {time},
            CHECK ((kind = 'rated') = (rating IS NOT NULL)),
            CHECK (kind <> 'paired' OR after_hash IS NOT NULL)
        )""",
        "CREATE INDEX profile_events_of_user ON profile_events (user_id, id)",
        """CREATE TABLE profile_playlists (
            id {id},
            user_id {reference} NOT NULL REFERENCES profile_users (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            created_at {time} NOT NULL,
            changed_at {time} NOT NULL,
            UNIQUE (user_id, name)
        )""",
        """CREATE TABLE profile_entries (
            playlist_id {reference} NOT NULL REFERENCES profile_playlists (id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            audio_hash TEXT NOT NULL,
            title TEXT NOT NULL,
            PRIMARY KEY (playlist_id, position)
        )""",
    ),
    2: (
        """CREATE TABLE profile_pins (
            user_id {reference} PRIMARY KEY REFERENCES profile_users (id) ON DELETE CASCADE,
            pin TEXT NOT NULL
        )""",
    ),
}
READABLE = 1
"""The first version that a reader can do with. Later ones only added tables."""

_TYPES = {
    "sqlite": {"id": "INTEGER PRIMARY KEY", "reference": "INTEGER", "time": "DATETIME"},
    "postgresql": {
        "id": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "reference": "BIGINT",
        "time": "TIMESTAMP WITH TIME ZONE",
    },
}


class Utc(TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no time zone, so it is converted before, and attached after."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        return None if value is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with the zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)


metadata = MetaData()
schema = Table("profile_schema", metadata, Column("version", Integer, primary_key=True))
users = Table(
    "profile_users",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
)
events = Table(
    "profile_events",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("user_id", ForeignKey(users.c.id), nullable=False),
    Column("kind", Text, nullable=False),
    Column("audio_hash", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("rating", Integer),
    Column("after_hash", Text),
    Column("after_title", Text, nullable=False),
    Column("at", Utc, nullable=False),
    Column("undone_at", Utc),
)
playlists = Table(
    "profile_playlists",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("user_id", ForeignKey(users.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Utc, nullable=False),
    Column("changed_at", Utc, nullable=False),
)
entries = Table(
    "profile_entries",
    metadata,
    Column("playlist_id", ForeignKey(playlists.c.id), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("audio_hash", Text, nullable=False),
    Column("title", Text, nullable=False),
)
pins = Table(
    "profile_pins",
    metadata,
    Column("user_id", ForeignKey(users.c.id), primary_key=True),
    Column("pin", Text, nullable=False),
)


def version_of(connection: Connection) -> int:
    """Return the version of the schema in a database; 0 if it has none."""
    if not inspect(connection).has_table(schema.name):
        return 0
    return connection.execute(select(schema.c.version)).scalar_one_or_none() or 0


def migrate(connection: Connection, *, name: str) -> None:
    """Take the steps that a database lacks, in the transaction that is open.

    Args:
        connection: Holds the write lock if the database is SQLite.
        name: Name of the database, for messages.

    Raises:
        ProfileError: A newer version has written the profiles.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    found = version_of(connection)  # again: another process may have been faster
    check_version(found, name=name)
    if found == max(STEPS):
        return
    types = _TYPES[connection.dialect.name]
    if found == 0:
        connection.execute(text("CREATE TABLE profile_schema (version INTEGER PRIMARY KEY)"))
        connection.execute(schema.insert().values(version=0))
    for version in range(found + 1, max(STEPS) + 1):
        for statement in STEPS[version]:
            connection.execute(text(statement.format_map(types)))
    connection.execute(schema.update().values(version=max(STEPS)))


def check_version(found: int, *, name: str) -> None:
    """Raise a ProfileError if this version of musicrec does not know the version of the schema."""
    if found > max(STEPS):
        raise ProfileError(
            f"{name}: the profiles are of version {found}, but this version of musicrec reads up to {max(STEPS)}; "
            "update musicrec"
        )


def rewrite(connection: Connection) -> None:
    """Write the tables of an SQLite file anew, so that no byte of a deleted row stays in it.

    SQLite overwrites deleted rows ("secure_delete"), but not the copies that are left in a page when rows move to
    another one. The pages of a table that is dropped are overwritten completely. To vacuum the file would do the same,
    but a large library has far more rows than its profiles.

    Args:
        connection: A connection to an SQLite database in a transaction.
    """
    made = text("SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL ORDER BY type DESC")
    tables = [table.name for table in metadata.sorted_tables if table is not schema]  # what is referred to comes first
    statements = [sql for name in tables for sql in connection.execute(made, {"name": name}).scalars().all()]
    for name in tables:
        connection.execute(text(f"CREATE TEMP TABLE kept_{name} AS SELECT * FROM main.{name}"))
    for name in reversed(tables):
        connection.execute(text(f"DROP TABLE main.{name}"))
    for statement in statements:
        connection.exec_driver_sql(statement)
    for name in tables:
        connection.execute(text(f"INSERT INTO main.{name} SELECT * FROM temp.kept_{name}"))
        connection.execute(text(f"DROP TABLE temp.kept_{name}"))
