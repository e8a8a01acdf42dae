"""The similarity of the tracks of a shortlist to each other, and blocks of features added to a similarity."""

import numpy as np


def compared_vectors(vectors: np.ndarray, weights: np.ndarray, known_weight: np.ndarray) -> np.ndarray:
    """Return vectors whose product is the similarity of two tracks.

    That is the weighted mean over the blocks of two tracks that both have all blocks. Of tracks that lack some, each
    counts with the blocks that it has: the sum over the blocks that both have is divided by the geometric mean of the
    weights that they have.

    Args:
        vectors: (tracks, size); each block of a track has about unit length, or is 0 if it is unknown.
        weights: (size,) the weight of the block to which each dimension belongs.
        known_weight: (tracks,) the sum of the weights of the blocks that a track has.

    Returns:
        (tracks, size) float32; zeros for a track without a block that counts.
    """
    scale = np.divide(1.0, np.sqrt(known_weight), out=np.zeros(len(vectors)), where=np.asarray(known_weight) > 0)
    return (vectors * np.sqrt(weights, dtype=np.float32) * scale[:, None].astype(np.float32)).astype(np.float32)


def with_block(
    similarity: np.ndarray, known_weight: np.ndarray, of_block: np.ndarray, weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Add a block to a similarity that is a weighted mean over blocks.

    Args:
        similarity: (tracks,) the similarity so far.
        known_weight: (tracks,) the sum of the weights that it is a mean of.
        of_block: (tracks,) the similarity in the block; NaN where it is unknown.
        weight: The weight of the block.

    Returns:
        The new similarity and the new sum of weights, both (tracks,). A track without the block keeps what it has.
    """
    added = np.where(np.isnan(of_block), 0.0, weight)
    total = known_weight + added
    summed = similarity * known_weight + np.nan_to_num(of_block) * added
    return np.divide(summed, total, out=np.array(similarity, dtype=np.float64), where=total > 0), total
