"""Curves: a panel a deformation, the strength along it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from musicrec.evaluation.files import file_name
from musicrec.figures.style import COLOURS, GREY, MARKERS, save, shortened, text
from musicrec.robustness.effects import Effect
from musicrec.robustness.report import Report

_COLUMNS = 5


def plot_report(folder: Path, report: Report) -> list[Path]:
    """Write <split>_overview.png, <split>_<head>.png for each head, and <split>_models.png where several models have
    one; the paths."""
    names = list(dict.fromkeys(one.head.name for one in report.effects))
    figures = {"overview": overview(report), **{name: head_figure(report, name) for name in names}}
    figures |= {"models": models_figure(report)} if report.standings else {}
    return [
        save(figure, folder / f"{file_name(report.split)}_{file_name(name)}.png") for name, figure in figures.items()
    ]


def overview(report: Report) -> Figure:
    """What every head keeps of its primary metric, a line a head and model."""
    lines = {(one.subject, one.head.name): f"{_who(report, one.subject)}{one.head.name} {one.head.primary}"
             for one in report.effects}  # fmt: skip

    def draw(axes: Axes, effects: Sequence[Effect]) -> None:
        axes.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
        for number, key in enumerate(lines):
            of = [one for one in effects if (one.subject, one.head.name) == key]
            drops = [one.primary.drop for one in of]
            _line(axes, [1 - d.value for d in drops], [(1 - d.interval[1], 1 - d.interval[0]) for d in drops], number)

    title = "what stays of each head's metric, against the moved labels"
    figure, panels = _panels(report, report.effects, draw, title=title)
    for axes in panels:
        axes.set_ylim(0, 1.3)
    handles = [_handle(number, text(name)) for number, name in enumerate(lines.values())]
    handles += [_band(f"{report.intervals}, paired")] if report.intervals else []
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def head_figure(report: Report, name: str) -> Figure:
    """One head's primary metric, a line a model, and where labels move another one against the original labels."""
    effects = [one for one in report.effects if one.head.name == name]
    subjects = list(dict.fromkeys(one.subject for one in effects))

    def draw(axes: Axes, of_panel: Sequence[Effect]) -> None:
        for number, subject in enumerate(subjects):
            of = [one for one in of_panel if one.subject == subject]
            changes = [one.primary for one in of]
            axes.axhline(changes[0].clean, color=COLOURS[number % len(COLOURS)], linewidth=0.8, linestyle=":")
            around = [(c.clean + c.difference.interval[0], c.clean + c.difference.interval[1]) for c in changes]
            _line(axes, [c.moved for c in changes], around, number)
            if any(one.moves for one in of):
                axes.plot(range(len(of)), [c.original for c in changes], color=COLOURS[number % len(COLOURS)],
                          linewidth=1.2, linestyle="--", marker="x", markersize=4)  # fmt: skip

    figure, panels = _panels(report, effects, draw, title=f"{name} {effects[0].head.primary}")
    for axes in panels:
        axes.set_ylim(-0.02, 1.02)
    handles = [_handle(number, text(_who(report, subject) + "moved labels")) for number, subject in enumerate(subjects)]
    handles.append(Line2D([], [], color=GREY, linestyle="--", marker="x", markersize=4, label="original labels"))
    handles.append(Line2D([], [], color=GREY, linestyle=":", label="clean"))
    handles += [_band(f"{report.intervals} of the difference to clean")] if report.intervals else []
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def models_figure(report: Report) -> Figure:
    """The heads that several models have: a panel each, a row a kind of audio, a mark with its interval a model."""
    heads = list(dict.fromkeys((one.head.name, one.metric) for one in report.standings))
    titles = list(dict.fromkeys(one.title for one in report.standings))
    subjects = sorted({one.subject for one in report.standings})
    figure = Figure(figsize=(1.9 + 3.1 * len(heads), 1.5 + 0.26 * len(titles)), layout="constrained")
    for axes, (name, metric) in zip(figure.subplots(1, len(heads), sharey=True, squeeze=False)[0], heads, strict=True):
        for number, subject in enumerate(subjects):
            of = [
                one for one in report.standings if (one.head.name, one.metric, one.subject) == (name, metric, subject)
            ]
            if not of:  # this model has no such head
                continue
            values = [one.value.value for one in of]
            aside = 0.24 * (number - (len(subjects) - 1) / 2)
            ends = [
                one.value.interval if not math.isnan(one.value.interval[0]) else (one.value.value,) * 2 for one in of
            ]
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            places = [titles.index(one.title) + aside for one in of]
            axes.hlines(places, *zip(*ends, strict=True), color=colour, linewidth=1.4)
            axes.plot(values, places, marker, color=colour, markersize=4)
        axes.set_title(text(f"{name} {metric}"), fontsize=9)
        axes.set_xlim(-0.02, 1.02)
        axes.set_yticks(range(len(titles)), [text(title) for title in titles], fontsize=8)
        axes.set_ylim(len(titles) - 0.4, -0.6)
        axes.tick_params(labelsize=8, length=2)
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles = [_handle(number, text(f"{_who(report, subject)}{shortened(report.names[subject], 60)}"))
               for number, subject in enumerate(subjects)]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower left", ncols=1, fontsize=8, frameon=False)
    title = "against the moved labels" + (f", {report.intervals}" if report.intervals else "")
    figure.suptitle(_heading(report, title), fontsize=10, x=0.01, ha="left")
    return figure


def _panels(
    report: Report, effects: Sequence[Effect], draw: Callable[[Axes, Sequence[Effect]], None], *, title: str
) -> tuple[Figure, list[Axes]]:
    names = list(dict.fromkeys(one.condition.name for one in effects))
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(max(4.5, 2.15 * columns), 1.5 + 1.65 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, name in zip(grid, names, strict=False):
        of = [one for one in effects if one.condition.name == name]
        draw(axes, of)
        condition = of[0].condition
        labels = list(dict.fromkeys(one.condition.strength for one in of))
        if labels == [None]:
            axes.tick_params(axis="x", bottom=False)
        shown = ["" if label is None else label if isinstance(label, str) else f"{label:g}" for label in labels]
        shown = [name.replace("_", "\n") for name in shown]
        axes.set_xticks(range(len(shown)), shown, fontsize=6 if any("\n" in name for name in shown) else 7)
        axes.set_xlim(-0.35, len(shown) - 0.65)
        axes.set_title(text(shortened(condition.title, 27)), fontsize=8)
        if condition.unit not in ("band", "preset"):
            axes.set_xlabel(text(condition.unit), fontsize=7, labelpad=1)
        axes.tick_params(labelsize=7, length=2, pad=2)
        axes.grid(axis="y", color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    heading = _heading(report, title)
    if len(report.names) > 1:
        heading += "\n" + " · ".join(
            f"{_who(report, subject)}{text(shortened(name, 60))}" for subject, name in enumerate(report.names)
        )
    figure.suptitle(heading, fontsize=10, x=0.01, ha="left")
    return figure, list(grid[: len(names)])


def _heading(report: Report, title: str) -> str:
    return f"{text(report.about['dataset'])}, {text(report.split)}, {report.tracks} tracks · {text(title)}"


def _line(axes: Axes, values: Sequence[float], intervals: Sequence[tuple[float, float]], number: int) -> None:
    """A line with a band; where a strength has no interval, as all resamples agree, the band is as thin as the line."""
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    ends = [(value, value) if math.isnan(low) else (low, high)
            for value, (low, high) in zip(values, intervals, strict=True)]  # fmt: skip
    places = range(len(values))
    axes.plot(places, values, color=colour, marker=marker, markersize=3.2, linewidth=1.2)
    low, high = zip(*ends, strict=True)
    if len(values) > 1:
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    else:
        axes.vlines(places, low, high, color=colour, alpha=0.4, linewidth=3)


def _handle(number: int, label: str) -> Line2D:
    return Line2D([], [], color=COLOURS[number % len(COLOURS)], marker=MARKERS[number % len(MARKERS)], markersize=4,
                  label=label)  # fmt: skip


def _band(label: str) -> Patch:
    return Patch(color=GREY, alpha=0.25, linewidth=0, label=label)


def _who(report: Report, subject: int) -> str:
    return "" if len(report.names) == 1 else f"{chr(ord('A') + subject)}: "
