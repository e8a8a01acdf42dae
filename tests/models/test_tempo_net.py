"""The tempo network and its tempogram."""

import numpy as np
import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.tempo_net import HARMONICS, TempoNet

HEAD = TempoHead(classes_per_octave=60)
SIZE = len(HEAD.classes)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return TempoNet({"tempo": SIZE}, classes_per_octave=60).eval()


def clicks(bpm: float) -> torch.Tensor:
    """Return (1, 1, 48, 751) decibels of twelve seconds of clicks, which are short bursts of noise."""
    waveform = torch.zeros(1, 192_000)
    burst = torch.randn(400, generator=torch.Generator().manual_seed(0)) * torch.linspace(0.5, 0, 400)
    for start in torch.arange(2_000, 191_000, 60 * 16_000 / bpm).round().int().tolist():
        waveform[0, start : start + 400] = burst
    frontend = LogFrequencySpectrogram(n_fft=1024, hop_length=256, n_mels=48, f_min=62.5, bands_per_octave=7)
    return frontend(waveform)


@pytest.mark.parametrize("bpm", [52.3, 90.5, 127.0, 174.4])
def test_the_tempogram_of_a_click_track_peaks_at_its_tempo(network, bpm):
    tempogram = network.tempogram(clicks(bpm))[0].mean(dim=0)
    near = (network.hertz > 0.7 * bpm / 60) & (network.hertz < 1.4 * bpm / 60)
    peak = network.hertz[near][tempogram[near].argmax()]
    assert 60 * float(peak) == pytest.approx(bpm, rel=0.01)
    assert tempogram[near].max() > 5 * tempogram[near].median()


@pytest.mark.parametrize("bpm", [61.7, 90.5, 127.9, 174.4])
def test_the_tempo_of_clicks_is_found_to_a_fraction_of_a_class(network, bpm):
    tempogram = network.tempogram(clicks(bpm))[0].mean(dim=0).log()
    starts = [int(network.starts[HARMONICS.index(harmonic)]) for harmonic in (1, 2, 3, 4)]
    comb = sum(tempogram[start : start + SIZE] for start in starts)
    comb[np.abs(np.log2(HEAD.centres_bpm / bpm)) > 0.4] = -100.0  # half and double tempo are as strong
    assert float(HEAD.answer(comb.softmax(dim=0)[None])) == pytest.approx(bpm, rel=0.003)


def test_a_faster_track_is_shifted_along_the_tempo_axis(network):
    slow, fast = (network.tempogram(clicks(bpm))[0].mean(dim=0) for bpm in (80.0, 80.0 * 2 ** (15 / 60)))
    region = torch.arange(network.starts[HARMONICS.index(1)] + 60, network.starts[HARMONICS.index(1)] + 180)
    shifted = torch.corrcoef(torch.stack([slow[region], fast[region + 15]]))[0, 1]
    unshifted = torch.corrcoef(torch.stack([slow[region], fast[region]]))[0, 1]
    assert shifted > 0.95 > 0.5 > unshifted


def test_the_tempo_axis_matches_the_classes_of_the_head(network):
    axis = 60 * network.hertz[network.starts[HARMONICS.index(1)] :][:SIZE]
    np.testing.assert_allclose(axis.numpy(), HEAD.centres_bpm, rtol=1e-5)


def test_the_level_does_not_change_the_answer(network):
    decibels = clicks(120.0).clamp(min=-70)
    with torch.no_grad():
        expected, quieter = (network(d)[1]["tempo"] for d in (decibels, decibels - 20))
    torch.testing.assert_close(quieter, expected, rtol=1e-4, atol=1e-4)


def test_silence_and_one_frame_give_finite_answers(network):
    with torch.no_grad():
        for frames in (1, 2, 751):
            assert network(torch.full((1, 1, 48, frames), -100.0))[1]["tempo"].isfinite().all()


def test_the_network_can_be_trained_after_inference():
    network = TempoNet({"tempo": SIZE}, classes_per_octave=60, width=8)
    decibels = clicks(100.0)
    with torch.inference_mode():
        network.eval()(decibels)
    value = decibels.clone().requires_grad_()
    network(value)[1]["tempo"].sum().backward()
    assert value.grad.abs().max() > 0


def test_bands_that_do_not_divide_the_input_are_rejected():
    with pytest.raises(ConfigError, match=r"model\.bands=16: must divide model\.n_mels=50"):
        TempoNet({"tempo": 9}, n_mels=50)
