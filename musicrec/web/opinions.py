"""What a user thinks of the tracks, as the rows of tables show it."""

from typing import TYPE_CHECKING

from musicrec.recommend.profiles.presence import may_have_feedback, place_of_profiles
from musicrec.web.track_list import Opinions

if TYPE_CHECKING:
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
    if not may_have_feedback(place_of_profiles(recommender.path, profiles), user):
        return Opinions(ratings={}, opinions={})
    with recommender.feedback(user, profiles=profiles, read_only=True) as feedback:
        ratings, opinions = {}, {}
        for event in reversed(feedback.history()):  # the last word counts
            if event.kind == "rated" and event.rating is not None:
                ratings[event.audio_hash] = event.rating
            elif event.kind in _SAID:
                opinions[event.audio_hash] = _SAID[event.kind]
        return Opinions(ratings=ratings, opinions=opinions)
