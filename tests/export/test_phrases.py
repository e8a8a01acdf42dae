"""Beat grids and phrases of whole tracks, and where phrases begin."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from musicrec.errors import ConfigError
from musicrec.export import catalogue
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.compatibility import check_parts
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.phrases import find_phrases, levels_of_beats, novelty
from musicrec.heads.beat_grid import BeatGrid
from musicrec.heads.beats import BeatHead
from musicrec.heads.tags import TagHead
from musicrec.models.beat_net import BeatNet
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet

RATE, BPM, FIRST_S = 16_000, 120.0, 0.25


class ClickNet(nn.Module):
    """Hears a beat in each loud frame, and a downbeat in each very loud one. Not trained."""

    n_mels, chunk_samples, embedding_size, output_rate = 48, 160_000, 4, 62.5
    settings: ClassVar = {"n_mels": 48}

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loudest = decibels.amax(dim=2)
        logits = torch.cat([(loudest - 18) / 3, (loudest - 33) / 3], dim=1)
        return torch.zeros(len(decibels), 4), {"beats": logits}


def track(seconds: float) -> np.ndarray:
    """Clicks at 120 BPM, the first of four louder, over a tone that changes every eight beats from the fourth on."""
    time_s = np.arange(int(seconds * RATE)) / RATE
    wave = np.zeros(len(time_s))
    for number, beat_s in enumerate(np.arange(FIRST_S, seconds - 0.05, 60 / BPM)):
        begin = round(beat_s * RATE)
        wave[begin : begin + 160] += (0.9 if number % 4 == 0 else 0.15) * np.sin(np.arange(160) * 0.8)
    eighth = np.floor(((time_s - FIRST_S) * BPM / 60 - 4) / 8)
    hertz = np.where(eighth % 2 == 0, 300.0, 1500.0)
    return (wave + 0.001 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)


@pytest.fixture(scope="module")
def beats() -> Model:
    frontend = MelSpectrogram(n_mels=48)
    return Model(network=ClickNet(), frontend=frontend, heads=[BeatHead()], config={}, source=Path("beats"))


def test_a_track_gets_a_grid_and_phrases(beats: Model):
    analysis = TrackAnalyzer([beats]).analyze(track(34.0))
    grid = analysis.beat_grid
    assert grid.bpm == pytest.approx(BPM, abs=0.02)
    assert grid.first_beat_s == pytest.approx(FIRST_S, abs=0.015)
    assert (grid.beats_per_bar, grid.first_place) == (4, 1)
    assert grid.confidence > 0.5
    assert analysis.frames["beats"].shape == (2, int(34 * 62.5) + 1)
    assert list(analysis.phrases) == [8, 16, 32]
    assert analysis.phrases[8][:2] == pytest.approx(FIRST_S + np.array([4, 12]) * 0.5, abs=0.02)
    assert np.diff(analysis.phrases[8]) == pytest.approx(np.full(len(analysis.phrases[8]) - 1, 4.0), abs=0.01)
    assert set(analysis.phrases[32]) <= set(analysis.phrases[16]) <= set(analysis.phrases[8])


def test_frames_leave_the_other_answers_as_they_are(beats: Model):
    torch.manual_seed(0)
    network = ShortChunkResNet({"tags": 3}, n_mels=48, width=8, chunk_samples=48_000).eval()
    tags = Model(
        network=network,
        frontend=MelSpectrogram(n_mels=48),
        heads=[TagHead(name="tags", columns=("tags",), classes=("a", "b", "c"))],
        config={},
        source=Path("t"),
    )
    alone, together = (TrackAnalyzer(models, precision="float32") for models in ([tags], [tags, beats]))
    one, both = alone.analyze(track(12.0)), together.analyze(track(12.0))
    assert list(together.heads) == ["tags"] and list(together.frame_heads) == ["beats"]
    assert together.embedding_sizes == [network.embedding_size, 0]
    np.testing.assert_array_equal(one.probabilities["tags"], both.probabilities["tags"])
    np.testing.assert_array_equal(one.embedding, both.embedding)
    assert list(both.probabilities) == ["tags"]
    assert one.beat_grid is None and one.phrases == {} and both.beat_grid is not None


def test_silence_has_no_grid():
    """The model that ships finds something at the ends of the chunks, which are padded."""
    shipped = read_export(catalogue.resolve("beats"))
    analysis = TrackAnalyzer([shipped], precision="float32").analyze(np.zeros(RATE * 30, np.float32))
    assert analysis.beat_grid is None and analysis.phrases == {}


def test_phrases_begin_where_the_sound_changes():
    grid = BeatGrid(bpm=60.0, first_beat_s=0.5, beats_per_bar=4, first_place=3, confidence=1.0, duration_s=200.0)
    levels = np.zeros((200, 6))  # downbeats: 2, 6, 10, …
    for place in range(14, 200, 16):
        levels[place : place + 8] = 10  # every 16 beats from beat 14 on, for 8
    phrases = find_phrases(levels, grid)
    assert phrases[8][:3].tolist() == [6.5, 14.5, 22.5]
    assert {place % 16 for place in phrases[16] - 0.5} in ({14.0}, {6.0})
    waltz = BeatGrid(bpm=60.0, first_beat_s=0.0, beats_per_bar=3, first_place=1, confidence=1.0, duration_s=30.0)
    assert list(find_phrases(np.zeros((30, 6)), waltz)) == [6, 12], "fewer than two phrases of 24 beats"
    assert find_phrases(np.zeros((2, 6)), waltz) == {}


def test_novelty_is_the_difference_of_means():
    levels = np.array([[0.0, 0], [0, 0], [3, 4], [3, 4], [3, 4]])
    strength = novelty(levels, np.array([0, 2, 3, 4]), context=2)
    assert strength == pytest.approx([0, np.sqrt(12.5), np.sqrt(12.5) / 2, 0])


def test_levels_of_beats_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch):
    grid = BeatGrid(bpm=BPM, first_beat_s=FIRST_S, beats_per_bar=4, first_place=1, confidence=1.0, duration_s=20.0)
    frontend, waveform = MelSpectrogram(n_mels=48), track(20.0)
    whole = levels_of_beats(waveform, grid, frontend)
    monkeypatch.setattr("musicrec.export.phrases._BLOCK_S", 4.0)
    assert np.abs(levels_of_beats(waveform, grid, frontend) - whole).mean() < 0.5
    assert whole.shape == (len(grid.beats_s), 48)


def test_frames_need_a_network_that_has_them():
    frontend = MelSpectrogram(n_mels=48)
    with pytest.raises(
        ConfigError, match=r"task\.heads\.beats: ShortChunkResNet answers once per chunk.*model=beat_net"
    ):
        check_parts(ShortChunkResNet({"beats": 2}, n_mels=48, width=8), [BeatHead()], frontend)
    network = BeatNet({"beats": 2}, n_mels=48, hop_length=frontend.hop_length)
    check_parts(network, [BeatHead()], frontend)
    with pytest.raises(ConfigError, match=r"the front end has 62\.5 frames per second"):
        check_parts(network, [BeatHead(frame_rate=50.0)], frontend)
    with pytest.raises(ConfigError, match="only the head called beats"):
        check_parts(network, [BeatHead(name="pulse")], frontend)
    with pytest.raises(ConfigError, match="12 bands or more"):
        BeatNet({"beats": 2}, n_mels=8)
