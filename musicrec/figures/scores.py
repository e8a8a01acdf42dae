"""Figures of an evaluation: confusion matrices, ROC and PR curves, and estimated against true numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.functional.classification import binary_precision_recall_curve, binary_roc

from musicrec.evaluation.head_scores import HeadScore, Predictions
from musicrec.evaluation.report_files import file_name
from musicrec.figures.style import save, text
from musicrec.heads import metrics
from musicrec.heads.pictures import ScatterPicture

_MAX_CURVES = 8  # more lines cannot be told apart
_MAX_COUNTED_CLASSES = 32  # with more, the cells of a confusion matrix are too small for a number


def plot_scores(
    folder: Path, scores: Sequence[HeadScore], predictions: Mapping[str, Predictions], *, dataset: str
) -> list[Path]:
    """Write `<split>_<head>_<kind>.png` for every head that has labelled tracks and a class that can be scored.

    The head determines the kind of figure: "confusion", "curves" or "scatter".

    Args:
        folder: Where the files are written.
        scores: Scores of all splits and heads.
        predictions: {split: {head: (probabilities, target)}}.
        dataset: Name of the dataset, for the titles.

    Returns:
        The files.
    """
    paths = []
    for score in scores:
        if not score.labelled or len(score.classes_left_out) == len(score.head.classes):
            continue
        probabilities, target = predictions[score.split][score.head.name]
        kind = score.head.picture().kind
        if kind == "none":
            continue
        path = folder / f"{file_name(score.split)}_{file_name(score.head.name)}_{kind}.png"
        paths.append(save(_FIGURES[kind](score, probabilities, target, dataset=dataset), path))
    return paths


def confusion(score: HeadScore, probabilities: Tensor, target: Tensor, *, dataset: str) -> Figure:
    """Draw the confusion matrix of exclusive classes, coloured by the share of the tracks of each true class.

    Args:
        score: Scores of the head.
        probabilities: (tracks, classes).
        target: The labels as the head encodes them.
        dataset: Name of the dataset, for the title.
    """
    head, picture = score.head, score.head.picture()
    size = len(picture.names)
    order = list(picture.order or range(size))
    counts = metrics.confusion_matrix(head.answer(probabilities), target, size)[order][:, order]
    names = [text(picture.names[index]) for index in order]
    totals = counts.sum(dim=1)
    shares = counts / totals.clamp(min=1)[:, None]

    side = min(13.0, max(4.4, 2.4 + 0.33 * size))
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    font = max(3.0, min(10.0, 420 / size))
    axes.set_xticks(range(size), names, rotation=90 if size > 4 else 0, fontsize=font)
    axes.set_yticks(
        range(size), [f"{name} ({total})" for name, total in zip(names, totals.tolist(), strict=True)], fontsize=font
    )
    axes.set_xlabel(f"predicted {text(head.name)}{picture.axis_note}")
    axes.set_ylabel(f"true {text(head.name)} (tracks)")
    if size <= _MAX_COUNTED_CLASSES:
        for row, column in counts.nonzero().tolist():
            dark = shares[row, column] > 0.55
            style = {"fontsize": font * 0.9, "color": "white" if dark else "#1b2a41"}
            axes.text(column, row, int(counts[row, column]), ha="center", va="center", **style)
    for divider in picture.dividers:
        axes.axhline(divider - 0.5, color="#888", linewidth=0.8)
        axes.axvline(divider - 0.5, color="#888", linewidth=0.8)
    figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, aspect=35, label="share of the true class")
    axes.set_title(_title(score, dataset), fontsize=11, loc="left")
    return figure


def curves(score: HeadScore, probabilities: Tensor, target: Tensor, *, dataset: str) -> Figure:
    """Draw ROC and PR curves of the classes that can be scored; of many, the best, the worst and the most frequent.

    Args:
        score: Scores of the head.
        probabilities: (tracks, classes).
        target: (tracks, classes) of 0, 1 or NaN.
        dataset: Name of the dataset, for the title.
    """
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    roc, pr = figure.subplots(1, 2)
    chosen = choose_classes(score.per_class)
    positions = {row["class"]: index for index, row in enumerate(score.per_class)}
    for row, colour in zip(chosen, colormaps["Dark2"].colors, strict=False):
        column = positions[row["class"]]
        known = ~target[:, column].isnan()
        values, truth = probabilities[known, column].float(), target[known, column].int()
        false_positives, true_positives, _ = binary_roc(values, truth)
        precision, recall = pr_steps(values, truth)
        name = text(row["class"])
        roc.plot(false_positives, true_positives, color=colour, linewidth=1.6, label=f"{row['roc_auc']:.2f}  {name}")
        label = f"{row['pr_auc']:.2f}  {name} ({row['positives']})"
        pr.step(recall, precision, where="post", color=colour, linewidth=1.6, label=label)
    roc.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--")
    _label(roc, "ROC", x="false positive rate", y="true positive rate", corner="lower right", key="AUC")
    _label(pr, "precision and recall", x="recall", y="precision", corner="best", key="AP, class (tracks)")
    scored = len(score.per_class) - len(score.classes_left_out)
    omission = f"; {len(chosen)} of {scored} classes shown" if len(chosen) < scored else ""
    figure.suptitle(_title(score, dataset) + omission, fontsize=11, x=0.01, ha="left")
    return figure


def pr_steps(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return precision and recall as steps whose area is the average precision.

    The point of precision 1 and recall 0, which no threshold gives, and the thresholds below that of full recall are
    left out.

    Args:
        scores: (tracks,) probabilities.
        truth: (tracks,) of 0 and 1.

    Returns:
        Precision and recall, both (steps,), from recall 1 down to 0.
    """
    precision, recall, _ = binary_precision_recall_curve(scores, truth)
    full = int((recall == 1).nonzero().max())
    precision, recall = precision[full:][recall[full:] > 0], recall[full:][recall[full:] > 0]
    return torch.cat([precision, precision[-1:]]), torch.cat([recall, torch.zeros(1)])


def choose_classes(rows: Sequence[dict]) -> list[dict]:
    """Choose the classes to draw: the best three, the worst three, and the most frequent others.

    Args:
        rows: Table by class, with the columns roc_auc and positives.

    Returns:
        At most eight rows, sorted by ROC-AUC, the best first.
    """
    known = sorted((row for row in rows if row["roc_auc"] is not None), key=lambda row: -row["roc_auc"])
    if len(known) <= _MAX_CURVES:
        return known
    ends = [*known[:3], *known[-3:]]
    others = sorted(known[3:-3], key=lambda row: -row["positives"])[: _MAX_CURVES - len(ends)]
    return sorted([*ends, *others], key=lambda row: -row["roc_auc"])


def scatter(score: HeadScore, probabilities: Tensor, target: Tensor, *, dataset: str) -> Figure:
    """Draw estimated against true numbers, with lines for typical errors such as twice the tempo.

    Args:
        score: Scores of the head.
        probabilities: (tracks, classes).
        target: (tracks,) numbers, NaN where missing.
        dataset: Name of the dataset, for the title.
    """
    head, picture = score.head, score.head.picture()
    known = ~target.isnan()
    truth, estimate = target[known], head.answer(probabilities[known])
    right = head.agrees(estimate, truth)
    on_a_line = torch.zeros_like(right)
    for factor in picture.multiples.values():
        on_a_line |= head.agrees(estimate, truth.double() * factor) & ~right
    groups = [(right, "#1a7f5a", "o", picture.close)]
    if picture.multiples:
        groups.append((on_a_line, "#d98e04", "^", picture.multiples_name))
    groups.append((~right & ~on_a_line, "#b3263a", "x", "wrong"))
    low, high = _limits(torch.cat([truth, estimate]), picture)

    figure = Figure(figsize=(6.2, 6.6), layout="constrained")
    axes = figure.add_subplot()
    if picture.logarithmic:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
    axes.plot([low, high], [low, high], color="#999", linewidth=1.4, zorder=1)
    for name, factor in picture.multiples.items():
        axes.plot([low, high], [low * factor, high * factor], color="#999", linewidth=0.9, linestyle="--", zorder=1)
        # The name is on the line, just before the line leaves the figure.
        x, y = min(high, high / factor) / 1.07, min(high, high * factor) / 1.07
        box = {"color": "white", "pad": 0.5}
        axes.text(x, y, name, ha="center", va="center", fontsize=8, color="#555", bbox=box)
    for members, colour, marker, label in groups:
        axes.scatter(
            truth[members],
            estimate[members],
            s=26,
            c=colour,
            marker=marker,
            linewidths=1.1,
            alpha=0.75,
            zorder=2,
            label=f"{label} ({int(members.sum())})",
        )
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.set(xlabel=f"true {text(head.name)} ({picture.unit})", ylabel=f"estimated {text(head.name)} ({picture.unit})")
    if picture.ticks:
        ticks = [tick for tick in picture.ticks if low < tick < high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
        axes.minorticks_off()
    axes.set_aspect("equal")
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    axes.set_title(_title(score, dataset), fontsize=11, loc="left")
    return figure


_FIGURES = {"confusion": confusion, "curves": curves, "scatter": scatter}


def _limits(numbers: Tensor, picture: ScatterPicture) -> tuple[float, float]:
    """Return the limits of both axes: 10 % beyond the numbers, and at least the range that the picture names."""
    lowest, highest = float(numbers.min()), float(numbers.max())
    if picture.logarithmic:
        lowest, highest = lowest / 1.1, highest * 1.1
    else:
        margin = 0.1 * (highest - lowest)
        lowest, highest = lowest - margin, highest + margin
    return min(picture.least_range[0], lowest), max(picture.least_range[1], highest)


def _label(axes: Axes, title: str, *, x: str, y: str, corner: str, key: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y)
    axes.set_title(title, fontsize=10)
    axes.grid(color="#eee")
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc=corner, fontsize=8, title=key, title_fontsize=8, alignment="left", framealpha=0.9)


def _title(score: HeadScore, dataset: str) -> str:
    """Return the head, the data, the number of tracks, and below them the main metrics with chance."""
    names = score.head.picture().metrics
    values = ", ".join(f"{name} {score.metrics[name]:.2f} (chance {score.chance[name]:.2f})" for name in names)
    tracks = f"{score.labelled} track{'s' if score.labelled != 1 else ''}"
    return f"{text(score.head.name)} · {text(dataset)}, {text(score.split)}, {tracks}\n{values}"
