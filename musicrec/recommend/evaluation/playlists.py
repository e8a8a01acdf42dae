"""Playlists with some tracks hidden: how many of them are found when the rest is continued.

The measures are those of the RecSys Challenge 2018 (Chen et al. 2018, "RecSys Challenge 2018: automatic music playlist
continuation").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from musicrec.recommend.evaluation.rankers import Query, Ranker


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """A playlist of which some tracks are hidden.

    Attributes:
        name: Of the playlist.
        seeds: Rows of the tracks that are given.
        hidden: Rows of the tracks to find.
    """

    name: str
    seeds: np.ndarray
    hidden: np.ndarray


class Continuation(Protocol):
    """A way to continue a playlist."""

    def __call__(self, seeds: Sequence[Query], *, among: np.ndarray, k: int) -> np.ndarray:
        """Return the rows of at most k tracks, best first.

        Args:
            seeds: The tracks of the playlist.
            among: (tracks,) bool, the tracks to choose from; the seeds are not among them.
            k: Number of tracks.
        """


def hold_out(
    playlists: Mapping[str, Sequence[int]], *, least: int = 4, share: float = 0.5, seed: int = 0
) -> list[HoldOut]:
    """Hide a share of each playlist, drawn at random.

    Args:
        playlists: {name: rows of its tracks}; a track that is in one twice counts once.
        least: Playlists of fewer tracks are left out.
        share: Which share of the tracks is hidden; at least one is given and one hidden.
        seed: Seed of the draws.
    """
    found = []
    for number, name in enumerate(sorted(playlists)):
        rows = np.array(list(dict.fromkeys(playlists[name])), dtype=np.int64)
        if len(rows) < max(least, 2):
            continue
        drawn = np.random.default_rng((seed, number)).permutation(rows)
        hidden = min(len(rows) - 1, max(1, round(share * len(rows))))
        found.append(HoldOut(name=name, seeds=drawn[hidden:], hidden=drawn[:hidden]))
    return found


def fused(ranker: Ranker, *, depth: int = 100) -> Continuation:
    """Return a continuation that asks a ranker with each track of a playlist, and adds up the places of the answers.

    A track at place p of a list counts 1 / (60 + p) (reciprocal rank fusion: Cormack, Clarke and Büttcher 2009). It
    serves any ranker that knows no playlists.

    Args:
        ranker: The ranker.
        depth: Length of the list of each track.
    """

    def continued(seeds: Sequence[Query], *, among: np.ndarray, k: int) -> np.ndarray:
        score = np.zeros(len(among))
        for query in seeds:
            found = ranker(query, among=among, k=max(depth, k))
            score[found] += 1 / (_RANK_CONSTANT + 1 + np.arange(len(found)))
        best = np.argsort(-score, kind="stable")[:k]
        return best[score[best] > 0]

    return continued


def recall(found: np.ndarray, hidden: np.ndarray, *, k: int) -> float:
    """Return the share of the hidden tracks that are among the first k, from 0 to 1."""
    return float(np.isin(hidden, found[:k]).mean())


def r_precision(found: np.ndarray, hidden: np.ndarray) -> float:
    """Return the share of the hidden tracks that are among the first R, with R hidden tracks, from 0 to 1."""
    return recall(found, hidden, k=len(hidden))


def continuation_ndcg(found: np.ndarray, hidden: np.ndarray, *, k: int) -> float:
    """Return nDCG@k with a gain of 1 for a hidden track, from 0 to 1.

    The discount of place i is log2(i + 1), and 1 is a list that begins with the hidden tracks. (The challenge itself
    did not discount the second place.)
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gained = discounts[: len(found[:k])][np.isin(found[:k], hidden)].sum()
    return float(gained / discounts[: len(hidden)].sum())


def continuation_scores(
    continued: Continuation, held_out: Sequence[HoldOut], queries: Mapping[int, Query], *, among: np.ndarray, k: int
) -> np.ndarray:
    """Return recall@k, R-precision and nDCG@k of each playlist, (playlists, 3).

    Args:
        continued: The continuation.
        held_out: The playlists.
        queries: {row: what is asked with the track of this row}.
        among: (tracks,) bool, the tracks that can be recommended. Hidden tracks that are not are left out.
        k: Length of the lists.
    """
    scores = np.full((len(held_out), 3), np.nan)
    for place, one in enumerate(held_out):
        hidden, seeds = one.hidden[among[one.hidden]], [row for row in one.seeds if row in queries]
        if not len(hidden) or not seeds:
            continue
        others = among.copy()
        others[one.seeds] = False
        found = continued([queries[row] for row in seeds], among=others, k=max(k, len(hidden)))
        scores[place] = (
            recall(found, hidden, k=k),
            r_precision(found, hidden),
            continuation_ndcg(found, hidden, k=k),
        )
    return scores


_RANK_CONSTANT = 60
