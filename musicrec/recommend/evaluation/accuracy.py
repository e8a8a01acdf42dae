"""How well recommendations fit the query: by labels, by tags, and for a mix.

Every measure takes lists as `rankers.ranked_lists` returns them, (queries, k) rows of tracks with -1 for "none", and
the rows of the queries, and returns one value per query, NaN where it has none. What is not known is left out of a
mean, and so is a place of a list that is empty.
"""

from collections.abc import Sequence

import numpy as np

from musicrec.heads.keys import camelot_compatibility

TEMPO_PERCENT = 6.0  # what a deck changes without being heard as another tempo
LEAST_COMPATIBILITY = 0.8  # same key, neighbour on the Camelot wheel, relative major or minor


def label_precision(ranked: np.ndarray, queries: np.ndarray, labels: Sequence[str] | np.ndarray) -> np.ndarray:
    """Return precision@k: the share of a list that carries the label of the query, such as its genre, (queries,).

    With lists that leave out the query's artist, this is the artist-filtered precision of Flexer and Schnitzer 2010
    ("Effects of album and artist filters in audio similarity computed for very large music databases").

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        labels: The label of every track, "" if unknown.
    """
    names = np.asarray(labels, dtype=object)
    theirs, own = names[ranked], names[queries][:, None]
    known = (ranked >= 0) & (theirs != "") & (own != "")
    return mean_of_known(np.where(known, theirs == own, np.nan))


def chance_precision(
    queries: np.ndarray, labels: Sequence[str] | np.ndarray, *, among: np.ndarray, apart: np.ndarray | None = None
) -> np.ndarray:
    """Return the precision of lists that are drawn at random, (queries,).

    Args:
        queries: (queries,) rows of the queries.
        labels: The label of every track, "" if unknown.
        among: (tracks,) bool, the tracks that can be recommended.
        apart: As for `rankers.ranked_lists`.
    """
    names = np.asarray(labels, dtype=object)
    found = np.full(len(queries), np.nan)
    for place, row in enumerate(queries):
        others = among & (names != "") & (np.arange(len(names)) != row)
        if apart is not None and apart[row] != "":
            others &= apart != apart[row]
        if names[row] != "" and others.any():
            found[place] = (names[others] == names[row]).mean()
    return found


def tag_ndcg(
    ranked: np.ndarray,
    queries: np.ndarray,
    tags: np.ndarray,
    *,
    among: np.ndarray,
    apart: np.ndarray | None = None,
) -> np.ndarray:
    """Return nDCG@k with the overlap of tags as the gain, (queries,), from 0 to 1.

    The gain of a track is the Jaccard index of its tags and the query's; the discount of place i is log2(i + 1)
    (Järvelin and Kekäläinen 2002, "Cumulated gain-based evaluation of IR techniques"). 1 is the best list that the
    library allows.

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        tags: (tracks, tags) bool, which tags the tracks have. A query without tags has no value.
        among: (tracks,) bool, the tracks that can be recommended.
        apart: As for `rankers.ranked_lists`.
    """
    discounts = 1 / np.log2(np.arange(2, ranked.shape[1] + 2))
    sizes, floats = tags.sum(axis=1), tags.astype(np.float32)
    found = np.full(len(queries), np.nan)
    for begin in range(0, len(queries), _BLOCK):
        rows, lists = queries[begin : begin + _BLOCK], ranked[begin : begin + _BLOCK]
        shared = floats[rows] @ floats.T
        gains = shared / np.maximum(sizes[rows][:, None] + sizes - shared, 1)
        gains[:, ~among] = 0
        gains[np.arange(len(rows)), rows] = 0
        if apart is not None:
            gains[(apart[rows][:, None] == apart) & (apart[rows] != "")[:, None]] = 0
        best = -np.sort(-gains, axis=1)[:, : ranked.shape[1]]
        ideal = best @ discounts[: best.shape[1]]
        gained = np.where(lists >= 0, np.take_along_axis(gains, np.maximum(lists, 0), axis=1), 0) @ discounts
        found[begin : begin + _BLOCK] = np.divide(gained, ideal, out=np.full(len(rows), np.nan), where=ideal > 0)
    return found


def tempo_compatible(ranked: np.ndarray, queries: np.ndarray, bpm: np.ndarray) -> np.ndarray:
    """Return the share of a list whose tempo is within 6 % of the query's, or of half or double of it, (queries,).

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        bpm: (tracks,) in BPM, NaN if unknown.
    """
    return mean_of_known(_tempo(ranked, queries, bpm))


def key_compatible(ranked: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the share of a list in the query's key, a neighbour on the Camelot wheel or the relative key, (queries,).

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        keys: (tracks,) index in `KEYS_24`, -1 if unknown.
    """
    return mean_of_known(_key(ranked, queries, keys))


def mixable(ranked: np.ndarray, queries: np.ndarray, bpm: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the share of a list that fits both in tempo and in key, (queries,)."""
    return mean_of_known(_tempo(ranked, queries, bpm) * _key(ranked, queries, keys))


def energy_error(ranked: np.ndarray, queries: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference of energy to the query, in levels from 1 to 10, (queries,).

    Args:
        ranked: The lists.
        queries: (queries,) rows of the queries.
        energy: (tracks,) from 1 to 10, NaN if unknown.
    """
    return mean_of_known(np.where(ranked >= 0, np.abs(energy[ranked] - energy[queries][:, None]), np.nan))


def overlap(ranked: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the share of a list that is also in another list for the same query, in any order, (queries,).

    Args:
        ranked: (queries, k) the lists of the queries as they are.
        other: (queries, k) those of the same queries after a change, such as MP3.
    """
    stays = (ranked[:, :, None] == other[:, None, :]).any(axis=2)
    return mean_of_known(np.where(ranked >= 0, stays, np.nan))


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """Return the mean over each row, (rows,), without NaN; NaN if a row holds nothing else."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    return np.divide(np.where(known, values, 0).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def _tempo(ranked: np.ndarray, queries: np.ndarray, bpm: np.ndarray) -> np.ndarray:
    octaves = np.log2(bpm[ranked] / bpm[queries][:, None])
    near = (np.abs(octaves[..., None] - [-1, 0, 1]) <= np.log2(1 + TEMPO_PERCENT / 100)).any(axis=-1)
    return np.where((ranked >= 0) & ~np.isnan(octaves), near, np.nan)


def _key(ranked: np.ndarray, queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    own, theirs = keys[queries][:, None], keys[ranked]
    fits = camelot_compatibility()[own, theirs] >= LEAST_COMPATIBILITY
    return np.where((ranked >= 0) & (own >= 0) & (theirs >= 0), fits, np.nan)


_BLOCK = 256  # queries that are compared with all tracks at once
