"""The maximum over all bands of sliding filters, against PyTorch's convolution in float64."""

import pytest
import torch
import torch.nn.functional as F

from musicrec.models._band_maximum import band_maximum


@pytest.mark.parametrize("batch", [1, 3, 9])
@pytest.mark.parametrize("frames", [7, 40, 187, 193])
@pytest.mark.parametrize(
    ("channels", "height"), [(50, 38), (64, 67), (48, 1), (5, 38), (204, 95)], ids=lambda value: str(value)
)
def test_tall_filters(batch, frames, channels, height):
    check(batch, bands=96, frames=frames, channels=channels, height=height, taps=7)


@pytest.mark.parametrize(
    ("taps", "height", "channels"), [(128, 1, 3), (64, 1, 51), (32, 1, 17), (1, 1, 2), (5, 12, 60)]
)
@pytest.mark.parametrize("batch", [1, 5])
def test_long_and_other_filters(batch, taps, height, channels):
    check(batch, bands=40, frames=187 + taps - 1, channels=channels, height=height, taps=taps)


def check(batch: int, *, bands: int, frames: int, channels: int, height: int, taps: int) -> None:
    generator = torch.Generator().manual_seed(batch + frames)
    spectrogram = torch.randn(batch, bands, frames, generator=generator)
    weight = torch.randn(channels, height, taps, generator=generator)
    expected = F.conv2d(spectrogram[:, None].double(), weight[:, None].double()).amax(dim=2)
    with torch.inference_mode():
        found = band_maximum(spectrogram, weight)
    assert found.shape == expected.shape and found.dtype == torch.float32
    assert (found - expected).abs().max() < 2e-5 * expected.abs().max()


def test_autocast_changes_nothing():
    spectrogram, weight = torch.randn(2, 96, 60), torch.randn(50, 38, 7)
    with torch.inference_mode():
        expected = band_maximum(spectrogram, weight)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(band_maximum(spectrogram, weight), expected)
