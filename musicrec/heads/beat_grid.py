"""A grid of beats at a constant tempo, as DJ programs keep it, fitted to beats and their probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np

_LEAST_BEATS = 4
_LEAST_STRENGTH = 0.1  # frames with a lower probability of a beat do not count
_REACH = 0.02  # of the tempo: how far around it is looked
_STEPS = 0.25  # of the frequencies that can be told apart
_HARMONICS = 4
_PHASE_STEP_S = 0.001
_BETWEEN = (0.25, 0.5, 0.75)  # of a beat: where a grid should have no beats
_WIDTH_S = 0.015  # standard deviation of beats around the grid
_MATCH_FRAMES = 1.5  # a beat of the grid takes the probability of the frames this near


@dataclass(frozen=True, kw_only=True)
class BeatGrid:
    """Beats at a constant tempo.

    Attributes:
        bpm: Tempo in beats per minute.
        first_beat_s: Time of the first beat of the grid, in seconds: from 0 to one beat.
        beats_per_bar: Beats per bar.
        first_place: Place of the first beat in its bar, from 1 to `beats_per_bar`.
        confidence: From 0 to 1: the mean probability of a beat on the grid minus that at the quarters between its
            beats. It is low if the music has no constant tempo.
        duration_s: Length of the audio in seconds.
    """

    bpm: float
    first_beat_s: float
    beats_per_bar: int
    first_place: int
    confidence: float
    duration_s: float

    @property
    def beats_s(self) -> np.ndarray:
        """Times of all beats of the grid within the audio, in seconds, (beats,) float64."""
        period = 60 / self.bpm
        count = max(0, int(np.floor((self.duration_s - self.first_beat_s) / period + 1e-9)) + 1)
        return self.first_beat_s + period * np.arange(count)

    @property
    def first_downbeat_s(self) -> float:
        """Time of the first downbeat of the grid, in seconds."""
        return self.first_beat_s + ((1 - self.first_place) % self.beats_per_bar) * 60 / self.bpm

    def as_dict(self) -> dict[str, Any]:
        """Return the grid in plain JSON types, without the length of the audio."""
        return {
            "bpm": round(self.bpm, 3),
            "first_beat_s": round(self.first_beat_s, 4),
            "beats_per_bar": self.beats_per_bar,
            "first_place": self.first_place,
            "confidence": round(self.confidence, 3),
        }


def fit_grid(
    beats_s: np.ndarray, places: np.ndarray, probabilities: np.ndarray, *, frame_rate: float, duration_s: float
) -> BeatGrid | None:
    """Fit a grid of constant tempo to the probabilities of all frames.

    The median distance of the beats says which tempo to look near. Of the tempi within 2 % of it, the one whose
    multiples are strongest in the probabilities of a beat is taken (their Fourier transform over the whole track), and
    the phase that collects most of them. So a stretch in which the beats went astray does not tilt the grid.

    Args:
        beats_s: Times of the beats in seconds, increasing.
        places: The place of each beat in its bar, from 1; only the length of bars is taken from it.
        probabilities: (2, frames) of a beat and of a downbeat; NaN where nothing was heard.
        frame_rate: Frames per second.
        duration_s: Length of the audio in seconds.

    Returns:
        The grid; None for fewer than four beats.
    """
    if len(beats_s) < _LEAST_BEATS:
        return None
    strength = np.nan_to_num(probabilities[0].astype(np.float64))
    frames = np.flatnonzero(strength >= _LEAST_STRENGTH)
    times_s, weights = frames / frame_rate, strength[frames]
    period = _period(times_s, weights, near_s=float(np.median(np.diff(beats_s))), duration_s=duration_s)
    first = _phase(times_s, weights, period)
    metre = _metre(places)
    near = _near(np.arange(first, duration_s, period) * frame_rate, probabilities[1])
    downbeats = [
        np.nanmean(near[place::metre]) if np.isfinite(near[place::metre]).any() else 0 for place in range(metre)
    ]
    return BeatGrid(
        bpm=60 / period,
        first_beat_s=first,
        beats_per_bar=metre,
        first_place=int(-np.argmax(downbeats) % metre) + 1,
        confidence=_confidence(probabilities[0], first * frame_rate, period * frame_rate),
        duration_s=duration_s,
    )


def _period(times_s: np.ndarray, weights: np.ndarray, *, near_s: float, duration_s: float) -> float:
    """Return the period within 2 % of `near_s` that is strongest, in seconds."""
    step = _STEPS / duration_s  # of frequency: a fraction of what can be told apart
    for reach, step_here in ((_REACH / near_s, step), (step, step / 20)):
        tried = (1 / near_s) + np.arange(-reach, reach + step_here / 2, step_here)
        found = np.zeros(len(tried))
        for harmonic in range(1, _HARMONICS + 1):
            waves = np.exp(-2j * np.pi * harmonic * np.outer(tried, times_s))
            found += np.abs(waves @ weights)
        near_s = 1 / float(tried[found.argmax()])
    return near_s


def _phase(times_s: np.ndarray, weights: np.ndarray, period: float) -> float:
    """Return the first time from 0 on of the grid with this period that collects most of the weights, in seconds."""
    phases = np.arange(0, period, _PHASE_STEP_S)
    distance = (times_s - phases[:, None] + period / 2) % period - period / 2
    collected = np.exp(-0.5 * np.square(distance / _WIDTH_S)) @ weights
    return float(phases[collected.argmax()])


def _metre(places: np.ndarray) -> int:
    """Return the beats of most bars."""
    lengths = np.diff(np.flatnonzero(places == 1))
    return int(np.bincount(lengths).argmax()) if len(lengths) else min(16, max(1, int(places.max())))


def _near(places: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the highest probability within a frame of each place, given in frames; NaN where nothing was heard."""
    reach = np.arange(-int(_MATCH_FRAMES), int(_MATCH_FRAMES) + 1)
    near = (np.round(places)[:, None] + reach).astype(int).clip(0, len(probabilities) - 1)
    return probabilities[near].max(axis=1)


def _confidence(probabilities: np.ndarray, first: float, period: float) -> float:
    """Return the confidence of a grid whose first beat and period are given in frames."""
    beats = np.arange(first, len(probabilities) - 1, period)
    on, between = (_near(beats, probabilities), [_near(beats + part * period, probabilities) for part in _BETWEEN])
    between = np.mean(between, axis=0)
    heard = np.isfinite(on) & np.isfinite(between)
    return float(np.clip((on - between)[heard].mean(), 0, 1)) if heard.any() else 0.0
