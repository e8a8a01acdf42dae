"""How well passages of two tracks fit: the end of one and the beginning of the other, or whichever fit best."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.config.value_check import check_choice
from musicrec.export.passages import END_S, Passages
from musicrec.recommend.passage_statistics import PassageStatistics

MODES = ("outro_to_intro", "intro_to_outro", "best")


@dataclass(frozen=True, kw_only=True)
class PassageMatch:
    """A passage of the query and the passage of a track that fits it.

    Attributes:
        similarity: The cosine of their embeddings, centred and whitened, from -1 to 1.
        query_s: Where the passage of the query begins and ends, in seconds.
        track_s: Where the passage of the track begins and ends, in seconds.
        only_ends: Whether of one of the two, the library knows only the first and the last 30 s.
    """

    similarity: float
    query_s: tuple[float, float]
    track_s: tuple[float, float]
    only_ends: bool = False


def match_passages(
    query: Passages, tracks: Sequence[Passages], *, mode: str, statistics: PassageStatistics
) -> list[PassageMatch | None]:
    """Return how well passages of tracks fit those of a query.

    Args:
        query: The passages of the query, as `stored_passages` compares them.
        tracks: Those of each track.
        mode: "outro_to_intro" compares the last 30 s of the query with the first 30 s of a track, "intro_to_outro" the
            first 30 s of the query with the last 30 s of a track, and "best" all passages of both.
        statistics: How the passages of the library are distributed.

    Returns:
        One match per track; None if its passages or those of the query are unknown, or of other models.

    Raises:
        ConfigError: The mode is unknown.
    """
    check_choice("passage", mode, MODES)
    found: list[PassageMatch | None] = [None] * len(tracks)
    size = len(statistics.mean)
    known = [number for number, one in enumerate(tracks) if len(one) and one.values.shape[1] == size]
    if not known or not len(query) or query.values.shape[1] != size:
        return found
    of_query = _part(query, of_end={"outro_to_intro": True, "intro_to_outro": False}.get(mode))
    of_tracks = [
        _part(tracks[number], of_end={"outro_to_intro": False, "intro_to_outro": True}.get(mode)) for number in known
    ]
    vectors = statistics.vectors(np.concatenate([one.values for one in of_tracks]))
    products = vectors @ statistics.vectors(of_query.values).T
    edges = np.cumsum([0, *(len(one) for one in of_tracks)])
    for number, one, start, stop in zip(known, of_tracks, edges[:-1], edges[1:], strict=True):
        there, here = np.unravel_index(int(products[start:stop].argmax()), (stop - start, len(of_query)))
        found[number] = PassageMatch(
            similarity=float(products[start + there, here]),
            query_s=(float(of_query.start_s[here]), float(of_query.end_s[here])),
            track_s=(float(one.start_s[there]), float(one.end_s[there])),
            only_ends=query.only_ends or tracks[number].only_ends,
        )
    return found


def _part(passages: Passages, *, of_end: bool | None) -> Passages:
    """Return the last 30 s as one passage, or the first 30 s; None leaves the passages as they are.

    Of a short track it is all of it.
    """
    if of_end is None:
        return passages
    middle = (passages.start_s + passages.end_s) / 2
    if of_end:
        rows = np.flatnonzero(middle >= passages.end_s[-1] - END_S)
    else:
        rows = np.flatnonzero(middle <= passages.start_s[0] + END_S)
    return Passages(
        values=passages.values[rows].mean(axis=0, keepdims=True),
        start_s=passages.start_s[rows[:1]],
        end_s=passages.end_s[rows[-1:]],
    )
