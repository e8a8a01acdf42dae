"""Spectral descriptors, onset rate and energy against arithmetic, librosa and rendered music; all of them at once."""

import json
import math

import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import Decoded, decode_track
from musicrec.descriptors import DESCRIPTORS
from musicrec.descriptors.energy import WEIGHTS, energy
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure
from musicrec.descriptors.onset_rate import onset_times
from musicrec.descriptors.spectrum import spectrum_of
from musicrec.descriptors.zero_crossings import zero_crossings

RATE = 16_000


def values(waveform: np.ndarray) -> dict[str, float]:
    return measure(Decoded(waveform.astype(np.float32)), sample_rate=RATE)


def sine(hz: float, seconds: float = 4.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE + 0.1)


@pytest.mark.parametrize("hz", [500.0, 1000.0, 3000.0])
def test_a_sine(hz):
    """All of its spectrum lies at its frequency, within a bin of 31 Hz, and it changes its sign twice per period."""
    measured = values(sine(hz))
    assert measured["brightness"] == pytest.approx(hz, abs=2)
    assert measured["roll_off"] == pytest.approx(hz, abs=32)
    assert measured["zero_crossings"] == pytest.approx(2 * hz, abs=1)
    assert measured["loudness_range"] == pytest.approx(0, abs=0.05)
    assert measured["onset_rate"] * 4 <= 1


def test_white_noise():
    """Its mean magnitude is the same everywhere: the centroid is at 4 kHz, 85 % lies below 6.8 kHz."""
    measured = values(0.1 * np.random.default_rng(0).standard_normal(20 * RATE))
    assert measured["brightness"] == pytest.approx(4000, rel=0.01)
    assert measured["roll_off"] == pytest.approx(6800, rel=0.01)
    assert measured["zero_crossings"] == pytest.approx(8000, rel=0.01)


def test_against_librosa():
    """Golden values of librosa 0.11.0:

    y = mixture()
    S = librosa.magphase(librosa.stft(y, n_fft=512, hop_length=960, center=False))[0]
    librosa.feature.spectral_centroid(S=S, sr=16000).mean()
    librosa.feature.spectral_rolloff(S=S, sr=16000, roll_percent=0.85).mean()
    librosa.zero_crossings(y, pad=False).sum() * 16000 / len(y)
    """
    measured = values(mixture())
    assert measured["brightness"] == pytest.approx(LIBROSA["brightness"], rel=1e-4)
    assert measured["roll_off"] == pytest.approx(LIBROSA["roll_off"], rel=1e-4)
    assert measured["zero_crossings"] == pytest.approx(LIBROSA["zero_crossings"], rel=1e-6)


def mixture() -> np.ndarray:
    """Return four seconds of three tones that fade, and noise that grows, (samples,) float32."""
    time_s = np.arange(4 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * hz * time_s) * np.exp(-time_s * k) for k, hz in enumerate((220, 1330, 3101)))
    noise = np.random.default_rng(5).standard_normal(len(time_s)) * time_s / 40
    return (0.2 * (tones + noise)).astype(np.float32)


LIBROSA = {"brightness": 1702.0166, "roll_off": 4363.3396, "zero_crossings": 969.5}


def test_zero_counts_as_positive():
    assert zero_crossings(np.array([0.5, 0.0, -0.0, 0.5, -0.5, -0.1, 0.0], np.float32), 7) == 2


@pytest.mark.parametrize("per_second", [1, 2, 5, 8])
@pytest.mark.parametrize("level", [1.0, 0.01])
def test_clicks(per_second, level):
    """Each click is one onset, at its time, at any level of the recording."""
    waveform = np.zeros(10 * RATE, np.float32)
    times_s = np.arange(0.1, 9.9, 1 / per_second)
    rng = np.random.default_rng(0)
    for time_s in times_s:
        first = round(time_s * RATE)
        waveform[first : first + 320] += level * 0.5 * rng.standard_normal(320) * np.exp(-np.arange(320) / 60)
    spectrum = spectrum_of(waveform, RATE)
    found = onset_times(spectrum.bands, spectrum.frame_rate)
    assert len(found) == len(times_s)
    np.testing.assert_allclose(found, times_s, atol=0.03)
    assert values(waveform)["onset_rate"] == pytest.approx(len(times_s) / 10)


@pytest.mark.slow
def test_a_played_scale():
    """Notes of three partials, four per second, that ring into each other; noise is no onset."""
    rng = np.random.default_rng(1)
    waveform = 1e-4 * rng.standard_normal(12 * RATE)
    starts_s = 0.2 + np.arange(40) / 4
    for number, start_s in enumerate(starts_s):
        hz = 220 * 2 ** ((number * 7 % 12) / 12)
        time_s = np.arange(round(0.4 * RATE)) / RATE
        note = sum(np.sin(2 * np.pi * hz * k * time_s) / k for k in (1, 2, 3)) * np.exp(-12 * time_s)
        first = round(start_s * RATE)
        waveform[first : first + len(note)] += 0.2 * note
    spectrum = spectrum_of(waveform.astype(np.float32), RATE)
    found = onset_times(spectrum.bands, spectrum.frame_rate)
    hits = sum(np.abs(found - start_s).min() < 0.05 for start_s in starts_s)
    assert hits >= 38 and len(found) <= 42


@pytest.mark.slow
def test_rendered_music(shared):
    """Per beat of the score, dance music has about one to four onsets, and the same music louder has the same."""
    import polars as pl

    rows = pl.read_csv(shared / "corpus" / "manifest.csv").filter(pl.col("split") == "valid").sort("track_id")[::6]
    per_beat = []
    for path, bpm in rows.select("path", "bpm").iter_rows():
        waveform = decode_track(shared / "corpus" / path).waveform
        rate = values(waveform)["onset_rate"]
        assert values(waveform / 8)["onset_rate"] == pytest.approx(rate, rel=0.05, abs=0.05)
        per_beat.append(rate * 60 / bpm)
    assert len(per_beat) > 5 and 1 < np.median(per_beat) < 4


def test_energy_is_the_formula():
    """1 at the lower ends of the usual ranges, 10 at the upper ends, and the weighted mean between them."""
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    low = {descriptor.name: descriptor.low for descriptor in WEIGHTS}
    high = {descriptor.name: descriptor.high for descriptor in WEIGHTS}
    assert energy(low) == energy({}) == 1 and energy(high) == pytest.approx(10)
    # Loudness in the middle (0.5 * 0.5), brightness at its upper end (0.2): 1 + 9 * 0.45.
    assert energy(low | {"loudness": -16.75, "brightness": 2500.0}) == pytest.approx(5.05)


def test_louder_brighter_and_busier_has_more_energy():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(8 * RATE)
    beats = np.exp(-20 * (np.arange(8 * RATE) / RATE % 0.2))
    calm = 0.03 * sine(220, 8.0)
    hard = np.clip(0.5 * noise * beats + 0.3 * sine(110, 8.0), -1, 1)
    assert values(calm)["energy"] < 2 and values(hard)["energy"] > 8
    assert values(hard * 0.1)["energy"] < values(hard)["energy"]


@pytest.mark.parametrize("samples", [1, 2, 100, 511, 512, 513, 5000, 16_000])
@pytest.mark.parametrize("kind", ["silence", "constant", "noise", "spike"])
def test_short_and_odd_waveforms_give_finite_values(samples, kind):
    waveform = {
        "silence": np.zeros(samples),
        "constant": np.full(samples, 0.7),
        "noise": np.random.default_rng(0).uniform(-1, 1, samples),
        "spike": np.eye(1, samples)[0],
    }[kind]
    measured = values(waveform)
    assert all(math.isfinite(value) for value in measured.values())
    assert 1 <= measured["energy"] <= 10 and -70 <= measured["loudness"] < 10
    assert "loudness_range" not in measured
    if kind == "silence":
        assert "brightness" not in measured and "roll_off" not in measured
        assert (measured["loudness"], measured["onset_rate"], measured["zero_crossings"]) == (-70, 0, 0)
        assert measured["energy"] == 1


def test_all_are_measured_in_the_order_of_the_table():
    assert list(values(mixture())) == list(DESCRIPTORS)


def test_values_are_plain_numbers():
    assert json.loads(json.dumps(values(mixture()))).keys() == DESCRIPTORS.keys()


def test_the_waveform_is_not_changed():
    waveform = mixture()
    values(waveform)
    np.testing.assert_array_equal(waveform, mixture())


def test_loudness_is_that_of_the_file_and_not_of_its_mono_mix(tmp_path):
    """Two independent channels: each counts, while their mean is 3 dB quieter and counts once."""
    channels = 0.1 * np.random.default_rng(0).standard_normal((5 * 44_100, 2))
    soundfile.write(tmp_path / "a.wav", channels, 44_100, subtype="FLOAT")
    metered = measure(decode_track(tmp_path / "a.wav", meter=LoudnessMeter), sample_rate=RATE)
    mono = measure(decode_track(tmp_path / "a.wav"), sample_rate=RATE)
    assert metered["loudness"] - mono["loudness"] > 6
    assert metered["brightness"] == mono["brightness"]
