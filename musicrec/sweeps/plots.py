"""Pictures of a sweep: which parameters matter, and which values go with which objective."""

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
_LEAST = 4  # finished jobs; of fewer, a picture says less than the table
_LOG_SPAN = 8  # a range of numbers that spans less is not drawn on a logarithmic axis


def plot_sweep(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """Write the pictures that the finished jobs suffice for; their paths."""
    finished = [run for run in outcomes if run.status == "finished" and run.objective is not None]
    varied = [name for name in (finished[0].params if finished else []) if len({r.params[name] for r in finished}) > 1]
    if len(finished) < _LEAST or not varied:
        return []
    figures = {PARALLEL: parallel_coordinates(finished, varied)}
    if len(varied) > 1 and len({run.objective for run in finished}) > 1:
        figures[IMPORTANCE] = importance(finished, varied)
    for name, figure in figures.items():
        with atomic_write(folder / name, "wb") as file:
            figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
    return [folder / name for name in figures]


def importances(finished: Sequence[Outcome], names: Sequence[str]) -> dict[str, float]:
    """The share of each parameter in the variance of the objective (fANOVA, Hutter et al. 2014), in [0, 1]."""
    mode = finished[0].mode
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize" if mode == "max" else "minimize")
    distributions = {name: _distribution([run.params[name] for run in finished]) for name in names}
    for run in finished:
        params = {name: _comparable(run.params[name], distributions[name]) for name in names}
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=run.objective))
    # Optuna's default, PED-ANOVA, looks at the best tenth: of twenty trials that is two, and chance decides.
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, params=list(names), evaluator=evaluator)


def importance(finished: Sequence[Outcome], names: Sequence[str]) -> Figure:
    """A bar for every parameter."""
    shares = sorted(importances(finished, names).items(), key=lambda item: item[1])
    figure = Figure(figsize=(7, 1.3 + 0.38 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in shares], [share for _, share in shares], color="#3b6fb6", height=0.65)
    axes.bar_label(bars, fmt="%.2f", padding=4, fontsize=9)
    axes.set(xlim=(0, 1.12 * max(share for _, share in shares) or 1.0), xlabel="share of the variance (fANOVA)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(f"What moves {finished[0].metric} · {len(finished)} finished jobs", fontsize=11, loc="left")
    return figure


def parallel_coordinates(finished: Sequence[Outcome], names: Sequence[str]) -> Figure:
    """A line for every job, through its value of each parameter, coloured by its objective: the last axis."""
    columns = {name: [run.params[name] for run in finished] for name in names}
    columns[finished[0].metric] = [run.objective for run in finished]
    figure = Figure(figsize=(max(6.0, 1.9 * len(columns)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    heights = np.array([_axis(axes, place, values) for place, values in enumerate(columns.values())])
    merit = np.array(columns[finished[0].metric]) * (1 if finished[0].mode == "max" else -1)
    pale = 0.2 * (merit.max() - merit.min())  # of the colours, which would be too pale for lines on white
    colour, norm = colormaps["viridis_r"], Normalize(merit.min() - pale, merit.max())  # the best are dark
    heights = np.array([*(_apart(heights[place], merit) for place in range(len(names))), heights[-1]])
    for job in np.argsort(merit):  # and on top
        points = [(place, height) for place, height in enumerate(heights[:, job])]
        axes.add_patch(PathPatch(_smooth(points), facecolor="none", edgecolor=colour(norm(merit[job])),
                                 linewidth=1.6, alpha=0.85))  # fmt: skip
    axes.set_xticks(range(len(columns)), list(columns), fontsize=9)
    axes.tick_params(axis="x", length=0, pad=8)
    axes.xaxis.tick_top()
    axes.set(xlim=(-0.35, len(columns) - 0.55), ylim=(-0.05, 1.05))
    axes.yaxis.set_visible(False)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{len(finished)} finished jobs, by {finished[0].metric}", fontsize=11, loc="left", pad=14)
    return figure


def _axis(axes: Axes, place: int, values: Sequence[Value]) -> list[float]:
    """Draw the vertical axis of a parameter; the heights of the values on it, in [0, 1]."""
    axes.plot([place, place], [0, 1], color="#444", linewidth=1.1, zorder=3)
    if not all(_is_number(value) for value in values):
        classes = sorted({str(value) for value in values})
        at = {name: place / max(1, len(classes) - 1) for place, name in enumerate(classes)}
        ticks, heights = [(at[name], name) for name in classes], [at[str(value)] for value in values]
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
        axes.plot([place, place + 0.03], [height, height], color="#444", linewidth=1.1, zorder=3)
        axes.text(place + 0.05, height, text, fontsize=8, va="center", zorder=4,
                  bbox={"color": "white", "alpha": 0.75, "pad": 0.6})  # fmt: skip
    return heights


def _apart(heights: np.ndarray, merit: np.ndarray) -> np.ndarray:
    """Heights of which equal ones lie a little apart, the better above: else lines of a grid cover each other."""
    moved = heights.copy()
    for height in np.unique(heights):
        alike = np.flatnonzero(heights == height)
        moved[alike[np.argsort(merit[alike])]] += np.linspace(-1, 1, len(alike)) * min(0.03, 0.004 * (len(alike) - 1))
    return moved


def _smooth(points: Sequence[tuple[float, float]]) -> Curve:
    """A line that leaves and meets every axis at a right angle, so that jobs with a value in common can be followed."""
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
    """Whether numbers lie more evenly on a logarithmic axis."""
    low, high = min(values), max(values)
    if low <= 0 or high / low <= _LOG_SPAN:
        return False
    median = statistics.median(values)
    return abs(math.log(median / low) / math.log(high / low) - 0.5) < abs((median - low) / (high - low) - 0.5)
