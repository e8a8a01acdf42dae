"""Temperatures and thresholds: fitted on the validation tracks of a trained network, and saved with its export.

Each head has one temperature, which divides the logits of a track's probabilities. With it, about 70 % of the tracks
that get a class with probability 0.7 have that class (Guo et al. 2017, "On calibration of modern neural networks"). It
is applied to the track, after the mean over its chunks: a mean of calibrated chunks would be underconfident (Rahaman
and Thiery 2021, "Uncertainty quantification and deep ensembles"). Each tag has one threshold, at its highest F1.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from musicrec.evaluation.labelled_tracks import labelled_tracks
from musicrec.heads import Head
from musicrec.heads.metrics import f1_by_threshold
from musicrec.heads.outputs import at_temperature

BINS = 15
MIN_TRACKS = 20
MIN_WRONG_ANSWERS = 5
_FOLDS = 5
_LOG_RANGE = (math.log(0.05), math.log(20.0))


def concatenate_predictions(parts: Sequence[Mapping[str, tuple[Tensor, Tensor]]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Concatenate the predictions of the parts of a split, such as its datasets.

    Args:
        parts: For each part {head: (probabilities, target)}.

    Returns:
        {head: (probabilities, target)} of all tracks. Where parts differ in the number of frames or beats, the shorter
        ones end with NaN.
    """
    return {
        name: tuple(_joined(tensors) for tensors in zip(*(part[name] for part in parts), strict=True))
        for name in parts[0]
    }


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate (tracks, …), padded with NaN to the largest sizes."""
    sizes = [max(sizes) for sizes in zip(*(tensor.shape[1:] for tensor in tensors), strict=True)]
    padded = []
    for tensor in tensors:
        missing = [size - own for size, own in zip(sizes, tensor.shape[1:], strict=True)]
        padding = [number for size in reversed(missing) for number in (0, size)]
        padded.append(F.pad(tensor, padding, value=math.nan) if any(missing) else tensor)
    return torch.cat(padded)


def calibrate(
    heads: Sequence[Head], predictions: Mapping[str, tuple[Tensor, Tensor]]
) -> tuple[list[Head], dict[str, dict]]:
    """Fit the temperatures and thresholds of heads.

    A temperature is kept only if it lowers the negative log-likelihood (NLL) of tracks that it was not fitted on (five
    folds) by more than the standard error of the gain. A head that does not calibrate, such as tempo, stays as it is.

    Args:
        heads: The heads that predicted, without temperatures and thresholds.
        predictions: {head: (probabilities, target)} of validation tracks.

    Returns:
        The heads with their temperatures and thresholds, and {head: statistics of the fit}.
    """
    fitted, notes = [], {}
    for head in heads:
        if not head.calibrates:
            fitted.append(head)
            continue
        probabilities, target = predictions[head.name]
        known = labelled_tracks(target)
        probabilities, target = probabilities[known], target[known]
        wrong = int((confidence(head, probabilities, target)[1] < 0.5).sum()) if head.exclusive else None
        temperature, note = _fit_temperature(head, probabilities, head.one_hot(target), wrong=wrong)
        settings = {"temperature": temperature}
        if head.tunes_thresholds:
            calibrated = at_temperature(probabilities, temperature, head.activation)
            settings["thresholds"] = tuned_thresholds(calibrated, target)
        fitted.append(dataclasses.replace(head, **settings))
        notes[head.name] = {
            "tracks": len(target),
            "temperature": round(temperature, 4),
            **note,
            "ece": ece(*confidence(head, probabilities, target)),
            "ece_calibrated": ece(*confidence(head, fitted[-1].calibrated(probabilities), target)),
        }
    return fitted, {name: {key: _rounded(value) for key, value in note.items()} for name, note in notes.items()}


def uncalibrated(head: Head) -> Head:
    """Return the head as it was trained: temperature 1, thresholds 0.5."""
    settings = {"thresholds": ()} if head.tunes_thresholds else {}
    return dataclasses.replace(head, temperature=1.0, **settings)


def _fit_temperature(head: Head, probabilities: Tensor, truth: Tensor, *, wrong: int | None) -> tuple[float, dict]:
    """Fit the temperature of one head.

    Args:
        head: The head.
        probabilities: (tracks, classes).
        truth: (tracks, classes) of 0, 1 or NaN.
        wrong: Number of tracks whose most likely class is not the true one; None for tags. If there are hardly any, the
            best fit is to be certain of everything.

    Returns:
        The temperature, 1 if none helps, and the out-of-fold NLL without and with it.
    """
    if len(truth) < MIN_TRACKS or (wrong is not None and wrong < MIN_WRONG_ANSWERS):
        return 1.0, {"nll": float(nll(probabilities, truth, head.activation).mean()), "nll_calibrated": None}

    def best(rows: np.ndarray) -> float:
        found = minimize_scalar(
            lambda log_t: float(_nll_at(math.exp(log_t), probabilities[rows], truth[rows], head.activation).mean()),
            bounds=_LOG_RANGE,
            method="bounded",
        )
        return math.exp(found.x)

    folds = np.random.default_rng(0).permutation(len(truth)) % _FOLDS
    calibrated = torch.empty(len(truth), dtype=torch.float64)
    for fold in range(_FOLDS):
        held_out = folds == fold
        calibrated[held_out] = _nll_at(best(~held_out), probabilities[held_out], truth[held_out], head.activation)
    raw = nll(probabilities, truth, head.activation)
    gain = raw - calibrated
    helps = float(gain.mean()) > float(gain.std()) / math.sqrt(len(gain))
    note = {"nll": float(raw.mean()), "nll_calibrated": float(calibrated.mean())}
    return best(np.full(len(truth), True)) if helps else 1.0, note


def nll(probabilities: Tensor, truth: Tensor, activation: str) -> Tensor:
    """Return the negative log-likelihood of each track.

    Args:
        probabilities: (tracks, classes).
        truth: (tracks, classes) of 0, 1 or NaN; at least one entry of each row is known.
        activation: "softmax" or "sigmoid".

    Returns:
        (tracks,) float64 in nats: that of the true class for a softmax, the mean over the known classes for a sigmoid.
    """
    values = probabilities.double().clamp(1e-12, 1 - 1e-12)
    if activation == "softmax":
        return -(values.log() * truth).sum(dim=1)
    return -torch.where(truth > 0.5, values.log(), torch.where(truth.isnan(), torch.nan, (-values).log1p())).nanmean(1)


def _nll_at(temperature: float, probabilities: Tensor, truth: Tensor, activation: str) -> Tensor:
    return nll(at_temperature(probabilities.double(), temperature, activation), truth, activation)


def tuned_thresholds(probabilities: Tensor, target: Tensor) -> tuple[float, ...]:
    """Return the threshold of each class at which its F1 is highest.

    Args:
        probabilities: (tracks, classes).
        target: (tracks, classes) of 0, 1 or NaN.

    Returns:
        One threshold per class, half-way between the probabilities of two tracks. It is 0.5 for a class that no track
        has or that all tracks have.
    """
    thresholds = []
    for column in range(target.shape[1]):
        known = ~target[:, column].isnan()
        truth, scores = target[known, column] > 0.5, probabilities[known, column].double()
        if not truth.any() or truth.all():
            thresholds.append(0.5)
            continue
        candidates, f1 = f1_by_threshold(scores, truth)
        best = int(f1.argmax())
        below = candidates[best + 1] if best + 1 < len(candidates) else 0.0
        thresholds.append(round(float(candidates[best] + below) / 2, 6))
    return tuple(thresholds)


def confidence(head: Head, probabilities: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the confidence of every answer, and whether the answer is right.

    Args:
        head: The head.
        probabilities: (tracks, classes).
        target: The labels as the head encodes them, NaN where missing.

    Returns:
        Two tensors (answers,). Exclusive classes: the probability of the most likely class of each track, and whether
        it is the true class. Tags: the probability of every tag of every track, and whether the track has the tag.
    """
    truth = head.one_hot(target)
    if head.exclusive:
        known = ~truth.isnan().any(dim=1)
        highest, predicted = probabilities[known].max(dim=1)
        return highest, truth[known].gather(1, predicted[:, None])[:, 0]
    known = ~truth.isnan()
    return probabilities[known], truth[known]


def reliability(head: Head, probabilities: Tensor, raw: Tensor, target: Tensor) -> dict[str, float]:
    """Return the mean NLL (nats) and the ECE of a head, with and without its temperature.

    Args:
        head: The head.
        probabilities: (tracks, classes) at the temperature of the head.
        raw: (tracks, classes) as the network gives them.
        target: The labels as the head encodes them; every track has at least one.

    Returns:
        The keys nll_raw, ece_raw, nll and ece.
    """
    truth = head.one_hot(target)
    found = {}
    for suffix, values in (("_raw", raw), ("", probabilities)):
        found[f"nll{suffix}"] = float(nll(values, truth, head.activation).mean())
        found[f"ece{suffix}"] = ece(*confidence(head, values, target))
    return found


def ece(confidences: Tensor, right: Tensor) -> float:
    """Return the expected calibration error in 15 bins of equal width.

    Args:
        confidences: (answers,) in [0, 1].
        right: (answers,) of 0 or 1, whether each answer is right.

    Returns:
        The mean difference between the confidence and the share of right answers; NaN without answers.
    """
    if not len(confidences):
        return math.nan
    return float(binary_calibration_error(confidences.float(), right.int(), n_bins=BINS))


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
