"""Tracks by their ids. An id is looked up as an id, and never used as a name or a path."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from musicrec.web.errors import WebError, no_such_track
from musicrec.web.media import Outline
from musicrec.web.upload_names import is_upload

if TYPE_CHECKING:
    from musicrec.recommend.recommender import Recommender
    from musicrec.recommend.track import Track
    from musicrec.web.state import WebState


def check_ids(recommender: "Recommender", state: "WebState", ids: Sequence[str]) -> None:
    """Check that the library has tracks, each with a file that is there.

    Raises:
        WebError: It does not have one of them (404), or one is an upload (400).
    """
    known = state.track_lists.of(recommender).row_of
    for one in ids:
        if is_upload(one):
            raise WebError(400, f"{one}: this is an upload; only tracks of the library can be used here")
        if one not in known:
            raise no_such_track(one)


def library_tracks(recommender: "Recommender", state: "WebState", ids: Sequence[str]) -> "list[Track]":
    """Return tracks of the library, in their order.

    Raises:
        WebError: As for `check_ids`.
    """
    check_ids(recommender, state, ids)
    library = recommender.library
    numbers = library.ids_of(ids)
    wanted = list(dict.fromkeys(ids))
    found = dict(zip(wanted, library.tracks([numbers[one] for one in wanted]), strict=True))
    return [found[one] for one in ids]


def path_of(recommender: "Recommender", state: "WebState", track: str) -> str:
    """Return the file of a track of the library.

    Raises:
        WebError: As for `check_ids`.
    """
    check_ids(recommender, state, [track])
    table = state.track_lists.of(recommender)
    return table.paths[table.row_of[track]]


def stored_outline(recommender: "Recommender", state: "WebState", track: str) -> Outline | None:
    """Return the outline of a track that the library has stored; None if it was indexed by an older version.

    Raises:
        WebError: As for `check_ids`.
    """
    check_ids(recommender, state, [track])
    numbers = list(recommender.library.ids_of([track]).values())
    (peaks,), (durations_s, _) = recommender.library.peaks(numbers), recommender.library.audio_facts(numbers)
    return None if peaks is None else Outline(duration_s=float(durations_s[0]), peaks=peaks)


def asked_tracks(recommender: "Recommender", state: "WebState", user: str, ids: Sequence[str]) -> "list[Track]":
    """Return tracks to ask about, in their order: tracks of the library, and uploads of the user.

    Raises:
        WebError: There is no such track, or no such upload of this user (404).
    """
    of_library = [one for one in ids if not is_upload(one)]
    found = dict(zip(of_library, library_tracks(recommender, state, of_library), strict=True))
    for one in ids:
        if is_upload(one):
            found[one] = state.uploads.track(one, user)
    return [found[one] for one in ids]
