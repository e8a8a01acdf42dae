"""Pictures of a track: what they show is right. How they look, a person has to judge."""

import dataclasses

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from musicrec.export.description import Model
from musicrec.figures.predictions_over_time import Hearing, hear
from musicrec.figures.style import AGAINST, FOR, image
from musicrec.figures.tracks import is_true, overlay, rows_of, saliency_figure, track_figure


@pytest.fixture(scope="module")
def hearing(model: Model, truth: dict) -> Hearing:
    """One and a half chunks of noise, with a name that is no formula."""
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, model.network.chunk_samples * 3 // 2).astype(np.float32)
    heard = hear(model, waveform, track_id="100 $ and $", truth=truth, device="cpu")
    likely = torch.tensor([0.5, 0.2, 0.1, 0.1, 0.06, 0.04]).expand(len(heard.starts), 6)
    return dataclasses.replace(heard, probabilities=heard.probabilities | {"genre": likely})


def test_rows_are_the_likeliest_classes_and_a_true_one(hearing: Hearing):
    genre, _, key, instruments = hearing.model.heads
    assert rows_of(genre, hearing) == [0, 1, 2, 5], "the last is true, though unlikely"
    mean = hearing.probabilities["key"].mean(dim=0)
    assert rows_of(key, hearing) == mean.argsort(descending=True)[:4].tolist()
    assert sorted(rows_of(instruments, hearing)) == [0, 1, 2]


def test_true_is_what_the_label_says_and_unknown_is_not(hearing: Hearing):
    genre, tempo, key, instruments = hearing.model.heads
    assert [is_true(genre, hearing, output) for output in (4, 5)] == [False, True]
    assert [is_true(instruments, hearing, output) for output in range(3)] == [True, False, False]
    assert not any(is_true(key, hearing, output) for output in range(24))
    (output,) = [output for output in range(len(tempo.classes)) if is_true(tempo, hearing, output)]
    assert tempo.edges[output] <= 120 < tempo.edges[output + 1]


@pytest.mark.slow
def test_track_picture_has_a_panel_for_every_sign_and_head(hearing: Hearing):
    figure = track_figure(hearing)
    labels = [axes.get_ylabel() for axes in figure.axes]
    for label in ("waveform", "mel (Hz)", "roll-off\n85 % (kHz)", "zero\ncrossings (%)", "BPM", "probability", "dB"):
        assert label in labels
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert [title for title in titles if title] == ["genre", "tempo", "key", "instruments"]
    (genre,) = [axes for axes in figure.axes if axes.get_title(loc="left") == "genre"]
    assert [tick.get_text() for tick in genre.get_yticklabels()] == ["genre a", "genre b", "genre c", "✓ genre f"]
    assert image(figure).size[0] > 900  # draws it, also the name with dollar signs


@pytest.mark.slow
def test_saliency_picture_explains_the_likeliest_answer_of_every_head(hearing: Hearing):
    titles = [axes.get_title(loc="left") for axes in saliency_figure(hearing).axes]
    assert [title.split(":")[0] for title in titles] == ["genre", "tempo", "key", "instruments"]
    assert titles[0] == "genre: genre a  (probability 0.50)"


def test_overlay_colours_what_speaks_for_and_against():
    parts = torch.zeros(60, 60)
    parts[10:20, 10:20], parts[40:50, 40:50] = 1.0, -1.0
    picture = overlay(torch.full((60, 60), -100.0), parts)
    assert picture[15, 15] == pytest.approx(to_rgb(FOR), abs=1e-3)
    assert picture[45, 45] == pytest.approx(to_rgb(AGAINST), abs=1e-3)
    assert picture[0, 30].min() > 0.4 and picture[0, 30].std() == pytest.approx(0, abs=1e-6), "grey"
