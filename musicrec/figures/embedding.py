"""The embedding map of a split: each track a point, near those that the network takes for similar."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from musicrec.figures.style import COLOURS, MARKERS, shortened, text

_MOST = 20  # labels with a colour of their own


def principal_components(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The plane in which the points differ most: (tracks, 2) coordinates, and the share of the variance in each axis.

    embeddings: (tracks, size), at least 2 of both. The sign of an axis is such that its largest coordinate is positive.
    """
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points = left[:, :2] * singular[:2]
    points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]])
    return points, singular[:2] ** 2 / max(float((singular**2).sum()), 1e-12)


def embedding_figure(
    embeddings: np.ndarray, labels: Sequence[str | None], *, coloured_by: str, title: str
) -> Figure | None:
    """The first two principal components of the tracks' embeddings; None for fewer than three tracks.

    embeddings: (tracks, size). labels: of each track, None where it is missing. Only the most frequent labels get a
    colour and a marker.
    """
    if len(embeddings) < 3:
        return None
    points, shares = principal_components(embeddings)
    names = np.array([label if label is not None else "" for label in labels], dtype=object)
    found, counts = np.unique(names[names != ""].astype(str), return_counts=True)
    coloured = found[np.argsort(-counts, kind="stable")][:_MOST]
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.add_subplot()
    rest = ~np.isin(names.astype(str), coloured)
    if rest.any():
        axes.scatter(*points[rest].T, s=18, color="#bbbbbb", marker=".", label=f"other or none ({rest.sum()})")
    for index, name in enumerate(sorted(coloured)):
        members = names == name
        # Seven colours, and another marker each time round: 49 that differ.
        axes.scatter(*points[members].T, s=36, color=COLOURS[index % len(COLOURS)], alpha=0.85, linewidths=0,
                     marker=MARKERS[(index // len(COLOURS) + index) % len(MARKERS)],
                     label=f"{text(shortened(name, 24))} ({members.sum()})")  # fmt: skip
    axes.set(xlabel=f"first principal component ({shares[0]:.0%} of the variance)",
             ylabel=f"second ({shares[1]:.0%})")  # fmt: skip
    axes.tick_params(labelsize=8)
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    axes.legend(title=f"{coloured_by} (tracks)", fontsize=8, title_fontsize=9, alignment="left", frameon=False,
                loc="center left", bbox_to_anchor=(1.01, 0.5))  # fmt: skip
    axes.set_title(text(title), fontsize=11, loc="left")
    return figure
