"""What the endpoints read from a recommender by the ids of tracks. An id is never used as a name or a path."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicrec.web.errors import no_such_track

if TYPE_CHECKING:
    from musicrec.recommend.library import Library
    from musicrec.recommend.library_index import LibraryIndex
    from musicrec.recommend.recommender import Recommender
    from musicrec.recommend.track import Track
    from musicrec.recommend.track_table import TrackTable


def library_of(recommender: "Recommender") -> "Library":
    """Return the library of a recommender."""
    return recommender._opened()


def index_of(recommender: "Recommender") -> "LibraryIndex":
    """Return what queries search in."""
    return recommender._index(recommender._opened())


def table_of(recommender: "Recommender") -> "TrackTable":
    """Return the table of all tracks that queries search in."""
    return index_of(recommender).everything()


def library_tracks(recommender: "Recommender", ids: Sequence[str]) -> "list[Track]":
    """Return tracks of the library by their ids, in their order.

    Raises:
        WebError: The library does not have one of them, or its file is not there.
    """
    library = library_of(recommender)
    numbers = library.ids_of(ids)
    for one in ids:
        if one not in numbers:
            raise no_such_track(one)
    found = {track.audio_hash: track for track in library.tracks([numbers[one] for one in dict.fromkeys(ids)])}
    for one in ids:
        if one not in found:
            raise no_such_track(one)
    return [found[one] for one in ids]


def named(track: "Track") -> str:
    """Return the name by which `Recommender.query` finds a track of the library."""
    return track.path if Path(track.path).exists() else track.track_id
