"""What a user thinks of the tracks of a library, and their playlists: `Recommender.feedback` returns a `Feedback`.

Tracks are named as in a query, or given as `Track`. What is kept refers to recordings, so it stays with a file that is
moved or tagged anew.
"""

import os
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, timezone
from typing import Any

import numpy as np

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.library import Library
from musicrec.recommend.library_tracks import named_track
from musicrec.recommend.profiles.collaborative import CollaborativeSettings
from musicrec.recommend.profiles.other_listeners import OtherListeners
from musicrec.recommend.profiles.presence import place_of_profiles
from musicrec.recommend.profiles.records import Event, Kind, User
from musicrec.recommend.profiles.shortlist_ranking import (
    KnownTracks,
    ShortlistRanking,
    never_again,
    rerank_shortlist,
)
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.profiles.taste_settings import TasteSettings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.track import Track
from musicrec.recommend.user_playlists import UserPlaylists

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
        playlists: The playlists of the user.
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
        self.playlists = UserPlaylists(library, store, user=user, build_set=build_set)
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
            for track in [named_track(self._library, name) for name in tracks]
        ]
        if before is not None and any(event.audio_hash == before.audio_hash for event in events):
            raise ConfigError(f"track={before.name}: is named as the track before and after; name two different ones")
        self._store.record(self.user, *events)
        return events

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
