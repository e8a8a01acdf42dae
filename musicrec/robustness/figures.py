"""The figures of a report: curves over the strength with one panel per deformation, and models side by side."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from musicrec.evaluation.report_files import file_name
from musicrec.figures.style import COLOURS, GREY, MARKERS, save, shortened, text
from musicrec.robustness.effects import Effect
from musicrec.robustness.model_comparison import ComparedScore
from musicrec.robustness.report import RobustnessReport
from musicrec.robustness.resampling import Interval

_COLUMNS = 5
_TITLE_CHARACTERS = 27  # as many as fit above a panel
_NAME_CHARACTERS = 60


def plot_report(folder: Path, report: RobustnessReport) -> list[Path]:
    """Draw the figures of a report.

    Args:
        folder: To write to.
        report: To draw.

    Returns:
        The files: `<split>_overview.png`, `<split>_<head>.png` per head, and `<split>_models.png` if several models
        have a head in common.

    Raises:
        MusicrecError: A file cannot be written.
    """
    names = list(dict.fromkeys(effect.head.name for effect in report.effects))
    figures = {"overview": overview_figure(report), **{name: head_figure(report, name) for name in names}}
    figures |= {"models": models_figure(report)} if report.compared_scores else {}
    return [
        save(figure, folder / f"{file_name(report.split)}_{file_name(name)}.png") for name, figure in figures.items()
    ]


def overview_figure(report: RobustnessReport) -> Figure:
    """Draw the share of its clean score that each head keeps: one line per model and head."""
    names = {
        (effect.model, effect.head.name): f"{report.prefix(effect.model)}{effect.head.name} {effect.head.primary}"
        for effect in report.effects
    }

    def draw(axes: Axes, effects: Sequence[Effect]) -> None:
        axes.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
        for style, key in enumerate(names):
            drops = [effect.primary.drop for effect in effects if (effect.model, effect.head.name) == key]
            kept = [1 - drop.value for drop in drops]
            _draw_line(axes, kept, [(1 - drop.interval[1], 1 - drop.interval[0]) for drop in drops], style)

    title = "share of each head's clean score that stays, against the moved labels"
    figure, panels = _panels(report, report.effects, draw, title=title)
    for axes in panels:
        axes.set_ylim(0, 1.3)
    handles = [_line_handle(style, text(name)) for style, name in enumerate(names.values())]
    handles += [_band_handle(f"{report.interval_name}, paired")] if report.interval_name else []
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def head_figure(report: RobustnessReport, name: str) -> Figure:
    """Draw the primary metric of a head: one line per model, and a dashed one against the original labels.

    Args:
        report: To draw.
        name: The name of the head.
    """
    effects = [effect for effect in report.effects if effect.head.name == name]
    models = list(dict.fromkeys(effect.model for effect in effects))

    def draw(axes: Axes, of_panel: Sequence[Effect]) -> None:
        for style, model in enumerate(models):
            colour = COLOURS[style % len(COLOURS)]
            of_model = [effect for effect in of_panel if effect.model == model]
            changes = [effect.primary for effect in of_model]
            axes.axhline(changes[0].clean, color=colour, linewidth=0.8, linestyle=":")
            bands = [
                (change.clean + change.difference.interval[0], change.clean + change.difference.interval[1])
                for change in changes
            ]
            _draw_line(axes, [change.moved for change in changes], bands, style)
            if any(effect.label_moves for effect in of_model):
                original = [change.original for change in changes]
                axes.plot(range(len(original)), original, "--x", color=colour, linewidth=1.2, markersize=4)

    figure, panels = _panels(report, effects, draw, title=f"{name} {effects[0].head.primary}")
    for axes in panels:
        axes.set_ylim(-0.02, 1.02)
    handles = [_line_handle(style, text(f"{report.prefix(model)}moved labels")) for style, model in enumerate(models)]
    handles.append(Line2D([], [], color=GREY, linestyle="--", marker="x", markersize=4, label="original labels"))
    handles.append(Line2D([], [], color=GREY, linestyle=":", label="clean audio"))
    if report.interval_name:
        handles.append(_band_handle(f"{report.interval_name} of the difference from clean audio"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def models_figure(report: RobustnessReport) -> Figure:
    """Draw the models side by side: one panel per head and metric, one row per kind of audio, one mark per model."""
    metrics = list(dict.fromkeys((score.head.name, score.metric) for score in report.compared_scores))
    titles = list(dict.fromkeys(score.title for score in report.compared_scores))
    models = sorted({score.model for score in report.compared_scores})
    figure = Figure(figsize=(1.9 + 3.1 * len(metrics), 1.5 + 0.26 * len(titles)), layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, (name, metric) in zip(panels, metrics, strict=True):
        for style, model in enumerate(models):
            scores = [
                score
                for score in report.compared_scores
                if (score.head.name, score.metric, score.model) == (name, metric, model)
            ]
            if scores:  # not every model has every head
                offset = 0.24 * (style - (len(models) - 1) / 2)
                _draw_marks(axes, scores, [titles.index(score.title) + offset for score in scores], style)
        axes.set_title(text(f"{name} {metric}"), fontsize=9)
        axes.set_xlim(-0.02, 1.02)
        axes.set_yticks(range(len(titles)), [text(title) for title in titles], fontsize=8)
        axes.set_ylim(len(titles) - 0.4, -0.6)
        axes.tick_params(labelsize=8, length=2)
        axes.grid(color="#e5e5e5", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles = [_line_handle(style, _model_name(report, model)) for style, model in enumerate(models)]
    figure.legend(handles=handles, loc="outside lower left", ncols=1, fontsize=8, frameon=False)
    title = "scores against the moved labels" + (f", {report.interval_name}" if report.interval_name else "")
    figure.suptitle(_heading(report, title), fontsize=10, x=0.01, ha="left")
    return figure


def _panels(
    report: RobustnessReport, effects: Sequence[Effect], draw: Callable[[Axes, Sequence[Effect]], None], *, title: str
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per deformation, and the panels.

    Args:
        report: To draw.
        effects: To divide among the panels.
        draw: Draws the effects of one deformation.
        title: The title of the figure.
    """
    names = list(dict.fromkeys(effect.condition.name for effect in effects))
    columns = min(_COLUMNS, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(max(4.5, 2.15 * columns), 1.5 + 1.65 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).flatten()
    for axes, name in zip(grid, names, strict=False):
        of_deformation = [effect for effect in effects if effect.condition.name == name]
        draw(axes, of_deformation)
        _label_panel(axes, of_deformation)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    heading = _heading(report, title)
    if len(report.names) > 1:
        heading += "\n" + " · ".join(_model_name(report, model) for model in range(len(report.names)))
    figure.suptitle(heading, fontsize=10, x=0.01, ha="left")
    return figure, list(grid[: len(names)])


def _label_panel(axes: Axes, effects: Sequence[Effect]) -> None:
    """Write the title, the strengths and their unit to the panel of one deformation."""
    by_strength = {effect.condition.strength: effect.condition for effect in effects}
    condition = effects[0].condition
    labels = [each.strength_text.replace("_", "\n") for each in by_strength.values()]
    if list(by_strength) == [None]:
        axes.tick_params(axis="x", bottom=False)
    axes.set_xticks(range(len(labels)), labels, fontsize=6 if any("\n" in label for label in labels) else 7)
    axes.set_xlim(-0.35, len(labels) - 0.65)
    axes.set_title(text(shortened(condition.title, _TITLE_CHARACTERS)), fontsize=8)
    if condition.has_unit:
        axes.set_xlabel(text(condition.unit), fontsize=7, labelpad=1)
    axes.tick_params(labelsize=7, length=2, pad=2)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _heading(report: RobustnessReport, title: str) -> str:
    dataset = text(report.description["dataset"])
    return f"{dataset}, split {text(report.split)}, {report.tracks} tracks · {text(title)}"


def _model_name(report: RobustnessReport, model: int) -> str:
    return text(f"{report.prefix(model)}{shortened(report.names[model], _NAME_CHARACTERS)}")


def _draw_marks(axes: Axes, scores: Sequence[ComparedScore], places: Sequence[float], style: int) -> None:
    """Draw the scores of a model as marks with horizontal intervals."""
    colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    values = [score.value.value for score in scores]
    low, high = zip(*_ends(values, [score.value.interval for score in scores]), strict=True)
    axes.hlines(places, low, high, color=colour, linewidth=1.4)
    axes.plot(values, places, marker, color=colour, markersize=4)


def _draw_line(axes: Axes, values: Sequence[float], intervals: Sequence[Interval], style: int) -> None:
    """Draw values over the strengths as a line, with their intervals as a band; a single value as a mark with a bar."""
    colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    places = range(len(values))
    axes.plot(places, values, color=colour, marker=marker, markersize=3.2, linewidth=1.2)
    low, high = zip(*_ends(values, intervals), strict=True)
    if len(values) > 1:
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    else:
        axes.vlines(places, low, high, color=colour, alpha=0.4, linewidth=3)


def _ends(values: Sequence[float], intervals: Sequence[Interval]) -> list[Interval]:
    """Return the intervals; of values without one, since all resamples agree, an interval of no width."""
    return [
        (value, value) if math.isnan(low) else (low, high) for value, (low, high) in zip(values, intervals, strict=True)
    ]


def _line_handle(style: int, label: str) -> Line2D:
    colour, marker = COLOURS[style % len(COLOURS)], MARKERS[style % len(MARKERS)]
    return Line2D([], [], color=colour, marker=marker, markersize=4, label=label)


def _band_handle(label: str) -> Patch:
    return Patch(color=GREY, alpha=0.25, linewidth=0, label=label)
