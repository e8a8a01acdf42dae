"""Windows of a track, and their predictions."""

import numpy as np
import pytest
import torch

from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model
from musicrec.figures.predictions_over_time import MAX_WINDOWS, predict_windows, window_starts


@pytest.mark.parametrize(
    ("length", "starts"),
    [(50, [0]), (100, [0]), (110, [0, 10]), (125, [0, 25]), (200, [0, 25, 50, 75, 100]), (160, [0, 20, 40, 60])],
)
def test_windows_are_at_most_a_quarter_apart_and_cover_the_track(length: int, starts: list[int]):
    assert window_starts(length, 100).tolist() == starts


def test_a_long_track_has_no_more_windows_than_a_figure_can_show():
    starts = window_starts(100_000, 100)
    assert len(starts) == MAX_WINDOWS and starts[0] == 0 and starts[-1] == 99_900


def test_the_prediction_of_a_window_equals_that_of_the_analyzer(model: Model, truth: dict):
    size = model.network.chunk_samples
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * size).astype(np.float32)
    track = predict_windows(model, waveform, track_id="t", truth=truth, device="cpu")
    assert track.starts.tolist() == window_starts(2 * size, size).tolist() and len(track.starts) == 5
    middle = waveform[track.starts[2] : track.starts[2] + size]
    torch.testing.assert_close(track.window(2), torch.from_numpy(middle)[None])
    for name, answer in TrackAnalyzer([model]).predict(middle).items():
        np.testing.assert_allclose(track.probabilities[name][2], answer[0], atol=1e-5)
    duration_s = 2 * size / 16_000
    assert track.duration_s == duration_s
    # The windows are centred at 1/4, 3/8, 1/2, 5/8 and 3/4 of the track.
    assert track.edges_s == pytest.approx(np.array([0, 5, 7, 9, 11, 16]) / 16 * duration_s, abs=1e-3)


def test_a_short_track_is_padded_with_zeros(model: Model, truth: dict):
    track = predict_windows(model, np.ones(1000, dtype=np.float32), track_id="t", truth=truth, device="cpu")
    assert track.starts.tolist() == [0] and track.window(0).shape == (1, model.network.chunk_samples)
    assert float(track.window(0).sum()) == 1000
