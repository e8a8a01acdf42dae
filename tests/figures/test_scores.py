"""Figures of scores: their content, and a file size that suits mail. Their look must be judged by eye."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from musicrec.evaluation.head_scores import HeadScore, score_heads
from musicrec.figures import scores as plots
from musicrec.heads import Head
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import KEYS_24
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead


def scored(head: Head, probabilities: Tensor, target: Tensor) -> tuple[HeadScore, Tensor, Tensor]:
    (score,) = score_heads({"test": {head.name: (probabilities, target)}}, [head])
    return score, probabilities, target


def one_hot_keys(*names: str) -> Tensor:
    return torch.eye(24)[[KEYS_24.index(name) for name in names]]


@pytest.mark.slow
def test_keys_are_in_the_order_of_fifths_with_relative_keys_aligned():
    predicted = one_hot_keys("G major", "A minor", "C major", "E minor")
    truth = torch.tensor([float(KEYS_24.index(name)) for name in ("C major", "C major", "C major", "G major")])
    figure = plots.confusion(*scored(KeyHead(), predicted, truth), dataset="set")
    axes = figure.axes[0]
    names = [tick.get_text() for tick in axes.get_xticklabels()]
    assert names[:4] == ["C", "G", "D", "A"] and names[12:15] == ["Am", "Em", "Bm"]
    assert [tick.get_text() for tick in axes.get_yticklabels()][:2] == ["C (3)", "G (1)"]
    shares = np.asarray(axes.images[0].get_array())
    assert shares[0, [0, 1, 12]] == pytest.approx([1 / 3] * 3), "correct key, fifth above, relative key"
    assert shares[1, 13] == 1, "E minor, the relative key of G major"
    assert {(text.get_position(), text.get_text()) for text in axes.texts} == {
        ((0, 0), "1"),
        ((1, 0), "1"),
        ((12, 0), "1"),
        ((13, 1), "1"),
    }


def test_titles_name_head_data_and_metrics():
    head = ClassHead(name="genre", column="genre", classes=("a$b", "c$d"))
    figure = plots.confusion(*scored(head, torch.eye(2), torch.tensor([0.0, 0.0])), dataset="corpus")
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith("genre · corpus, test, 2 tracks\naccuracy 0.50 (chance 0.50)")
    figure.canvas.draw()  # dollar signs must not start a formula


def test_tempo_scatter_distinguishes_right_octave_and_wrong():
    head = TempoHead()
    centres = torch.from_numpy(head.centres_bpm).float()
    truth = torch.stack([centres[72], centres[72] / 2, centres[72] * 3, centres[72] * 1.3, torch.tensor(math.nan)])
    figure = plots.scatter(*scored(head, torch.eye(120)[[72] * 5], truth), dataset="set")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["within 4% (1)", "2, 3, ½ or ⅓ of it (2)", "wrong (1)"]


def test_curves_of_the_best_the_worst_and_the_most_frequent_classes():
    rows = [{"class": str(i), "roc_auc": 1 - i / 20, "positives": i} for i in range(20)]
    rows.append({"class": "none", "roc_auc": None, "positives": 0})
    assert [row["class"] for row in plots.choose_classes(rows)] == ["0", "1", "2", "15", "16", "17", "18", "19"]
    assert len(plots.choose_classes(rows[:8])) == 8


def test_area_under_the_precision_steps_is_the_average_precision():
    rng = np.random.default_rng(0)
    truth, scores = rng.integers(0, 2, 60), rng.random(60).astype("float32").round(1)  # with ties
    precision, recall = plots.pr_steps(torch.tensor(scores), torch.tensor(truth))
    area = float((precision[:-1] * -recall.diff()).sum())
    assert area == pytest.approx(average_precision_score(truth, scores), abs=1e-5)
    assert recall[0] == 1 and recall[1] < 1 and recall[-1] == 0


@pytest.mark.slow
def test_figures_of_all_heads_are_small_and_left_out_without_scores(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    many = TagHead(name="many tags", classes=tuple(f"tag {index}" for index in range(50)))
    unlabelled = ClassHead(name="x", column="x", classes=("a", "b"))
    heads = [KeyHead(), TempoHead(), many, TagHead(name="never", classes=("a",)), unlabelled]
    sizes = {head.name: len(head.classes) for head in heads}
    answers = {name: torch.rand(300, size, generator=generator) for name, size in sizes.items()}
    target = {
        "key": torch.randint(0, 24, (300,), generator=generator).float(),
        "tempo": torch.rand(300, generator=generator) * 150 + 50,
        "many tags": torch.randint(0, 2, (300, 50), generator=generator).float(),
        "never": torch.zeros(300, 1),  # labelled, but no track has the tag
        "x": torch.full((300,), math.nan),
    }
    predictions = {"test/1": {head.name: (answers[head.name], target[head.name]) for head in heads}}
    paths = plots.plot_scores(tmp_path, score_heads(predictions, heads), predictions, dataset="set")
    assert [path.name for path in paths] == [
        "test_1_key_confusion.png",
        "test_1_tempo_scatter.png",
        "test_1_many_tags_curves.png",
    ]
    for path in paths:
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size < 200_000, path.name
