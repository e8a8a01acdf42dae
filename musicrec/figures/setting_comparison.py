"""The settings of a sweep side by side: the primary metric of every head, with intervals and single runs."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicrec.evaluation.setting_scores import SettingResults, SettingScore
from musicrec.figures.style import COLOURS, GREY, MARKERS, shortened, text

_LOG_SPAN = 8  # values that span less are not drawn on a logarithmic axis
_NAME_LENGTH = 34
_APART = 0.16  # of the splits of a setting, in distances between settings


def settings_figure(scores: Sequence[SettingScore], *, dataset: str, confidence: float) -> Figure | None:
    """A panel a head: for each split and setting the mean over the runs with its interval by artist (by track where
    there are none), a hollow dot each run, and what chance gives. A single parameter that is a number has an axis to
    scale. None where no head has a score."""
    shown = [score for score in scores if score.primary and not math.isnan(score.mean)]
    if not shown:
        return None
    settings = list({id(score.setting): score.setting for score in shown}.values())
    heads, splits = ([*dict.fromkeys(getattr(score, what) for score in shown)] for what in ("head", "split"))
    names = ["\n".join(text(shortened(str(v), _NAME_LENGTH)) for v in s.params.values()) for s in settings]
    at, label = _places(settings)
    params = list(settings[0].params)
    turned = label is None and max(len(line) for name in names for line in name.split("\n")) * len(names) > 40
    width = max(3.6, 1.6 + 0.5 * len(settings))
    figure = Figure(figsize=(width * len(heads), 5.2 if turned else 4.2), layout="constrained")
    for axes, head in zip(figure.subplots(1, len(heads), squeeze=False)[0], heads, strict=True):
        of_head = [score for score in shown if score.head == head]
        for number, split in enumerate(splits):
            shift = _APART * (number - (len(splits) - 1) / 2)
            rows = {id(score.setting): score for score in of_head if score.split == split}
            points = [(place + shift, rows[id(s)]) for place, s in zip(at, settings, strict=True) if id(s) in rows]
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            _draw(axes, points, colour=colour, marker=marker, name=split, joined=label is not None)
        chance = sum(score.chance for score in of_head) / len(of_head)
        axes.axhline(chance, color=GREY, linestyle="--", linewidth=1, label="chance", zorder=1)
        axes.set_xticks(at, names, rotation=30 if turned else 0, ha="right" if turned else "center",
                        rotation_mode="anchor" if turned else None)  # fmt: skip
        axes.set_xlim(min(at) - 0.5, max(at) + 0.5)
        axes.set_xlabel(text(label or f"{'from top: ' if len(params) > 1 else ''}{', '.join(params)}"))
        axes.set_title(text(f"{head} {of_head[0].metric}"), fontsize=11, loc="left")
        axes.grid(axis="y", color="#eee")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    unit = list(shown[0].units)[-1] if shown[0].units else None
    of = f", {confidence:.0%} by {unit}" if unit else ""
    figure.suptitle(text(f"{dataset}: mean over the runs of a setting{of}; ○ a run"), fontsize=11, x=0.01, ha="left")
    return figure


def _places(settings: Sequence[SettingResults]) -> tuple[list[float], str | None]:
    """Where on the axis each setting stands, neighbours about 1 apart; and the name of the axis where it is to scale:
    that of a single parameter whose values are numbers."""
    values = [next(iter(setting.params.values())) for setting in settings if len(setting.params) == 1]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if len(values) < max(2, len(settings)) or not numeric:
        return [float(place) for place in range(len(settings))], None
    log = min(values) > 0 and max(values) / min(values) >= _LOG_SPAN
    scaled = [math.log(value) if log else float(value) for value in values]
    step = (max(scaled) - min(scaled)) / (len(scaled) - 1)
    name = next(iter(settings[0].params))
    return [value / step for value in scaled], f"{name} (logarithmic)" if log else name


def _draw(
    axes: Axes, points: Sequence[tuple[float, SettingScore]], *, colour: str, marker: str, name: str, joined: bool
) -> None:
    limits = [list(score.intervals.values())[-1] if score.intervals else (math.nan, math.nan) for _, score in points]
    ends = [
        [0.0 if math.isnan(end) else sign * (end - score.mean) for (_, score), end in zip(points, side, strict=True)]
        for sign, side in zip((-1, 1), zip(*limits, strict=True), strict=True)
    ]
    at, means = [place for place, _ in points], [score.mean for _, score in points]
    axes.errorbar(at, means, yerr=[[max(0.0, length) for length in side] for side in ends], color=colour, marker=marker,
                  markersize=7, linestyle=":" if joined else "none", linewidth=1.6, capsize=3, label=text(name),
                  zorder=3)  # fmt: skip
    runs = [(place + 0.06, value) for place, score in points for value in score.values if len(score.values) > 1]
    if runs:
        axes.scatter(*zip(*runs, strict=True), s=22, facecolors="none", edgecolors=colour, linewidths=1, zorder=4)
