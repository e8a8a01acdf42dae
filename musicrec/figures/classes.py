"""How well each class is known, as bars."""

import numpy as np
from matplotlib.figure import Figure

from musicrec.evaluation.report import HeadScore
from musicrec.figures.style import COLOURS, GREY, shortened, text

_MOST = 40  # bars; of more classes, the ends
# What a per-class table may hold, best known first, as the two bars of a class.
_MEASURES = (("roc_auc", "pr_auc"), ("recall", "precision"), ("acc2", "acc1"))
_NAMES = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC", "acc1": "Acc1", "acc2": "Acc2"}


def class_figure(score: HeadScore, *, dataset: str) -> Figure | None:
    """Two measures of every class of a head, best first, with the number of tracks; None for a head without any."""
    rows = score.per_class
    measures = next((pair for pair in _MEASURES if rows and set(pair) <= rows[0].keys()), None)
    if measures is None:
        return None
    first, second = measures
    known = [row for row in rows if row[first] is not None]
    if first != "acc2":  # ranges of tempo stay in their order
        known.sort(key=lambda row: -row[first])
    shown = [*known[: _MOST // 2], *known[-(_MOST // 2) :]] if len(known) > _MOST else known
    if not shown:
        return None
    places = np.arange(len(shown))
    figure = Figure(figsize=(7.5, 1.6 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for offset, measure, colour in ((-0.19, first, COLOURS[0]), (0.19, second, COLOURS[4])):
        axes.barh(places + offset, [row[measure] or 0.0 for row in shown], 0.36, color=colour,
                  label=_NAMES.get(measure, measure))  # fmt: skip
    counts = [row.get("positives", row["tracks"]) for row in shown]
    names = [f"{text(shortened(row['class'], 32))} ({count})" for row, count in zip(shown, counts, strict=True)]
    axes.set_yticks(places, names, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(shown) - 0.4, -0.6))
    if first == "roc_auc":
        axes.axvline(0.5, color=GREY, linestyle="--", linewidth=1, label="ROC-AUC by chance")
    axes.grid(axis="x", color="#ddd")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    some = f"; {len(shown)} of {len(known)} classes, the best and the worst" if len(shown) < len(known) else ""
    axes.set_title(f"{text(score.head.name)} · {text(dataset)}, {text(score.split)}, by class (tracks){some}",
                   fontsize=11, loc="left")  # fmt: skip
    return figure
