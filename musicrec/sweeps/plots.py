"""Figures of a sweep: the importance of its parameters, and the objective of every combination of values."""

import itertools
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve

from musicrec.runs.overrides import Value
from musicrec.sweeps.jobs import Outcome
from musicrec.system.atomic_write import atomic_write

IMPORTANCE, PARALLEL = "importance.png", "parallel_coordinates.png"
_DPI = 90
_MIN_FINISHED = 4  # with fewer finished jobs, the table shows as much as a figure would
_MIN_LOG_RATIO = 8  # values need a larger ratio of maximum to minimum for a logarithmic axis


def plot_sweep(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Write the figures of a sweep as PNG.

    Figures need at least four finished jobs and one parameter that varies between them; importances need two such
    parameters and different objectives.

    Args:
        folder: The sweep folder.
        outcomes: All jobs of the sweep.

    Returns:
        The paths of the written figures.
    """
    finished = [run for run in outcomes if run.status == "finished" and run.objective is not None]
    names = finished[0].params if finished else []
    varied = [name for name in names if len({run.params[name] for run in finished}) > 1]
    if len(finished) < _MIN_FINISHED or not varied:
        return []
    figures = {PARALLEL: parallel_coordinates_figure(finished, varied)}
    if len(varied) > 1 and len({run.objective for run in finished}) > 1:
        figures[IMPORTANCE] = importance_figure(finished, varied)
    for name, figure in figures.items():
        with atomic_write(folder / name, "wb") as file:
            figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
    return [folder / name for name in figures]


def importances(finished: Sequence[Outcome], names: Sequence[str]) -> dict[str, float]:
    """Estimate how much of the variance of the objective each parameter explains (fANOVA, Hutter et al. 2014).

    Args:
        finished: Finished jobs with an objective.
        names: The parameters, which vary between the jobs.

    Returns:
        {parameter: share of the variance in [0, 1]}.
    """
    mode = finished[0].mode
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize" if mode == "max" else "minimize")
    distributions = {name: _distribution([run.params[name] for run in finished]) for name in names}
    for run in finished:
        params = {name: _comparable(run.params[name], distributions[name]) for name in names}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=run.objective))
    # Optuna's default, PED-ANOVA, uses the best tenth of the trials: with twenty trials, only two.
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, params=list(names), evaluator=evaluator)


def importance_figure(finished: Sequence[Outcome], names: Sequence[str]) -> Figure:
    """Draw the importance of every parameter as a bar; the arguments are those of `importances`."""
    shares = sorted(importances(finished, names).items(), key=lambda item: item[1])
    figure = Figure(figsize=(7, 1.3 + 0.38 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in shares], [share for _, share in shares], color="#3b6fb6", height=0.65)
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9)
    axes.set(xlim=(0, 1.12 * max(share for _, share in shares) or 1.0), xlabel="share of the variance (fANOVA)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(
        f"Parameter importance for {finished[0].metric} ({len(finished)} finished jobs)", fontsize=11, loc="left"
    )
    return figure


def parallel_coordinates_figure(finished: Sequence[Outcome], names: Sequence[str]) -> Figure:
    """Draw every job as one line through its parameter values and its objective, which also sets the colour.

    Args:
        finished: Finished jobs with an objective.
        names: The parameters, one axis each. The last axis is the objective.
    """
    columns = {name: [run.params[name] for run in finished] for name in names}
    columns[finished[0].metric] = [run.objective for run in finished]
    figure = Figure(figsize=(max(6.0, 1.9 * len(columns)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    heights = np.array([_draw_axis(axes, x, values) for x, values in enumerate(columns.values())])
    merit = np.array(columns[finished[0].metric]) * (1 if finished[0].mode == "max" else -1)
    unused = 0.2 * (merit.max() - merit.min())  # skip the palest colours, which are hard to see on white
    colour, norm = colormaps["viridis_r"], Normalize(merit.min() - unused, merit.max())
    heights = np.array([*(_separate_equal(column, merit) for column in heights[:-1]), heights[-1]])
    for job in np.argsort(merit):  # the best jobs are drawn last, on top, and in the darkest colours
        curve = _smooth_curve(list(enumerate(heights[:, job])))
        axes.add_patch(
            PathPatch(curve, facecolor="none", edgecolor=colour(norm(merit[job])), linewidth=1.6, alpha=0.85)
        )
    axes.set_xticks(range(len(columns)), list(columns), fontsize=9)
    axes.tick_params(axis="x", length=0, pad=8)
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.35, len(columns) - 0.55), ylim=(-0.05, 1.05))
    axes.yaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{len(finished)} finished jobs by {finished[0].metric}", fontsize=11, loc="left", pad=14)
    return figure


def _draw_axis(axes: Axes, x: float, values: Sequence[Value]) -> list[float]:
    """Draw the vertical axis of a parameter, and return the heights of the values on it, in [0, 1]."""
    axes.plot([x, x], [0, 1], color="#444", linewidth=1.1, zorder=3)
    if not all(_is_number(value) for value in values):
        classes = sorted({str(value) for value in values})
        class_heights = {name: index / max(1, len(classes) - 1) for index, name in enumerate(classes)}
        ticks = [(class_heights[name], name) for name in classes]
        heights = [class_heights[str(value)] for value in values]
    else:
        log = _is_log(values)
        scaled = [math.log10(value) if log else float(value) for value in values]
        low, high = min(scaled), max(scaled)
        span = high - low or 1.0
        heights = [(value - low) / span for value in scaled]
        distinct = sorted(set(scaled))
        shown = distinct if len(distinct) <= 5 else np.linspace(low, high, 5)
        ticks = [((value - low) / span, f"{10**value if log else value:.3g}") for value in shown]
    for height, text in ticks:
        axes.plot([x, x + 0.03], [height, height], color="#444", linewidth=1.1, zorder=3)
        background = {"color": "white", "alpha": 0.75, "pad": 0.6}
        axes.text(x + 0.05, height, text, fontsize=8, va="center", zorder=4, bbox=background)
    return heights


def _separate_equal(heights: np.ndarray, merit: np.ndarray) -> np.ndarray:
    """Move equal heights slightly apart, better jobs above, so that the lines of a grid do not hide each other."""
    moved = heights.copy()
    for height in np.unique(heights):
        equal = np.flatnonzero(heights == height)
        moved[equal[np.argsort(merit[equal])]] += np.linspace(-1, 1, len(equal)) * min(0.03, 0.004 * (len(equal) - 1))
    return moved


def _smooth_curve(points: Sequence[tuple[float, float]]) -> Curve:
    """Return a curve that crosses every axis at a right angle, so that lines through one point can be told apart."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (x0 + x1) / 2
        vertices += [(middle, y0), (middle, y1), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    return Curve(vertices, codes)


def _distribution(values: Sequence[Value]) -> optuna.distributions.BaseDistribution:
    if all(_is_number(value) for value in values):
        return optuna.distributions.FloatDistribution(min(values), max(values), log=_is_log(values))
    return optuna.distributions.CategoricalDistribution(sorted({str(value) for value in values}))


def _comparable(value: Value, distribution: optuna.distributions.BaseDistribution) -> float | str:
    return float(value) if isinstance(distribution, optuna.distributions.FloatDistribution) else str(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_log(values: Sequence[float]) -> bool:
    """Return whether the values are spread more evenly on a logarithmic axis."""
    low, high = min(values), max(values)
    if low <= 0 or high / low <= _MIN_LOG_RATIO:
        return False
    median = statistics.median(values)
    return abs(math.log(median / low) / math.log(high / low) - 0.5) < abs((median - low) / (high - low) - 0.5)
