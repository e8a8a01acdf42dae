"""Comparison of the settings of a sweep: the primary metric of every head, with intervals and single runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicrec.evaluation.setting_scores import SettingResults, SettingScore
from musicrec.figures.style import COLOURS, GREY, MARKERS, shortened, text

_MIN_LOG_RATIO = 8  # the axis is logarithmic if the largest value is at least this many times the smallest
_NAME_LENGTH = 34
_SPLIT_DISTANCE = 0.16  # between the splits of a setting, as a share of the distance between settings


@dataclass(frozen=True, kw_only=True)
class _SettingAxis:
    """The horizontal axis of all panels.

    Attributes:
        settings: The settings, in order.
        places: The position of each setting.
        scale: Label of the axis if it is to scale, else None.
    """

    settings: Sequence[SettingResults]
    places: list[float]
    scale: str | None

    @property
    def names(self) -> list[str]:
        """The tick label of each setting: the values of its parameters, one per line."""
        return ["\n".join(text(shortened(str(v), _NAME_LENGTH)) for v in s.params.values()) for s in self.settings]

    @property
    def rotated(self) -> bool:
        """Whether the tick labels are too long to be horizontal."""
        names = self.names
        return self.scale is None and max(len(line) for name in names for line in name.split("\n")) * len(names) > 40

    def draw(self, axes: Axes) -> None:
        params = list(self.settings[0].params)
        axes.set_xticks(
            self.places,
            self.names,
            rotation=30 if self.rotated else 0,
            ha="right" if self.rotated else "center",
            rotation_mode="anchor" if self.rotated else None,
        )
        axes.set_xlim(min(self.places) - 0.5, max(self.places) + 0.5)
        axes.set_xlabel(text(self.scale or f"{'top to bottom: ' if len(params) > 1 else ''}{', '.join(params)}"))


def settings_figure(scores: Sequence[SettingScore], *, dataset: str, confidence: float) -> Figure | None:
    """Draw one panel per head with the mean over the runs of each setting and split.

    Each mean has its interval by artist (by track if there are no artists). A hollow dot is a single run, a dashed line
    the chance level. If the settings differ in a single numeric parameter, the axis is to scale.

    Args:
        scores: As `score_settings` returns them.
        dataset: Name of the dataset, for the title.
        confidence: Confidence level of the intervals, for the title.

    Returns:
        The figure; None if no head has a score.
    """
    scores = [score for score in scores if score.primary and not math.isnan(score.mean)]
    if not scores:
        return None
    axis = _setting_axis(list({id(score.setting): score.setting for score in scores}.values()))
    heads, splits = ([*dict.fromkeys(getattr(score, name) for score in scores)] for name in ("head", "split"))
    width = max(3.6, 1.6 + 0.5 * len(axis.settings))
    figure = Figure(figsize=(width * len(heads), 5.2 if axis.rotated else 4.2), layout="constrained")
    for axes, head in zip(figure.subplots(1, len(heads), squeeze=False)[0], heads, strict=True):
        _draw_head(axes, [score for score in scores if score.head == head], axis, splits)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    unit = list(scores[0].units)[-1] if scores[0].units else None
    interval = f"{confidence:.0%} interval by {unit}; " if unit else ""
    title = f"{dataset}: mean over the runs of a setting\n{interval}○ single run"
    figure.suptitle(text(title), fontsize=11, x=0.01, ha="left")
    return figure


def _setting_axis(settings: Sequence[SettingResults]) -> _SettingAxis:
    """Place the settings about 1 apart; to scale if they have a single parameter whose values are numbers."""
    values = [next(iter(setting.params.values())) for setting in settings if len(setting.params) == 1]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if len(values) < max(2, len(settings)) or not numeric:
        return _SettingAxis(settings=settings, places=[float(place) for place in range(len(settings))], scale=None)
    log = min(values) > 0 and max(values) / min(values) >= _MIN_LOG_RATIO
    scaled = [math.log(value) if log else float(value) for value in values]
    step = (max(scaled) - min(scaled)) / (len(scaled) - 1)
    name = next(iter(settings[0].params))
    places = [value / step for value in scaled]
    return _SettingAxis(settings=settings, places=places, scale=f"{name} (logarithmic)" if log else name)


def _draw_head(axes: Axes, scores: Sequence[SettingScore], axis: _SettingAxis, splits: Sequence[str]) -> None:
    for number, split in enumerate(splits):
        shift = _SPLIT_DISTANCE * (number - (len(splits) - 1) / 2)
        by_setting = {id(score.setting): score for score in scores if score.split == split}
        points = [
            (place + shift, by_setting[id(setting)])
            for place, setting in zip(axis.places, axis.settings, strict=True)
            if id(setting) in by_setting
        ]
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        _draw_split(axes, points, colour=colour, marker=marker, name=split, connected=axis.scale is not None)
    chance = sum(score.chance for score in scores) / len(scores)
    axes.axhline(chance, color=GREY, linestyle="--", linewidth=1, label="chance", zorder=1)
    axis.draw(axes)
    axes.set_title(text(f"{scores[0].head} {scores[0].metric}"), fontsize=11, loc="left")
    axes.grid(axis="y", color="#eee")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_split(
    axes: Axes, points: Sequence[tuple[float, SettingScore]], *, colour: str, marker: str, name: str, connected: bool
) -> None:
    """Draw the means of a split with their intervals, and the single runs; points: (position, score)."""
    below, above = [], []  # lengths of the error bars
    for _, score in points:
        low, high = list(score.intervals.values())[-1] if score.intervals else (math.nan, math.nan)
        below.append(0.0 if math.isnan(low) else max(0.0, score.mean - low))
        above.append(0.0 if math.isnan(high) else max(0.0, high - score.mean))
    axes.errorbar(
        [place for place, _ in points],
        [score.mean for _, score in points],
        yerr=[below, above],
        color=colour,
        marker=marker,
        markersize=7,
        linestyle=":" if connected else "none",
        linewidth=1.6,
        capsize=3,
        label=text(name),
        zorder=3,
    )
    runs = [(place + 0.06, value) for place, score in points for value in score.values if len(score.values) > 1]
    if runs:
        axes.scatter(*zip(*runs, strict=True), s=22, facecolors="none", edgecolors=colour, linewidths=1, zorder=4)
