"""How well two tracks fit where they meet: the end of one and the beginning of the other."""

import numpy as np

from musicrec.config.value_check import check_choice

INTRO, OUTRO = 0, 1
DIRECTIONS = ("after", "before", "either")
_LEAST_DEVIATION = 1e-6  # a dimension that is the same in all tracks is centred and not scaled


def passage_similarity(
    query: np.ndarray, candidates: np.ndarray, *, mean: np.ndarray, deviation: np.ndarray, direction: str = "after"
) -> np.ndarray:
    """Return the cosine of the embeddings of two passages, centred and scaled.

    Args:
        query: (2, size) embeddings of the first and of the last part of the query; NaN if unknown.
        candidates: (tracks, 2, size), the same of the candidates.
        mean: (size,) the mean of the passages of a library.
        deviation: (size,) their standard deviation.
        direction: "after" if the candidate is to be played after the query, so that the query's end is compared with
            the candidate's beginning. "before" for the other way round. "either" for the better one of both.

    Returns:
        (tracks,) float64 from -1 to 1; NaN where a passage is unknown.

    Raises:
        ConfigError: The direction is unknown.
    """
    check_choice("direction", direction, DIRECTIONS)
    one, many = _unit(query, mean, deviation), _unit(candidates, mean, deviation)
    after, before = many[:, INTRO] @ one[OUTRO], many[:, OUTRO] @ one[INTRO]
    return {"after": after, "before": before, "either": np.fmax(after, before)}[direction]


def _unit(passages: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    scaled = (passages - np.asarray(mean, dtype=np.float64)) / np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)
    length = np.linalg.norm(scaled, axis=-1, keepdims=True)
    # A passage that is exactly the mean has no direction: it is similar to nothing. NaN stays NaN.
    return np.asarray(scaled / np.where(length == 0, 1.0, length))
