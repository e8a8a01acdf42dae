"""A set from tracks of a library, which are named as a user names them."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from musicrec.errors import ConfigError
from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.query_track import check_name, find_track
from musicrec.recommend.sets.build import SetSettings, build_set
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.track_table import TrackTable
from musicrec.system.progress import StepListener


def build_library_set(
    library: Library,
    index: LibraryIndex,
    *,
    start: str,
    end: str | None = None,
    tracks: int | None = None,
    minutes: float | None = None,
    curve: EnergyCurve | None = None,
    locked: Mapping[int, str] | None = None,
    banned: Sequence[str] = (),
    without: Collection[str] = (),
    settings: SetSettings | None = None,
    progress: bool | StepListener = False,
) -> TrackSet:
    """Return a set from tracks of a library; see `Recommender.build_set`.

    Args:
        library: The library, which must not change meanwhile.
        index: Its tracks.
        start: The first track: its audio hash, file, track_id or title; so are the others.
        end: The last track; None leaves it open.
        tracks: Number of tracks; or
        minutes: Length of the set.
        curve: The wanted energy over the set.
        locked: {place from 1: track}.
        banned: Tracks that must not be in the set.
        without: Audio hashes of recordings to leave out, with their versions, unless they are named.
        settings: How the set is searched; None for the usual ones.
        progress: As for `build_set`.

    Raises:
        ConfigError: A track is not in the library, a setting is out of range, or there are too few tracks.
    """
    table = index.everything()

    def row_of(name: str) -> int:
        return _row_of(library, table, name)

    first, last = row_of(start), None if end is None else row_of(end)
    at_places = {place: row_of(name) for place, name in (locked or {}).items()}
    left_out = [row_of(name) for name in banned]
    for name, row in zip(banned, left_out, strict=True):
        if row in {first, last, *at_places.values()}:
            raise ConfigError(f"{name}: this track is both asked for and banned; leave out one of them")
    if first in {last, *(row for place, row in at_places.items() if place > 1)}:
        raise ConfigError(f"{start}: the set begins with this track, so it cannot come again; name another one")
    if last is not None and tracks is not None and at_places.get(tracks, last) != last:
        raise ConfigError(f"{end}: another track is locked at place {tracks}, the last one; leave out one of them")
    made = build_set(
        table.columns,
        start=first,
        end=last,
        tracks=tracks,
        minutes=minutes,
        curve=curve,
        locked=at_places,
        banned=left_out,
        allowed=_allowed(library, table, without),
        settings=settings,
        progress=progress,
    )
    chosen = library.tracks(table.ids[list(made.rows)].tolist())
    return made.named(
        [track.name for track in chosen],
        audio_hashes=[track.audio_hash for track in chosen],
        paths=[track.path for track in chosen],
    )


def _row_of(library: Library, table: TrackTable, name: str) -> int:
    """Return the row of a track that a user has named.

    Raises:
        ConfigError: The library does not have it.
    """
    ids = library.ids_of([name])
    if not ids:
        check_name(name)
        found = find_track(library, name)
        ids = {} if found is None else library.ids_of([found.audio_hash])
    row = int(table.rows_of(np.array(list(ids.values()), dtype=np.int64)).max(initial=-1))
    if row < 0:
        raise ConfigError(f"{name} is not in {library.path}; a set is built from tracks of the library")
    return row


def _allowed(library: Library, table: TrackTable, without: Collection[str]) -> np.ndarray:
    """Return which tracks may come, (tracks,) bool: reliable ones, and no version of a recording to leave out."""
    left_out = np.array(list(library.ids_of(without).values()), dtype=np.int64)
    rows = table.rows_of(left_out)
    rows = rows[rows >= 0]
    allowed = ~table.unreliable
    allowed[rows] = False
    recording = table.columns.recording  # of versions, the number of the first one
    left_out = np.concatenate([left_out, recording[rows]])
    allowed[(recording >= 0) & np.isin(recording, left_out)] = False
    return allowed
