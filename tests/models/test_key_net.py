"""The key network, which is equivariant to transposition."""

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.key_net import KeyNet


@pytest.fixture(
    params=[{"pool_first": False}, {"pool_first": True}, {"pool_first": True, "chords": 6}],
    ids=["pool_last", "pool_first", "chords"],
)
def network(request):
    torch.manual_seed(0)
    return KeyNet({"key": 24, "genre": 3}, width=8, **request.param).eval()


def chord(shift_semitones: int) -> torch.Tensor:
    """Return (1, 1, 216, 8) decibels with sound in a few bands of the middle octaves."""
    generator = torch.Generator().manual_seed(1)
    decibels = torch.full((1, 1, 216, 8), -100.0)
    rows = torch.randint(72, 108, (9,), generator=generator) + 3 * shift_semitones
    decibels[0, 0, rows] = -40 * torch.rand(9, 8, generator=generator)
    return decibels


@pytest.mark.parametrize("shift", [1, 5, 11])
def test_transposing_the_spectrogram_rotates_the_keys(network, shift):
    with torch.no_grad():
        (embedding, logits), (moved_embedding, moved) = network(chord(0)), network(chord(shift))
    expected = (
        logits["key"].unflatten(1, (2, 12)).roll(shift, dims=2).flatten(1)
    )  # twelve major keys, then twelve minor keys
    assert not torch.allclose(logits["key"], expected)
    torch.testing.assert_close(moved["key"], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved_embedding, embedding, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(moved["genre"], logits["genre"], rtol=1e-4, atol=1e-5)


def test_transposing_the_audio_rotates_the_keys(network):
    """A chord with decaying harmonics, and the same chord a fourth higher, both through the front end."""
    time = torch.arange(64_000) / 16_000

    def logits(semitones: int) -> torch.Tensor:
        notes = [262 * 2 ** ((note + semitones) / 12) for note in (0, 4, 7)]
        waveform = sum(torch.sin(2 * torch.pi * f * h * time) / h**2 for f in notes for h in (1, 2, 3)) / 8
        with torch.no_grad():
            return network(LogFrequencySpectrogram()(waveform[None]))[1]["key"].unflatten(1, (2, 12))

    low, high = logits(0), logits(5)
    spread = float(low.std())
    assert (high - low.roll(5, dims=2)).abs().max() < 0.2 * spread
    assert (high - low).abs().max() > 0.5 * spread


def test_only_with_chords_does_it_matter_which_notes_sound_together():
    """Two notes, half an octave apart, in half of the frames each: at the same time, and one after the other."""
    music = torch.full((2, 1, 216, 8), -100.0)
    music[0, 0, [73, 91], :4] = 0.0
    music[1, 0, 73, :4] = music[1, 0, 91, 4:] = 0.0

    def difference(chords: int) -> float:
        torch.manual_seed(0)
        network = KeyNet({"key": 24}, width=8, chords=chords).eval()
        network.bands.weight.data[..., (0, 2)] = 0.0  # no filter sees what comes before or after
        if chords:
            network.chords.weight.data *= 100.0  # small inputs would meet the linear part of the activation
        with torch.no_grad():
            first, second = network(music)[1]["key"]
        return float((first - second).abs().max())

    assert difference(chords=0) < 1e-5
    assert difference(chords=6) > 1e-3


def test_the_level_does_not_change_the_answer(network):
    decibels = chord(0)
    with torch.no_grad():
        expected, quieter = (network(d)[1]["key"] for d in (decibels, decibels - 30))
    torch.testing.assert_close(quieter, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("outputs", "size"), [(24, 24), (12, 12), (3, 3)])
def test_head_sizes(outputs, size):
    assert KeyNet({"key": outputs}, width=8).eval()(chord(0))[1]["key"].shape == (1, size)


@pytest.mark.parametrize("settings", [{"n_mels": 200}, {"bands_per_octave": 30, "n_mels": 180}])
def test_incomplete_octaves_are_rejected(settings):
    with pytest.raises(ConfigError, match="whole octaves"):
        KeyNet({"key": 24}, **settings)


def test_the_error_names_the_front_end_that_is_needed():
    with pytest.raises(ConfigError, match="add frontend=log_frequency"):
        KeyNet({"key": 24}, bands_per_octave=None)


def test_pooling_first_gives_the_same_answers_while_the_scales_of_the_normalisation_are_positive():
    networks = []
    for pool_first in (False, True):
        torch.manual_seed(0)
        networks.append(KeyNet({"key": 24}, width=8, pool_first=pool_first).eval())
    with torch.no_grad():
        last, first = (network(chord(0))[1]["key"] for network in networks)
        torch.testing.assert_close(first, last)
        for network in networks:
            network.bands_norm.weight.neg_()
        last, first = (network(chord(0))[1]["key"] for network in networks)
    assert not torch.allclose(first, last)


def test_octaves_in_bf16_as_in_float32():
    """In bf16, the convolution is computed in another way."""
    network = KeyNet({"key": 24}, width=8)
    notes = torch.randn(2, 8, 72, 5)
    expected = network.octaves(notes)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = network._across_octaves(notes.bfloat16())
    assert actual.dtype is torch.bfloat16
    torch.testing.assert_close(actual.float(), expected, atol=0.02, rtol=0.02)
