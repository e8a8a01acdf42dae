"""Beats and bars of a MIDI file, from its tempi and time signatures."""

from dataclasses import dataclass, field

import numpy as np

DEFAULT_TEMPO = 500_000  # microseconds per quarter note of a file that states no tempo
SHORTEST_BEAT_S = 0.15  # 400 BPM
COMPOUND_METRES = ((6, 8), (9, 8), (12, 8))  # their beat is three eighths
_MOST_BEATS = 16  # per bar
_NEAR_S = 1e-6  # times that are nearer are the same, as seconds are rounded


@dataclass
class BeatMap:
    """Tempi and metres of a file, in ticks from its beginning, as they come.

    Bars begin where the metre changes. A first bar that is shorter than those of the next metre is a pickup, which ends
    with the last beat of a bar.

    Attributes:
        ticks_per_quarter: Ticks per quarter note.
        tempi: (tick, microseconds per quarter note).
        metres: (tick, (numerator, denominator)). Before the first one, a bar has four quarters.
    """

    ticks_per_quarter: int
    tempi: list[tuple[int, int]] = field(default_factory=lambda: [(0, DEFAULT_TEMPO)])
    metres: list[tuple[int, tuple[int, int]]] = field(default_factory=lambda: [(0, (4, 4))])

    def beats(self, *, begin_s: float, duration_s: float) -> list[tuple[float, int]]:
        """Return the beats of a part of the file.

        Args:
            begin_s: Where the part begins, in seconds from the beginning of the file.
            duration_s: Length of the part in seconds.

        Returns:
            (time in seconds from `begin_s`, place in the bar from 1) of each beat, in order. Empty if a metre does not
            say what its beat is, such as 7/8 or 2/2, or if beats are nearer than `SHORTEST_BEAT_S`.
        """
        begin, end = self._tick_at(begin_s), self._tick_at(begin_s + duration_s)
        metres = _changes([metre for metre in self.metres if metre[0] < end])
        ticks, places = [np.zeros(0)], [np.zeros(0, dtype=np.int64)]
        for index, (first, metre) in enumerate(metres):
            last = metres[index + 1][0] if index + 1 < len(metres) else end
            beat, per_bar = _beat_of(metre, self.ticks_per_quarter)
            following = _beat_of(metres[1][1], self.ticks_per_quarter)[1] if index == 0 and len(metres) > 1 else None
            pickup = following is not None and (last - first) / beat == metre[0] < following
            if per_bar is None or (per_bar == 1 and not pickup):
                return []
            lowest, beyond = np.ceil(max(0.0, (begin - first) / beat - 1e-6)), np.ceil((last - first) / beat - 1e-9)
            if beyond - lowest > duration_s / SHORTEST_BEAT_S + 2:
                return []  # before memory is taken for them
            numbers = np.arange(lowest, beyond)
            ticks.append(first + beat * numbers)
            places.append(numbers.astype(np.int64) % per_bar + (following - metre[0] if pickup else 0) + 1)
        times_s = (self._seconds_at(np.concatenate(ticks)) - begin_s).clip(min=0.0)
        inside = times_s < duration_s - _NEAR_S
        times_s = times_s[inside]
        if (np.diff(times_s) < SHORTEST_BEAT_S - _NEAR_S).any():
            return []
        return list(zip(times_s.tolist(), np.concatenate(places)[inside].tolist(), strict=True))

    def _clock(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where the tempo changes, in ticks and in seconds, and the seconds per tick from there on, float64."""
        ticks = np.array([tick for tick, _ in self.tempi], dtype=np.float64)
        slopes = np.array([tempo for _, tempo in self.tempi]) / self.ticks_per_quarter / 1e6
        return ticks, np.concatenate([[0.0], np.cumsum(np.diff(ticks) * slopes[:-1])]), slopes

    def _tick_at(self, time_s: float) -> float:
        ticks, seconds, slopes = self._clock()
        place = np.searchsorted(seconds, time_s, side="right") - 1
        return float(ticks[place] + (time_s - seconds[place]) / slopes[place])

    def _seconds_at(self, at: np.ndarray) -> np.ndarray:
        ticks, seconds, slopes = self._clock()
        place = np.searchsorted(ticks, at, side="right") - 1
        return seconds[place] + (at - ticks[place]) * slopes[place]


def _changes(metres: list[tuple[int, tuple[int, int]]]) -> list[tuple[int, tuple[int, int]]]:
    """Return the metres without those that repeat the one before, or are replaced at the same tick."""
    last = dict(metres)  # by tick
    kept: list[tuple[int, tuple[int, int]]] = []
    for tick, metre in last.items():
        if not kept or kept[-1][1] != metre:
            kept.append((tick, metre))
    return kept


def _beat_of(metre: tuple[int, int], ticks_per_quarter: int) -> tuple[float, int | None]:
    """Return the ticks of a beat and the beats per bar, None where the metre does not say what its beat is."""
    numerator, denominator = metre
    if metre in COMPOUND_METRES:
        return ticks_per_quarter * 1.5, numerator // 3
    return float(ticks_per_quarter), numerator if denominator == 4 and 1 <= numerator <= _MOST_BEATS else None
