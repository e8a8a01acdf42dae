"""The playlists of one user: `Feedback.playlists`. A playlist holds recordings, so it stays right when files move."""

from collections.abc import Callable, Iterable, Sequence

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError
from musicrec.recommend.library import Library
from musicrec.recommend.library_tracks import named_track, tracks_of
from musicrec.recommend.profiles.playlist_edits import chosen_entries, inserted
from musicrec.recommend.profiles.playlist_tracks import PlaylistTrack, playlist_tracks
from musicrec.recommend.profiles.records import Entry, Playlist
from musicrec.recommend.profiles.shortlist_ranking import never_again
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.track import Track


class UserPlaylists:
    """The playlists of one user. A playlist is made by the first track that is added.

    Args:
        library: The library whose tracks are named.
        store: The profiles.
        user: Name of the user.
        build_set: `Recommender.build_set`, by which a playlist is continued.
    """

    def __init__(
        self, library: Library, store: ProfileStore, *, user: str, build_set: Callable[..., TrackSet] | None
    ) -> None:
        self._library, self._store, self._user, self._build_set = library, store, user, build_set

    def all(self) -> list[Playlist]:
        """Return the playlists by name."""
        return self._store.playlists(self._user)

    def get(self, name: str) -> Playlist:
        """Return a playlist as it is stored.

        Raises:
            ProfileError: There is none of this name.
        """
        return self._store.playlist(self._user, name)

    def tracks(self, name: str) -> list[PlaylistTrack]:
        """Return the tracks of a playlist with what the library knows of them.

        Raises:
            ProfileError: There is no such playlist.
        """
        return playlist_tracks(self._library, self.get(name))

    def create(self, name: str, tracks: Sequence[str | Track] = (), *, entries: Sequence[Entry] = ()) -> Playlist:
        """Make a playlist.

        Args:
            name: Its name.
            tracks: Its tracks.
            entries: Recordings behind these tracks, if they are known already.

        Raises:
            ProfileError: There is one of this name.
        """
        self._store.create_playlist(self._user, name, [*self._entries(tracks), *entries])
        return self.get(name)

    def add(self, name: str, *tracks: str | Track, at: int | None = None) -> tuple[Entry, ...]:
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
            self._store.append_to_playlist(self._user, name, added)
            return added
        if not isinstance(at, int) or at < 1:
            raise ConfigError(f"at={at}: give a place, 1 or more")
        self._store.edit_playlist(self._user, name, lambda entries: inserted(entries, added, at=at, name=name))
        return added

    def remove(self, name: str, *tracks: str | int) -> list[tuple[int, Entry]]:
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

        self._store.edit_playlist(self._user, name, without)
        return removed

    def rename(self, name: str, new_name: str) -> None:
        """Give a playlist another name.

        Raises:
            ProfileError: There is no such playlist, or one of the new name.
        """
        self._store.rename_playlist(self._user, name, new_name)

    def delete(self, name: str) -> Playlist:
        """Delete a playlist, and return what it was; `create` makes it again from its entries.

        Raises:
            ProfileError: There is no such playlist.
        """
        playlist = self.get(name)
        self._store.delete_playlist(self._user, name)
        return playlist

    def find_next(self, name: str, *, k: int = 10, settings: SetSettings | None = None) -> TrackSet:
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
        hashes = [entry.audio_hash for entry in self.get(name).entries]
        here = {audio_hash for audio_hash, found in tracks_of(self._library, hashes).items() if not found.missing}
        present = [audio_hash for audio_hash in hashes if audio_hash in here]
        if not present:
            raise ConfigError(
                f"the playlist {name!r} has no track whose file is there; add one with `musicrec playlist add`"
            )
        without = {*hashes, *never_again(self._store.history(self._user))}
        return self._build_set(present[-1], tracks=k + 1, without=without, settings=settings)

    def edit(self, name: str, change: Callable[[tuple[Entry, ...]], Iterable[Entry]]) -> tuple[Entry, ...]:
        """Replace the entries of a playlist by what a function makes of them; nobody else changes it meanwhile.

        Args:
            name: The playlist.
            change: Takes the entries, and returns the new ones.

        Returns:
            The new entries.

        Raises:
            ProfileError: There is no such playlist.
        """
        return self._store.edit_playlist(self._user, name, change)

    def append(self, name: str, entries: Sequence[Entry]) -> None:
        """Add recordings to the end of a playlist, which is made if there is none of this name."""
        self._store.append_to_playlist(self._user, name, entries)

    def _entries(self, tracks: Iterable[str | Track]) -> tuple[Entry, ...]:
        return tuple(
            Entry(audio_hash=track.audio_hash, title=track.name)
            for track in (named_track(self._library, name) for name in tracks)
        )

    def _hash_in(self, playlist: str, track: str) -> str:
        """Return the recording of a track in a playlist, also of one that the library no longer holds."""
        for entry in self.get(playlist).entries:
            if entry.title.casefold() == track.strip().casefold():
                return entry.audio_hash
        return named_track(self._library, track).audio_hash
