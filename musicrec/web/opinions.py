"""What a user thinks of the tracks, as the rows of tables show it."""

import os
from collections.abc import Hashable
from typing import TYPE_CHECKING

from musicrec.recommend.profiles.presence import may_have_feedback, place_of_profiles
from musicrec.web.track_list import Opinions

if TYPE_CHECKING:
    from musicrec.recommend.feedback import Feedback
    from musicrec.recommend.recommender import Recommender
    from musicrec.web.state import WebState

_SAID = {"liked": "like", "disliked": "dislike"}


def opinions_of(recommender: "Recommender", state: "WebState", user: str) -> Opinions:
    """Return what a user thinks of the tracks.

    Args:
        recommender: The recommender.
        state: The state of the server.
        user: The user.
    """
    profiles = state.settings.profiles
    place = place_of_profiles(recommender.path, profiles)
    stamp = _stamp(place)
    if (known := state.opinions.get(user, stamp)) is not None:
        return known
    if may_have_feedback(place, user):
        with recommender.feedback(user, profiles=profiles, read_only=True) as feedback:
            opinions = _read(feedback)
    else:
        opinions = Opinions(ratings={}, opinions={})
    state.opinions.put(user, stamp, opinions)
    return opinions


def _read(feedback: "Feedback") -> Opinions:
    ratings, opinions = {}, {}
    for event in reversed(feedback.history()):  # the last word counts
        if event.kind == "rated" and event.rating is not None:
            ratings[event.audio_hash] = event.rating
        elif event.kind in _SAID:
            opinions[event.audio_hash] = _SAID[event.kind]
    return Opinions(ratings=ratings, opinions=opinions)


def _stamp(place: str) -> Hashable:
    """Return what differs after each write to an SQLite file; None for a server, of which it is not known."""
    if "://" in place:
        return None
    found: list[Hashable] = []
    for path in (place, f"{place}-wal"):
        try:
            facts = os.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((facts.st_ino, facts.st_mtime_ns, facts.st_size))
    return tuple(found)
