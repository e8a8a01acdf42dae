"""A ranking with what is known about a user, and how it differs from the one without."""

from dataclasses import dataclass

import numpy as np

from musicrec.config.number_types import Share
from musicrec.recommend.profiles.evidence import Evidence
from musicrec.recommend.profiles.taste import Taste, learn_metric, learn_taste
from musicrec.recommend.profiles.taste_settings import TasteSettings


@dataclass(frozen=True, kw_only=True)
class Move:
    """A track that moved.

    Attributes:
        row: The track.
        before: Its rank without feedback, from 1.
        after: Its rank with feedback; None if it never comes again.
        change: What was added to its similarity; None if it never comes again.
    """

    row: int
    before: int
    after: int | None
    change: float | None


@dataclass(frozen=True, kw_only=True)
class TasteRanking:
    """A ranking with feedback, and how it differs from the one without.

    Attributes:
        scores: (tracks,) float64, the similarity with what feedback added; -inf for what is not recommended.
        taste: (tracks,) what the taste added to the similarity.
        metric: (tracks,) what remembered pairs and skips added.
        before: (tracks,) int64, rank without feedback, from 1; 0 for what is not to choose from.
        after: (tracks,) int64, rank with feedback; 0 also for what never comes again.
        strength: How much the taste can add, by how much is known about the user.
        amount: How much is known, in likes.
    """

    scores: np.ndarray
    taste: np.ndarray
    metric: np.ndarray
    before: np.ndarray
    after: np.ndarray
    strength: float
    amount: float

    def moves(self, k: int) -> list[Move]:
        """Return the tracks that are among the first k before or after, in the order after; what fell out is last."""
        shown = ((self.before > 0) & (self.before <= k)) | ((self.after > 0) & (self.after <= k))
        rows = sorted(np.flatnonzero(shown), key=lambda row: self.after[row] or len(self.after) + self.before[row])
        change = self.taste + self.metric
        return [
            Move(
                row=int(row),
                before=int(self.before[row]),
                after=int(self.after[row]) or None,
                change=float(change[row]) if self.after[row] else None,
            )
            for row in rows
        ]


def rerank(
    similarity: np.ndarray,
    vectors: np.ndarray,
    known: Evidence,
    *,
    query: int | np.ndarray | None = None,
    eligible: np.ndarray | None = None,
    taste: Taste | None = None,
    others: np.ndarray | None = None,
    others_share: Share = 0.0,
    settings: TasteSettings | None = None,
) -> TasteRanking:
    """Blend what is known about a user into a ranking.

    Args:
        similarity: (tracks,) how similar each track is to the query, about -1 to 1.
        vectors: (tracks, size) float32 of unit length, as `Columns.vectors`.
        known: What the user's events say, as `evidence` returns it.
        query: The row of the query in the library, or its vector (size,); None for a ranking without one, in which
            pairs have no meaning.
        eligible: (tracks,) bool, what may be recommended; None for all. Only these are compared with the taste: in a
            very large library, choose a few thousand candidates by their similarity first.
        taste: What the user likes, if it is learnt already; None to learn it here.
        others: (tracks,) from -1 to 1, what users with a similar taste like, as `collaborative` returns it.
        others_share: How much of the taste these make up.
        settings: How much feedback counts.

    Returns:
        The new ranking. Equal scores are ranked in the order of the rows.
    """
    settings = settings or TasteSettings()
    tracks = len(similarity)
    allowed = np.ones(tracks, dtype=bool) if eligible is None else eligible.copy()
    eligible = allowed.copy()
    allowed[known.banned] = False
    rows = slice(None) if allowed.all() else np.flatnonzero(allowed)
    strength = settings.strength_of(known.amount)
    liking = np.zeros(tracks)
    liking[rows] = (learn_taste(vectors, known, settings) if taste is None else taste).scores(vectors[rows])
    if others is not None:
        liking[rows] = (1 - others_share) * liking[rows] + others_share * others[rows]
    added = strength * liking
    metric = np.zeros(tracks)
    if query is not None and len(known.pairs) + len(known.skips):
        one = vectors[query] if isinstance(query, int | np.integer) else query
        weights = learn_metric(vectors, known.pairs, known.skips, ridge=settings.ridge)
        learnt = vectors[rows] @ ((weights - 1) * one).astype(np.float32)
        metric[rows] = settings.of_pairs(len(known.pairs) + len(known.skips)) * np.tanh(learnt / settings.strength)
        if isinstance(query, int | np.integer):
            metric[known.pairs[known.pairs[:, 0] == query, 1]] += settings.pair_bonus
    scores = np.where(allowed, similarity + added + metric, -np.inf)
    return TasteRanking(
        scores=scores,
        taste=added,
        metric=metric,
        before=_ranks(similarity, eligible),
        after=_ranks(scores, allowed),
        strength=strength,
        amount=known.amount,
    )


def _ranks(scores: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the rank of each track, from 1; 0 for those that are not among them."""
    rows = np.flatnonzero(among)
    ranks = np.zeros(len(scores), dtype=np.int64)
    ranks[rows[np.argsort(-scores[rows], kind="stable")]] = np.arange(1, len(rows) + 1)
    return ranks
