"""How labels move, and whether answers follow them, checked by arithmetic."""

import math

import pytest
import torch

from musicrec.heads.key import KeyHead
from musicrec.heads.keys import KEYS_24
from musicrec.heads.metrics import unit_weights
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.robustness.label_motion import answer_followed, move_labels, weighted_share

TAGS = TagHead(name="tags", classes=("a", "b", "c"))


def key_labels(*names: str) -> torch.Tensor:
    return torch.tensor([float(KEYS_24.index(name)) for name in names])


def test_labels_move_with_pitch_and_tempo():
    up_two = {"shift_semitones": torch.full((3,), 2.0), "tempo_ratio": torch.ones(3)}
    assert (
        move_labels(KeyHead(), key_labels("C major", "B minor", "Bb major"), **up_two).tolist()
        == key_labels("D major", "Db minor", "C major").tolist()
    )
    faster = {"shift_semitones": torch.zeros(3), "tempo_ratio": torch.full((3,), 1.25)}
    moved = move_labels(TempoHead(max_bpm=240.0), torch.tensor([100.0, 200.0, math.nan]), **faster)
    assert moved[0] == 125 and moved[1:].isnan().all(), "250 BPM is above the range"
    labels = torch.tensor([[1.0, 0.0, math.nan]] * 3)
    assert torch.equal(move_labels(TAGS, labels, **faster).nan_to_num(9), labels.nan_to_num(9))


def test_right_answers_follow_and_unchanged_answers_do_not():
    shift = {"shift_semitones": torch.tensor([-1.0, 1.0, 7.0]), "tempo_ratio": torch.ones(3)}
    before = key_labels("C major", "A minor", "E major")
    after = key_labels("B major", "Bb minor", "B major")
    assert answer_followed(KeyHead(), before, after, **shift).tolist() == [1, 1, 1]
    assert answer_followed(KeyHead(), before, before, **shift).tolist() == [0, 0, 0]
    ratio = {"shift_semitones": torch.zeros(3), "tempo_ratio": torch.tensor([0.8, 1.05, 1.25])}
    bpm = torch.tensor([100.0, 120.0, 90.0])
    assert answer_followed(TempoHead(), bpm, torch.tensor([80.0, 126.0, 112.5]), **ratio).tolist() == [1, 1, 1]
    unchanged = answer_followed(TempoHead(), bpm, bpm, **ratio)
    assert unchanged.tolist() == [0, 0, 0], "a change of 5 % exceeds the tolerance of 4 %"
    out_of_range = {"shift_semitones": torch.zeros(1), "tempo_ratio": torch.tensor([1.25])}
    assert answer_followed(TempoHead(), torch.tensor([280.0]), torch.tensor([280.0]), **out_of_range).isnan().all()


@pytest.mark.parametrize(
    ("answer", "right"), [(103.9, True), (104.1, False), (96.1, True), (95.9, False), (200, False)]
)
def test_tempos_agree_within_four_percent(answer: float, right: bool):
    assert bool(TempoHead().agrees(torch.tensor([float(answer)]), torch.tensor([100.0]))) == right


def test_weighted_share_leaves_out_nan_and_uncounted_points():
    points = torch.tensor([1.0, 0.0, 1.0, math.nan])
    everything = torch.ones(4, dtype=torch.bool)
    assert weighted_share(points, everything, unit_weights(4)).item() == pytest.approx(2 / 3)
    assert weighted_share(points, torch.tensor([True, True, False, True]), unit_weights(4)).item() == 0.5
    twice = torch.tensor([[2.0, 1.0, 0.0, 5.0]], dtype=torch.float64)
    assert weighted_share(points, everything, twice).item() == pytest.approx(2 / 3)
    of_tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, math.nan, 0.0]])
    assert weighted_share(of_tags, torch.ones(2, 3, dtype=torch.bool), unit_weights(2)).item() == pytest.approx(2 / 5)
    assert weighted_share(points, ~everything, unit_weights(4)).isnan().all()
