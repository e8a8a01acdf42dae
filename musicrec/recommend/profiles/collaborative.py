"""What users with a similar taste like: alternating least squares on what all users said (the package `implicit`).

Hu, Koren, Volinsky 2008, "Collaborative filtering for implicit feedback datasets". It needs no vectors, only many
listeners: with few of them it guesses, so below `least_listeners` it has no say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Ge

from musicrec.config.number_types import Count, NotNegative, Positive, Share
from musicrec.config.value_check import check_fields
from musicrec.errors import ProfileError

if TYPE_CHECKING:
    from musicrec.recommend.profiles.evidence import Evidence

_Listeners = Annotated[int, Ge(2)]


@dataclass(frozen=True, kw_only=True)
class CollaborativeSettings:
    """Settings of what other users like. experiments/feedback tells how the numbers were chosen.

    Args:
        least_listeners: Number of users with enough likes from which on they are asked.
        least_likes: A user with this many liked recordings counts as a listener.
        share: How much of a user's taste comes from others.
        factors: Size of the vectors of users and recordings.
        regularization: How far these stay near zero.
        confidence: How much more a like counts than no feedback.
        iterations: Rounds of alternating least squares.
        seed: Seed of the first vectors.

    Raises:
        ConfigError: A value is out of range.
    """

    least_listeners: _Listeners = 300
    least_likes: Count = 5
    share: Share = 0.5
    factors: Count = 32
    regularization: Positive = 1.0
    confidence: NotNegative = 10.0
    iterations: Count = 15
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields("others", self)


def available() -> bool:
    """Return whether the package implicit is installed."""
    return find_spec("implicit") is not None


def count_listeners(known: Mapping[str, "Evidence"], settings: CollaborativeSettings) -> int:
    """Return how many users have enough likes to learn from, given {user: evidence}."""
    return sum(int((one.weights > 0).sum()) >= settings.least_likes for one in known.values())


def fit_listeners(
    known: Mapping[str, "Evidence"], *, tracks: int, settings: CollaborativeSettings | None = None
) -> "Listeners | None":
    """Return the model of all users; None if there are too few listeners, or implicit is not installed.

    Give `scores(user)` of it to `taste.rerank` as `others`, and `settings.share` as `others_share`.

    Args:
        known: {user: what their events say}, of all users.
        tracks: Number of tracks of the library.
        settings: The settings.
    """
    settings = settings or CollaborativeSettings()
    if count_listeners(known, settings) < settings.least_listeners or not available():
        return None
    return Listeners(known, tracks=tracks, settings=settings)


class Listeners:
    """A model of all users: what each of them would like.

    Fit it again when there is new feedback; a thousand listeners take about a second.

    Args:
        known: {user: what their events say}, of all users.
        tracks: Number of tracks of the library.
        settings: The settings.

    Raises:
        ProfileError: The package implicit is not installed.
    """

    def __init__(
        self, known: Mapping[str, "Evidence"], *, tracks: int, settings: CollaborativeSettings | None = None
    ) -> None:
        settings = settings or CollaborativeSettings()
        if not available():
            raise ProfileError("what other users like needs the package implicit; pip install 'musicrec[implicit]'")
        from implicit.cpu.als import AlternatingLeastSquares
        from scipy.sparse import csr_matrix
        from threadpoolctl import threadpool_limits

        self.users = {user: number for number, user in enumerate(known)}
        none = np.empty(0, dtype=np.int64)
        liked = [one.weights > 0 for one in known.values()]
        pairs = list(zip(known.values(), liked, strict=True))
        rows = np.concatenate([none, *(one.rows[mask] for one, mask in pairs)])
        values = np.concatenate([none, *(one.weights[mask] for one, mask in pairs)])
        owners = np.repeat(np.arange(len(liked)), [int(mask.sum()) for mask in liked])
        matrix = csr_matrix(
            ((1 + settings.confidence * values).astype(np.float32), (owners, rows)), shape=(len(known), tracks)
        )
        # implicit has threads of its own; those of BLAS would only be in their way. One thread gives the same bits
        # every time.
        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(
                factors=settings.factors,
                regularization=settings.regularization,
                iterations=settings.iterations,
                num_threads=1,
                random_state=settings.seed,
            )
            model.fit(matrix, show_progress=False)
        self._users, self._tracks = model.user_factors, model.item_factors
        self._heard = np.bincount(rows, minlength=tracks) > 0

    def scores(self, user: str) -> np.ndarray:
        """Return what a user would like by what others like, (tracks,) float32 from -1 to 1.

        It is centred and scaled over the tracks that anybody likes; 0 for the others and for an unknown user.
        """
        scores = np.zeros(len(self._tracks), dtype=np.float32)
        if user in self.users and self._heard.any():
            found = self._tracks[self._heard] @ self._users[self.users[user]]
            spread = found.std()
            if spread > 0:
                # Three deviations are as much as a taste can add.
                scores[self._heard] = np.clip((found - found.mean()) / (3 * spread), -1, 1)
        return scores
