"""The chunks of whole tracks that networks hear."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from musicrec.export.chunk_batches import chunk_batches, heard_chunks, heard_starts
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet

CPU = torch.device("cpu")


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed)) / 4


@pytest.mark.parametrize(
    ("count", "coverage", "least", "expected"),
    [
        (5, 1.0, 1, [0, 1, 2, 3, 4]),
        (6, 0.5, 1, [1, 3, 5]),
        (9, 1 / 3, 1, [1, 4, 7]),
        (10, 0.3, 1, [1, 5, 8]),  # 0.3 * 10 is 3.0000000000000004 in some orders of operations
        (10, 0.31, 1, [1, 3, 6, 8]),
        (100, 0.01, 1, [50]),
        (4, 0.01, 3, [0, 2, 3]),
        (4, 0.01, 20, [0, 1, 2, 3]),
        (1, 0.01, 1, [0]),
    ],
)
def test_chunks_that_are_heard_are_spread_evenly(count, coverage, least, expected):
    assert heard_chunks(count, coverage, least=least).tolist() == expected


def test_two_minutes_of_every_track_are_heard():
    network, frontend = ShortChunkResNet({"tags": 3}, width=8, chunk_samples=160_000), MelSpectrogram(n_mels=128)
    starts = {s: heard_starts(network, frontend, s * 16_000, coverage=0.25) for s in (7, 50, 120, 200, 960)}
    assert {seconds: len(found) for seconds, found in starts.items()} == {7: 1, 50: 5, 120: 12, 200: 12, 960: 24}
    every = heard_starts(network, frontend, 960 * 16_000)
    assert np.isin(starts[960], every).all() and len(every) == 96


@pytest.mark.parametrize(
    "frontend",
    [
        MelSpectrogram(padding="zeros", compression="log"),
        MelSpectrogram(n_fft=1024, hop_length=200),
        LogFrequencySpectrogram(n_fft=2048, hop_length=512, f_min=400.0, bands_per_octave=60),
    ],
    ids=["musicnn", "overlapping", "log_frequency"],
)
@pytest.mark.parametrize("frames", [1, 2, 9, 41])
def test_patches_are_cut_from_the_spectrogram_of_the_whole_track(frontend, frames):
    waveform = noise(40 * frontend.hop_length + 100)
    network = SimpleNamespace(chunk_samples=(frames - 1) * frontend.hop_length + 1, chunk_frames=frames)
    whole = frontend(waveform[None])[0]
    assert whole.shape[-1] == 41
    patches = torch.cat([batch for _, batch in chunk_batches(network, frontend, [waveform], batch_size=3, device=CPU)])
    assert len(patches) == 41 // frames
    joined = torch.cat(list(patches), dim=-1)
    torch.testing.assert_close(joined, whole[..., : joined.shape[-1]], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("samples", "patches"), [(1, 1), (47_616, 1), (95_487, 1), (95_488, 2)])
def test_number_of_patches(samples, patches):
    """A patch takes 187 frames, so two take 374, the last of which is centred on sample 373 * 256."""
    waveforms = [torch.zeros(samples)]
    batches = chunk_batches(MusiCNN({"tags": 3}, width=8), MelSpectrogram(), waveforms, batch_size=4, device=CPU)
    assert sum(len(batch) for _, batch in batches) == patches


def test_other_networks_take_chunks_that_cover_the_track():
    network, frontend = ShortChunkResNet({"tags": 3}, width=8, chunk_samples=16_000), MelSpectrogram(n_mels=128)
    waveform = noise(40_000)
    batches = chunk_batches(network, frontend, [waveform], batch_size=2, device=CPU)
    found = torch.cat([batch for _, batch in batches])
    expected = torch.cat([frontend(waveform[None, start : start + 16_000]) for start in (0, 12_000, 24_000)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("batch_size", [1, 4, 16])
@pytest.mark.parametrize("patches", [True, False])
def test_a_batch_holds_chunks_of_several_tracks(batch_size, patches):
    if patches:
        network, frontend = MusiCNN({"tags": 3}, width=8), MelSpectrogram(padding="zeros", compression="log")
    else:
        network, frontend = ShortChunkResNet({"tags": 3}, width=8, chunk_samples=47_616), MelSpectrogram(n_mels=128)
    waveforms = [noise(160_000, 1), noise(20_000, 2), noise(250_000, 3)]
    found = list(chunk_batches(network, frontend, waveforms, batch_size=batch_size, device=CPU))
    assert {len(tracks) == len(batch) <= batch_size for tracks, batch in found} == {True}
    owners = [track for tracks, _ in found for track in tracks]
    assert owners == sorted(owners) and set(owners) == {0, 1, 2}
    alone = [
        batch
        for waveform in waveforms
        for _, batch in chunk_batches(network, frontend, [waveform], batch_size=1, device=CPU)
    ]
    torch.testing.assert_close(torch.cat([batch for _, batch in found]), torch.cat(alone), atol=1e-4, rtol=1e-4)
