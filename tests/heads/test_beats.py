"""Beats: labels, loss, decoding, grids and metrics."""

import json
import math

import mir_eval
import numpy as np
import polars as pl
import pytest
import torch

from musicrec.errors import ManifestError
from musicrec.heads import Head, from_dict, to_dict
from musicrec.heads.beat_decoding import pick_peaks, place_in_bar, track_beats
from musicrec.heads.beat_grid import fit_grid
from musicrec.heads.beat_metrics import METRICS, track_points
from musicrec.heads.beat_times import parse_beats, write_beats
from musicrec.heads.beats import BeatHead
from musicrec.heads.frames import FrameWise, is_frame_wise, join_chunks
from musicrec.heads.tempo import TempoHead

RATE = 62.5
HEAD = BeatHead()
FRAME = pl.DataFrame({"beats": ["0.5/1 1.0/2 1.5/3 2.0/1", "0.25 0.75", None, ""]})


def curve(times_s, *, seconds, height=0.95, floor=0.02, width_frames=1.0):
    """Return probabilities with a bump at each time."""
    distance = np.abs(np.arange(int(seconds * RATE) + 1)[:, None] - np.asarray(times_s) * RATE).min(axis=1)
    return (floor + (height - floor) * np.exp(-0.5 * (distance / width_frames) ** 2)).astype(np.float32)


def metronome(bpm, *, first_s, seconds, metre=4, first_place=1):
    """Return the times of the beats, and the probabilities of beats and downbeats."""
    times = np.arange(first_s, seconds, 60 / bpm)
    places = (np.arange(len(times)) + first_place - 1) % metre + 1
    return times, np.stack([curve(times, seconds=seconds), curve(times[places == 1], seconds=seconds)])


def test_labels_are_times_and_downbeats():
    target = HEAD.encode(FRAME)
    assert target.shape == (4, 4, 2)
    assert target[0].tolist() == [[0.5, 1], [1, 0], [1.5, 0], [2, 1]]
    assert target[1, :2, 0].tolist() == [0.25, 0.75] and target[1, :, 1].isnan().all(), "downbeats are not known"
    assert target[2:].isnan().all()


def test_labels_survive_writing():
    times, places = [0.48, 0.9601, 1.44], [4, 1, 2]
    assert parse_beats(write_beats(times, places)) == [(0.48, 0), (0.96, 1), (1.44, 0)]


@pytest.mark.parametrize(
    "cell", ["0.5 0.4", "0,5/1", "-0.5/1 0.5/2", "0.5/0", "a", "0.5/x", "-1", "nan", "0.5/1 0.5/2"]
)
def test_a_damaged_label_is_named(cell):
    with pytest.raises(ManifestError, match="expected increasing times in seconds"):
        parse_beats(cell)


def test_labels_of_a_chunk_count_from_its_start_and_move_with_the_speed():
    target = HEAD.encode(FRAME)
    cut = HEAD.cut(target, start_s=torch.tensor([1.0, 0.0, 0.0, 0.0]))
    assert cut[0, :, 0].tolist() == [-0.5, 0, 0.5, 1] and cut[0, :, 1].tolist() == [1, 0, 0, 1]
    moved = HEAD.move(cut, shift_semitones=torch.zeros(4), tempo_ratio=torch.tensor([2.0, 1, 1, 1]))
    assert moved[0, :, 0].tolist() == [-0.25, 0, 0.25, 0.5], "twice as fast: the times from the start are halved"
    assert moved[0, :, 1].tolist() == [1, 0, 0, 1]


def test_loss_tolerates_a_shift_and_knows_what_is_unknown():
    target = HEAD.encode(FRAME)
    logits = torch.full((4, 2, 200), -6.0)
    frames = (torch.tensor([0.5, 1.0, 1.5, 2.0]) * RATE).round().long()
    logits[0, 0, frames] = 6.0
    logits[0, 1, frames[[0, 3]]] = 6.0
    exact = HEAD.loss(logits[:1], target[:1])
    shifted = HEAD.loss(logits[:1].roll(2, dims=2), target[:1])
    late = HEAD.loss(logits[:1].roll(5, dims=2), target[:1])
    assert exact < 0.02 and shifted == pytest.approx(float(exact), rel=0.05) and late > 10 * exact
    logits = torch.randn(4, 2, 200, requires_grad=True)
    HEAD.loss(logits, target).backward()
    assert logits.grad[0].abs().sum() > 0 and logits.grad[2:].abs().sum() == 0
    assert logits.grad[1, 0].abs().sum() > 0 and logits.grad[1, 1].abs().sum() == 0, "its downbeats are not known"
    assert HEAD.loss(logits, torch.full_like(target, math.nan)) == 0


def test_learning_the_labels_reaches_the_best_score():
    times, places = np.arange(0.4, 6, 0.5), np.arange(12) % 4 + 1
    target = HEAD.encode(pl.DataFrame({"beats": [write_beats(times, places)]}))
    logits = torch.zeros(1, 2, 376, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(40):
        optimizer.zero_grad()
        HEAD.loss(logits, target).backward()
        optimizer.step()
    scores = HEAD.score(HEAD.probabilities(logits.detach()), target).values()
    assert scores == {name: 1.0 for name in METRICS}


def test_the_head_has_all_that_the_protocol_names():
    assert is_frame_wise(HEAD) and not is_frame_wise(TempoHead())
    members = [name for name in (*vars(Head), *vars(FrameWise)) if not name.startswith("_")]
    assert [name for name in members if not hasattr(HEAD, name)] == []
    assert from_dict(json.loads(json.dumps(to_dict(HEAD)))) == HEAD
    _, probabilities = metronome(120, first_s=0.3, seconds=20)
    answer = HEAD.decode(probabilities)
    assert json.loads(json.dumps(answer)) == answer
    assert HEAD.text(answer).startswith("120.00 BPM from 0.300 s") and HEAD.text({}) == "no beat"
    assert HEAD.dj_facts(answer).bpm == pytest.approx(120, abs=0.01)
    assert [tag["tag"] for tag in HEAD.ranked(probabilities)] == ["beat", "downbeat"]


def test_one_hot_marks_the_nearest_frames():
    truth = HEAD.one_hot(HEAD.encode(FRAME))
    assert truth[0, 0].nonzero().flatten().tolist() == [31, 62, 94, 125]
    assert truth[0, 1].nonzero().flatten().tolist() == [31, 125]
    assert truth[1, 1].isnan().all() and truth[2].isnan().all()


def test_an_answer_agrees_with_beats_that_are_near():
    expected = torch.tensor([[[0.5, 1.0], [1.0, 0.0], [1.5, 0.0], [math.nan, math.nan]]])
    answer = torch.tensor([[[0.56, 1.0], [1.08, 0.0], [1.5, 1.0]]])
    assert HEAD.agrees(answer, expected)[0].tolist() == [[True, True], [False, False], [True, False], [False, False]]


def test_peaks_are_picked_once_and_between_frames():
    times = [0.5, 1.003, 1.5]
    assert pick_peaks(curve(times, seconds=2, width_frames=2.0), frame_rate=RATE) == pytest.approx(times, abs=0.002)
    plateau = np.zeros(100, np.float32)
    plateau[40:43] = 0.9
    assert pick_peaks(plateau, frame_rate=RATE) == pytest.approx([41 / RATE])
    assert len(pick_peaks(np.full(50, np.nan), frame_rate=RATE)) == 0


@pytest.mark.parametrize("bpm", [61.3, 97.0, 128.0, 174.5, 201.0])
def test_a_steady_beat_is_found_exactly(bpm):
    times, probabilities = metronome(bpm, first_s=0.37, seconds=40, metre=4, first_place=3)
    found = track_beats(probabilities[0], frame_rate=RATE)
    assert len(found) == len(times) and np.abs(found - times).max() < 0.004
    grid = HEAD.grid(probabilities)
    assert grid.bpm == pytest.approx(bpm, rel=2e-4)
    before = int(0.37 * bpm / 60)  # beats of the grid before the first one that is played
    assert grid.first_beat_s == pytest.approx(0.37 - before * 60 / bpm, abs=0.004)
    assert (grid.beats_per_bar, grid.first_place) == (4, 3 - before)
    assert grid.first_downbeat_s == pytest.approx(times[2] if before < 2 else times[2] - 240 / bpm, abs=0.01)
    assert grid.confidence > 0.85
    assert len(grid.beats_s) == len(times) + before


def test_breaks_and_loud_offbeats_do_not_lead_astray():
    times, probabilities = metronome(120, first_s=0.2, seconds=60)
    heard = probabilities[0].copy()
    heard[int(20 * RATE) : int(35 * RATE)] = 0.01  # nothing is played for 15 s
    for offbeat in (10.45, 40.45, 50.45):
        heard[int(offbeat * RATE)] = 0.97
    found = track_beats(heard, frame_rate=RATE)
    played = times[(times < 20) | (times > 35)]
    assert all(np.abs(found - time).min() < 0.02 for time in played)
    assert np.abs(found - 10.45).min() > 0.15
    unheard = probabilities[0].copy()
    unheard[int(20 * RATE) : int(35 * RATE)] = np.nan  # the model did not listen there
    found = track_beats(unheard, frame_rate=RATE)
    assert len(found) == len(times), "the beat goes on"
    assert np.abs(found - times)[(times < 20) | (times > 36)].max() < 0.02


def test_a_beat_that_slows_down_is_followed_and_has_no_sure_grid():
    times = np.cumsum(60 / np.linspace(128, 110, 70))
    probabilities = np.stack([curve(times, seconds=times[-1] + 0.5)] * 2)
    found = track_beats(probabilities[0], frame_rate=RATE)
    assert mir_eval.beat.f_measure(times, found) == 1
    assert HEAD.grid(probabilities).confidence < 0.5


@pytest.mark.parametrize("metre", [3, 4])
def test_bars_are_counted_by_their_downbeats(metre):
    times, probabilities = metronome(100, first_s=0.5, seconds=30, metre=metre, first_place=2)
    places = place_in_bar(probabilities[1], times, frame_rate=RATE)
    assert places.tolist() == [(number + 1) % metre + 1 for number in range(len(times))]
    assert HEAD.grid(probabilities).beats_per_bar == metre


def test_silence_has_no_beats():
    silence = np.full((2, 1000), 0.01, np.float32)
    assert len(HEAD.beats(silence)) == 0 and HEAD.grid(silence) is None and HEAD.decode(silence) == {}
    assert HEAD.answer(torch.from_numpy(silence)[None]).shape == (1, 1, 2)
    assert fit_grid(np.array([1.0, 2.0]), np.array([1, 2]), silence, frame_rate=RATE, duration_s=16) is None


def test_chunks_are_joined_where_they_belong():
    _, whole = metronome(120, first_s=0.25, seconds=30)
    starts = np.array([0.0, 8.0, 20.0])
    size = int(10 * RATE) + 1
    chunks = np.stack([whole[:, round(start * RATE) :][:, :size] for start in starts])
    joined = join_chunks(chunks, starts, frame_rate=RATE, duration_s=30.0)
    assert joined.shape == (2, int(30 * RATE) + 1)
    heard = ~np.isnan(joined[0])
    np.testing.assert_allclose(joined[:, heard], whole[:, heard], atol=1e-6)
    assert np.isnan(joined[:, int(18.5 * RATE) : int(19.5 * RATE)]).all(), "nobody heard from 18 to 20 s"


def test_metrics_are_those_of_mir_eval():
    rng = np.random.default_rng(0)
    truth = np.arange(0.5, 30, 0.5)
    answer = np.sort(np.concatenate([truth[:40] + rng.normal(0, 0.03, 40), rng.uniform(20, 30, 8)]))
    downbeat = np.arange(len(truth)) % 4 == 0
    points = dict(zip(METRICS, track_points(np.stack([answer, np.ones(48)], 1), np.stack([truth, downbeat], 1)),
                      strict=True))  # fmt: skip
    assert points["f_measure"] == mir_eval.beat.f_measure(truth, answer)
    assert points["cmlt"] == mir_eval.beat.continuity(truth, answer)[1]
    assert points["amlt"] == mir_eval.beat.continuity(truth, answer)[3]
    assert points["downbeat_f_measure"] == mir_eval.beat.f_measure(truth[downbeat], answer)
    double = np.arange(0.5, 30, 0.25)
    points = track_points(np.stack([double, np.zeros(len(double))], 1), np.stack([truth, np.full(59, np.nan)], 1))
    assert points[1] < 0.1 and points[2] > 0.9 and math.isnan(points[3]) and points[4] == 0


def test_scores_of_resamples_are_means_of_tracks():
    _, right = metronome(120, first_s=0.25, seconds=20)
    wrong = np.full_like(right, 0.01)
    target = HEAD.encode(pl.DataFrame({"beats": [write_beats(np.arange(0.25, 20, 0.5), [1, 2, 3, 4] * 10)] * 2}))
    probabilities = torch.from_numpy(np.stack([right, wrong]))
    scores = HEAD.score(probabilities, target, torch.tensor([[1.0, 1], [3, 1], [0, 2]], dtype=torch.float64))
    assert scores.overall["f_measure"].tolist() == [0.5, 0.75, 0]
    assert HEAD.groups(target)[0][1].tolist() == [True, True]
