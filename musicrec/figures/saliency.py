"""What in the spectrogram an answer rests on: integrated gradients.

Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks".
"""

from collections.abc import Callable

import torch
from torch import Tensor

from musicrec.export.description import Model
from musicrec.models.frontends.decibels import POWER_FLOOR

SILENCE_DB = 10 * torch.tensor(POWER_FLOOR).log10().item()


def integrated_gradients(
    function: Callable[[Tensor], Tensor], value: Tensor, baseline: Tensor, *, steps: int = 32
) -> Tensor:
    """How much each entry of `value` adds to function(value) - function(baseline): their sum is that, up to the error
    of an integral of `steps` midpoints.

    function: (batch, …) to (batch,), each row by itself. value, baseline: (1, …). Returns the shape of value.
    """
    total = torch.zeros_like(value)
    for step in range(steps):
        point = (baseline + (step + 0.5) / steps * (value - baseline)).requires_grad_()
        (gradient,) = torch.autograd.grad(function(point).sum(), point)
        total += gradient
    return (value - baseline) * total / steps


def saliency(model: Model, waveform: Tensor, *, head: str, output: int, steps: int = 32) -> tuple[Tensor, Tensor]:
    """The mel spectrogram of one chunk, and how much each of its cells adds to one answer, compared to silence.

    waveform: (1, samples) on the model's device. output: number of the class. The answer is the logarithm of its
    probability against the other classes (before calibration), or its logit where the head answers each by itself.

    Returns decibels and attributions, both (n_mels, frames) on the CPU.
    """
    (exclusive,) = (h.exclusive and h.activation == "softmax" for h in model.heads if h.name == head)

    def answer(decibels: Tensor) -> Tensor:
        logits = model.network(decibels)[1][head].float()
        return (logits.log_softmax(dim=1) if exclusive else logits)[:, output]

    decibels = model.frontend(waveform)
    # cuDNN cannot differentiate a recurrent layer that is not in training, which would mean dropout.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        attributions = integrated_gradients(
            answer, decibels, torch.full_like(decibels, SILENCE_DB), steps=steps
        ).detach()
    return decibels[0, 0].cpu(), attributions[0, 0].cpu()
