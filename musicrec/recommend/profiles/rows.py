"""Rows of the tables of profiles: reading and writing them within a transaction."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from musicrec.recommend.profiles import schema
from musicrec.recommend.profiles.records import Entry, Event, Playlist, User, checked

_EVENT = tuple(field.name for field in fields(Event))
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def now_utc() -> datetime:
    """Return the time as it is stored."""
    return datetime.now(timezone.utc)


def time_of(event: Event) -> datetime:
    """Return when a stored event happened."""
    assert event.at is not None  # stored events have a time
    return event.at


def events_query(*more: Any) -> Select[Any]:
    """Return the selection of all events with their users, for `event_of`.

    Args:
        more: Columns to select behind those of an event.
    """
    query = select(*(schema.events.c[name] for name in _EVENT), *more)
    return query.join_from(schema.events, schema.users, schema.events.c.user_id == schema.users.c.id)


def of_user(user: str) -> list[Any]:
    """Return the conditions that leave the rows of a user, in a query that joins users."""
    return [schema.users.c.name == checked("user", user)]


def event_of(row: Row[Any] | Sequence[Any]) -> Event:
    """Return the event of a row of `events_query`."""
    return Event(**dict(zip(_EVENT, row, strict=True)))


def find_user(connection: Connection, user: str, *, lock: bool = False) -> int | None:
    """Return the number of a user; None if there is none of this name.

    Args:
        connection: A transaction; so it is for all others.
        user: The name.
        lock: Let other writes for this user wait (SQLite has one writer anyway).
    """
    query = select(schema.users.c.id).where(schema.users.c.name == checked("user", user))
    return connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()


def read_user(connection: Connection, user_id: int) -> User:
    """Return the user of a number."""
    table = schema.users
    row = connection.execute(select(table.c.name, table.c.created_at).where(table.c.id == user_id)).one()
    return User(name=row.name, created_at=row.created_at)


def insert_user(connection: Connection, name: str, created_at: datetime) -> bool:
    """Add a user, and return whether there was none of this name."""
    statement = _INSERT[connection.dialect.name](schema.users).values(name=name, created_at=created_at)
    added = statement.on_conflict_do_nothing().returning(schema.users.c.id)
    return connection.execute(added).scalar_one_or_none() is not None


def insert_pin(connection: Connection, user_id: int, pin: str) -> bool:
    """Add the PIN of a user, and return whether there was none."""
    statement = _INSERT[connection.dialect.name](schema.pins).values(user_id=user_id, pin=pin)
    added = statement.on_conflict_do_nothing().returning(schema.pins.c.user_id)
    return connection.execute(added).scalar_one_or_none() is not None


def add_rows(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Add rows to a table."""
    if rows:
        connection.execute(insert(table), rows)


def playlist_id_of(connection: Connection, user_id: int, name: str) -> int | None:
    """Return the number of a playlist of a user; None if there is none of this name."""
    table = schema.playlists
    query = select(table.c.id).where(table.c.user_id == user_id, table.c.name == checked("playlist", name))
    return connection.execute(query).scalar_one_or_none()


def read_playlists(connection: Connection, user_id: int) -> list[Playlist]:
    """Return the playlists of a user by name."""
    table, parts = schema.playlists, schema.entries
    own = select(table).where(table.c.user_id == user_id)
    entries: dict[int, list[Entry]] = {row.id: [] for row in connection.execute(own)}
    query = select(parts).join_from(parts, table, parts.c.playlist_id == table.c.id).where(table.c.user_id == user_id)
    for row in connection.execute(query.order_by(parts.c.playlist_id, parts.c.position)):
        entries[row.playlist_id].append(Entry(audio_hash=row.audio_hash, title=row.title))
    found = [
        Playlist(name=row.name, entries=tuple(entries[row.id]), created_at=row.created_at, changed_at=row.changed_at)
        for row in connection.execute(own)
    ]
    return sorted(found, key=lambda playlist: playlist.name)


def add_playlist(connection: Connection, user_id: int, playlist: Playlist) -> int:
    """Add a playlist with its entries, and return its number."""
    row = {
        "user_id": user_id,
        "name": checked("playlist", playlist.name),
        "created_at": playlist.created_at,
        "changed_at": playlist.changed_at,
    }
    statement = insert(schema.playlists).values(row).returning(schema.playlists.c.id)
    playlist_id = connection.execute(statement).scalar_one()
    add_entries(connection, playlist_id, playlist.entries, first=0)
    return playlist_id


def add_entries(connection: Connection, playlist_id: int, entries: Sequence[Entry], *, first: int) -> None:
    """Add entries to a playlist.

    Args:
        connection: A transaction.
        playlist_id: The playlist.
        entries: The entries.
        first: The position of the first one, from 0.
    """
    rows = [
        {"playlist_id": playlist_id, "position": position, **asdict(entry)}
        for position, entry in enumerate(entries, start=first)
    ]
    add_rows(connection, schema.entries, rows)


def mark_changed(connection: Connection, playlist_id: int, now: datetime) -> None:
    """Note when a playlist was changed."""
    connection.execute(update(schema.playlists).where(schema.playlists.c.id == playlist_id).values(changed_at=now))


def no_playlist_text(user: str, name: str, known: Sequence[str]) -> str:
    """Return the message that a user has no playlist of a name.

    Args:
        user: The user.
        name: The name.
        known: The names of the playlists that there are.
    """
    there = f"there are: {', '.join(sorted(known))}" if known else "there is none yet"
    return f"{'you have' if user == 'me' else f'{user} has'} no playlist {name!r}; {there}"
