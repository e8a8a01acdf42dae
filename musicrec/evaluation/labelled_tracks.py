"""Which tracks of a split have a label."""

from torch import Tensor


def labelled_tracks(target: Tensor) -> Tensor:
    """Return which tracks have a label.

    Args:
        target: (tracks,) or (tracks, classes), NaN where a label is missing.

    Returns:
        (tracks,) bool; True if at least one label of the track is known.
    """
    return (~target.isnan()).reshape(len(target), -1).any(dim=1)
