"""Passages: how a track sounds part by part, from the chunks that the networks hear anyway."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

END_S = 30.0
"""Length in seconds of the beginning and of the end of a track, which are compared when one track follows another."""
PASSAGE_S = 10.0
"""Shorter ones tell no more (experiments/passages)."""
MOST_PASSAGES = 24
"""Passages of a long track are longer than `PASSAGE_S`, so that there are no more of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Passages:
    """How a track sounds part by part.

    Attributes:
        values: (passages, size) float32, the mean embedding of each passage.
        start_s: (passages,) float32, where what was heard of each passage begins, in seconds; increasing.
        end_s: (passages,) float32, where it ends.
        only_ends: Whether only the first and the last `END_S` are known, as in libraries of older versions.
    """

    values: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    only_ends: bool = False

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.values)

    @classmethod
    def none(cls) -> "Passages":
        """Return no passages, as of a track that no model with tags has heard."""
        nothing = np.zeros(0, np.float32)
        return cls(values=np.zeros((0, 0), np.float32), start_s=nothing, end_s=nothing)


class HeardChunks(NamedTuple):
    """What a network heard of a track.

    Attributes:
        embeddings: (chunks, size) float32.
        start_s: (chunks,) where the chunks begin, in seconds.
        length_s: Length of a chunk in seconds.
    """

    embeddings: np.ndarray
    start_s: np.ndarray
    length_s: float


def passage_edges(duration_s: float) -> np.ndarray:
    """Return where the passages of a track begin and end, (passages + 1,), in seconds.

    The first and the last `END_S` are divided into passages of `PASSAGE_S`. What is between is divided evenly, into
    passages of about the same length, or into as many as are left of `MOST_PASSAGES`.
    """
    if duration_s <= 2 * END_S:
        return np.linspace(0, duration_s, max(1, round(duration_s / PASSAGE_S)) + 1)
    at_ends = round(END_S / PASSAGE_S)
    between = round((duration_s - 2 * END_S) / PASSAGE_S)
    between = min(MOST_PASSAGES - 2 * at_ends, max(1, between))
    ends = np.linspace(0, END_S, at_ends + 1)
    middle = np.linspace(END_S, duration_s - END_S, between + 1)
    return np.concatenate([ends[:-1], middle[:-1], duration_s - ends[::-1]])


def passages_of(networks: Sequence[HeardChunks], duration_s: float) -> Passages:
    """Return the passages of a track.

    A chunk belongs to the passage that its middle is in. A passage of which no network heard a chunk is left out; of a
    passage that another network alone heard, the chunk nearest to it counts.

    Args:
        networks: What each network heard. The values of a passage are their means, side by side.
        duration_s: Length of the track in seconds.
    """
    if not networks:
        return Passages.none()
    edges = passage_edges(duration_s)
    middles = [np.minimum(heard.start_s + heard.length_s / 2, duration_s) for heard in networks]
    places = [np.clip(np.searchsorted(edges, middle, side="right") - 1, 0, len(edges) - 2) for middle in middles]
    values, start_s, end_s = [], [], []
    for place in np.unique(np.concatenate(places)):
        inside = [np.flatnonzero(of_network == place) for of_network in places]
        begins = [heard.start_s[rows] for heard, rows in zip(networks, inside, strict=True)]
        ends = [heard.start_s[rows] + heard.length_s for heard, rows in zip(networks, inside, strict=True)]
        start_s.append(np.concatenate(begins).min())
        end_s.append(min(np.concatenate(ends).max(), duration_s))
        centre = (edges[place] + edges[place + 1]) / 2
        chosen = [
            rows if len(rows) else np.abs(middle - centre).argmin()[None]
            for rows, middle in zip(inside, middles, strict=True)
        ]
        values.append(
            np.concatenate([heard.embeddings[rows].mean(axis=0) for heard, rows in zip(networks, chosen, strict=True)])
        )
    return Passages(
        values=np.stack(values).astype(np.float32),
        start_s=np.array(start_s, np.float32),
        end_s=np.array(end_s, np.float32),
    )
