"""How labels move, and whether answers went along: by arithmetic."""

import math

import pytest
import torch

from musicrec.heads.key import KeyHead
from musicrec.heads.keys import KEYS_24
from musicrec.heads.metrics import unit_weights
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.robustness.label_motion import moved, share, went_along

TAGS = TagHead(name="tags", classes=("a", "b", "c"))


def keys(*names: str) -> torch.Tensor:
    return torch.tensor([float(KEYS_24.index(name)) for name in names])


def test_labels_move_as_the_music_does():
    up_two = {"shift_semitones": torch.full((3,), 2.0), "tempo_ratio": torch.ones(3)}
    assert (
        moved(KeyHead(), keys("C major", "B minor", "Bb major"), **up_two).tolist()
        == keys("D major", "Db minor", "C major").tolist()
    )
    faster = {"shift_semitones": torch.zeros(3), "tempo_ratio": torch.full((3,), 1.25)}
    there = moved(TempoHead(max_bpm=240.0), torch.tensor([100.0, 200.0, math.nan]), **faster)
    assert there[0] == 125 and there[1:].isnan().all(), "250 BPM has no class any more"
    labels = torch.tensor([[1.0, 0.0, math.nan]] * 3)
    assert torch.equal(moved(TAGS, labels, **faster).nan_to_num(9), labels.nan_to_num(9))


def test_an_oracle_goes_along_and_a_constant_does_not():
    shift = {"shift_semitones": torch.tensor([-1.0, 1.0, 7.0]), "tempo_ratio": torch.ones(3)}
    before = keys("C major", "A minor", "E major")
    assert went_along(KeyHead(), before, keys("B major", "Bb minor", "B major"), **shift).tolist() == [1, 1, 1]
    assert went_along(KeyHead(), before, before, **shift).tolist() == [0, 0, 0]
    ratio = {"shift_semitones": torch.zeros(3), "tempo_ratio": torch.tensor([0.8, 1.05, 1.25])}
    bpm = torch.tensor([100.0, 120.0, 90.0])
    assert went_along(TempoHead(), bpm, torch.tensor([80.0, 126.0, 112.5]), **ratio).tolist() == [1, 1, 1]
    assert went_along(TempoHead(), bpm, bpm, **ratio).tolist() == [0, 0, 0], "1.05 is more than 4 % off"
    too_fast = {"shift_semitones": torch.zeros(1), "tempo_ratio": torch.tensor([1.25])}
    assert went_along(TempoHead(), torch.tensor([280.0]), torch.tensor([280.0]), **too_fast).isnan().all()


@pytest.mark.parametrize(
    ("answer", "right"), [(103.9, True), (104.1, False), (96.1, True), (95.9, False), (200, False)]
)
def test_tempi_agree_within_four_percent_of_the_expected_one(answer: float, right: bool):
    assert bool(TempoHead().agrees(torch.tensor([float(answer)]), torch.tensor([100.0]))) == right


def test_share_counts_what_is_known():
    points = torch.tensor([1.0, 0.0, 1.0, math.nan])
    everything = torch.ones(4, dtype=torch.bool)
    assert share(points, everything, unit_weights(4)).item() == pytest.approx(2 / 3)
    assert share(points, torch.tensor([True, True, False, True]), unit_weights(4)).item() == 0.5
    twice = torch.tensor([[2.0, 1.0, 0.0, 5.0]], dtype=torch.float64)
    assert share(points, everything, twice).item() == pytest.approx(2 / 3)
    of_tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, math.nan, 0.0]])
    assert share(of_tags, torch.ones(2, 3, dtype=torch.bool), unit_weights(2)).item() == pytest.approx(2 / 5)
    assert share(points, ~everything, unit_weights(4)).isnan().all()
