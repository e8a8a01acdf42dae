"""The reliability picture: how often answers of a certain confidence are right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest
from torch import Tensor

from musicrec.evaluation.calibration import BINS, confidence, ece
from musicrec.evaluation.files import file_name
from musicrec.evaluation.report import HeadScore, Predictions
from musicrec.system.atomic_write import atomic_write

_DPI = 110


def plot_reliability(
    folder: Path,
    scores: Sequence[HeadScore],
    predictions: Mapping[str, Predictions],
    raw: Mapping[str, Mapping[str, Tensor]],
    *,
    dataset: str,
) -> list[Path]:
    """Write `<split>_<head>_reliability.png` for every head that calibrates and has labelled tracks; the paths.

    raw: {split: {head: probabilities}} before any temperature.
    """
    paths = []
    for score in scores:
        if score.calibration:
            split, name = score.split, score.head.name
            paths.append(folder / f"{file_name(split)}_{file_name(name)}_reliability.png")
            figure = reliability_figure(score, *predictions[split][name], raw[split][name], dataset=dataset)
            with atomic_write(paths[-1], "wb") as file:
                figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
    return paths


def reliability_figure(score: HeadScore, probabilities: Tensor, target: Tensor, raw: Tensor, *, dataset: str) -> Figure:
    """The share right against the confidence, in 15 bins, with 95 % intervals (Wilson) of the share; raw as well where
    the head has a temperature. Below: how many answers each bin has. Answers of one track count as if independent."""
    head = score.head
    known = (~target.isnan()).reshape(len(target), -1).any(dim=1)
    figure = Figure(figsize=(5.6, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    top.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--", label="calibrated")
    shown = [(probabilities, "#0b5fa5", "o", "as the network gives them")]
    if head.temperature != 1.0:
        shown = [(raw, "#d98e04", "s", "raw"), (probabilities, "#0b5fa5", "o", f"temperature {head.temperature:.2f}")]
    for shift, (values, colour, marker, label) in enumerate(shown):
        sure, right = confidence(head, values[known], target[known])
        label = f"{label}, ECE {ece(sure, right):.3f}"
        _points(top, bottom, sure, right, colour=colour, marker=marker, label=label, faint=shift < len(shown) - 1)
    top.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share right" if head.exclusive else "share that has the tag")
    bottom.set(ylabel="answers", xlabel="confidence" if head.exclusive else "probability of the tag")
    for axes in (top, bottom):
        axes.grid(color="#eee")
        axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    name, where = (text.replace("$", r"\$") for text in (head.name, f"{dataset}, {score.split}"))
    top.set_title(f"{name} · {where}, {score.labelled} tracks", fontsize=11, loc="left")
    return figure


def bins(sure: Tensor, right: Tensor) -> list[tuple[float, int, int]]:
    """(mean confidence, answers, right answers) of each bin that has answers."""
    number = (sure.double() * BINS).ceil().long().clamp(1, BINS) - 1
    found = []
    for index in range(BINS):
        inside = number == index
        if inside.any():
            found.append((float(sure[inside].mean()), int(inside.sum()), int(right[inside].sum())))
    return found


def _points(
    top: Axes, bottom: Axes, sure: Tensor, right: Tensor, *, colour: str, marker: str, label: str, faint: bool
) -> None:
    points = bins(sure, right)
    shares = torch.tensor([hits / count for _, count, hits in points])
    limits = [binomtest(hits, count).proportion_ci(method="wilson") for _, count, hits in points]
    spread = torch.tensor([[share - low, high - share] for share, (low, high) in zip(shares, limits, strict=True)])
    top.errorbar([at for at, _, _ in points], shares, None if faint else spread.clamp(min=0).T, color=colour,
                 marker=marker, markersize=5, markerfacecolor="white" if faint else colour, linestyle="none",
                 elinewidth=0.9, capsize=2, label=label)  # fmt: skip
    bottom.hist(sure.numpy(), bins=BINS, range=(0, 1), histtype="step", color=colour, linewidth=1.4)
