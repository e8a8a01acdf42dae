"""Drops, rates and ranks of made-up answers whose scores are known by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads import Head
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.robustness.answers import Answers
from musicrec.robustness.conditions import Condition
from musicrec.robustness.effects import Drawing, Effect, effect, rank

BOOTSTRAP = Bootstrap(resamples=400, units=["track"])
GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock"))


def answers(head: Head, said: Tensor, *, shift: float = 0.0, ratio: float = 1.0) -> Answers:
    """Of a model that is sure: said holds labels of exclusive classes, or probabilities of tags."""
    probabilities = head.one_hot(said) if head.exclusive else said
    tracks = len(said)
    return Answers(
        probabilities={head.name: probabilities},
        embedding=torch.zeros(tracks, 1),
        shift_semitones=torch.full((tracks,), shift),
        tempo_ratio=torch.full((tracks,), ratio),
        seconds={},
        audio_s=0.0,
    )


def under(head: Head, before: Answers, after: Answers, target: Tensor, **condition) -> Effect:
    named = {"name": "x", "title": "x", "deformation": None, "described": "x"} | condition
    return effect(head, before, after, target, condition=Condition(**named), subject=0,
                  drawing=Drawing(BOOTSTRAP, [None] * len(target)))  # fmt: skip


def test_an_oracle_moves_and_a_constant_does_not():
    """Both were right before. The oracle is right against the moved label only, the constant against the old one."""
    for head, target, moves in (
        (KeyHead(), torch.arange(24.0), {"shift": 3.0}),
        (TempoHead(), torch.linspace(60, 180, 24), {"ratio": 1.25}),
    ):
        clean = answers(head, target)
        there = head.move(target, shift_semitones=torch.full((24,), moves.get("shift", 0.0)),
                          tempo_ratio=torch.full((24,), moves.get("ratio", 1.0)))  # fmt: skip
        oracle = under(head, clean, answers(head, there, **moves), target)
        constant = under(head, clean, answers(head, target, **moves), target)
        assert oracle.moves and oracle.right == 24
        assert (oracle.went_right.value, oracle.went.value) == (1, 1)
        assert (constant.went_right.value, constant.went.value) == (0, 0)
        assert (oracle.primary.clean, oracle.primary.moved, oracle.primary.original) == (1, 1, 0)
        assert (constant.primary.clean, constant.primary.moved, constant.primary.original) == (1, 0, 1)
        assert (oracle.primary.drop.value, constant.primary.drop.value) == (0, 1)


def test_what_was_wrong_before_may_move_rightly_too():
    head, target = KeyHead(), torch.tensor([0.0, 2.0, 4.0, 5.0])
    said = torch.tensor([0.0, 2.0, 7.0, 7.0])  # two are wrong
    after = torch.tensor([1.0, 2.0, 8.0, 7.0])  # of each two, one goes up with the music
    found = under(head, answers(head, said), answers(head, after, shift=1.0), target)
    assert (found.right, found.went_right.value, found.went.value) == (2, 0.5, 0.5)
    assert (found.primary.clean, found.primary.moved, found.primary.original) == (0.5, 0.25, 0.25)


def test_the_relative_drop_is_paired():
    """Six of eight right before, four after: a third is lost. Its interval is that of resamples of whole tracks."""
    target = torch.zeros(8)
    before, after = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1.0]), torch.tensor([0, 0, 0, 1, 1, 1, 0, 1.0])
    found = under(GENRE, answers(GENRE, before), answers(GENRE, after), target).primary
    assert found.drop.value == pytest.approx(1 / 3) and found.difference.value == pytest.approx(-0.25)
    (weights,) = BOOTSTRAP.weights(np.arange(8), rows_at_once=400)
    was, now = (1 - before).double(), (1 - after).double()
    drops = torch.stack([1 - (row @ now) / (row @ was) for row in weights])
    assert found.drop.interval == pytest.approx(BOOTSTRAP.interval(drops, 1 / 3).tolist())
    low, high = found.drop.interval
    assert low < 0 < 1 / 3 < high < 1
    same = under(GENRE, answers(GENRE, before), answers(GENRE, before), target).primary.drop
    assert same.value == 0 and math.isnan(same.interval[0]), "the clean value varies over tracks, the drop does not"


def test_a_tempo_that_leaves_the_range_counts_on_neither_side():
    head, target = TempoHead(max_bpm=240.0), torch.tensor([100.0, 200.0])
    after = answers(head, torch.tensor([125.0, 125.0]), ratio=1.25)
    found = under(head, answers(head, target), after, target)
    assert (found.tracks, found.right, found.primary.clean, found.primary.moved) == (1, 1, 1, 1)


def test_tags_are_counted_one_by_one_and_classes_by_their_auc():
    head = TagHead(name="tags", classes=("a", "b"))
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    before = torch.tensor([[0.9, 0.1], [0.8, 0.9], [0.1, 0.8], [0.2, 0.2]])
    after = torch.tensor([[0.9, 0.6], [0.3, 0.9], [0.4, 0.8], [0.2, 0.2]])
    found = under(head, answers(head, before), answers(head, after), target)
    assert (found.right, found.went_right.value, found.went.value) == (8, 0.75, 0.75)
    assert not found.moves and found.primary.original == found.primary.moved
    assert found.by_class == [
        {"class": "a", "tracks": 2, "measure": "roc_auc", "clean": 1, "deformed": 0.75},
        {"class": "b", "tracks": 2, "measure": "roc_auc", "clean": 1, "deformed": 1},
    ]


def test_classes_are_those_of_the_clean_audio():
    head, target = KeyHead(), torch.tensor([0.0, 0.0, 9.0])
    after = torch.tensor([2.0, 0.0, 11.0])
    found = under(head, answers(head, target), answers(head, after, shift=2.0), target)
    assert [(row["class"], row["tracks"], row["clean"], row["deformed"]) for row in found.by_class] == [
        ("C major", 2, 1, 0.5), ("A major", 1, 1, 1),
    ]  # fmt: skip


def test_without_labels_and_without_a_bootstrap():
    target = torch.tensor([0.0, math.nan, 1.0])
    clean = answers(GENRE, torch.tensor([0.0, 1.0, 1.0]))
    condition = Condition(name="x", title="x", deformation=None, described="x")
    after = answers(GENRE, torch.tensor([0.0, 0.0, 0.0]))
    found = effect(GENRE, clean, after, target, condition=condition, subject=0, drawing=Drawing(None, []))
    assert (found.tracks, found.primary.drop.value, found.went_right.value) == (2, 0.5, 0.5)
    assert found.went.value == pytest.approx(1 / 3), "the track without a label has an answer that may move"
    assert math.isnan(found.primary.drop.interval[0]) and len(found.drops) == 1


def test_rank_is_by_the_mean_drop_of_strengths_and_heads():
    target, clean = torch.zeros(8), answers(GENRE, torch.zeros(8))

    def lost(name: str, strength: float, wrong: int) -> Effect:
        after = answers(GENRE, (torch.arange(8) < wrong).float())
        return under(GENRE, clean, after, target, name=name, title=name, strength=strength)

    effects = [lost("mild", 1.0, 0), lost("mild", 2.0, 2), lost("harsh", 1.0, 2), lost("harsh", 2.0, 6)]
    first, second = rank(effects, Drawing(BOOTSTRAP, [None] * 8))
    assert (first.name, first.drop.value, first.worst.condition.strength) == ("harsh", 0.5, 2.0)
    assert (second.name, second.drop.value) == ("mild", 0.125)
    assert first.drop.interval[0] > second.drop.value, "the tracks are the same in all resamples"
