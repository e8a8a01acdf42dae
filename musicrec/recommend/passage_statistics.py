"""How the passages of a library are distributed, so that they can be compared in what distinguishes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.export.passages import Passages
from musicrec.recommend.stored_passages import projection

_RIDGE = 0.2
"""What is added to the variance in each direction, as a share of the mean variance: directions in which the passages of
a few tracks hardly differ do not become as important as the others. Chosen in experiments/passages."""
_LEAST_DEVIATION = 1e-6  # a dimension that is the same in all passages is centred and not scaled


@dataclass(frozen=True, kw_only=True, eq=False)
class PassageStatistics:
    """What turns passages into vectors whose product is their similarity.

    Attributes:
        mean: (size,) float32, what is subtracted.
        whitening: (size, size) float32, what the difference is multiplied by.
        share_of_ends: Share of the tracks of which only the beginning and the end were known, as in libraries of format
            6, from 0 to 1.
    """

    mean: np.ndarray
    whitening: np.ndarray
    share_of_ends: float = 0.0

    @classmethod
    def fit(cls, tracks: Sequence[Passages], *, least: int) -> "PassageStatistics | None":
        """Learn from the passages of tracks, as `stored_passages` compares them.

        Their differences are whitened: directions in which all passages differ much count as much as the others.

        Args:
            tracks: The passages of each track; those of another size than most are passed over.
            least: Fewer tracks than this do not say how music differs; then, passages are compared as they are.

        Returns:
            None if there are no passages.
        """
        sizes = [one.values.shape[1] for one in tracks if len(one)]
        if not sizes:
            return None
        size = max(set(sizes), key=sizes.count)
        known = [one.values for one in tracks if len(one) and one.values.shape[1] == size]
        if len(known) < least:
            return cls(
                mean=np.zeros(size, np.float32),
                whitening=np.eye(size, dtype=np.float32),
                share_of_ends=share_of_ends(tracks),
            )
        values = np.concatenate(known).astype(np.float64)
        mean = values.mean(axis=0)
        variance, directions = np.linalg.eigh(np.cov((values - mean).T, ddof=0).reshape(size, size))
        lifted = np.maximum(variance, 0) + _RIDGE * max(float(variance.mean()), _LEAST_DEVIATION**2)
        return cls(
            mean=mean.astype(np.float32),
            whitening=(directions / np.sqrt(lifted)).astype(np.float32),
            share_of_ends=share_of_ends(tracks),
        )

    @classmethod
    def from_ends(cls, mean: np.ndarray, deviation: np.ndarray) -> "PassageStatistics":
        """Return the statistics of a library of format 6, which knows mean and deviation before the projection.

        The deviations are right as far as the dimensions of an embedding vary independently.
        """
        matrix = projection(len(mean))
        if matrix is not None:
            mean, deviation = mean @ matrix, np.sqrt(np.square(deviation) @ np.square(matrix))
        scale = 1 / np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)
        return cls(mean=mean.astype(np.float32), whitening=np.diag(scale).astype(np.float32), share_of_ends=1.0)

    def vectors(self, values: np.ndarray) -> np.ndarray:
        """Return vectors of unit length, (passages, size), of the values of passages."""
        whitened = (values - self.mean) @ self.whitening
        length = np.linalg.norm(whitened, axis=1, keepdims=True)
        # A passage that is exactly the mean has no direction: it is similar to nothing.
        return np.asarray(whitened / np.where(length == 0, 1.0, length))


def share_of_ends(tracks: Sequence[Passages]) -> float:
    """Return the share of tracks of which only the beginning and the end are known, among those with passages."""
    known = [one.only_ends for one in tracks if len(one)]
    return sum(known) / len(known) if known else 0.0
