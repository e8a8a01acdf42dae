"""How good the ranking of a library is: how often the nearest tracks carry the label of the query, and how many mix.

The labels, such as the soundtrack or the album of a track, are never used by the ranking itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from musicrec.heads import Head
from musicrec.heads.keys import camelot_compatibility
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.library_columns import keys_of, tempi
from musicrec.recommend.similarity import Similarity

if TYPE_CHECKING:
    from musicrec.evaluation.bootstrap import Bootstrap

TEMPO_PERCENT = 6.0  # what a deck changes without being heard as another tempo
LEAST_COMPATIBILITY = 0.8  # same key, neighbour on the Camelot wheel, relative major or minor


@dataclass(frozen=True, kw_only=True)
class Share:
    """A mean over queries, with its interval.

    Attributes:
        value: The mean.
        low: Lower limit of the interval; NaN if the queries do not show one.
        high: Upper limit.
    """

    value: float
    low: float
    high: float


def candidates(search: ExactSearch) -> np.ndarray:
    """Return (tracks,) bool, which tracks can be recommended: reliable ones, of those with equal audio the first."""
    first = np.zeros(len(search.tracks), dtype=bool)
    first[np.unique([track.audio_hash for track in search.tracks], return_index=True)[1]] = True
    return first & ~np.array([track.unreliable for track in search.tracks], dtype=bool)


def nearest(search: ExactSearch, similarity: Similarity, *, k: int) -> np.ndarray:
    """Return the k nearest tracks of every track that can be recommended, without the track itself.

    Args:
        search: The tracks.
        similarity: How to compare them.
        k: Number of tracks per query.

    Returns:
        (queries, k) rows of the tracks, nearest first. The queries are the rows of `candidates`, in order.

    Raises:
        ValueError: There are not more than k candidates.
    """
    among = candidates(search)
    rows = np.flatnonzero(among)
    if len(rows) <= k:
        raise ValueError(f"k={k} nearest tracks of {len(rows)}: give a library of more tracks, or a smaller k")
    found = []
    for row in rows:
        others = among.copy()
        others[row] = False
        query = {name: values[row] for name, values in search.values.items()}
        found.append([match.row for match in search.search(query, similarity=similarity, k=k, among=others)])
    return np.array(found)


def same_label(neighbours: np.ndarray, queries: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return for each query the share of its neighbours that carry its label, (queries,).

    Args:
        neighbours: (queries, k) rows, as `nearest` returns them.
        queries: (queries,) rows of the queries.
        labels: The label of every track.
    """
    names = np.asarray(labels, dtype=object)
    return (names[neighbours] == names[queries][:, None]).mean(axis=1)


def chance(queries: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return for each query the expected share of equal labels if its neighbours were drawn at random, (queries,)."""
    names = np.asarray(labels, dtype=object)[queries]
    return np.array([((names == name).sum() - 1) / (len(names) - 1) for name in names])


def mixable(
    neighbours: np.ndarray, queries: np.ndarray, search: ExactSearch, heads: Mapping[str, Head]
) -> dict[str, np.ndarray]:
    """Return for each query how many of its neighbours a DJ can mix with it, by the answers of the models.

    Args:
        neighbours: (queries, k) rows, as `nearest` returns them.
        queries: (queries,) rows of the queries.
        search: The tracks.
        heads: The heads of the library, {name: head}.

    Returns:
        {"tempo", "key", "both": (queries,) shares}: a tempo within 6 %, also of half or double the query's; the same
        key, a neighbour on the Camelot wheel or the relative one. Empty if the heads do not tell tempo or key.
    """
    bpm, keys = (read(search.values, list(heads.values())) for read in (tempi, keys_of))
    if bpm is None or keys is None:
        return {}
    octaves = np.log2(bpm[neighbours] / bpm[queries][:, None])
    tempo = (np.abs(octaves[..., None] - [-1, 0, 1]) <= np.log2(1 + TEMPO_PERCENT / 100)).any(axis=-1)
    key = camelot_compatibility()[keys[queries][:, None], keys[neighbours]] >= LEAST_COMPATIBILITY
    return {"tempo": tempo.mean(axis=1), "key": key.mean(axis=1), "both": (tempo & key).mean(axis=1)}


def share(values: np.ndarray, bootstrap: "Bootstrap") -> Share:
    """Return the mean of the queries' values and its interval; the queries are drawn, the library stays.

    For the difference of two rankings, give the differences query by query.

    Args:
        values: (queries,).
        bootstrap: Draws the queries.
    """
    import torch

    points = torch.from_numpy(np.asarray(values, dtype=np.float64))
    blocks = bootstrap.weights(np.arange(len(points)), rows_at_once=bootstrap.resamples)
    means = torch.cat([(weights @ points) / weights.sum(dim=1) for weights in blocks])
    low, high = bootstrap.interval(means, points.mean()).tolist()
    return Share(value=float(points.mean()), low=low, high=high)
