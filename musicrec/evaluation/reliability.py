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
from musicrec.heads.base import at_temperature

_DPI = 110


def plot_reliability(
    folder: Path, scores: Sequence[HeadScore], predictions: Mapping[str, Predictions], *, dataset: str
) -> list[Path]:
    """Write `<split>_<head>_reliability.png` for every head with labelled tracks; the paths."""
    paths = []
    for score in scores:
        if score.labelled:
            paths.append(folder / f"{file_name(score.split)}_{file_name(score.head.name)}_reliability.png")
            figure = reliability_figure(score, *predictions[score.split][score.head.name], dataset=dataset)
            figure.savefig(paths[-1], dpi=_DPI, bbox_inches="tight")
    return paths


def reliability_figure(score: HeadScore, probabilities: Tensor, target: Tensor, *, dataset: str) -> Figure:
    """The share right against the confidence, in 15 bins, with 95 % intervals (Wilson) of the share; raw as well where
    the head has a temperature. Below: how many answers each bin has. Answers of one track count as if independent."""
    head = score.head
    known = (~target.isnan()).reshape(len(target), -1).any(dim=1)
    probabilities, target = probabilities[known], target[known]
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    top.plot([0, 1], [0, 1], color="#999", linewidth=1, linestyle="--", label="calibrated")
    shown = [(probabilities, "#0b5fa5", "o", f"temperature {head.temperature:.2f}")]
    if head.temperature == 1.0:
        shown = [(probabilities, "#0b5fa5", "o", "as the network gives them")]
    else:
        raw = at_temperature(probabilities, 1 / head.temperature, head.activation)
        shown.insert(0, (raw, "#d98e04", "s", "raw"))
    for values, colour, marker, label in shown:
        sure, right = confidence(head, values, target)
        _points(top, bottom, sure, right, colour=colour, marker=marker, label=f"{label}, ECE {ece(sure, right):.3f}")
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="share right" if head.exclusive else "share that has the tag")
    top.legend(loc="upper left", fontsize=9, framealpha=0.9)
    bottom.set(ylabel="answers", xlabel="confidence" if head.exclusive else "probability of the tag")
    for axes in (top, bottom):
        axes.grid(color="#eee")
        axes.set_axisbelow(True)
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


def _points(top: Axes, bottom: Axes, sure: Tensor, right: Tensor, *, colour: str, marker: str, label: str) -> None:
    points = bins(sure, right)
    shares = torch.tensor([hits / count for _, count, hits in points])
    limits = [binomtest(hits, count).proportion_ci(method="wilson") for _, count, hits in points]
    spread = torch.tensor([[share - low, high - share] for share, (low, high) in zip(shares, limits, strict=True)])
    top.errorbar([at for at, _, _ in points], shares, spread.clamp(min=0).T, color=colour, marker=marker, markersize=5,
                 linewidth=1.4, elinewidth=0.9, capsize=2, label=label)  # fmt: skip
    bottom.hist(sure.numpy(), bins=BINS, range=(0, 1), histtype="step", color=colour, linewidth=1.4)
