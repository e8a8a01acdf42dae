"""Noise: measured ratio, measured slope of the spectrum."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicrec.deformations.folder_noise import FolderNoise
from musicrec.deformations.noise import Noise
from musicrec.deformations.published_noise import PublishedNoise
from musicrec.errors import ConfigError


def db(power: torch.Tensor) -> float:
    return 10 * math.log10(float(power))


@pytest.mark.parametrize("colour", ["white", "pink", "brown"])
@pytest.mark.parametrize("snr_db", [-5.0, 20.0])
def test_the_ratio_of_the_powers_is_the_one_asked_for(colour, snr_db, tone, deform):
    clean = torch.stack([tone(440, 30_000, 0.5), tone(3000, 30_000, 0.01)])
    noise = deform(Noise(colour=colour, snr_db=snr_db), clean).waveform - clean
    for signal, added in zip(clean, noise, strict=True):
        assert db(signal.square().mean() / added.square().mean()) == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize(("colour", "db_per_octave"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
def test_the_spectrum_falls_as_the_colour_says(colour, db_per_octave, deform):
    carrier = torch.full((8, 65_536), 1e-6)  # there must be power for a ratio; this is 60 dB below the noise
    noise = deform(Noise(colour=colour, snr_db=-60.0), carrier).waveform
    power = torch.fft.rfft(noise).abs().square().mean(dim=0).numpy()
    frequency = np.fft.rfftfreq(65_536, 1 / 16_000)
    edges = 62.5 * 2.0 ** np.arange(0, 7.5, 0.5)
    level = [10 * np.log10(power[(frequency >= low) & (frequency < low * 2**0.5)].mean()) for low in edges[:-1]]
    slope, _ = np.polyfit(np.arange(len(level)) / 2, level, 1)
    assert slope == pytest.approx(db_per_octave, abs=0.15)


def test_brown_noise_is_flat_where_nobody_hears_it(deform):
    noise = deform(Noise(colour="brown", snr_db=-60.0), torch.full((8, 65_536), 1e-6)).waveform
    power = torch.fft.rfft(noise).abs().square().mean(dim=0)
    assert db(power[8:40].mean() / power[41:80].mean()) == pytest.approx(0, abs=1.5)  # 2–10 against 10–20 Hz


def test_a_range_gives_every_example_its_own_ratio(deform):
    clean = torch.ones(64, 4000)
    noise = deform(Noise(snr_db=[10.0, 30.0]), clean).waveform - clean
    ratios = [-db(row.square().mean()) for row in noise]
    assert 10 <= min(ratios) < 13 and 27 < max(ratios) <= 30


def test_the_published_rule(deform):
    clean = torch.linspace(-0.8, 0.4, 50_000).expand(2, -1)  # the maximum is 0.4, not 0.8
    for ratio in (0.1, 0.4):
        noise = deform(PublishedNoise(ratio=ratio), clean).waveform - (1 - ratio) * clean
        torch.testing.assert_close(noise.abs().amax(dim=1), torch.full((2,), ratio * 0.4))
        # The peak of 50,000 normal draws lies at about 4.3 standard deviations.
        assert (ratio * 0.4 / noise.std(dim=1) - 4.3).abs().max() < 0.7


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Two recordings at 16 kHz, one of 300 Hz and one of 5000 Hz, the second short; and a text."""
    (tmp_path / "deeper").mkdir()
    time_s = np.arange(48_000) / 16_000
    soundfile.write(tmp_path / "low.wav", 0.5 * np.sin(2 * np.pi * 300 * time_s), 16_000)
    soundfile.write(tmp_path / "deeper" / "high.flac", 0.5 * np.sin(2 * np.pi * 5000 * time_s[:2000]), 16_000)
    (tmp_path / "notes.txt").write_text("not audio")
    return tmp_path


def test_noise_from_a_folder_is_of_its_files(recordings, tone, deform, peak_hz):
    clean = tone(1000, 16_000, 0.1).expand(12, -1)
    noise = deform(FolderNoise(folder=recordings, snr_db=6.0), clean).waveform - clean
    assert set(peak_hz(noise).round(decimals=-1).tolist()) == {300, 5000}
    for row in noise:
        assert db(clean[0].square().mean() / row.square().mean()) == pytest.approx(6, abs=0.01)
        assert row.unfold(0, 1000, 1000).square().mean(dim=1).min() > 0, "a short file is repeated"


def test_a_folder_of_noise_has_no_hidden_files(recordings):
    """macOS writes a resource fork beside every file on a foreign disk, under a name that ends like audio."""
    files = FolderNoise(folder=recordings, snr_db=6.0).files
    (recordings / f"._{files[0].name}").write_bytes(b"\0\5\26\7 no audio")
    (recordings / "__MACOSX").mkdir()
    (recordings / "__MACOSX" / files[0].name).write_bytes(b"\0\5\26\7 no audio")
    assert files and FolderNoise(folder=recordings, snr_db=6.0).files == files


def test_mistakes_are_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=f"folder={tmp_path}: no audio file"):
        FolderNoise(folder=tmp_path)
    with pytest.raises(ConfigError, match="colour=blue: choose white, pink or brown"):
        Noise(colour="blue")
