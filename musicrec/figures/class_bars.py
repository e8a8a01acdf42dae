"""Bars that show how well a model predicts each class."""

import numpy as np
from matplotlib.figure import Figure

from musicrec.evaluation.head_scores import HeadScore
from musicrec.figures.style import COLOURS, GREY, shortened, text

_MAX_CLASSES = 40  # with more, the best and the worst are drawn
# Pairs of metrics that a table by class may have; the bars are sorted by the first one.
_METRIC_PAIRS = (("roc_auc", "pr_auc"), ("recall", "precision"), ("acc2", "acc1"))
_NAMES = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "acc1": "Acc1", "acc2": "Acc2"}


def class_figure(score: HeadScore, *, dataset: str) -> Figure | None:
    """Draw two metrics of every class of a head, the best class first, with the number of tracks.

    Args:
        score: Scores of the head.
        dataset: Name of the dataset, for the title.

    Returns:
        The figure; None if the head has no such metrics, or no class can be scored.
    """
    rows = score.per_class
    pair = next((pair for pair in _METRIC_PAIRS if rows and set(pair) <= rows[0].keys()), None)
    if pair is None:
        return None
    known = [row for row in rows if row[pair[0]] is not None]
    if pair[0] != "acc2":  # tempo ranges keep their order
        known.sort(key=lambda row: -row[pair[0]])
    half = _MAX_CLASSES // 2
    drawn = [*known[:half], *known[-half:]] if len(known) > _MAX_CLASSES else known
    if not drawn:
        return None
    places = np.arange(len(drawn))
    figure = Figure(figsize=(7.5, 1.6 + 0.3 * len(drawn)), layout="constrained")
    axes = figure.add_subplot()
    for offset, metric, colour in zip((-0.19, 0.19), pair, (COLOURS[0], COLOURS[4]), strict=True):
        widths = [row[metric] or 0.0 for row in drawn]
        axes.barh(places + offset, widths, 0.36, color=colour, label=_NAMES.get(metric, metric))
    counts = [row.get("positives", row["tracks"]) for row in drawn]
    names = [f"{text(shortened(row['class'], 32))} ({count})" for row, count in zip(drawn, counts, strict=True)]
    axes.set_yticks(places, names, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(drawn) - 0.4, -0.6))
    if pair[0] == "roc_auc":
        axes.axvline(0.5, color=GREY, linestyle="--", linewidth=1, label="chance (ROC-AUC)")
    axes.grid(axis="x", color="#ddd")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    title = f"{text(score.head.name)} · {text(dataset)}, {text(score.split)}, by class (tracks)"
    if len(drawn) < len(known):
        title += f"; the best and the worst {half} of {len(known)} classes"
    axes.set_title(title, fontsize=11, loc="left")
    return figure
