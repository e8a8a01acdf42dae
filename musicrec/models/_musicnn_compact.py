"""MusiCNN for inference, without the work whose result is known in advance."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musicrec.models._band_maximum import band_maximum

_LARGEST_INPUT = 10.0  # of the normalised spectrogram, in standard deviations


class CompactMusiCNN(nn.Module):
    """A trained MusiCNN that gives the same answers in a fraction of the time.

    - Weight decay has driven most filters of the public weights to zero: 497 of 561 channels of the network trained on
      the Million Song Dataset, and 347 of that trained on MagnaTagATune, have the same value whatever they hear. Only
      what these values contribute to the layers that follow is computed.
    - ReLU and batch normalisation are monotonic. The maximum over all bands is therefore taken first, of the negated
      convolution where batch normalisation has a negative scale, and they have 30 to 96 times fewer values to process.

    Args:
        network: The `MusiCNN`, in eval mode. It shares its modules; train it on, and this becomes outdated.
        tolerance: A filter is left out if its channel changes by no more than this, whatever the input. With the public
            weights and the default, logits change by less than 1e-4.
    """

    channels_last = False  # as MusiCNN
    tuned_for_torch = True  # in float32, `band_maximum` is faster than the convolutions of other engines

    def __init__(self, network: nn.Module, *, tolerance: float = 0.01) -> None:
        super().__init__()
        self.network = network
        self.settings, self.n_mels, self.embedding_size = network.settings, network.n_mels, network.embedding_size
        self.chunk_samples, self.chunk_frames = network.chunk_samples, network.chunk_frames
        self.branches = nn.ModuleList(_CompactBranch(branch, tolerance) for branch in network.branches)
        live = torch.cat([branch.live for branch in self.branches])
        self.register_buffer("live", live.nonzero().flatten())
        self.register_buffer("live_weight", network.middle[0].conv.weight.detach()[:, self.live])
        constants = torch.cat([branch.constants for branch in self.branches])
        self.register_buffer("constants", constants.masked_fill(live, 0))

    def forward(self, spectrogram: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the network returns: the embedding and the logits of (batch, 1, n_mels, frames)."""
        network = self.network
        normalised = network.input_norm(spectrogram)
        front = torch.cat([branch(normalised) for branch in self.branches], dim=1)
        first = network.middle[0].activate(self._first_convolution(front))
        second = first + network.middle[1](first)
        third = second + network.middle[2](second)
        deep = torch.cat([first, second, third], dim=1)
        pooled = []
        for pool in (torch.amax, torch.mean):
            channels = self.constants.repeat(front.shape[0], 1)
            channels[:, self.live] = pool(front, dim=2)
            pooled.append(torch.cat([channels, pool(deep, dim=2)], dim=1))
        return network.answer(torch.stack(pooled, dim=2).flatten(1))

    def _first_convolution(self, front: Tensor) -> Tensor:
        """Convolve the live channels and add what the constant ones give, which is less at the ends, beside padding."""
        convolution = self.network.middle[0].conv
        constants = convolution(self.constants[None, :, None].expand(-1, -1, front.shape[2]))
        return F.conv1d(front, self.live_weight, padding=convolution.padding) + constants


class _CompactBranch(nn.Module):
    """The filters of a branch that react to their input, with the maximum over all bands taken first."""

    def __init__(self, branch: nn.Module, tolerance: float) -> None:
        super().__init__()
        norm, weight, bias = branch.norm, branch.conv.weight.detach(), branch.conv.bias.detach()
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        shift = (norm.bias - norm.running_mean * scale).detach()
        sign = scale.sign()
        self.padding = branch.padding
        # How far the input can move a channel.
        reach = weight.abs().flatten(1).sum(dim=1) * scale.abs() * _LARGEST_INPUT
        self.live = (reach > tolerance) | (reach == reach.max())  # a convolution needs one filter
        self.constants = scale * F.relu(bias) + shift
        signed = weight * sign[:, None, None, None]
        parts = {"weight": signed, "sign": sign, "bias": bias, "scale": scale, "shift": shift}
        for name, value in parts.items():
            self.register_buffer(name, value[self.live])

    def forward(self, normalised: Tensor) -> Tensor:
        """Return (batch, live channels, frames)."""
        padded = F.pad(normalised, self.padding)
        if padded.device.type == "cpu" and not torch.is_grad_enabled() and not torch.jit.is_tracing():
            largest = band_maximum(padded[:, 0], self.weight[:, 0])
        else:
            largest = F.conv2d(padded, self.weight).amax(dim=2)
        largest = largest.transpose(1, 2)
        return (F.relu(largest * self.sign + self.bias) * self.scale + self.shift).transpose(1, 2)
