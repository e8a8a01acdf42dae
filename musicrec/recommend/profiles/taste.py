"""A taste learnt from what a user said about recordings, and what matters when one track follows another.

Everything here takes arrays with one row per track of the library and returns such arrays. Nothing is trained in the
background: a like changes the next answer.

1. `evidence` turns the events of a user into one number per recording, from "liked" to "disliked".
2. `learn_taste` compares tracks with what was liked, minus a part of the same for what was not (after Rocchio 1971,
   "Relevance feedback in information retrieval"). The squares of the cosines are averaged, not the vectors: a user who
   likes techno and jazz wants both, and not what lies between.
3. `learn_metric` finds which dimensions matter when one track follows another, from remembered pairs and from skips.
4. `taste_ranking.rerank` adds both to the similarity, removes what is never to come again, and says what moved.
"""

from dataclasses import dataclass, replace

import numpy as np

from musicrec.recommend.profiles.evidence import Evidence
from musicrec.recommend.profiles.taste_settings import TasteSettings

_SAMPLE = 20_000  # tracks that stand for a library
_BLOCK_ROWS = 8192  # tracks that are compared at once: the memory stays small
_DEVIATIONS = 4.0  # a track that is this many standard deviations nearer than usual has a score of tanh(1) = 0.76
_LEAST_SPREAD = 1e-9


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


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, size) of unit length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)
