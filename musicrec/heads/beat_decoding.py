"""Find beats and downbeats in the probabilities of frames. NumPy only.

Two decoders. `pick_peaks` takes every clear peak, as the minimal postprocessing of beat_this (Foscarin et al. 2024,
"Beat this! Accurate beat tracking without DBN postprocessing"). `track_beats` looks for the most probable sequence of
beats whose tempo changes little: it bridges breaks, and keeps to the beat where something else is louder.
"""

import numpy as np

NEAR_S = 0.07  # two peaks that are nearer are one beat; also the tolerance of beat metrics
_LIKELY = 0.5  # from this probability on, a peak is a beat
_CHANGE_COST = 150.0  # nats for a change of the beat period by a factor of e; it grows with the square
_LEAST_BPM, _MOST_BPM = 50.0, 230.0
_CLIP = 1e-4  # no frame is more certain than that
_LEAST_ODDS = -2.0  # log odds; a beat that nobody plays costs no more
_RESUME_COST = 12.0  # nats for going on after a break, at any tempo
METRES = (3, 4)  # beats per bar that are looked for
_RESET_COST = 8.0  # nats for a bar that ends too early, or another metre


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of the odds, float64; 0, which says nothing, for NaN."""
    values = np.clip(np.nan_to_num(probabilities.astype(np.float64), nan=0.5), _CLIP, 1 - _CLIP)
    return np.log(values / (1 - values))


def refine(curve: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Return where a parabola through a frame and its neighbours is highest, in frames, float64.

    Args:
        curve: (frames,).
        frames: Positions of peaks; others, and those at an end, stay as they are.
    """
    frames = np.asarray(frames, dtype=np.int64)
    if not len(frames):
        return np.zeros(0)
    inside = frames.clip(1, max(1, len(curve) - 2))
    below, at, above = (np.nan_to_num(curve[(inside + step).clip(0, len(curve) - 1)]) for step in (-1, 0, 1))
    bend = 2 * at - below - above
    offset = np.where(bend > 1e-9, 0.5 * (above - below) / np.maximum(bend, 1e-9), 0.0)
    return frames + np.where((inside == frames) & (np.abs(offset) <= 1), offset, 0.0)


def pick_peaks(curve: np.ndarray, *, frame_rate: float, threshold: float = _LIKELY) -> np.ndarray:
    """Return the times of the peaks of a curve of probabilities, in seconds, (peaks,) float64.

    A peak is the highest frame within `NEAR_S` to both sides, and at least `threshold`. Of equal ones the middle one
    counts.

    Args:
        curve: (frames,) probabilities; NaN has no peak.
        frame_rate: Frames per second.
        threshold: The least probability.
    """
    if not len(curve):
        return np.zeros(0)
    values, reach = np.nan_to_num(curve.astype(np.float64)), max(1, round(NEAR_S * frame_rate))
    padded = np.pad(values, reach, constant_values=-1.0)
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    found = np.flatnonzero((values == highest) & (values >= threshold))
    if not len(found):
        return np.zeros(0)
    groups = np.split(found, np.flatnonzero(np.diff(found) > reach) + 1)
    middles = np.array([group[len(group) // 2] for group in groups])
    return refine(values, middles) / frame_rate


def track_beats(curve: np.ndarray, *, frame_rate: float) -> np.ndarray:
    """Return the times of the most probable sequence of beats, in seconds, (beats,) float64.

    A dynamic programme over frames and beat periods. The score of a sequence is the sum of the log odds of its beats,
    which is the log likelihood of all frames up to a constant, minus a cost for changes of the period. Beats are as far
    apart as at 50 to 230 BPM; after a break, the sequence may go on anywhere, at a cost. As the last beats are at least
    the shortest period away, frames are done in blocks of that length, all periods at once.

    Args:
        curve: (frames,) probabilities; NaN, which is not known, may have any beats.
        frame_rate: Frames per second.
    """
    periods = np.arange(round(60 * frame_rate / _MOST_BPM), round(60 * frame_rate / _LEAST_BPM) + 1)
    gain, frames, block = log_odds(curve).clip(min=_LEAST_ODDS), len(curve), int(periods[0])
    if frames <= block or gain.max(initial=0.0) <= 0:
        return np.zeros(0)
    cost = _CHANGE_COST * np.square(np.diff(np.log(periods)))  # to the next period
    cost = np.concatenate([[np.inf], cost, [np.inf]])
    longest = int(periods[-1])
    score = np.zeros((frames + longest, len(periods)))  # of the best sequence that ends with a beat there; starts free
    came_from = np.zeros((frames, len(periods)), dtype=np.int8)  # the step of the period; 2: after a break
    breaks: list[tuple[int, int]] = []  # frame and period of the best beat before each block; -1 for none
    best_so_far, best_place = 0.0, (-1, 0)
    columns = np.arange(len(periods))
    for first in range(0, frames, block):
        here = np.arange(first, min(frames, first + block))
        before = here[:, None] + longest - periods  # rows of `score`
        steps = np.stack([
            score[before, np.maximum(columns - 1, 0)] - cost[:-1],
            score[before, columns],
            score[before, np.minimum(columns + 1, len(periods) - 1)] - cost[1:],
        ])  # fmt: skip
        best = steps.argmax(axis=0)
        value = np.take_along_axis(steps, best[None], axis=0)[0]
        resumed = max(0.0, best_so_far - _RESUME_COST)
        breaks.append(best_place if resumed > 0 else (-1, 0))
        came_from[here] = np.where(value <= resumed, 2, best - 1)
        score[here + longest] = np.maximum(value, resumed) + gain[here, None]
        at = np.unravel_index(int(score[here + longest].argmax()), (len(here), len(periods)))
        if score[here + longest][at] > best_so_far:
            best_so_far, best_place = float(score[here + longest][at]), (first + int(at[0]), int(at[1]))
    (place, period), found = best_place, []
    while place >= 0:
        found.append(place)
        step = int(came_from[place, period])
        place, period = breaks[place // block] if step == 2 else (place - int(periods[period]), period + step)
    return refine(log_odds(curve), np.array(found[::-1])) / frame_rate


def place_in_bar(downbeat: np.ndarray, beats_s: np.ndarray, *, frame_rate: float) -> np.ndarray:
    """Return the place of each beat in its bar, from 1, (beats,) int64, and so which beats are downbeats.

    The most probable sequence of bars of three or four beats (Viterbi). A bar may end early, at a cost.

    Args:
        downbeat: (frames,) probabilities of downbeats.
        beats_s: Times of the beats in seconds.
        frame_rate: Frames per second.
    """
    if not len(beats_s):
        return np.zeros(0, dtype=np.int64)
    frames, gain = np.round(beats_s * frame_rate).astype(int).clip(0, len(downbeat) - 1), log_odds(downbeat)
    near = max(1, round(0.5 * NEAR_S * frame_rate))
    around = (frames[:, None] + np.arange(-near, near + 1)).clip(0, len(downbeat) - 1)
    odds = gain[around].max(axis=1)
    places = np.concatenate([np.arange(1, metre + 1) for metre in METRES])
    ends = np.cumsum(METRES) - 1
    firsts = ends - np.array(METRES) + 1
    # The log likelihood of a beat in each state: of being a downbeat, or of not being one.
    likelihood = -np.logaddexp(0, -odds)[:, None] * (places == 1) - np.logaddexp(0, odds)[:, None] * (places != 1)
    score, back = likelihood[0].copy(), np.zeros((len(odds), len(places)), dtype=np.int64)
    usual = np.arange(len(places)) - 1
    usual[firsts] = ends
    for beat in range(1, len(odds)):
        source, value = usual.copy(), score[usual]
        best = int(score.argmax())
        early = score[best] - _RESET_COST > value[firsts]
        source[firsts[early]], value[firsts[early]] = best, score[best] - _RESET_COST
        back[beat], score = source, value + likelihood[beat]
    states = [int(score.argmax())]
    for beat in range(len(odds) - 1, 0, -1):
        states.append(int(back[beat, states[-1]]))
    return places[np.array(states[::-1])]
