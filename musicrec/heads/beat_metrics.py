"""Metrics of beats, by mir_eval: F-measure, and continuity at the labelled and at related metrical levels."""

import math
from collections.abc import Sequence

import mir_eval
import numpy as np
import torch
from torch import Tensor

from musicrec.heads.metrics import Scores, unit_weights, weighted_mean

TOLERANCE_S = 0.07
METRICS = ("f_measure", "cmlt", "amlt", "downbeat_f_measure", "tempo_2pct")


def beat_scores(answers: Sequence[Tensor], target: Tensor, weights: Tensor | None) -> Scores:
    """Score the beats of tracks. Tracks without a label are left out.

    - f_measure: beats within 70 ms of a labelled beat;
    - cmlt and amlt: share of the track in correct beats, at the labelled metrical level, and also at half and twice it,
      and off the beat;
    - downbeat_f_measure: f_measure of downbeats, of the tracks whose downbeats are known;
    - tempo_2pct: whether the median tempo of the beats is within 2 % of the labelled one.

    Args:
        answers: (beats, 2) of each track: times in seconds, and 1 for downbeats; NaN is no beat.
        target: (tracks, beats, 2) in the same way; a place in the bar may be NaN.
        weights: (resamples, tracks); None: each track counts once.
    """
    weights = unit_weights(len(target)) if weights is None else weights
    points = torch.tensor(
        [track_points(answer.numpy(), truth.numpy()) for answer, truth in zip(answers, target, strict=True)],
        dtype=torch.float64,
    ).reshape(len(target), len(METRICS))
    overall = {}
    for column, name in enumerate(METRICS):
        known = ~points[:, column].isnan()
        overall[name] = weighted_mean(points[known, column], weights[:, known])
    return Scores(overall=overall)


def track_points(answer: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the metrics `METRICS` of one track; NaN for what is not labelled.

    Args:
        answer: (beats, 2): times in seconds, and 1 for downbeats; NaN is no beat.
        truth: The same.
    """
    truth, answer = (beats[~np.isnan(beats[:, 0])].astype(np.float64) for beats in (truth, answer))
    if not len(truth):
        return [math.nan] * len(METRICS)
    times, expected = answer[:, 0], truth[:, 0]
    f_measure = mir_eval.beat.f_measure(expected, times, f_measure_threshold=TOLERANCE_S) if len(times) else 0.0
    cmlt, amlt = 0.0, 0.0
    if len(times) > 1 and len(expected) > 1:
        _, cmlt, _, amlt = mir_eval.beat.continuity(expected, times)
    downbeats = math.nan
    if not np.isnan(truth[:, 1]).any():
        found, wanted = times[answer[:, 1] == 1], expected[truth[:, 1] == 1]
        downbeats = mir_eval.beat.f_measure(wanted, found) if len(found) and len(wanted) else 0.0
    tempo = math.nan
    if len(expected) > 1:
        period = np.median(np.diff(expected))
        tempo = float(len(times) > 1 and abs(np.median(np.diff(times)) / period - 1) <= 0.02)
    return [float(f_measure), float(cmlt), float(amlt), float(downbeats), tempo]
