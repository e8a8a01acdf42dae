"""What a user thinks of the tracks of a library, and their playlists: `Recommender.feedback` returns a `Feedback`.

Tracks are named as in a query, or given as `Track`. What is kept refers to recordings, so it stays with a file that is
moved or tagged anew.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.library import Library
from musicrec.recommend.library_tracks import named_track, tracks_of
from musicrec.recommend.profiles.collaborative import CollaborativeSettings
from musicrec.recommend.profiles.other_listeners import OtherListeners
from musicrec.recommend.profiles.playlist_edits import chosen_entries, inserted
from musicrec.recommend.profiles.playlist_tracks import PlaylistTrack, playlist_tracks
from musicrec.recommend.profiles.presence import place_of_profiles
from musicrec.recommend.profiles.records import Entry, Event, Kind, Playlist, User
from musicrec.recommend.profiles.shortlist_ranking import (
    KnownTracks,
    ShortlistRanking,
    never_again,
    rerank_shortlist,
)
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.profiles.taste_settings import TasteSettings
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.track import Track

USUAL_USER = "me"


class Feedback:
    """The feedback and the playlists of one user. Use it in a `with` statement, or close it.

    Each method is one transaction; what it has written is kept if the program is killed. A playlist is made by the
    first track that is added. `undo` takes back what was said, the last first.

    Example:
        with Recommender.open("my.sqlite") as recommender, recommender.feedback("Anna") as anna:
            anna.like("Ada – First")
            anna.pair("Ada – First", "Bo – Last")
            anna.undo()

    Attributes:
        user: Name of the user.
        place: Where the profiles are: a file, or the address of a server without its password.
    """

    def __init__(
        self,
        library: Library,
        store: ProfileStore,
        *,
        user: str = USUAL_USER,
        taste: TasteSettings | None = None,
        others: CollaborativeSettings | None = None,
        build_set: Callable[..., TrackSet] | None = None,
    ) -> None:
        self._library, self._store, self.user, self.place = library, store, user, store.name
        self._build_set = build_set
        self._taste, self._others = taste or TasteSettings(), others or CollaborativeSettings()
        self._listeners = OtherListeners(store, taste=self._taste, settings=self._others)
        self._read: tuple[Hashable, tuple[Event, ...]] | None = None

    @classmethod
    def open(
        cls,
        library: Library,
        *,
        user: str = USUAL_USER,
        profiles: str | os.PathLike[str] | None = None,
        read_only: bool = False,
        build_set: Callable[..., TrackSet] | None = None,
    ) -> "Feedback":
        """Open the profiles of a library.

        Args:
            library: The library whose tracks are named.
            user: The user; the first feedback creates the profile.
            profiles: A file for profiles, which is made if there is none, or `postgresql://USER:PASSWORD@HOST/DATABASE`.
                None takes MUSICREC_PROFILES, or else the file of the library (see `place_of_profiles`).
            read_only: Never write, as for a library on a disk that cannot be written.
            build_set: `Recommender.build_set`, by which a playlist is continued.

        Raises:
            ProfileError: The profiles cannot be opened.
        """
        return cls(library, open_profiles(library, profiles, read_only=read_only), user=user, build_set=build_set)

    def close(self) -> None:
        """Close the profiles; the library stays open."""
        self._store.close()

    def __enter__(self) -> "Feedback":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # What the user says.

    def like(self, *tracks: str | Track) -> list[Event]:
        """Say that more should be like these tracks."""
        return self._say("liked", tracks)

    def dislike(self, *tracks: str | Track) -> list[Event]:
        """Say that these tracks should never come again."""
        return self._say("disliked", tracks)

    def rate(self, track: str | Track, stars: int) -> Event:
        """Give a track 1 to 5 stars.

        Raises:
            ProfileError: It is another number.
        """
        return self._say("rated", [track], rating=stars)[0]

    def played(self, *tracks: str | Track) -> list[Event]:
        """Say that tracks were played."""
        return self._say("played", tracks)

    def skip(self, *tracks: str | Track, after: str | Track | None = None) -> list[Event]:
        """Say that tracks were skipped.

        Args:
            tracks: The tracks.
            after: What was playing or asked about: they do not go well after it.
        """
        return self._say("skipped", tracks, after=after)

    def pair(self, first: str | Track, *then: str | Track) -> list[Event]:
        """Remember that tracks work after another one.

        Args:
            first: The track that plays.
            then: Tracks that work after it.
        """
        return self._say("paired", then, after=first)

    def undo(self, count: int = 1) -> list[Event]:
        """Take back what was said last, and return it, the last first; fewer events if there are fewer."""
        check_value("count", count, Count)
        undone: list[Event] = []
        while len(undone) < count and (event := self._store.undo(self.user)) is not None:
            undone.append(event)
        return undone

    def history(self, *, limit: int | None = None, undone: bool = False) -> list[Event]:
        """Return what the user said, the last first.

        Args:
            limit: The most events to return; None returns all.
            undone: Also return what was taken back.
        """
        return self._store.history(self.user, limit=limit, undone=undone)

    def events(self) -> tuple[Event, ...]:
        """Return `history()`, which is read again only if the user has said something since."""
        version = self._store.history_version(self.user)
        if self._read is None or self._read[0] != version:
            self._read = version, tuple(self._store.history(self.user))
        return self._read[1]

    def ratings(self) -> dict[str, int]:
        """Return the last rating of each recording, {audio hash: stars}."""
        return {event.audio_hash: event.rating for event in self._store.ratings(self.user) if event.rating is not None}

    def never_again(self) -> frozenset[str]:
        """Return the recordings that must not be recommended: those whose last opinion is a dislike."""
        return never_again(self._store.history(self.user))

    def _say(
        self, kind: Kind, tracks: Sequence[str | Track], *, rating: int | None = None, after: str | Track | None = None
    ) -> list[Event]:
        if not tracks:
            raise ConfigError("tracks: name one or more")
        before = None if after is None else named_track(self._library, after)
        at = datetime.now(timezone.utc)
        events = [
            Event(
                kind=kind,
                audio_hash=track.audio_hash,
                title=track.name,
                rating=rating,
                after_hash=None if before is None else before.audio_hash,
                after_title="" if before is None else before.name,
                at=at,
            )
            for track in self._named(tracks)
        ]
        if before is not None and any(event.audio_hash == before.audio_hash for event in events):
            raise ConfigError(f"track={before.name}: is named as the track before and after; name two different ones")
        self._store.record(self.user, *events)
        return events

    def _named(self, tracks: Iterable[str | Track]) -> list[Track]:
        """Return the tracks; a mistake is reported before anything is written."""
        return [named_track(self._library, name) for name in tracks]

    # Playlists.

    def playlists(self) -> list[Playlist]:
        """Return the playlists by name."""
        return self._store.playlists(self.user)

    def playlist(self, name: str) -> Playlist:
        """Return a playlist as it is stored.

        Raises:
            ProfileError: There is none of this name.
        """
        return self._store.playlist(self.user, name)

    def playlist_tracks(self, name: str) -> list[PlaylistTrack]:
        """Return the tracks of a playlist with what the library knows of them.

        Raises:
            ProfileError: There is no such playlist.
        """
        return playlist_tracks(self._library, self.playlist(name))

    def create_playlist(
        self, name: str, tracks: Sequence[str | Track] = (), *, entries: Sequence[Entry] = ()
    ) -> Playlist:
        """Make a playlist.

        Args:
            name: Its name.
            tracks: Its tracks.
            entries: Recordings behind these tracks, if they are known already.

        Raises:
            ProfileError: There is one of this name.
        """
        self._store.create_playlist(self.user, name, [*self._entries(tracks), *entries])
        return self.playlist(name)

    def add_to_playlist(self, name: str, *tracks: str | Track, at: int | None = None) -> tuple[Entry, ...]:
        """Add tracks to a playlist, which is made if there is none of this name.

        Args:
            name: The playlist.
            tracks: The tracks.
            at: The place of the first one, from 1; None adds them at the end.

        Returns:
            What was added.

        Raises:
            ProfileError: There is no such place.
        """
        added = self._entries(tracks)
        if at is None:
            self._store.append_to_playlist(self.user, name, added)
            return added
        if not isinstance(at, int) or at < 1:
            raise ConfigError(f"at={at}: give a place, 1 or more")
        self._store.edit_playlist(self.user, name, lambda entries: inserted(entries, added, at=at, name=name))
        return added

    def remove_from_playlist(self, name: str, *tracks: str | int) -> list[tuple[int, Entry]]:
        """Remove tracks from a playlist.

        Args:
            name: The playlist.
            tracks: Places from 1, as whole numbers; or tracks, which are removed wherever they occur.

        Returns:
            What was removed: (place before, entry).

        Raises:
            ProfileError: There is no such playlist, place or track in it.
        """
        if not tracks:
            raise ConfigError("tracks: name one or more, or their places")
        places = {place for place in tracks if isinstance(place, int)}
        named = {self._hash_in(name, one): one for one in tracks if isinstance(one, str)}
        removed: list[tuple[int, Entry]] = []

        def without(entries: tuple[Entry, ...]) -> list[Entry]:
            removed[:] = chosen_entries(entries, places=places, named=named, name=name)
            gone = {at for at, _ in removed}
            return [entry for at, entry in enumerate(entries, start=1) if at not in gone]

        self._store.edit_playlist(self.user, name, without)
        return removed

    def rename_playlist(self, name: str, new_name: str) -> None:
        """Give a playlist another name.

        Raises:
            ProfileError: There is no such playlist, or one of the new name.
        """
        self._store.rename_playlist(self.user, name, new_name)

    def delete_playlist(self, name: str) -> Playlist:
        """Delete a playlist, and return what it was; `create_playlist` makes it again from its entries.

        Raises:
            ProfileError: There is no such playlist.
        """
        playlist = self.playlist(name)
        self._store.delete_playlist(self.user, name)
        return playlist

    def continue_playlist(self, name: str, *, k: int = 10, settings: SetSettings | None = None) -> TrackSet:
        """Return tracks that go on after the last one of a playlist, as a set that begins with it.

        Tracks of the playlist, and those that must never come again, are left out.

        Args:
            name: The playlist.
            k: Number of tracks to find.
            settings: How the set is searched; None for the usual ones.

        Raises:
            ConfigError: The library has none of its tracks, or too few others.
            ProfileError: There is no such playlist.
        """
        check_value("k", k, Count)
        assert self._build_set is not None, "open it with Recommender.feedback"
        hashes = [entry.audio_hash for entry in self.playlist(name).entries]
        here = {audio_hash for audio_hash, found in tracks_of(self._library, hashes).items() if not found.missing}
        present = [audio_hash for audio_hash in hashes if audio_hash in here]
        if not present:
            raise ConfigError(
                f"the playlist {name!r} has no track whose file is there; add one with `musicrec playlist add`"
            )
        without = {*hashes, *self.never_again()}
        return self._build_set(present[-1], tracks=k + 1, without=without, settings=settings)

    def edit_playlist(self, name: str, change: Callable[[tuple[Entry, ...]], Iterable[Entry]]) -> tuple[Entry, ...]:
        """Replace the entries of a playlist by what a function makes of them; nobody else changes it meanwhile.

        Args:
            name: The playlist.
            change: Takes the entries, and returns the new ones.

        Returns:
            The new entries.

        Raises:
            ProfileError: There is no such playlist.
        """
        return self._store.edit_playlist(self.user, name, change)

    def append_entries(self, name: str, entries: Sequence[Entry]) -> None:
        """Add recordings to the end of a playlist, which is made if there is none of this name."""
        self._store.append_to_playlist(self.user, name, entries)

    def _entries(self, tracks: Iterable[str | Track]) -> tuple[Entry, ...]:
        return tuple(Entry(audio_hash=track.audio_hash, title=track.name) for track in self._named(tracks))

    def _hash_in(self, playlist: str, track: str) -> str:
        """Return the recording of a track in a playlist, also of one that the library no longer holds."""
        for entry in self.playlist(playlist).entries:
            if entry.title.casefold() == track.strip().casefold():
                return entry.audio_hash
        return named_track(self._library, track).audio_hash

    # Everything about a user.

    def users(self) -> list[User]:
        """Return all users by name."""
        return self._store.users()

    def pin(self) -> str | None:
        """Return the hash of the user's PIN, None without one; see `ProfileStore.set_pin`."""
        return self._store.pin(self.user)

    def set_pin(self, pin: str) -> bool:
        """Store the hash of a PIN for a user without one; False if the user has one already."""
        return self._store.set_pin(self.user, pin)

    def users_with_pin(self) -> list[str]:
        """Return the names of the users who have a PIN."""
        return self._store.users_with_pin()

    def export_user(self) -> dict[str, Any]:
        """Return everything that is stored about the user as one JSON document.

        Raises:
            ProfileError: Nothing is stored about them.
        """
        return self._store.export_user(self.user)

    def import_user(self, document: Any, *, name: str | None = None, replace: bool = False) -> User:
        """Store a user as `export_user` returned it; see `ProfileStore.import_user`."""
        return self._store.import_user(document, name=name, replace=replace)

    def delete_user(self) -> None:
        """Delete everything that is stored about the user, which cannot be undone.

        Raises:
            ProfileError: Nothing is stored about them.
        """
        self._store.delete_user(self.user)

    # What it does to a ranking.

    def heard(self, events: Sequence[Event] | None = None) -> list[str]:
        """Return the recordings whose vectors `rerank` wants: all that the user said something about."""
        events = self._store.history(self.user) if events is None else events
        return list(dict.fromkeys(one for event in events for one in (event.audio_hash, event.after_hash) if one))

    def rerank(
        self,
        columns: Columns,
        audio_hashes: Sequence[str],
        scores: np.ndarray,
        *,
        known: KnownTracks,
        query_hash: str | None = None,
        query_vector: np.ndarray | None = None,
        k: int = 10,
        events: Sequence[Event] | None = None,
        now: datetime | None = None,
    ) -> ShortlistRanking:
        """Re-rank the shortlist of a query by what the user said, and by what others with their taste like.

        Args:
            columns: As for `rerank_shortlist`, and so are the others.
            audio_hashes: The recordings of the shortlist.
            scores: (tracks,) the score of each without feedback.
            known: The sound of the recordings in `heard`, and of the library.
            query_hash: The recording that was asked about.
            query_vector: How the query sounds.
            k: Length of the answer.
            events: What the user said, if it was read already.
            now: The time from which the age of events is counted; None for the present.
        """
        others = self.others(audio_hashes)
        return rerank_shortlist(
            columns,
            audio_hashes,
            scores,
            events=self._store.history(self.user) if events is None else events,
            known=known,
            query_hash=query_hash,
            query_vector=query_vector,
            others=others,
            others_share=0.0 if others is None else self._others.share,
            k=k,
            settings=self._taste,
            now=now,
        )

    def others(self, audio_hashes: Sequence[str]) -> np.ndarray | None:
        """Return what listeners with a similar taste like, (recordings,) from -1 to 1.

        The model of all listeners is fitted when it is first needed, and at most every ten minutes.

        Args:
            audio_hashes: Recordings.

        Returns:
            None if there are too few listeners (`CollaborativeSettings.least_listeners`), or the package implicit is
            not installed.
        """
        return self._listeners.liking(self.user, audio_hashes)


def open_profiles(
    library: Library, profiles: str | os.PathLike[str] | None = None, *, read_only: bool = False
) -> ProfileStore:
    """Open the store of the profiles of a library; see `Feedback.open`.

    Raises:
        ProfileError: The profiles cannot be opened.
    """
    place = place_of_profiles(library.path, profiles)
    own = place != os.fspath(library.path)
    if place == f"{os.fspath(library.path).removeprefix('lance:')}.profiles.sqlite" and not os.path.exists(place):
        read_only = False  # nobody has named this file, so a reader makes it
    return ProfileStore.open(place, create=own and not read_only, read_only=read_only)
