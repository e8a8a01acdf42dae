"""What feedback does to a ranking: a taste learnt from what a user said about recordings, and from remembered pairs.

Everything here takes arrays with one row per track of the library and returns such arrays. Nothing is trained in the
background: a like changes the next answer.

1. `evidence` turns the events of a user into one number per recording, from "liked" to "disliked". Old events count
   less: after one half-life, half.
2. `learn_taste` compares tracks with what was liked, minus a part of the same for what was not (after Rocchio 1971,
   "Relevance feedback in information retrieval"). The squares of the cosines are averaged, not the vectors: a user who
   likes techno and jazz wants both, and not what lies between.
3. `learn_metric` finds which dimensions matter when one track follows another, from remembered pairs and from skips.
4. `rerank` adds both to the similarity, removes what is never to come again, and says what moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

import numpy as np
from annotated_types import Gt

from musicrec.config.number_types import Count, NotNegative, Positive, Share
from musicrec.config.value_check import check_fields
from musicrec.recommend.profiles.records import Event

_HalfLife = Annotated[float, Gt(0)]  # infinity: nothing is forgotten
_DAY_S = 86_400.0
_SAMPLE = 20_000  # tracks that stand for a library
_BLOCK_ROWS = 8192  # tracks that are compared at once: the memory stays small
_DEVIATIONS = 4.0  # a track that is this many standard deviations nearer than usual has a score of tanh(1) = 0.76
_LEAST_SPREAD = 1e-9


@dataclass(frozen=True, kw_only=True)
class TasteSettings:
    """How much each kind of feedback counts. experiments/feedback tells how the numbers were chosen.

    Args:
        half_life_days: Age at which an event counts half; infinity to forget nothing.
        played: Weight of a play without an opinion.
        skipped: How much a skip counts against a recording.
        behaviour_most: Plays and skips of one recording together count at most this much, beside 1 for a like.
        focus: Exponent of the cosine. 1 looks for what is between the liked recordings, more for what is near some.
        dislike_share: Weight of what was not liked, beside 1 for what was.
        most_recordings: The most liked, and the most disliked, recordings that are compared with.
        strength: How much the taste can add to a similarity, or take from it, with much evidence.
        evidence_half: Number of likes at which half of the strength is reached.
        ridge: How far the learnt metric stays from the pairs, and near the metric without feedback.
        pair_bonus: What is added to the similarity of a track that works after the query.

    Raises:
        ConfigError: A value is out of range.
    """

    half_life_days: _HalfLife = 180.0
    played: NotNegative = 0.1
    skipped: NotNegative = 0.3
    behaviour_most: NotNegative = 0.5
    focus: Positive = 2.0
    dislike_share: NotNegative = 0.5
    most_recordings: Count = 200
    strength: NotNegative = 0.5
    evidence_half: Positive = 3.0
    ridge: Positive = 1.0
    pair_bonus: NotNegative = 0.3

    def __post_init__(self) -> None:
        check_fields("taste", self)

    def strength_of(self, amount: float) -> float:
        """Return the strength with an amount of evidence, in likes: 0 without any, near `strength` with much."""
        return self.strength * amount / (amount + self.evidence_half)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the events of a user say about the tracks of a library.

    Attributes:
        rows: (known,) the tracks that the user said something about.
        weights: (known,) float64, how much the user likes each; negative for what is not liked.
        banned: (disliked,) the tracks that never come again.
        pairs: (pairs, 2) a track, and one that works after it.
        skips: (skips, 2) a track, and one that was skipped after it.
    """

    rows: np.ndarray
    weights: np.ndarray
    banned: np.ndarray
    pairs: np.ndarray
    skips: np.ndarray

    @property
    def amount(self) -> float:
        """How much evidence this is, in fresh likes."""
        return float(np.abs(self.weights).sum())


def evidence(
    events: Sequence[Event], rows: Mapping[str, int], *, now: datetime, settings: TasteSettings | None = None
) -> Evidence:
    """Weigh the events of a user.

    The last opinion on a recording counts, be it a like, a dislike or a rating (1 to 5 stars are -1 to 1). Plays and
    skips are added to it. Only a dislike bans a recording, whatever its age, and a later like or rating lifts the ban.

    Args:
        events: The events that count, in any order. What is not in the library is left out.
        rows: {audio hash: row of the track}.
        now: The time from which ages are counted.
        settings: How much each kind counts.
    """
    settings = settings or TasteSettings()
    opinions: dict[int, tuple[str, float]] = {}
    behaviour: dict[int, float] = {}
    pairs: dict[tuple[int, int], None] = {}  # without repetitions, in order
    skips: dict[tuple[int, int], None] = {}
    for event in sorted(events, key=lambda event: event.at or now):
        row = rows.get(event.audio_hash)
        if row is None or event.undone_at is not None:
            continue
        age_days = max(0.0, (now - (event.at or now)).total_seconds() / _DAY_S)
        decay = 0.5 ** (age_days / settings.half_life_days)
        if event.kind == "rated":
            opinions[row] = (event.kind, decay * ((event.rating or 3) - 3) / 2)
        elif event.kind in ("liked", "disliked"):
            opinions[row] = (event.kind, decay if event.kind == "liked" else -decay)
        elif event.kind in ("played", "skipped"):
            weight = settings.played if event.kind == "played" else -settings.skipped
            behaviour[row] = behaviour.get(row, 0.0) + decay * weight
        before = rows.get(event.after_hash or "")
        if before is not None and event.kind in ("paired", "skipped"):
            chosen, other = (pairs, skips) if event.kind == "paired" else (skips, pairs)
            other.pop((before, row), None)  # the last word on a pair counts
            chosen[before, row] = None
    most = settings.behaviour_most
    weights = {
        row: opinions.get(row, ("", 0.0))[1] + min(max(behaviour.get(row, 0.0), -most), most)
        for row in sorted(opinions.keys() | behaviour.keys())
    }
    return Evidence(
        rows=np.array(list(weights), dtype=np.int64),
        weights=np.array(list(weights.values()), dtype=np.float64),
        banned=np.array(sorted(row for row, (kind, _) in opinions.items() if kind == "disliked"), dtype=np.int64),
        pairs=np.array(list(pairs), dtype=np.int64).reshape(-1, 2),
        skips=np.array(list(skips), dtype=np.int64).reshape(-1, 2),
    )


@dataclass(frozen=True, kw_only=True)
class Taste:
    """What a user likes, by the sound of what they said something about. `learn_taste` makes it.

    Attributes:
        centre: (size,) the mean of the library, which is subtracted from every vector.
        parts: What is liked and, with a negative share, what is not; empty if nothing is known.
    """

    centre: np.ndarray
    parts: tuple["_Part", ...] = ()

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Compare tracks with what the user said something about.

        Args:
            vectors: (tracks, size) float32 of unit length; zeros where a track has none.

        Returns:
            (tracks,) float64 between -1 and 1. 0 is the usual track of the library, and a track without a vector.
        """
        scores = np.zeros(len(vectors))
        for begin in range(0, len(vectors) if self.parts else 0, _BLOCK_ROWS):
            block = vectors[begin : begin + _BLOCK_ROWS]
            around = _unit(block - self.centre)
            deviations = sum(part.share * (part.closeness(around) - part.mean) / part.spread for part in self.parts)
            scores[begin : begin + _BLOCK_ROWS] = np.where(
                block.any(axis=1), np.tanh(np.asarray(deviations) / _DEVIATIONS), 0
            )
        return scores


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Recordings that a user likes, or those that they do not.

    Attributes:
        share: How much this part counts; negative for what is not liked.
        vectors: (known, size) float32, around the mean of the library and of unit length.
        weights: (known,) float32, how much each counts; their sum is 1.
        focus: The exponent of the cosine.
        mean: Mean closeness of the tracks of the library.
        spread: Standard deviation of it.
    """

    share: float
    vectors: np.ndarray
    weights: np.ndarray
    focus: float
    mean: float = 0.0
    spread: float = 1.0

    def closeness(self, around: np.ndarray) -> np.ndarray:
        """Return the weighted mean of max(cosine, 0) ** focus over the recordings, (tracks,)."""
        cosines = np.maximum(around @ self.vectors.T, 0)
        return (cosines**self.focus if self.focus != 1 else cosines) @ self.weights


def learn_taste(
    vectors: np.ndarray, known: Evidence, settings: TasteSettings | None = None, *, sample: np.ndarray | None = None
) -> Taste:
    """Learn what a user likes.

    The recordings with most weight count, at most `most_recordings`. The mean of the library and the usual closeness
    are estimated from up to 20,000 tracks, evenly spaced, so the time hardly depends on the size of the library.

    Args:
        vectors: (tracks, size) float32 of unit length; zeros where a track has none.
        known: What the user's events say.
        settings: How much feedback counts.
        sample: (sampled, size) float32, tracks that stand for the library; None if `vectors` are those of the library.
    """
    settings = settings or TasteSettings()
    sample = vectors[:: max(1, -(-len(vectors) // _SAMPLE))] if sample is None else sample
    sample = sample[sample.any(axis=1)]
    if not len(sample):
        return Taste(centre=np.zeros(vectors.shape[1], dtype=np.float32))
    centre = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    usual = _unit(sample - centre)
    parts = []
    for sign, share in ((1, 1.0), (-1, -settings.dislike_share)):
        chosen = np.flatnonzero((known.weights * sign > 0) & vectors[known.rows].any(axis=1))
        chosen = chosen[np.argsort(-np.abs(known.weights[chosen]), kind="stable")[: settings.most_recordings]]
        if not len(chosen) or not share:
            continue
        weights = np.abs(known.weights[chosen])
        part = _Part(
            share=share,
            vectors=_unit(vectors[known.rows[chosen]] - centre),
            weights=(weights / weights.sum()).astype(np.float32),
            focus=settings.focus,
        )
        closeness = part.closeness(usual)
        if (spread := float(closeness.std())) > _LEAST_SPREAD:  # otherwise all tracks are as close
            parts.append(replace(part, mean=float(closeness.mean()), spread=spread))
    return Taste(centre=centre, parts=tuple(parts))


def learn_metric(vectors: np.ndarray, pairs: np.ndarray, skips: np.ndarray, *, ridge: float = 1.0) -> np.ndarray:
    """Learn how much each dimension counts when one track follows another.

    The similarity of two tracks a and b becomes Σ wᵢaᵢbᵢ. The weights are those of a ridge regression: 1 for a
    remembered pair, 0 for a pair that was skipped, and the similarity without feedback (all wᵢ = 1) where there is no
    evidence. It is solved in closed form, with one equation per pair: w = 1 + Xᵀ(XXᵀ + λI)⁻¹(y - X1), where X holds the
    products aᵢbᵢ.

    Args:
        vectors: (tracks, size) float32 of unit length.
        pairs: (pairs, 2) rows of tracks that work after each other.
        skips: (skips, 2) rows of tracks that do not.
        ridge: λ, as a multiple of the mean square length of a row of X.

    Returns:
        (size,) float64, not negative; their mean is 1.
    """
    both = np.concatenate([pairs, skips])
    products = vectors[both[:, 0]].astype(np.float64) * vectors[both[:, 1]]
    wanted = np.concatenate([np.ones(len(pairs)), np.zeros(len(skips))])
    said = products.any(axis=1)  # a track without a vector says nothing
    products, wanted = products[said], wanted[said]
    if not len(products):
        return np.ones(vectors.shape[1])
    missing = wanted - products.sum(axis=1)
    kernel = products @ products.T
    scale = ridge * np.trace(kernel) / len(kernel)
    weights = np.maximum(1 + products.T @ np.linalg.solve(kernel + scale * np.eye(len(kernel)), missing), 0)
    mean = weights.mean()
    return weights / mean if mean > 0 else np.ones(len(weights))


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
        metric[rows] = vectors[rows] @ ((weights - 1) * one).astype(np.float32)
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


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, size) of unit length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
