"""The maximum over all bands of filters that slide over a spectrogram, with fewer products than a convolution takes."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

_OUTPUTS = 4  # frames that a tile computes together; more are less exact
_POINTS = (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 1.5, -1.5)
_TAPS = len(_POINTS) + 2 - _OUTPUTS
_MANY = 48  # channels, from which on fewer products are faster than a convolution
_BATCH = 4  # chunks whose intermediate values stay in the cache of the processor
_LONG_OUTPUTS = 8
_ROWS = 1024


def band_maximum(spectrogram: Tensor, weight: Tensor) -> Tensor:
    """Slide filters over a spectrogram and keep the maximum over all bands, in float32 and without gradients.

    The result is that of `conv2d(spectrogram[:, None], weight[:, None]).amax(dim=2)`, to about 1e-5 of its largest
    value.

    Args:
        spectrogram: (batch, bands, frames).
        weight: The filters, (channels, height, taps): height in bands, taps in frames.

    Returns:
        (batch, channels, frames - taps + 1).
    """
    spectrogram, weight = spectrogram.float(), weight.float()
    with torch.autocast(spectrogram.device.type, enabled=False):
        channels, height, taps = weight.shape
        compute = _tall if taps == _TAPS and channels >= _MANY else _convolve
        if height == 1:
            compute = _long
        return torch.cat([compute(part, weight) for part in spectrogram.split(_BATCH)])


def _convolve(spectrogram: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(spectrogram[:, None], weight[:, None]).amax(dim=2)


def _tall(spectrogram: Tensor, weight: Tensor) -> Tensor:
    """Compute four frames with ten products instead of 28, by the minimal filtering of Winograd, Toom and Cook.

    A tile of ten frames and the seven taps become values of polynomials at ten points, whose products are summed over
    the height of the filter by one matrix product per point. Four sums of these are the four frames.
    """
    batch, bands, frames = spectrogram.shape
    channels, height, taps = weight.shape
    wanted = frames - taps + 1
    tiles, size = -(-wanted // _OUTPUTS), _OUTPUTS + taps - 1
    to_frames, of_taps, of_frames = _minimal_filtering(_OUTPUTS, taps)
    filters = torch.einsum("pt,cht->phc", of_taps, weight.double()).float().contiguous()
    padded = F.pad(spectrogram, (0, tiles * _OUTPUTS - wanted)).transpose(1, 2)
    values = torch.einsum("btfs,ps->pbtf", padded.unfold(1, size, _OUTPUTS), of_frames.float())
    values = values.reshape(size, batch * tiles, bands).contiguous()
    highest = None
    for band in range(bands - height + 1):
        products = torch.bmm(values[:, :, band : band + height], filters)
        sums = to_frames.float() @ products.view(size, -1)
        highest = sums if highest is None else torch.maximum(highest, sums, out=highest)
    assert highest is not None
    tiled = highest.view(_OUTPUTS, batch, tiles, channels).permute(1, 3, 2, 0)
    return tiled.reshape(batch, channels, tiles * _OUTPUTS)[..., :wanted]


def _long(spectrogram: Tensor, weight: Tensor) -> Tensor:
    """Compute eight frames by one row of a matrix product, so that neighbouring frames share what they read."""
    batch, _, frames = spectrogram.shape
    channels, height, taps = weight.shape
    wanted = frames - taps + 1
    tiles, size = -(-wanted // _LONG_OUTPUTS), _LONG_OUTPUTS + taps - 1
    shifted = weight.new_zeros(height, size, _LONG_OUTPUTS, channels)
    for output in range(_LONG_OUTPUTS):
        shifted[:, output : output + taps, output] = weight.permute(1, 2, 0)
    filters = shifted.view(height * size, _LONG_OUTPUTS * channels)
    padded = F.pad(spectrogram, (0, tiles * _LONG_OUTPUTS - wanted))
    windows = padded.unfold(2, size, _LONG_OUTPUTS).unfold(1, height, 1).permute(1, 0, 2, 4, 3)
    highest = None
    for some in windows.split(max(1, _ROWS // (batch * tiles))):
        products = some.reshape(len(some), batch * tiles, height * size) @ filters
        sums = products.amax(dim=0)
        highest = sums if highest is None else torch.maximum(highest, sums, out=highest)
    assert highest is not None
    tiled = highest.view(batch, tiles * _LONG_OUTPUTS, channels)
    return tiled[:, :wanted].transpose(1, 2)


@functools.cache
def _minimal_filtering(outputs: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the matrices of Toom and Cook's algorithm, float64.

    Returns:
        `to_frames` (outputs, points), `of_taps` (points, taps) and `of_frames` (points, outputs + taps - 1), so that
        `to_frames @ ((of_taps @ filter) * (of_frames @ frames))` is the correlation of the frames with the filter. The
        last point is infinity.
    """
    points = torch.tensor(_POINTS, dtype=torch.float64)
    assert len(points) == outputs + taps - 2
    count = len(points) + 1
    to_frames, of_taps = torch.zeros(outputs, count).double(), torch.zeros(count, taps).double()
    of_frames = torch.zeros(count, count).double()
    for number, point in enumerate(points):
        others = torch.cat([points[:number], points[number + 1 :]])
        to_frames[:, number] = point ** torch.arange(outputs)
        of_taps[number] = point ** torch.arange(taps) / (point - others).prod()
        of_frames[number, :-1] = _coefficients(others)
    to_frames[-1, -1] = of_taps[-1, -1] = 1.0
    of_frames[-1] = _coefficients(points)
    return to_frames, of_taps, of_frames


def _coefficients(roots: Tensor) -> Tensor:
    """Return the coefficients of the polynomial with these roots, lowest power first."""
    coefficients = torch.ones(1).double()
    for root in roots:
        coefficients = F.pad(coefficients, (1, 0)) - F.pad(coefficients, (0, 1)) * root
    return coefficients
