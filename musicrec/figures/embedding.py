"""Map of the embeddings of a split: one point per track; tracks that the network finds similar are close together."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from musicrec.figures.style import COLOURS, MARKERS, shortened, text

_MAX_COLOURED = 20  # labels with a colour of their own


def principal_components(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project embeddings onto the plane in which they vary most.

    Args:
        embeddings: (tracks, size), both at least 2.

    Returns:
        The (tracks, 2) coordinates, and the (2,) shares of the variance along both axes. The sign of an axis is chosen
        so that its coordinate of the largest magnitude is positive.
    """
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * singular[:2]
    points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    return points, singular[:2] ** 2 / max(float((singular**2).sum()), 1e-12)


def embedding_figure(
    embeddings: np.ndarray, labels: Sequence[str | None], *, coloured_by: str, title: str
) -> Figure | None:
    """Draw the first two principal components of the embeddings.

    Args:
        embeddings: (tracks, size).
        labels: The label of each track, None if it is missing. Only the 20 most frequent labels get a colour.
        coloured_by: What the labels are, such as "genre", for the legend.
        title: Title of the figure.

    Returns:
        The figure; None with fewer than three tracks.
    """
    if len(embeddings) < 3:
        return None
    points, shares = principal_components(embeddings)
    names = np.array([label if label is not None else "" for label in labels], dtype=object)
    found, counts = np.unique(names[names != ""].astype(str), return_counts=True)
    coloured = found[np.argsort(-counts, kind="stable")][:_MAX_COLOURED]
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    rest = ~np.isin(names.astype(str), coloured)
    if rest.any():
        axes.scatter(*points[rest].T, s=18, color="#bbbbbb", marker=".", label=f"other or unlabelled ({rest.sum()})")
    for index, name in enumerate(sorted(coloured)):
        members = names == name
        axes.scatter(
            *points[members].T,
            s=36,
            color=COLOURS[index % len(COLOURS)],
            # The colours repeat with another marker, which makes 49 different combinations.
            marker=MARKERS[(index // len(COLOURS) + index) % len(MARKERS)],
            alpha=0.85,
            linewidths=0,
            label=f"{text(shortened(name, 24))} ({members.sum()})",
        )
    axes.set_xlabel(f"first principal component ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second principal component ({shares[1]:.0%})")
    axes.tick_params(labelsize=8)
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    legend = axes.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5), alignment="left")
    legend.set_title(f"{coloured_by} (tracks)", prop={"size": 9})
    axes.set_title(text(title), fontsize=11, loc="left")
    return figure
