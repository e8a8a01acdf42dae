"""Figure of a set: tempo, energy, key and transitions, one line per track."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

from musicrec.figures.style import COLOURS, GREY, any_script, shortened, text

_ROW_INCHES = 0.3
_WIDTHS = (3.3, 1.5, 1.7, 2.4, 0.9)  # of the panels, in inches
_NAME_POINTS, _NAME_ROOM = 8.5, 0.79  # size of a name, and the share of its panel that it may take
_GRID = "#eee"
_SMALL = 7.5
_CENTRED = {"xytext": (0, 0), "textcoords": "offset points", "va": "center", "ha": "center", "fontsize": _SMALL}


@dataclass(frozen=True, kw_only=True)
class DrawnTrack:
    """A track as the figure shows it; None stands for what is unknown.

    Attributes:
        name: Such as "artist – title".
        starts: When it starts, from the start of the set, such as "1:02:03".
        bpm: Tempo in BPM.
        mixed_bpm: The tempo at which it counts in the mix: `bpm`, or half or double of it.
        energy: From 1, calm, to 10, hard.
        target: The energy that the curve wants.
        camelot: Camelot code of the key, such as "8A".
        locked: Whether it stands at a place that was asked for.
        led_into: Score of the transition into it, from 0 to 1; None for the first.
    """

    name: str
    starts: str
    bpm: float | None
    mixed_bpm: float | None
    energy: float | None
    target: float | None
    camelot: str | None
    locked: bool
    led_into: float | None


def set_figure(tracks: Sequence[DrawnTrack], *, title: str) -> Figure:
    """Draw a set from top to bottom: names and times, then BPM, energy, Camelot code, and the transitions.

    Args:
        tracks: The tracks in order.
        title: Title of the figure.
    """
    figure = Figure(figsize=(sum(_WIDTHS) + 0.6, _ROW_INCHES * len(tracks) + 1.3), layout="constrained")
    panels = figure.subplots(1, len(_WIDTHS), sharey=True, gridspec_kw={"width_ratios": _WIDTHS})
    for panel in panels:
        panel.tick_params(labelsize=8, length=2)
        panel.tick_params(axis="y", length=0, labelleft=False)
        for spine in ("top", "right", "left"):
            panel.spines[spine].set_visible(False)
        for place in range(len(tracks)) if panel is not panels[0] else ():
            panel.axhline(place, color=_GRID, linewidth=0.6, zorder=0)
    names, tempo, energy, keys, transitions = panels
    _write_names(names, tracks)
    _draw_tempo(tempo, tracks)
    _draw_energy(energy, tracks)
    _draw_keys(keys, [track.camelot for track in tracks])
    _draw_transitions(transitions, [track.led_into for track in tracks])
    names.set_ylim(len(tracks) - 0.4, -0.6)
    figure.suptitle(text(title), fontsize=11, x=0.01, ha="left")
    return figure


def fitted(name: str, points: float, *, size: float) -> str:
    """Return a name that is at most so many points wide; "…" replaces what is cut off.

    Args:
        name: The name.
        points: The width in points.
        size: The size of the font in points.
    """

    def width(shown: str) -> float:
        with any_script():
            return float(TextPath((0, 0), text(shown), size=size).get_extents().width)

    if not name.strip() or width(name) <= points:
        return name
    lengths = range(1, len(name))
    fitting = bisect_right(lengths, points, key=lambda length: width(shortened(name, length)))
    return shortened(name, max(1, fitting))


def _write_names(axes: Axes, tracks: Sequence[DrawnTrack]) -> None:
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    for place, track in enumerate(tracks):
        look = {"va": "center", "fontsize": _NAME_POINTS, "fontweight": "bold" if track.locked else "normal"}
        # Bold letters are about a tenth wider.
        room = 72 * _WIDTHS[0] * _NAME_ROOM * (0.9 if track.locked else 1.0)
        axes.text(0.05, place, str(place + 1), ha="right", **look)
        axes.text(0.08, place, text(fitted(track.name, room, size=_NAME_POINTS)), ha="left", **look)
        axes.text(1.0, place, track.starts, ha="right", **look)
    bold = " (bold: asked for)" if any(track.locked for track in tracks) else ""
    axes.set_title(f"track{bold}, start", fontsize=9, loc="left")


def _draw_tempo(axes: Axes, tracks: Sequence[DrawnTrack]) -> None:
    """Draw the tempi at which tracks mix, hollow where that is not their own, which is written at the right."""
    words = []
    for track in tracks:
        by = 1.0 if track.bpm is None or track.mixed_bpm is None else track.mixed_bpm / track.bpm
        sign = "" if round(by, 2) == 1 else f" ×{by:.0f}" if by > 1 else f" ÷{1 / by:.0f}"
        words.append("unknown" if track.bpm is None else f"{track.bpm:.0f}{sign}")
    _draw_numbers(axes, [track.mixed_bpm for track in tracks], colour=COLOURS[0], words=words, least=10.0)
    for place, track in enumerate(tracks):
        if track.mixed_bpm is not None and track.mixed_bpm != track.bpm:
            axes.plot(track.mixed_bpm, place, marker="o", markersize=4, color=COLOURS[0], markerfacecolor="white")
    folded = any(" " in word for word in words)
    axes.set_title("BPM (○ as it mixes)" if folded else "BPM", fontsize=9, loc="left")


def _draw_numbers(
    axes: Axes, values: Sequence[float | None], *, colour: str, words: Sequence[str], least: float
) -> None:
    """Draw a line through the known numbers, with a gap where one is unknown, and write words at the right."""
    numbers = np.array([math.nan if value is None else value for value in values])
    axes.plot(numbers, np.arange(len(numbers)), color=colour, linewidth=1.3, marker="o", markersize=4)
    known = numbers[~np.isnan(numbers)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    middle, span = (low + high) / 2, max(high - low, least)
    axes.set_xlim(middle - 0.6 * span, middle + 1.0 * span)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    for place, (number, shown) in enumerate(zip(numbers, words, strict=True)):
        look = {"color": GREY} if math.isnan(number) else {}
        axes.text(1.0, place, shown, transform=axes.get_yaxis_transform(), **_AT_THE_RIGHT, **look)


_AT_THE_RIGHT = {"ha": "right", "va": "center", "fontsize": _SMALL}


def _draw_energy(axes: Axes, tracks: Sequence[DrawnTrack]) -> None:
    targets = np.array([math.nan if track.target is None else track.target for track in tracks])
    energies = [track.energy for track in tracks]
    words = ["unknown" if energy is None else f"{energy:.1f}" for energy in energies]
    _draw_numbers(axes, energies, colour=COLOURS[1], words=words, least=9.0)
    axes.set_xlim(0.5, 13.0)
    axes.set_xticks([1, 4, 7, 10])
    wanted = not np.isnan(targets).all()
    if wanted:
        axes.plot(targets, np.arange(len(tracks)), color=GREY, linewidth=1.1, linestyle="--", zorder=1)
    axes.set_title("energy (– – wanted)" if wanted else "energy", fontsize=9, loc="left")


def _draw_keys(axes: Axes, codes: Sequence[str | None]) -> None:
    """Draw the codes on the wheel, unrolled: a line that leaves at 12 comes back at 1."""
    axes.set_xlim(0.2, 12.8)
    axes.set_xticks(range(1, 13))
    for number in range(1, 13):
        axes.axvline(number, color=_GRID, linewidth=0.6, zorder=0)
    for place, (code, following) in enumerate(zip(codes, [*codes[1:], None], strict=True)):
        if code is None:
            axes.annotate("unknown", (0.5, place), xycoords=("axes fraction", "data"), **_CENTRED, color=GREY)
            continue
        number, letter = int(code[:-1]), code[-1]
        if following is not None:
            _draw_step(axes, number, int(following[:-1]), place)
        minor = letter == "A"
        colour = hsv_to_rgb(((number - 1) / 12, 0.28 if minor else 0.5, 0.97))
        style = "round,pad=0.22" if minor else "square,pad=0.25"
        box = {"boxstyle": style, "facecolor": colour, "edgecolor": "#555", "lw": 0.6}
        axes.annotate(code, (number, place), **_CENTRED, bbox=box)
    axes.set_title("Camelot (round: minor)", fontsize=9, loc="left")


def _draw_step(axes: Axes, number: int, following: int, place: int) -> None:
    step = (following - number + 6) % 12 - 6  # the shorter way round
    # Round the end of the wheel, half of the line is seen at each side.
    for start, end in {(number, number + step), (following - step, following)}:
        axes.plot([start, end], [place, place + 1], color="#999", linewidth=1.0, zorder=1, clip_on=True)


def _draw_transitions(axes: Axes, scores: Sequence[float | None]) -> None:
    """Draw a bar per transition between the lines of its two tracks."""
    axes.set_xlim(0, 1.5)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    for place, score in enumerate(scores):
        if score is not None:
            axes.barh(place - 0.5, score, height=0.42, color=COLOURS[2], alpha=0.35 + 0.65 * score)
            axes.text(1.0, place - 0.5, f"{score:.2f}", transform=axes.get_yaxis_transform(), **_AT_THE_RIGHT)
    axes.set_title("transition", fontsize=9, loc="left")
