"""The store of profiles: users, what they did and said, and their playlists."""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from musicrec.errors import ProfileError
from musicrec.recommend.profiles import rows, schema
from musicrec.recommend.profiles.database import ProfileDatabase
from musicrec.recommend.profiles.records import Entry, Event, Playlist, Profile, User, checked


class ProfileStore:
    """Reads and writes the profiles of users. Use it in a `with` statement, or close it.

    Each method is one transaction. What it has written is kept if the program is killed. Several processes may write at
    the same time. A user is named by a name; the first feedback creates the profile. Users without a profile have no
    history, no likes and no playlists.

    Attributes:
        name: The file, or the address of the server without its password.
    """

    def __init__(self, database: ProfileDatabase) -> None:
        self._database, self.name = database, database.name

    @classmethod
    def open(cls, where: str | os.PathLike[str], *, create: bool = False, read_only: bool = False) -> "ProfileStore":
        """Open the profiles of a library, of a file of their own, or of a server.

        Args:
            where: The SQLite file of a library or of profiles, or `postgresql://USER:PASSWORD@HOST/DATABASE`. Missing
                tables are created in it.
            create: Make a file for profiles if there is none.
            read_only: Never write, as for a library on a disk that cannot be written.

        Raises:
            ProfileError: There is no such database, it is something else, or it cannot be reached.
        """
        return cls(ProfileDatabase.open(where, create=create, read_only=read_only))

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> "ProfileStore":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Users.

    def user(self, name: str) -> User:
        """Return the user of this name, who is created if there is none."""
        with self._writing(name) as (connection, user_id):
            return rows.read_user(connection, user_id)

    def users(self) -> list[User]:
        """Return all users by name."""
        with self._database.reading() as connection:
            found = connection.execute(select(schema.users.c.name, schema.users.c.created_at)).all()
        return sorted((User(name=name, created_at=at) for name, at in found), key=lambda user: user.name)

    def pin(self, user: str) -> str | None:
        """Return what is stored of a user's PIN, see `set_pin`; None if there is no such user, or no PIN."""
        table = schema.pins
        query = select(table.c.pin).join_from(table, schema.users, table.c.user_id == schema.users.c.id)
        with self._database.reading() as connection:
            return connection.execute(query.where(*rows.of_user(user))).scalar_one_or_none()

    def set_pin(self, user: str, pin: str) -> bool:
        """Store the PIN of a user who has none; the user is created if there is none.

        Args:
            user: The user.
            pin: The PIN, hashed: it is stored as it is given.

        Returns:
            False if the user has a PIN already, which stays.
        """
        with self._writing(user) as (connection, user_id):
            return rows.insert_pin(connection, user_id, pin)

    def users_with_pin(self) -> list[str]:
        """Return the names of the users who have a PIN, in order."""
        table = schema.pins
        query = select(schema.users.c.name).join_from(table, schema.users, table.c.user_id == schema.users.c.id)
        with self._database.reading() as connection:
            return sorted(connection.execute(query).scalars())

    # Events.

    def record(self, user: str, *events: Event) -> None:
        """Record what a user did or said, in the order given.

        Raises:
            ProfileError: The feedback cannot be written.
        """
        now = rows.now_utc()
        said = [{**asdict(event), "at": event.at or now} for event in events]
        with self._writing(user) as (connection, user_id):
            rows.add_rows(connection, schema.events, [{**row, "user_id": user_id} for row in said])

    def undo(self, user: str) -> Event | None:
        """Take back the last event of a user that still counts, and return it; None if there is none."""
        table = schema.events
        with self._database.writing() as connection:
            user_id = rows.find_user(connection, user, lock=True)
            last = select(func.max(table.c.id)).where(table.c.user_id == user_id, table.c.undone_at.is_(None))
            number = connection.execute(last).scalar_one()
            if number is None:
                return None
            connection.execute(update(table).where(table.c.id == number).values(undone_at=rows.now_utc()))
            return rows.event_of(connection.execute(rows.events_query().where(table.c.id == number)).one())

    def history(self, user: str, *, limit: int | None = None, undone: bool = False) -> list[Event]:
        """Return the events of a user, the last recorded first.

        Args:
            user: The user.
            limit: The most events to return; None returns all.
            undone: Also return events that were taken back.
        """
        query = rows.events_query().where(*rows.of_user(user)).order_by(schema.events.c.id.desc()).limit(limit)
        if not undone:
            query = query.where(schema.events.c.undone_at.is_(None))
        with self._database.reading() as connection:
            return [rows.event_of(row) for row in connection.execute(query)]

    def history_version(self, user: str) -> Hashable:
        """Return what differs whenever `history` may differ, and is read faster than it."""
        table = schema.events
        said, undone = table.c.at, table.c.undone_at
        facts = [func.count(), func.max(table.c.id), func.count(undone), func.max(undone)]
        facts += [func.min(said), func.max(said)]  # as SQLite uses the ids of deleted events again
        query = select(*facts).join_from(table, schema.users, table.c.user_id == schema.users.c.id)
        with self._database.reading() as connection:
            return tuple(connection.execute(query.where(*rows.of_user(user))).one())

    def histories(self) -> dict[str, list[Event]]:
        """Return the events of all users that count, {user: events}, the first recorded first."""
        query = rows.events_query(schema.users.c.name).where(schema.events.c.undone_at.is_(None))
        found: dict[str, list[Event]] = {}
        with self._database.reading() as connection:
            for *event, name in connection.execute(query.order_by(schema.events.c.id)):
                found.setdefault(name, []).append(rows.event_of(event))
        return found

    def likes(self, user: str) -> list[Event]:
        """Return the recordings that a user likes, the last liked first: the event that said so, for each."""
        return [event for event in self._opinions(user) if event.kind == "liked"]

    def dislikes(self, user: str) -> list[Event]:
        """Return the recordings that a user never wants to hear again, as `likes` does."""
        return [event for event in self._opinions(user) if event.kind == "disliked"]

    def ratings(self, user: str) -> list[Event]:
        """Return the last rating of each recording, the last given first."""
        return self._latest(user, ("rated",))

    def pairs(self, user: str) -> list[Event]:
        """Return the remembered pairs, the last one first: `audio_hash` works after `after_hash`."""
        latest = {(event.after_hash, event.audio_hash): event for event in reversed(self._of_kinds(user, ("paired",)))}
        return sorted(latest.values(), key=rows.time_of, reverse=True)

    def _opinions(self, user: str) -> list[Event]:
        return self._latest(user, ("liked", "disliked"))

    def _latest(self, user: str, kinds: Sequence[str]) -> list[Event]:
        """Return the last event of these kinds for each recording, the last one first."""
        latest: dict[str, Event] = {}
        for event in self._of_kinds(user, kinds):
            latest.setdefault(event.audio_hash, event)
        return list(latest.values())

    def _of_kinds(self, user: str, kinds: Sequence[str]) -> list[Event]:
        """Return the events of these kinds that count, by the time when they happened, the last one first."""
        table = schema.events
        query = rows.events_query().where(*rows.of_user(user), table.c.kind.in_(kinds), table.c.undone_at.is_(None))
        with self._database.reading() as connection:
            return [
                rows.event_of(row) for row in connection.execute(query.order_by(table.c.at.desc(), table.c.id.desc()))
            ]

    # Playlists.

    def playlists(self, user: str) -> list[Playlist]:
        """Return the playlists of a user by name."""
        with self._database.reading() as connection:
            user_id = rows.find_user(connection, user)
            return [] if user_id is None else rows.read_playlists(connection, user_id)

    def playlist(self, user: str, name: str) -> Playlist:
        """Return a playlist.

        Raises:
            ProfileError: There is none of this name.
        """
        name = checked("playlist", name)
        known = self.playlists(user)
        for playlist in known:
            if playlist.name == name:
                return playlist
        raise ProfileError(rows.no_playlist_text(user, name, [playlist.name for playlist in known]))

    def save_playlist(self, user: str, name: str, entries: Iterable[Entry]) -> None:
        """Make a playlist, or replace the entries of the one of this name."""
        entries, now = tuple(entries), rows.now_utc()
        with self._writing(user) as (connection, user_id):
            playlist_id = rows.playlist_id_of(connection, user_id, name)
            if playlist_id is None:
                rows.add_playlist(
                    connection,
                    user_id,
                    Playlist(name=checked("playlist", name), entries=entries, created_at=now, changed_at=now),
                )
                return
            table = schema.entries
            connection.execute(delete(table).where(table.c.playlist_id == playlist_id))
            rows.add_entries(connection, playlist_id, entries, first=0)
            rows.mark_changed(connection, playlist_id, now)

    def append_to_playlist(self, user: str, name: str, entries: Iterable[Entry]) -> None:
        """Add recordings to the end of a playlist, which is made if there is none of this name."""
        entries, now = tuple(entries), rows.now_utc()
        with self._writing(user) as (connection, user_id):
            playlist_id = rows.playlist_id_of(connection, user_id, name)
            if playlist_id is None:
                playlist_id = rows.add_playlist(
                    connection, user_id, Playlist(name=checked("playlist", name), created_at=now, changed_at=now)
                )
            table = schema.entries
            last = select(func.coalesce(func.max(table.c.position), -1)).where(table.c.playlist_id == playlist_id)
            rows.add_entries(connection, playlist_id, entries, first=connection.execute(last).scalar_one() + 1)
            rows.mark_changed(connection, playlist_id, now)

    def create_playlist(self, user: str, name: str, entries: Iterable[Entry] = ()) -> None:
        """Make a playlist.

        Raises:
            ProfileError: There is one of this name.
        """
        name, entries, now = checked("playlist", name), tuple(entries), rows.now_utc()
        with self._writing(user) as (connection, user_id):
            if rows.playlist_id_of(connection, user_id, name) is not None:
                raise ProfileError(f"{user} has a playlist {name!r} already; choose another name")
            rows.add_playlist(connection, user_id, Playlist(name=name, entries=entries, created_at=now, changed_at=now))

    def edit_playlist(
        self, user: str, name: str, change: Callable[[tuple[Entry, ...]], Iterable[Entry]]
    ) -> tuple[Entry, ...]:
        """Replace the entries of a playlist by what a function makes of them; nobody else changes it meanwhile.

        Args:
            user: The user.
            name: The playlist.
            change: Takes the entries, and returns the new ones.

        Returns:
            The new entries.

        Raises:
            ProfileError: There is no such playlist.
        """
        with self._writing(user) as (connection, user_id):
            playlist_id = self._existing(connection, user_id, user, name)
            table = schema.entries
            of_playlist = select(table).where(table.c.playlist_id == playlist_id).order_by(table.c.position)
            there = (Entry(audio_hash=row.audio_hash, title=row.title) for row in connection.execute(of_playlist))
            entries = tuple(change(tuple(there)))
            connection.execute(delete(table).where(table.c.playlist_id == playlist_id))
            rows.add_entries(connection, playlist_id, entries, first=0)
            rows.mark_changed(connection, playlist_id, rows.now_utc())
        return entries

    def rename_playlist(self, user: str, name: str, new_name: str) -> None:
        """Give a playlist another name.

        Raises:
            ProfileError: There is no such playlist, or one of the new name.
        """
        new_name = checked("playlist", new_name)
        with self._writing(user) as (connection, user_id):
            playlist_id = self._existing(connection, user_id, user, name)
            if rows.playlist_id_of(connection, user_id, new_name) not in (None, playlist_id):
                raise ProfileError(f"{user} has a playlist {new_name!r} already; choose another name")
            change = update(schema.playlists).where(schema.playlists.c.id == playlist_id)
            connection.execute(change.values(name=new_name, changed_at=rows.now_utc()))

    def delete_playlist(self, user: str, name: str) -> None:
        """Delete a playlist.

        Raises:
            ProfileError: There is no such playlist.
        """
        with self._writing(user) as (connection, user_id):
            playlist_id = self._existing(connection, user_id, user, name)
            connection.execute(delete(schema.playlists).where(schema.playlists.c.id == playlist_id))

    def _existing(self, connection: Connection, user_id: int, user: str, name: str) -> int:
        playlist_id = rows.playlist_id_of(connection, user_id, name)
        if playlist_id is None:
            raise ProfileError(
                rows.no_playlist_text(
                    user, name, [playlist.name for playlist in rows.read_playlists(connection, user_id)]
                )
            )
        return playlist_id

    # Everything about a user.

    def export_user(self, user: str) -> dict[str, Any]:
        """Return everything that is stored about a user as one JSON document.

        Raises:
            ProfileError: There is no such user.
        """
        from musicrec.recommend.profiles.document import to_document

        with self._database.reading() as connection:
            user_id = self._known(connection, user)
            query = rows.events_query().where(schema.events.c.user_id == user_id).order_by(schema.events.c.id)
            profile = Profile(
                user=rows.read_user(connection, user_id),
                events=tuple(rows.event_of(row) for row in connection.execute(query)),
                playlists=tuple(rows.read_playlists(connection, user_id)),
            )
        return to_document(profile)

    def import_user(self, document: Any, *, name: str | None = None, replace: bool = False) -> User:
        """Store a user as `export_user` returned it, in one transaction.

        Args:
            document: The JSON document.
            name: Another name for the user; None takes the one in the document.
            replace: Delete what is stored about a user of this name. Without it, such a user is an error.

        Raises:
            ProfileError: The document cannot be read, or there is such a user.
        """
        from musicrec.recommend.profiles.document import from_document

        profile = from_document(document)
        name = checked("user", profile.user.name if name is None else name)
        now, users = rows.now_utc(), schema.users
        with self._database.writing() as connection:
            if replace:
                connection.execute(delete(users).where(users.c.name == name))
            # The insert waits for another process that is about to add the same user.
            if not rows.insert_user(connection, name, profile.user.created_at):
                raise ProfileError(f"{self.name}: there is a user {name!r}; give another name, or replace it")
            user_id = rows.find_user(connection, name)
            assert user_id is not None
            said = [{**asdict(event), "at": event.at or now, "user_id": user_id} for event in profile.events]
            rows.add_rows(connection, schema.events, said)
            for playlist in profile.playlists:
                if rows.playlist_id_of(connection, user_id, playlist.name) is not None:
                    raise ProfileError(f"the profile has two playlists {playlist.name!r}")
                rows.add_playlist(connection, user_id, playlist)
            return rows.read_user(connection, user_id)

    def delete_user(self, user: str) -> None:
        """Delete a user with everything that is stored about them. It cannot be undone.

        In an SQLite file, the deleted bytes are overwritten.

        Raises:
            ProfileError: There is no such user.
        """
        with self._database.writing() as connection:
            user_id = self._known(connection, user)
            connection.execute(delete(schema.users).where(schema.users.c.id == user_id))
            if connection.dialect.name == "sqlite":
                schema.rewrite(connection)
        self._database.forget_deleted()

    def _known(self, connection: Connection, user: str) -> int:
        user_id = rows.find_user(connection, user)
        if user_id is None:
            raise ProfileError(f"{self.name}: there is no user {user!r}")
        return user_id

    @contextmanager
    def _writing(self, user: str) -> Iterator[tuple[Connection, int]]:
        """Yield a transaction and the user's number. Writes for one user happen one after another."""
        name = checked("user", user)
        with self._database.writing() as connection:
            rows.insert_user(connection, name, rows.now_utc())
            user_id = rows.find_user(connection, name, lock=True)
            assert user_id is not None
            yield connection, user_id
