"""Figures of a track: their content. Their look must be judged by eye."""

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from musicrec.export.description import Model
from musicrec.figures.predictions_over_time import TrackPredictions, predict_windows
from musicrec.figures.style import OPPOSING, SUPPORTING, image
from musicrec.figures.tracks import choose_rows, is_true, overlay, saliency_figure, track_figure


@pytest.fixture(scope="module")
def predicted(model: Model, truth: dict) -> TrackPredictions:
    """Return the predictions for one and a half chunks of noise; the name must not be read as a formula."""
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, model.network.chunk_samples * 3 // 2).astype(np.float32)
    predicted = predict_windows(model, waveform, track_id="100 $ and $", truth=truth, device="cpu")
    likely = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.06, 0.04]).expand(len(predicted.starts), 6)
    return dataclasses.replace(predicted, probabilities=predicted.probabilities | {"genre": likely})


def test_rows_are_the_most_likely_classes_and_a_true_one(predicted: TrackPredictions):
    genre, _, key, instruments = predicted.model.heads
    assert choose_rows(genre, predicted) == [0, 1, 2, 5], "the last one is unlikely, but true"
    mean = predicted.probabilities["key"].mean(dim=0)
    assert choose_rows(key, predicted) == mean.argsort(descending=True)[:4].tolist()
    assert sorted(choose_rows(instruments, predicted)) == [0, 1, 2]


def test_an_output_is_true_if_it_is_the_label_and_false_if_that_is_unknown(predicted: TrackPredictions):
    genre, tempo, key, instruments = predicted.model.heads
    assert [is_true(genre, predicted, output) for output in (4, 5)] == [False, True]
    assert [is_true(instruments, predicted, output) for output in range(3)] == [True, False, False]
    assert not any(is_true(key, predicted, output) for output in range(24))
    (output,) = [output for output in range(len(tempo.classes)) if is_true(tempo, predicted, output)]
    assert tempo.edges[output] <= 120 < tempo.edges[output + 1]


@pytest.mark.slow
def test_track_figure_has_a_panel_for_every_signal_and_head(predicted: TrackPredictions):
    figure = track_figure(predicted)
    labels = [axes.get_ylabel() for axes in figure.axes]
    for label in ("waveform", "mel (Hz)", "roll-off\n85 % (kHz)", "zero\ncrossings (%)", "BPM", "probability", "dB"):
        assert label in labels
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["genre", "tempo", "key", "instruments"]
    (genre,) = [axes for axes in figure.axes if axes.get_title(loc="left") == "genre"]
    assert [tick.get_text() for tick in genre.get_yticklabels()] == ["genre a", "genre b", "genre c", "✓ genre f"]
    assert image(figure).size[0] > 900  # drawing fails if the dollar signs start a formula


@pytest.mark.slow
def test_saliency_figure_has_the_most_likely_answer_of_every_head(predicted: TrackPredictions):
    titles = [axes.get_title(loc="left") for axes in saliency_figure(predicted).axes]
    assert [title.split(":")[0] for title in titles] == ["genre", "tempo", "key", "instruments"]
    assert titles[0] == "genre: genre a  (probability 0.50)"


def test_overlay_has_one_colour_for_support_and_one_for_opposition():
    parts = torch.zeros(60, 60)
    parts[10:20, 10:20], parts[40:50, 40:50] = 1.0, -1.0
    picture = overlay(torch.full((60, 60), -100.0), parts)
    assert picture[15, 15] == pytest.approx(to_rgb(SUPPORTING), abs=1e-3)
    assert picture[45, 45] == pytest.approx(to_rgb(OPPOSING), abs=1e-3)
    assert picture[0, 30].min() > 0.4 and picture[0, 30].std() == pytest.approx(0, abs=1e-6), "grey"
