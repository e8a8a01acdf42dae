"""Reliability diagrams: the share of right answers against their confidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest
from torch import Tensor

from musicrec.evaluation.calibration import BINS, confidence, ece
from musicrec.evaluation.head_scores import HeadScore, Predictions
from musicrec.evaluation.labelled_tracks import labelled_tracks
from musicrec.evaluation.report_files import file_name
from musicrec.figures.style import save, text


def plot_reliability(
    folder: Path,
    scores: Sequence[HeadScore],
    predictions: Mapping[str, Predictions],
    raw: Mapping[str, Mapping[str, Tensor]],
    *,
    dataset: str,
) -> list[Path]:
    """Write `<split>_<head>_reliability.png` for every head that calibrates and has labelled tracks.

    Args:
        folder: Where the files are written.
        scores: Scores of all splits and heads.
        predictions: {split: {head: (probabilities, target)}}.
        raw: {split: {head: probabilities}} without temperatures.
        dataset: Name of the dataset, for the titles.

    Returns:
        The files.
    """
    paths = []
    for score in scores:
        if score.calibration:
            split, name = score.split, score.head.name
            figure = reliability_figure(score, *predictions[split][name], raw[split][name], dataset=dataset)
            paths.append(save(figure, folder / f"{file_name(split)}_{file_name(name)}_reliability.png"))
    return paths


def reliability_figure(score: HeadScore, probabilities: Tensor, target: Tensor, raw: Tensor, *, dataset: str) -> Figure:
    """Draw the share of right answers in 15 bins of confidence, and below it the number of answers in each bin.

    The error bars are 95 % Wilson intervals of the share. They treat all answers for one track as independent.

    Args:
        score: Scores of the head.
        probabilities: (tracks, classes) at the temperature of the head.
        target: The labels as the head encodes them.
        raw: (tracks, classes) without temperature; drawn, too, if the head has a temperature.
        dataset: Name of the dataset, for the title.
    """
    head = score.head
    known = labelled_tracks(target)
    figure = Figure(figsize=(5.6, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    top.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--", label="perfect calibration")
    groups = [(probabilities, "#0b5fa5", "o", "raw")]
    if head.temperature != 1.0:
        groups = [(raw, "#d98e04", "s", "raw"), (probabilities, "#0b5fa5", "o", f"temperature {head.temperature:.2f}")]
    for index, (values, colour, marker, label) in enumerate(groups):
        confidences, right = confidence(head, values[known], target[known])
        label = f"{label}, ECE {ece(confidences, right):.3f}"
        faint = index < len(groups) - 1
        _draw_bins(top, bottom, confidences, right, colour=colour, marker=marker, label=label, faint=faint)
    top.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    top.set_ylabel("share of right answers" if head.exclusive else "share of tracks with the tag")
    bottom.set(ylabel="answers", xlabel="confidence" if head.exclusive else "probability of the tag")
    for axes in (top, bottom):
        axes.grid(color="#eee")
        axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    title = f"{text(head.name)} · {text(dataset)}, {text(score.split)}, {score.labelled} tracks"
    top.set_title(title, fontsize=11, loc="left")
    return figure


def bins(confidences: Tensor, right: Tensor) -> list[tuple[float, int, int]]:
    """Sort answers into 15 bins of equal width by their confidence.

    Args:
        confidences: (answers,) in [0, 1].
        right: (answers,) of 0 or 1, whether each answer is right.

    Returns:
        (mean confidence, number of answers, number of right answers) of each bin that is not empty.
    """
    number = (confidences.double() * BINS).ceil().long().clamp(1, BINS) - 1
    found = []
    for index in range(BINS):
        inside = number == index
        if inside.any():
            found.append((float(confidences[inside].mean()), int(inside.sum()), int(right[inside].sum())))
    return found


def _draw_bins(
    top: Axes, bottom: Axes, confidences: Tensor, right: Tensor, *, colour: str, marker: str, label: str, faint: bool
) -> None:
    """Draw the bins of one group of answers; a faint group has hollow markers and no error bars."""
    found = bins(confidences, right)
    shares = torch.tensor([hits / count for _, count, hits in found])
    limits = [binomtest(hits, count).proportion_ci(method="wilson") for _, count, hits in found]
    errors = torch.tensor([[share - low, high - share] for share, (low, high) in zip(shares, limits, strict=True)])
    top.errorbar(
        [at for at, _, _ in found],
        shares,
        None if faint else errors.clamp(min=0).T,
        color=colour,
        marker=marker,
        markersize=5,
        markerfacecolor="white" if faint else colour,
        linestyle="none",
        elinewidth=0.9,
        capsize=2,
        label=label,
    )
    bottom.hist(confidences.numpy(), bins=BINS, range=(0, 1), histtype="step", color=colour, linewidth=1.4)
