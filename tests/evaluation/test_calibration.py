"""Temperatures and thresholds, compared with simulated tracks of known probabilities, scikit-learn and arithmetic."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, log_loss
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from musicrec.evaluation.calibration import calibrate, confidence, ece, nll, tuned_thresholds
from musicrec.heads import from_dict, to_dict
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.outputs import at_temperature
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead

GENRE = ClassHead(name="genre", column="genre", classes=tuple("abcde"))


def simulate(head: ClassHead | TagHead, *, overconfidence: float, tracks: int = 4000) -> tuple[Tensor, Tensor]:
    """Draw targets from random logits; return the probabilities of `overconfidence` times the logits, and targets."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(tracks, len(head.classes), generator=generator)
    if head.exclusive:
        target = torch.multinomial(logits.softmax(dim=1), 1, generator=generator)[:, 0].float()
    else:
        target = torch.bernoulli(logits.sigmoid(), generator=generator)
    return head.probabilities(logits * overconfidence), target


@pytest.mark.parametrize("head", [GENRE, TagHead(classes=tuple("abcde"))], ids=["softmax", "sigmoid"])
@pytest.mark.parametrize("overconfidence", [0.5, 1.7, 3.0])
def test_the_fitted_temperature_equals_the_overconfidence(head, overconfidence: float):
    probabilities, target = simulate(head, overconfidence=overconfidence)
    (fitted,), notes = calibrate([head], {head.name: (probabilities, target)})
    assert fitted.temperature == pytest.approx(overconfidence, rel=0.06)
    note = notes[head.name]
    assert note["nll_calibrated"] < note["nll"] and note["ece_calibrated"] < 0.03 < note["ece"]
    assert torch.equal(fitted.answer(probabilities), head.answer(probabilities)) or not head.exclusive


def test_no_temperature_for_a_calibrated_network_or_few_tracks():
    probabilities, target = simulate(GENRE, overconfidence=1.0, tracks=500)
    (fitted,), notes = calibrate([GENRE], {"genre": (probabilities, target)})
    assert fitted.temperature == 1.0 or notes["genre"]["nll_calibrated"] < notes["genre"]["nll"]
    few = probabilities[:19], target[:19]
    (fitted,), notes = calibrate([GENRE], {"genre": few})
    assert fitted.temperature == 1.0 and notes["genre"]["nll_calibrated"] is None


def test_no_temperature_for_a_head_that_is_never_wrong():
    sure = torch.full((200, 5), 0.1) + 0.5 * torch.eye(5)[torch.arange(200) % 5]
    (fitted,), _ = calibrate([GENRE], {"genre": (sure, (torch.arange(200) % 5).float())})
    assert fitted.temperature == 1.0


def test_tempo_has_no_temperature():
    """Its target is a distribution over neighbouring classes, from which its answer is interpolated."""
    tempo = TempoHead()
    (fitted,), notes = calibrate([tempo], {"tempo": (torch.rand(50, 120), torch.full((50,), 120.0))})
    assert fitted == tempo and notes == {}


def test_a_temperature_changes_no_answer_and_no_ranking():
    probabilities, _ = simulate(GENRE, overconfidence=1.0, tracks=200)
    for temperature in (0.3, 4.0):
        calibrated = at_temperature(probabilities, temperature, "softmax")
        assert torch.equal(calibrated.argsort(dim=1), probabilities.argsort(dim=1))
        torch.testing.assert_close(calibrated.sum(dim=1), torch.ones(200))
        back = at_temperature(calibrated, 1 / temperature, "softmax")
        torch.testing.assert_close(back, probabilities, atol=1e-3, rtol=0)
    logits = torch.tensor([-2.0, 0.5, 3.0])
    torch.testing.assert_close(at_temperature(logits.sigmoid(), 2.0, "sigmoid"), (logits / 2).sigmoid())
    assert at_temperature(probabilities, 1.0, "softmax") is probabilities
    sure = at_temperature(torch.tensor([[1.0, 0.0]]), 2.0, "softmax")
    assert sure.isfinite().all()


def test_nll_equals_scikit_learn():
    probabilities, target = simulate(GENRE, overconfidence=1.0, tracks=50)
    found = nll(probabilities, GENRE.one_hot(target), "softmax").mean()
    exact = probabilities.double() / probabilities.double().sum(dim=1, keepdim=True)
    assert float(found) == pytest.approx(log_loss(target, exact, labels=range(5)), abs=1e-6)
    scores, truth = torch.tensor([[0.9, 0.2, 0.4]]), torch.tensor([[1.0, 0.0, math.nan]])
    assert float(nll(scores, truth, "sigmoid")) == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)


def test_calibration_error_equals_torchmetrics():
    probabilities, target = simulate(GENRE, overconfidence=2.0, tracks=300)
    expected = multiclass_calibration_error(probabilities, target.long(), num_classes=5, n_bins=15)
    assert ece(*confidence(GENRE, probabilities, target)) == pytest.approx(float(expected), abs=1e-6)


def test_thresholds_give_the_highest_f1():
    rng = np.random.default_rng(0)
    target = (rng.random((80, 3)) < 0.3).astype("float32")
    scores = (0.6 * target * rng.random((80, 3)) + 0.4 * rng.random((80, 3))).astype("float32").round(2)
    target[:, 2] = 0
    target[:5, 1] = math.nan
    thresholds = tuned_thresholds(torch.tensor(scores), torch.tensor(target))
    assert thresholds[2] == 0.5, "no track has the tag"
    for column in (0, 1):
        known = ~np.isnan(target[:, column])
        truth, score = target[known, column], scores[known, column]
        tuned = f1_score(truth, score >= thresholds[column])
        assert tuned == pytest.approx(max(f1_score(truth, score >= value) for value in np.unique(score)))
        assert thresholds[column] not in score, "it lies between two tracks"


def test_thresholds_and_temperature_are_saved_with_the_head():
    probabilities, target = simulate(TagHead(classes=tuple("abcde")), overconfidence=2.0, tracks=100)
    (fitted,), _ = calibrate([TagHead(classes=tuple("abcde"))], {"tags": (probabilities, target)})
    again = from_dict(to_dict(fitted))
    assert again == fitted and len(again.thresholds) == 5
    scores = torch.tensor([[0.9, 0.1]])
    head = TagHead(classes=("a", "b"), thresholds=(0.95, 0.1))
    assert head.answer(scores).tolist() == [[0, 1]]
    assert [(tag["tag"], tag["present"]) for tag in head.ranked(scores[0].numpy())] == [("a", False), ("b", True)]


def test_one_hot_targets_are_in_the_order_of_the_outputs():
    published = KeyHead(modes=False, order=("A#", "A", "B", "C#", "C", "D#", "D", "E", "F#", "F", "G#", "G"))
    rows = published.one_hot(torch.tensor([9.0, 0.0, math.nan]))  # A, C, unknown
    assert rows[:2].argmax(dim=1).tolist() == [1, 4] and rows[2].isnan().all()
    assert published.answer(rows[:2]).tolist() == [9, 0]
    tempo = TempoHead()
    assert tempo.one_hot(torch.from_numpy(tempo.centres_bpm)).equal(torch.eye(120))
    assert TagHead(classes=("a",)).one_hot(torch.tensor([[1.0]])).tolist() == [[1]]
