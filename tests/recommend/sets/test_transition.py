"""Scores of transitions against arithmetic, and their reasons."""

import math

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.key_relations import KeyTable
from musicrec.recommend.sets.axes import (
    CurveAxis,
    EnergyAxis,
    GenreAxis,
    KeyAxis,
    LoudnessAxis,
    TempoAxis,
    TimbreAxis,
)
from musicrec.recommend.sets.tempo import TempoRules
from musicrec.recommend.sets.transition import TransitionScore, default_axes


def half(deviation: float, halving: float) -> float:
    return 0.5 ** ((deviation / halving) ** 2)


@pytest.mark.parametrize(
    ("before", "after", "percent", "multiple", "score"),
    [
        (120, 121.44, 1.2, 1, half(1.2, 6)),
        (120, 127.2, 6, 1, 0.5),
        (174, 87, 0, 2, 0.9),
        (70, 140, 0, 0.5, 0.9),
        (120, 80, 0, 1.5, 0.3),
        (100, 150, 0, 2 / 3, 0.3),
        (140, 69, -100 * 2 / 140, 2, 0.9 * half(100 * 2 / 140, 6)),
    ],
)
def test_tempo_change(before, after, percent, multiple, score):
    change = TempoRules().change(np.float32([before]), np.float32([after]))
    assert float(change.percent[0, 0]) == pytest.approx(percent, abs=1e-3)
    assert float(change.multiple[0, 0]) == pytest.approx(multiple)
    assert float(change.score[0, 0]) == pytest.approx(score, abs=1e-4)


def test_a_multiple_can_be_switched_off():
    change = TempoRules(half=0, double=0, three_to_two=0, two_to_three=0).change(np.float32([170]), np.float32([85]))
    assert change.percent.tolist() == [[-50]] and change.multiple.tolist() == [[1]]


def test_an_unknown_tempo_has_no_score():
    change = TempoRules().change(np.float32([120, np.nan]), np.float32([np.nan, 120]))
    assert np.isnan(change.score).tolist() == [[True, False], [True, True]]


FACTS = {
    "bpm": [125, 126.5, 125, 125],
    "key": ["8A", "9A", "", "3A"],
    "energy": [6, 7, 6, 6],
    "loudness": [-9, -7, -9, -13],
    "genre": ["techno", "house", "", "techno"],
    "vectors": [[1, 0], [0.6, 0.8], [0, 0], [1, 0]],
}


def test_the_score_is_the_weighted_mean_of_the_axes(columns):
    scoring = TransitionScore()
    made = scoring.explain(scoring.pairs(columns(**FACTS), [0], [1]))
    expected = {
        "key": 0.9,
        "bpm": half(1.2, 6),
        "energy": half(1, 2),
        "genre": 0.2,
        "timbre": 0.6,
        "loudness": half(2, 4),
    }
    assert made.axes == pytest.approx(expected, abs=1e-4)
    weights = {"key": 0.3, "bpm": 0.2, "energy": 0.18, "genre": 0.17, "timbre": 0.1, "loudness": 0.05}
    assert sum(weights.values()) == pytest.approx(1)
    assert made.score == pytest.approx(sum(weights[name] * expected[name] for name in weights), abs=1e-4)
    assert made.reason == (
        "8A → 9A neighbour on the Camelot wheel, +1.2 % tempo, energy 6 → 7, techno → house, similar sound"
    )


def test_what_a_track_lacks_is_left_out_of_the_mean_and_costs_a_part(columns):
    """Row 2 has neither key, genre nor vector: .57 of the weights are unknown; what is known is perfect."""
    facts = columns(**FACTS)
    for costs in (0.0, 0.5):
        scoring = TransitionScore(missing_costs=costs)
        made = scoring.explain(scoring.pairs(facts, [0], [2]))
        assert made.score == pytest.approx(1 - costs * 0.57, abs=1e-5)
        assert {name for name, value in made.axes.items() if value is None} == {"key", "genre", "timbre"}
    assert made.reason == "key unknown, ±0 % tempo, energy 6 → 6"


def test_nothing_known_scores_0(columns):
    scoring = TransitionScore()
    made = scoring.explain(scoring.pairs(columns(bpm=[np.nan, 120]), [0], [1]))
    assert made.score == 0 and (made.tempo_change_percent, made.tempo_multiple) == (None, None)
    assert made.reason == "key unknown, tempo unknown, energy unknown"


def test_many_pairs_at_once_score_as_each_alone(columns):
    facts, scoring = columns(**FACTS), TransitionScore()
    place = {"target": 6.5, "step": 0.5}
    together = scoring.scores(scoring.pairs(facts, facts.rows, facts.rows, **place))
    for before in range(4):
        for after in range(4):
            alone = scoring.explain(scoring.pairs(facts, [before], [after], **place))
            assert alone.score == pytest.approx(float(together[before, after]), abs=1e-6)


def test_key_lock_may_transpose_and_vinyl_moves_with_the_tempo(columns):
    """3A (B flat minor) is a semitone above 8A (A minor); played 5.6 % slower, it sounds as A minor."""
    facts = columns(bpm=[120, 120 * 2 ** (1 / 12), 120], key=["8A", "3A", "3A"])
    lock, vinyl = (
        KeyAxis(mode=mode, table=KeyTable(semitone_up=0.1, transposed=0.5)) for mode in ("key_lock", "vinyl")
    )
    pairs = TransitionScore().pairs(facts, [0], [1, 2])
    assert lock.scores(pairs).tolist() == [[0.5, 0.5]]
    assert lock.reason(pairs, 0, 1) == "8A → 3A a semitone down with the key shift: same key"
    assert vinyl.scores(pairs)[0].tolist() == [1.0, np.float32(0.1)]
    assert vinyl.reason(pairs, 0, 0) == "8A → 3A which sounds as 8A at this tempo: same key"
    assert [vinyl.shift(pairs, 0, after) for after in (0, 1)] == [-1, 0]
    assert [lock.shift(pairs, 0, after) for after in (0, 1)] == [-1, -1]


def test_vinyl_without_a_tempo_moves_nothing(columns):
    facts = columns(bpm=[120, np.nan], key=["8A", "8A"])
    assert KeyAxis(mode="vinyl").scores(TransitionScore().pairs(facts, [0], [1])).tolist() == [[1.0]]


def test_a_key_shift_is_better_than_clashing_keys_and_worse_than_any_others():
    table = KeyTable()
    plain = {name: value for name, value in table.__dict__.items() if name not in ("transposed", "other")}
    assert table.other < table.transposed * max(plain.values()) < min(plain.values())


def test_two_beats_against_three_are_worth_a_plain_change_of_8_percent_and_cost_a_part_of_the_whole(columns):
    rules = TempoRules()
    (crossed, near, far) = rules.change(np.float32([120]), np.float32([80, 120 * 1.078, 120 * 1.08])).score[0]
    assert near > crossed > far
    facts, scoring = columns(bpm=[120, 80]), TransitionScore(axes=(TempoAxis(),), missing_costs=0)
    assert scoring.explain(scoring.pairs(facts, [0], [1])).score == pytest.approx(0.3 * 0.85)


def test_beyond_the_tempo_budget(columns):
    facts = columns(bpm=[100, 107, 105], key=["8A"] * 3)
    scoring = TransitionScore(axes=(KeyAxis(weight=1),), missing_costs=0)
    over, within = (scoring.explain(scoring.pairs(facts, [0], [row])) for row in (1, 2))
    assert (over.score, within.score) == pytest.approx((0.7, 1.0))
    of_set = scoring.explain(scoring.pairs(facts, [0], [2]), set_budget_left=4.0)
    assert of_set.score == pytest.approx(0.7) and of_set.reason.endswith("over the tempo budget of the set")
    with_reason = TransitionScore().explain(TransitionScore().pairs(facts, [0], [1]))
    assert "+7.0 % tempo, more than 6 %" in with_reason.reason


def test_the_curve_counts_where_there_is_one(columns):
    facts = columns(energy=[5, 8])
    scoring = TransitionScore(axes=(EnergyAxis(weight=0.5), CurveAxis(weight=0.5)), missing_costs=0)
    alone = scoring.explain(scoring.pairs(facts, [0], [1]))
    assert alone.axes == pytest.approx({"energy": half(3, 2)}, abs=1e-6)
    wanted = scoring.explain(scoring.pairs(facts, [0], [1], target=6, step=1))
    assert wanted.axes == pytest.approx({"energy": half(2, 2), "curve": half(2, 1.5)}, abs=1e-6)
    assert wanted.reason == "energy 5 → 8, 2 above the energy curve"


def test_other_reasons(columns):
    facts = columns(bpm=[87, 174], loudness=[-9, -14], genre=["dnb", "dnb"])
    reason = TransitionScore().explain(TransitionScore().pairs(facts, [0], [1])).reason
    assert reason == "key unknown, ±0 % tempo (÷2), energy unknown, both dnb, 5 LU quieter"


def test_settings_are_checked():
    with pytest.raises(ConfigError, match=r"axes.key.mode=tape: choose key_lock or vinyl"):
        KeyAxis(mode="tape")
    with pytest.raises(ConfigError, match=r"axes.genre.weight=-1: give a number, 0 or more"):
        GenreAxis(weight=-1)
    with pytest.raises(ConfigError, match=r"tempo.halving_percent=0: give a number, above 0"):
        TempoRules(halving_percent=0)
    with pytest.raises(ConfigError, match="name each axis once"):
        TransitionScore(axes=(TempoAxis(), TempoAxis()))
    with pytest.raises(ConfigError, match="all weights are 0"):
        TransitionScore(axes=(TempoAxis(weight=0), CurveAxis()))


def test_axes_of_weight_0_are_left_out(columns):
    scoring = TransitionScore(axes=(LoudnessAxis(), TimbreAxis(weight=0)))
    made = scoring.explain(scoring.pairs(columns(loudness=[-9, -9]), [0], [1]))
    assert (made.axes, made.score) == ({"loudness": 1.0}, 1.0)
    assert [axis.name for axis in default_axes()] == [
        "key",
        "bpm",
        "energy",
        "genre",
        "timbre",
        "loudness",
        "curve",
    ]
    assert not math.isnan(made.score)
