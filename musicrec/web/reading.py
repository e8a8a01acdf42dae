"""What the endpoints read from a recommender by the ids of tracks. An id is never used as a name or a path."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from musicrec.web.errors import WebError, no_such_track

if TYPE_CHECKING:
    from musicrec.recommend.recommender import Recommender
    from musicrec.recommend.track import Track


def library_tracks(recommender: "Recommender", ids: Sequence[str]) -> "list[Track]":
    """Return tracks of the library by their ids, in their order.

    Raises:
        WebError: The library does not have one of them, or its file is not there.
    """
    library = recommender.library
    numbers = library.ids_of(ids)
    for one in ids:
        if one not in numbers:
            raise no_such_track(one)
    try:
        tracks = library.tracks([numbers[one] for one in dict.fromkeys(ids)])
    except KeyError:  # it has no file that is there
        raise WebError(404, f"{', '.join(ids[:3])}: the file is not there; index its folder again") from None
    found = {track.audio_hash: track for track in tracks}
    return [found[one] for one in ids]
