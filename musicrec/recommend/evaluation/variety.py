"""What a ranking makes of a library as a whole, and how varied its lists are.

Lists are as in `accuracy`: (queries, k) rows of tracks, -1 for "none".
"""

from collections.abc import Sequence

import numpy as np

from musicrec.recommend.evaluation.accuracy import mean_of_known


def occurrences(ranked: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return which tracks each query is answered with, (queries, candidates) bool.

    Args:
        ranked: The lists.
        among: (tracks,) bool, the tracks that can be recommended; the columns are these, in their order.
    """
    found = np.zeros((len(ranked), len(among)), dtype=bool)
    rows, places = np.nonzero(ranked >= 0)
    found[rows, ranked[rows, places]] = True
    return found[:, among]


def hub_skewness(counts: np.ndarray) -> np.ndarray:
    """Return the skewness of the k-occurrences, (rows,), without a unit.

    0 is a symmetric distribution; above about 1.4, some tracks (hubs) are in very many lists (Radovanović, Nanopoulos
    and Ivanović 2010, "Hubs in space").

    Args:
        counts: (rows, tracks), in how many lists each track is.
    """
    centred = counts - counts.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1)
    return np.divide((centred**3).mean(axis=1), variance**1.5, out=np.zeros(len(counts)), where=variance > 0)


def coverage(counts: np.ndarray) -> np.ndarray:
    """Return the share of the tracks that are in at least one list, (rows,), from 0 to 1."""
    return (counts > 0).mean(axis=1)


def gini(counts: np.ndarray) -> np.ndarray:
    """Return the Gini coefficient of how often tracks are in a list, (rows,): 0 equally often, 1 only one track.

    Args:
        counts: (rows, tracks), in how many lists each track is.
    """
    ordered, size = np.sort(counts, axis=1).astype(np.float64), counts.shape[1]
    total = ordered.sum(axis=1)
    weighted = ordered @ (2 * np.arange(1, size + 1) - size - 1)
    return np.divide(weighted, size * total, out=np.zeros(len(counts)), where=total > 0)


def intra_list_distance(ranked: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return the mean cosine distance between two tracks of a list, (queries,), from 0, equal, to 2.

    It is one minus the intra-list similarity of Ziegler et al. 2005 ("Improving recommendation lists through topic
    diversification").

    Args:
        ranked: The lists.
        vectors: (tracks, size) of unit length, zeros if unknown.
    """
    known = (ranked >= 0) & (np.abs(vectors).sum(axis=1) > 0)[ranked]
    found = np.full(len(ranked), np.nan)
    for place, (rows, kept) in enumerate(zip(ranked, known, strict=True)):
        chosen = vectors[rows[kept]].astype(np.float64)
        number = len(chosen)
        if number > 1:
            pairs = (np.square(chosen.sum(axis=0)).sum() - np.square(chosen).sum()) / (number * (number - 1))
            found[place] = 1 - pairs
    return found


def other_artist(ranked: np.ndarray, queries: np.ndarray, artists: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return the share of a list that is by another artist than the query, (queries,): the novelty of the list.

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        artists: The artist of every track, "" if unknown.
    """
    names = np.asarray(artists, dtype=object)
    theirs, own = names[ranked], names[queries][:, None]
    return mean_of_known(np.where((ranked >= 0) & (theirs != "") & (own != ""), theirs != own, np.nan))
