"""Calibration: what is fitted on the validation tracks of a trained network and saved with its export.

A temperature for each head divides the logits of a track's probabilities, so that of the tracks of which a class is
said with 0.7, about 70 % have it (Guo et al. 2017, "On calibration of modern neural networks"). It acts on the track,
after the mean over its chunks: a mean of calibrated chunks would be too unsure (Rahaman and Thiery 2021, "Uncertainty
quantification and deep ensembles"). A threshold for each tag is where its F1 is highest.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from musicrec.heads import Head
from musicrec.heads.metrics import f1_by_threshold
from musicrec.heads.outputs import at_temperature

BINS = 15
FEWEST_TRACKS = 20
FEWEST_WRONG = 5
_FOLDS = 5
_LOG_RANGE = (math.log(0.05), math.log(20.0))


def joined(parts: Sequence[Mapping[str, tuple[Tensor, Tensor]]]) -> dict[str, tuple[Tensor, Tensor]]:
    """The predictions of all parts of a split, such as its datasets, {head: (probabilities, target)}, as one."""
    return {
        name: tuple(torch.cat(tensors) for tensors in zip(*(part[name] for part in parts), strict=True))
        for name in parts[0]
    }


def calibrate(
    heads: Sequence[Head], predictions: Mapping[str, tuple[Tensor, Tensor]]
) -> tuple[list[Head], dict[str, dict]]:
    """The heads with the temperatures and thresholds that fit their predictions, and what was found of each head.

    heads: uncalibrated, as they were when they predicted. predictions: {head: (probabilities, target)} of validation
    tracks. A temperature is kept only if it lowers the NLL of tracks that it was not fitted on (five folds), by more
    than the standard error of the gain. A head that does not calibrate (tempo) stays as it is.
    """
    fitted, notes = [], {}
    for head in heads:
        if not head.calibrates:
            fitted.append(head)
            continue
        probabilities, target = predictions[head.name]
        known = (~target.isnan()).reshape(len(target), -1).any(dim=1)
        probabilities, target = probabilities[known], target[known]
        wrong = int((confidence(head, probabilities, target)[1] < 0.5).sum()) if head.exclusive else None
        temperature, note = _temperature(head, probabilities, head.one_hot(target), wrong=wrong)
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
    return fitted, {name: {key: _plain(value) for key, value in note.items()} for name, note in notes.items()}


def uncalibrated(head: Head) -> Head:
    """The head as it was trained: temperature 1, thresholds 0.5."""
    settings = {"thresholds": ()} if head.tunes_thresholds else {}
    return dataclasses.replace(head, temperature=1.0, **settings)


def _temperature(head: Head, probabilities: Tensor, truth: Tensor, *, wrong: int | None) -> tuple[float, dict]:
    """The temperature to use, 1 where none helps, and the out-of-fold NLL with and without.

    wrong: tracks whose likeliest class is not theirs. With hardly any, the best fit is to be sure of everything.
    """
    if len(truth) < FEWEST_TRACKS or (wrong is not None and wrong < FEWEST_WRONG):
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
    plain = nll(probabilities, truth, head.activation)
    gain = plain - calibrated
    helps = float(gain.mean()) > float(gain.std()) / math.sqrt(len(gain))
    note = {"nll": float(plain.mean()), "nll_calibrated": float(calibrated.mean())}
    return best(np.full(len(truth), True)) if helps else 1.0, note


def nll(probabilities: Tensor, truth: Tensor, activation: str) -> Tensor:
    """(tracks,) negative log-likelihood in nats: of the true class, or the mean over the known outputs of a sigmoid.

    truth: (tracks, classes) of 0, 1 or NaN, at least one of them known.
    """
    values = probabilities.double().clamp(1e-12, 1 - 1e-12)
    if activation == "softmax":
        return -(values.log() * truth).sum(dim=1)
    return -torch.where(truth > 0.5, values.log(), torch.where(truth.isnan(), torch.nan, (-values).log1p())).nanmean(1)


def _nll_at(temperature: float, probabilities: Tensor, truth: Tensor, activation: str) -> Tensor:
    return nll(at_temperature(probabilities.double(), temperature, activation), truth, activation)


def tuned_thresholds(probabilities: Tensor, target: Tensor) -> tuple[float, ...]:
    """Where the F1 of each class is highest: half-way between the tracks that have it and the next. 0.5 for a class
    that no track has or all have. (tracks, classes) each, target 0, 1 or NaN."""
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
    """What reliability is about: how sure an answer was, and whether it was right, both (answers,).

    Exclusive classes: the likeliest class of each track. Tags: every tag of every track, and whether it has the tag.
    """
    truth = head.one_hot(target)
    if head.exclusive:
        known = ~truth.isnan().any(dim=1)
        sure, said = probabilities[known].max(dim=1)
        return sure, truth[known].gather(1, said[:, None])[:, 0]
    known = ~truth.isnan()
    return probabilities[known], truth[known]


def reliability(head: Head, probabilities: Tensor, raw: Tensor, target: Tensor) -> dict[str, float]:
    """NLL (mean, in nats) and ECE of a head's calibrated probabilities, and of the raw ones they came from."""
    truth = head.one_hot(target)
    return {
        name: value
        for suffix, values in (("_raw", raw), ("", probabilities))
        for name, value in (
            (f"nll{suffix}", float(nll(values, truth, head.activation).mean())),
            (f"ece{suffix}", ece(*confidence(head, values, target))),
        )
    }


def ece(sure: Tensor, right: Tensor) -> float:
    """Expected calibration error in 15 bins of equal width: how far, on average, confidence is from the share right."""
    return float(binary_calibration_error(sure.float(), right.int(), n_bins=BINS)) if len(sure) else math.nan


def _plain(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
