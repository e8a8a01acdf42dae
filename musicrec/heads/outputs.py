"""From the outputs of a network to probabilities and losses, on tensors."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def activate(logits: Tensor, activation: str) -> Tensor:
    """Turn logits into probabilities.

    Args:
        logits: (tracks, size).
        activation: "softmax" or "sigmoid".

    Returns:
        (tracks, size) float32.
    """
    return logits.float().sigmoid() if activation == "sigmoid" else logits.float().softmax(dim=1)


def at_temperature(probabilities: Tensor, temperature: float, activation: str) -> Tensor:
    """Return what probabilities become when their logits are divided by a temperature.

    A temperature above 1 makes them less sure. The order of the classes of a track stays as it is; so does, for a
    sigmoid, the order of the tracks by each class.

    Args:
        probabilities: (…, size).
        temperature: A positive number; 1 changes nothing.
        activation: "softmax" or "sigmoid", what made the probabilities.

    Returns:
        Probabilities of the same shape.
    """
    if temperature == 1.0:
        return probabilities
    values = probabilities.double().clamp(1e-12, 1 - 1e-12)
    scaled = (
        torch.special.logit(values).div(temperature).sigmoid()
        if activation == "sigmoid"
        else values.log().div(temperature).softmax(dim=-1)
    )
    return scaled.to(probabilities.dtype)


def one_hot(index: Tensor, size: int) -> Tensor:
    """Return (tracks, size) of 0 and 1 for a (tracks,) class index; rows of NaN where the index is NaN."""
    rows = F.one_hot(index.nan_to_num(0.0).long(), size).float()
    return torch.where(index.isnan()[:, None], math.nan, rows)


def binary_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean binary cross-entropy over the known entries of a target of the same shape (NaN: missing)."""
    known = ~target.isnan()
    loss = F.binary_cross_entropy_with_logits(logits, target.nan_to_num(0.0), reduction="none")
    return (loss * known).sum() / known.sum().clamp(min=1)


def class_loss(logits: Tensor, distribution: Tensor, known: Tensor, activation: str) -> Tensor:
    """Return the mean cross-entropy with a distribution over the classes.

    Args:
        logits: (batch, size).
        distribution: (batch, size), the probabilities to learn.
        known: (batch,) bool, the rows that count, or float, how much each one counts.
        activation: "softmax" for exclusive classes; "sigmoid" for one binary output per class.
    """
    if activation == "sigmoid":
        loss = F.binary_cross_entropy_with_logits(logits, distribution, reduction="none").mean(dim=1)
    else:
        loss = -(distribution * logits.log_softmax(dim=1)).sum(dim=1)
    return (loss * known).sum() / known.sum().clamp(min=1)
