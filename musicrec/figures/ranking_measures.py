"""Comparison of rankings: a panel per measure, a line per ranking with its interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicrec.figures.style import COLOURS, GREY, any_script, shortened, text

_COLUMNS = 3
_NAME_LENGTH = 30
_ROW_INCHES, _PANEL_INCHES, _AROUND_INCHES = 0.17, 2.9, 0.75


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One measure as the figure shows it.

    Attributes:
        title: Name of the measure.
        unit: Its unit.
        values: {ranking: (value, lower limit, upper limit)}; limits are NaN where there is no interval.
        chance: What random lists score; None if it is not known.
    """

    title: str
    unit: str
    values: dict[str, tuple[float, float, float]]
    chance: float | None = None


def measures_figure(
    panels: Sequence[Panel], rankings: Sequence[str], *, highlighted: Sequence[str], title: str
) -> Figure:
    """Draw measures side by side; the rankings have the same lines in all panels.

    Args:
        panels: The measures.
        rankings: Names of the rankings, from top to bottom.
        highlighted: Those in another colour.
        title: Title of the figure.
    """
    columns = min(_COLUMNS, len(panels))
    rows = math.ceil(len(panels) / columns)
    height = _ROW_INCHES * len(rankings) + _AROUND_INCHES
    figure = Figure(figsize=(_PANEL_INCHES * columns + 1.8, rows * height + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_visible(False)
            continue
        _draw(axes, panels[place], rankings, highlighted, named=place % columns == 0)
    with any_script():
        figure.suptitle(text(title), fontsize=10)
    return figure


def _draw(axes: Axes, panel: Panel, rankings: Sequence[str], highlighted: Sequence[str], *, named: bool) -> None:
    for place, name in enumerate(rankings):
        value, low, high = panel.values.get(name, (math.nan,) * 3)
        if math.isnan(value):
            continue
        colour = COLOURS[1] if name in highlighted else COLOURS[0]
        if not math.isnan(low):
            axes.plot([low, high], [place, place], color=colour, linewidth=1.3)
        axes.plot(value, place, "o", color=colour, markersize=3.5)
    if panel.chance is not None:
        axes.axvline(panel.chance, color=GREY, linestyle=":", linewidth=1)
    axes.set_ylim(len(rankings) - 0.5, -0.5)
    names = [text(shortened(name, _NAME_LENGTH)) if named else "" for name in rankings]
    axes.set_yticks(range(len(rankings)), names, fontsize=7)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7, length=2)
    axes.grid(axis="y", color="#eee", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(text(panel.title), fontsize=8, loc="left")
    axes.set_xlabel(text(panel.unit), fontsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)
