"""Effects and ranking of made-up answers, whose scores are worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from musicrec.deformations.crop import Crop
from musicrec.deformations.gain import Gain
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads import Head
from musicrec.heads.beats import BeatHead
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.robustness.answer_cache import Answers
from musicrec.robustness.conditions import AudioCondition
from musicrec.robustness.effects import Effect, measure_effect, measure_effects, rank_deformations
from musicrec.robustness.excerpts import Excerpts
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.resampling import ResampledScores

BOOTSTRAP = Bootstrap(resamples=400, units=["track"])
NO_EXCERPTS = Excerpts(track=np.zeros(0), row=np.zeros(0), start=np.zeros(0), length=np.zeros(0), name=[])
GENRE = ClassHead(name="genre", column="genre", classes=("jazz", "rock"))


def make_answers(head: Head, values: Tensor, *, shift: float = 0.0, ratio: float = 1.0) -> Answers:
    """Make answers out of labels, with probability 1 each; for tags, out of their probabilities."""
    probabilities = head.one_hot(values) if head.exclusive else values
    tracks = len(values)
    return Answers(
        probabilities={head.name: probabilities},
        embedding=torch.zeros(tracks, 1),
        shift_semitones=torch.full((tracks,), shift),
        tempo_ratio=torch.full((tracks,), ratio),
        seconds={},
        audio_s=0.0,
    )


def measure(head: Head, before: Answers, after: Answers, target: Tensor, **condition) -> Effect:
    settings = {"name": "x", "title": "x", "deformation": None, "description": "x"} | condition
    resampled = ResampledScores(BOOTSTRAP, [None] * len(target))
    return measure_effect(
        head, before, after, target, condition=AudioCondition(**settings), model=0, resampled=resampled
    )


def test_answers_that_follow_and_answers_that_stay():
    """Both are right on the clean audio. Then one is right by the moved labels only, the other by the original ones."""
    for head, target, motion in (
        (KeyHead(), torch.arange(24.0), {"shift": 3.0}),
        (TempoHead(), torch.linspace(60, 180, 24), {"ratio": 1.25}),
    ):
        clean = make_answers(head, target)
        shift_semitones = torch.full((24,), motion.get("shift", 0.0))
        tempo_ratio = torch.full((24,), motion.get("ratio", 1.0))
        moved = head.move(target, shift_semitones=shift_semitones, tempo_ratio=tempo_ratio)
        follows = measure(head, clean, make_answers(head, moved, **motion), target)
        stays = measure(head, clean, make_answers(head, target, **motion), target)
        assert follows.label_moves and follows.right_before == 24
        assert (follows.followed_of_right.value, follows.followed.value) == (1, 1)
        assert (stays.followed_of_right.value, stays.followed.value) == (0, 0)
        assert (follows.primary.clean, follows.primary.moved, follows.primary.original) == (1, 1, 0)
        assert (stays.primary.clean, stays.primary.moved, stays.primary.original) == (1, 0, 1)
        assert (follows.primary.drop.value, stays.primary.drop.value) == (0, 1)


def beat_curves(period_s: float, *, tracks: int, frames: int = 620) -> Tensor:
    """Return (tracks, 2, frames) probabilities of beats and, on every fourth, downbeats; 62.5 frames per second."""
    times = torch.arange(frames) / 62.5
    beats, downbeats = (
        torch.exp(-0.5 * (((times + every / 2) % every - every / 2) / 0.016) ** 2) for every in (period_s, 4 * period_s)
    )
    return torch.stack([beats, downbeats]).mul(0.9).add(0.02).expand(tracks, 2, frames)


def test_beats_that_follow_and_beats_that_stay():
    """Beats every 0.5 s, played 1.25 times as fast: every 0.4 s. Those that stay meet the labels every 2 s only."""
    head, motion = BeatHead(), {"ratio": 1.25}
    times = torch.arange(0, 10, 0.5)
    target = torch.stack([times, (torch.arange(20) % 4 == 0).float()], dim=1).expand(3, 20, 2).clone()
    target[2] = math.nan  # a track without labels
    clean = make_answers(head, beat_curves(0.5, tracks=3))
    follows = measure(head, clean, make_answers(head, beat_curves(0.4, tracks=3, frames=496), **motion), target)
    stays = measure(head, clean, make_answers(head, beat_curves(0.5, tracks=3, frames=496), **motion), target)
    beats = 20
    for found in (follows, stays):
        assert found.label_moves and found.tracks == 2 and found.by_class == []
        assert set(found.changes) == {"f_measure", "cmlt", "amlt", "downbeat_f_measure", "tempo_2pct"}
        assert found.right_before == 2 * (beats + beats), "each beat, and whether it is a downbeat"
        assert {name: change.clean for name, change in found.changes.items()} == dict.fromkeys(found.changes, 1.0)
    assert all(change.moved == 1 and change.drop.value == 0 for change in follows.changes.values())
    assert (follows.followed_of_right.value, follows.followed.value) == (1, 1)
    # In the 8 s that are left there are 16 answers every 0.5 s, and 20 labels every 0.4 s; four of them are the same.
    assert stays.primary.moved == pytest.approx(2 * 4 / (16 + 20))
    assert stays.changes["tempo_2pct"].moved == 0
    assert stays.primary.original == pytest.approx(2 * 16 / (16 + 20)), "the original labels go on to 10 s"
    # The same four of 20 are followed, and of whether they are downbeats the first one only.
    assert stays.followed_of_right.value == pytest.approx((4 + 1) / (20 + 20))


def test_heads_with_times_are_left_out_where_times_do_not_stay():
    head, target = BeatHead(), torch.tensor([[[0.5, 1.0], [1.0, 0.0], [1.5, 0.0]]])
    answers = make_answers(head, beat_curves(0.5, tracks=1, frames=126))
    deformations = {"clean": None, "crop": Crop(), "gain": Gain(gain_db=-3.0)}
    conditions = [
        AudioCondition(name=name, title=name, deformation=deformation, description=name)
        for name, deformation in deformations.items()
    ]
    measured = MeasuredAnswers(
        conditions=conditions,
        answers=[[answers] * 3],
        newly_measured=[],
        excerpt_s=2.0,
        excerpts=NO_EXCERPTS,
        waiting_s=0.0,
        wall_s=0.0,
    )
    resampled = ResampledScores(None, [None])
    found = measure_effects(measured, [[head]], [{"beats": target}], resampled=resampled, progress=False)
    assert [effect.condition.name for effect in found] == ["gain"]


def test_wrong_answers_can_follow_too():
    head, target = KeyHead(), torch.tensor([0.0, 2.0, 4.0, 5.0])
    before = torch.tensor([0.0, 2.0, 7.0, 7.0])  # two right answers, two wrong ones
    after = torch.tensor([1.0, 2.0, 8.0, 7.0])  # one of each two rises by the semitone
    found = measure(head, make_answers(head, before), make_answers(head, after, shift=1.0), target)
    assert (found.right_before, found.followed_of_right.value, found.followed.value) == (2, 0.5, 0.5)
    assert (found.primary.clean, found.primary.moved, found.primary.original) == (0.5, 0.25, 0.25)


def test_the_relative_drop_is_paired():
    """Six of eight answers are right before, four after: a third is lost. A resample draws both answers of a track."""
    target = torch.zeros(8)
    before, after = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1.0]), torch.tensor([0, 0, 0, 1, 1, 1, 0, 1.0])
    found = measure(GENRE, make_answers(GENRE, before), make_answers(GENRE, after), target).primary
    assert found.drop.value == pytest.approx(1 / 3) and found.difference.value == pytest.approx(-0.25)
    (weights,) = BOOTSTRAP.weights(np.arange(8), rows_at_once=400)
    right_before, right_after = (1 - before).double(), (1 - after).double()
    drops = torch.stack([1 - (row @ right_after) / (row @ right_before) for row in weights])
    assert found.drop.interval == pytest.approx(BOOTSTRAP.interval(drops, 1 / 3).tolist())
    low, high = found.drop.interval
    assert low < 0 < 1 / 3 < high < 1
    same = measure(GENRE, make_answers(GENRE, before), make_answers(GENRE, before), target).primary.drop
    assert same.value == 0 and math.isnan(same.interval[0]), "the drop is 0 in every resample"


def test_a_tempo_that_leaves_the_range_is_left_out_before_and_after():
    head, target = TempoHead(max_bpm=240.0), torch.tensor([100.0, 200.0])
    after = make_answers(head, torch.tensor([125.0, 125.0]), ratio=1.25)
    found = measure(head, make_answers(head, target), after, target)
    assert (found.tracks, found.right_before, found.primary.clean, found.primary.moved) == (1, 1, 1, 1)


def test_tags_follow_per_track_and_tag_and_their_class_score_is_the_auc():
    head = TagHead(name="tags", classes=("a", "b"))
    target = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    before = torch.tensor([[0.9, 0.1], [0.8, 0.9], [0.1, 0.8], [0.2, 0.2]])
    after = torch.tensor([[0.9, 0.6], [0.3, 0.9], [0.4, 0.8], [0.2, 0.2]])
    found = measure(head, make_answers(head, before), make_answers(head, after), target)
    assert (found.right_before, found.followed_of_right.value, found.followed.value) == (8, 0.75, 0.75)
    assert not found.label_moves and found.primary.original == found.primary.moved
    assert found.by_class == [
        {"class": "a", "tracks": 2, "measure": "roc_auc", "clean": 1, "deformed": 0.75},
        {"class": "b", "tracks": 2, "measure": "roc_auc", "clean": 1, "deformed": 1},
    ]


def test_class_scores_group_tracks_by_their_original_label():
    head, target = KeyHead(), torch.tensor([0.0, 0.0, 9.0])
    after = torch.tensor([2.0, 0.0, 11.0])
    found = measure(head, make_answers(head, target), make_answers(head, after, shift=2.0), target)
    assert [(row["class"], row["tracks"], row["clean"], row["deformed"]) for row in found.by_class] == [
        ("C major", 2, 1, 0.5),
        ("A major", 1, 1, 1),
    ]


def test_a_missing_label_and_no_bootstrap():
    target = torch.tensor([0.0, math.nan, 1.0])
    clean = make_answers(GENRE, torch.tensor([0.0, 1.0, 1.0]))
    condition = AudioCondition(name="x", title="x", deformation=None, description="x")
    after = make_answers(GENRE, torch.tensor([0.0, 0.0, 0.0]))
    resampled = ResampledScores(None, [])
    found = measure_effect(GENRE, clean, after, target, condition=condition, model=0, resampled=resampled)
    assert (found.tracks, found.primary.drop.value, found.followed_of_right.value) == (2, 0.5, 0.5)
    assert found.followed.value == pytest.approx(1 / 3), "an answer to a track without a label counts among all"
    assert math.isnan(found.primary.drop.interval[0]) and len(found.primary_drops) == 1


def test_deformations_are_ranked_by_their_mean_drop():
    target, clean = torch.zeros(8), make_answers(GENRE, torch.zeros(8))

    def effect_of(name: str, strength: float, wrong: int) -> Effect:
        after = make_answers(GENRE, (torch.arange(8) < wrong).float())
        return measure(GENRE, clean, after, target, name=name, title=name, strength=strength)

    effects = [
        effect_of("mild", 1.0, 0),
        effect_of("mild", 2.0, 2),
        effect_of("harsh", 1.0, 2),
        effect_of("harsh", 2.0, 6),
    ]
    first, second = rank_deformations(effects, ResampledScores(BOOTSTRAP, [None] * 8))
    assert (first.name, first.drop.value, first.worst.condition.strength) == ("harsh", 0.5, 2.0)
    assert (second.name, second.drop.value) == ("mild", 0.125)
    assert first.drop.interval[0] > second.drop.value, "both use the same resamples"
