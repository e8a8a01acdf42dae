"""Saliency: how much each cell of the spectrogram contributes to an answer, by integrated gradients.

Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks".
"""

from collections.abc import Callable

import torch
from torch import Tensor

from musicrec.export.description import Model


def integrated_gradients(
    function: Callable[[Tensor], Tensor], value: Tensor, baseline: Tensor, *, steps: int = 32
) -> Tensor:
    """Attribute the difference function(value) - function(baseline) to the entries of `value`.

    Args:
        function: Maps (batch, …) to (batch,), each row independently of the others.
        value: (1, …).
        baseline: Same shape as `value`.
        steps: Number of midpoints of the numerical integral.

    Returns:
        The contribution of each entry, in the shape of `value`. Their sum is the difference, up to the error of the
        integral.
    """
    total = torch.zeros_like(value)
    for step in range(steps):
        point = (baseline + (step + 0.5) / steps * (value - baseline)).requires_grad_()
        (gradient,) = torch.autograd.grad(function(point).sum(), point)
        total += gradient
    return (value - baseline) * total / steps


def saliency(model: Model, waveform: Tensor, *, head: str, output: int, steps: int = 32) -> tuple[Tensor, Tensor]:
    """Compute how much each cell of the spectrogram of a chunk contributes to one answer, compared with silence.

    The answer is the log probability of a class without temperature, or the logit if the classes are not exclusive.

    Args:
        model: The model.
        waveform: (1, samples) float32 on the device of the model.
        head: Name of the head.
        output: Index of the class.
        steps: Number of midpoints of the numerical integral.

    Returns:
        The spectrogram in decibels and the contributions, both (n_mels, frames) on the CPU.
    """
    (exclusive,) = (h.exclusive and h.activation == "softmax" for h in model.heads if h.name == head)

    def answer(decibels: Tensor) -> Tensor:
        logits = model.network(decibels)[1][head].float()
        return (logits.log_softmax(dim=1) if exclusive else logits)[:, output]

    decibels, silence = model.frontend(waveform), model.frontend(torch.zeros_like(waveform))
    # cuDNN can differentiate a recurrent layer only in training mode, which would apply dropout.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        attributions = integrated_gradients(answer, decibels, silence, steps=steps).detach()
    return decibels[0, 0].cpu(), attributions[0, 0].cpu()
