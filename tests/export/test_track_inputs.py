"""The inputs of networks for whole tracks."""

import pytest
import torch

from musicrec.export.track_inputs import frames_of, track_inputs
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "frontend",
    [
        MelSpectrogram(padding="zeros", compression="log"),
        MelSpectrogram(n_fft=1024, hop_length=200),
        LogFrequencySpectrogram(n_fft=2048, hop_length=512, f_min=400.0, bands_per_octave=60),
    ],
    ids=["musicnn", "overlapping", "log_frequency"],
)
@pytest.mark.parametrize(("start", "stop"), [(0, 5), (1, 9), (7, 20), (20, 41), (0, 41)])
def test_frames_of_a_stretch_are_those_of_the_whole(frontend, start, stop):
    waveform = torch.randn(40 * frontend.hop_length + 100, generator=torch.Generator().manual_seed(0)) / 4
    whole = frontend(waveform[None])[0]
    assert whole.shape[-1] == 41
    found = frames_of(frontend, waveform, start, stop, device=CPU)
    torch.testing.assert_close(found, whole[..., start:stop], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_patches_follow_each_other_in_the_spectrogram_of_the_track(batch_size):
    network, frontend = MusiCNN({"tags": 3}, width=8), MelSpectrogram(padding="zeros", compression="log")
    waveform = torch.randn(5 * 187 * 256 + 9_000, generator=torch.Generator().manual_seed(0)) / 4
    batches = list(track_inputs(network, frontend, waveform, batch_size=batch_size, device=CPU))
    assert max(len(batch) for batch in batches) == min(batch_size, 5)
    patches = torch.cat(batches)
    assert patches.shape == (5, 1, 96, 187)
    whole = frontend(waveform[None])[0]
    torch.testing.assert_close(torch.cat(list(patches), dim=-1), whole[..., : 5 * 187], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("samples", "patches"), [(1, 1), (47_616, 1), (95_487, 1), (95_488, 2)])
def test_number_of_patches(samples, patches):
    """A patch takes 187 frames, so two take 374, the last of which is centred on sample 373 * 256."""
    inputs = track_inputs(
        MusiCNN({"tags": 3}, width=8), MelSpectrogram(), torch.zeros(samples), batch_size=4, device=CPU
    )
    assert sum(len(batch) for batch in inputs) == patches


def test_other_networks_take_chunks_that_cover_the_track():
    network, frontend = ShortChunkResNet({"tags": 3}, width=8, chunk_samples=16_000), MelSpectrogram(n_mels=128)
    waveform = torch.randn(40_000, generator=torch.Generator().manual_seed(0)) / 4
    found = torch.cat(list(track_inputs(network, frontend, waveform, batch_size=2, device=CPU)))
    expected = torch.cat([frontend(waveform[None, start : start + 16_000]) for start in (0, 12_000, 24_000)])
    torch.testing.assert_close(found, expected)
