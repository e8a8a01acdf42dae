"""Sets: the rules hold, the best order is found, and the same one each time."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.axes import EnergyAxis, TempoAxis
from musicrec.recommend.sets.build import SetSettings, build_set
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.tempo import TempoRules
from musicrec.recommend.sets.transition import TransitionScore


def many(tracks: int, *, seed: int = 0, artists: int = 40, vectors: int = 8) -> Columns:
    random = np.random.default_rng(seed)
    directions = random.normal(size=(tracks, vectors))
    return Columns(
        bpm=random.uniform(90, 150, tracks),
        key=random.integers(-1, 24, tracks),
        energy=random.uniform(1, 10, tracks),
        loudness=random.normal(-10, 3, tracks),
        year=np.full(tracks, -1),
        duration_s=random.uniform(150, 330, tracks),
        artist=np.array([f"artist {number}" for number in random.integers(artists, size=tracks)]),
        album=np.full(tracks, ""),
        genre=np.array(["house", "techno"])[random.integers(2, size=tracks)],
        vectors=directions / np.linalg.norm(directions, axis=1, keepdims=True),
    )


@pytest.fixture(scope="module")
def library() -> Columns:
    return many(300)


def only(*axes, **tempo) -> SetSettings:
    return SetSettings(transitions=TransitionScore(axes=axes, tempo=TempoRules(**tempo)))


def test_tracks_in_a_row_of_tempi(columns):
    """From 120 to 130 BPM in even steps, whatever the order of the rows."""
    bpm = [120, 128, 124, 130, 122, 126]
    made = build_set(columns(bpm=bpm), start=0, end=3, tracks=6, settings=only(TempoAxis()))
    assert [bpm[row] for row in made.rows] == [120, 122, 124, 126, 128, 130]
    changes = [100 * (after / before - 1) for before, after in itertools.pairwise(range(120, 131, 2))]
    assert [one.tempo_change_percent for one in made.transitions] == pytest.approx(changes, abs=1e-4)
    assert made.score == pytest.approx(np.mean([0.5 ** ((change / 6) ** 2) for change in changes]), abs=1e-5)


def test_the_energy_follows_the_curve(columns):
    energy = [3, 9, 5, 7, 4, 6, 8, 2, 10, 1]
    settings = SetSettings()
    rise = EnergyCurve(shape="points", points=[(0, 3), (1, 7)])
    made = build_set(columns(energy=energy), start=0, tracks=5, curve=rise, settings=settings)
    assert [energy[row] for row in made.rows] == [3, 4, 5, 6, 7]
    assert [track.target for track in made.tracks] == [3, 4, 5, 6, 7]
    flat = build_set(columns(energy=energy), start=0, tracks=3, settings=only(EnergyAxis()))
    steps = [abs(energy[after] - energy[before]) for before, after in itertools.pairwise(flat.rows)]
    assert steps == [1, 1] and flat.tracks[0].target is None


def test_it_is_as_good_as_trying_every_order(library):
    """Six of nine tracks with an end: the beam keeps more than there are."""
    few = many(9, seed=3, artists=9)
    settings, curve = SetSettings(artist_gap=0), EnergyCurve(shape="peak")
    made = build_set(few, start=0, end=1, tracks=6, curve=curve, settings=settings)
    targets = curve.targets(6, float(few.energy[0]))
    scores = [
        settings.transitions.scores(
            settings.transitions.pairs(
                few, few.rows, few.rows, target=targets[place], step=float(targets[place] - targets[place - 1])
            )
        )
        for place in range(1, 6)
    ]
    best = max(
        np.mean([scores[place][pair] for place, pair in enumerate(itertools.pairwise((0, *between, 1)))])
        for between in itertools.permutations(range(2, 9), 4)
    )
    assert made.score == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("shortlist", [400, 40])
def test_the_rules_hold(library, shortlist):
    locked, banned = {4: 17, 9: 200}, [5, 6, 7]
    asked = {"start": 3, "end": 11, "tracks": 14, "locked": locked, "banned": banned}
    settings = SetSettings(shortlist=shortlist, artist_gap=4)
    made = build_set(library, **asked, curve=EnergyCurve(shape="wave"), settings=settings)
    rows = made.rows
    assert len(set(rows)) == 14 and not set(rows) & set(banned)
    assert (rows[0], rows[3], rows[8], rows[-1]) == (3, 17, 200, 11)
    assert [track.locked for track in made.tracks] == [place in (1, 4, 9, 14) for place in range(1, 15)]
    for place, row in enumerate(rows):
        again = {library.artist[other] for other in rows[max(0, place - 4) : place]}
        assert library.artist[row] not in again or made.tracks[place].locked
    assert made.score == pytest.approx(np.mean([one.score for one in made.transitions]))
    assert rows == build_set(library, **asked, curve=EnergyCurve(shape="wave"), settings=settings).rows


def test_a_filter_and_a_recording_once():
    facts = many(12, seed=1, artists=12)
    copies = np.array([0, 0, 1, 1, -1, -1, 2, 3, 4, 5, 6, 0])
    facts = Columns(**{**{name: getattr(facts, name) for name in facts.__dataclass_fields__}, "recording": copies})
    made = build_set(facts, start=11, tracks=9)
    taken = [int(copies[row]) for row in made.rows if copies[row] >= 0]
    assert len(set(taken)) == len(taken) and not {0, 1} & set(made.rows)
    allowed = np.isin(np.arange(12), [4, 5, 6])
    assert set(build_set(facts, start=0, tracks=4, allowed=allowed).rows) == {0, 4, 5, 6}
    with pytest.raises(ConfigError, match="a set of 10 tracks: there are only 9 to choose from"):
        build_set(facts, start=11, tracks=10)
    with pytest.raises(ConfigError, match="a recording is asked for at two places"):
        build_set(facts, start=0, end=1, tracks=5)


def test_where_only_one_artist_is_left_the_rule_is_given_up(columns):
    """Four tracks of one artist need 16 others between them; there are 8."""
    facts = columns(bpm=np.linspace(120, 123, 12), artist=["a", *"bcd", "a", *"efg", "a", *"hi", "a"])
    made = build_set(facts, start=0, tracks=12, settings=only(TempoAxis()))
    assert len(set(made.rows)) == 12
    fillers = [place for place, one in enumerate(made.transitions, 2) if one.filler]
    assert fillers and all(facts.artist[made.rows[place - 1]] == "a" for place in fillers)
    assert "an artist who played less than 4 tracks ago" in made.transitions[fillers[0] - 2].reason
    assert made.remarks[0].startswith("track")
    assert not any(one.filler for one in build_set(facts, start=0, tracks=2, settings=only(TempoAxis())).transitions)


@pytest.mark.parametrize(("artists", "gap"), [("ab", 0), ("abcd", 1), ("abcdefghi", 4), ("abcdefghijkl", 4)])
def test_of_few_artists_one_returns_earlier(columns, artists, gap):
    facts = columns(bpm=np.linspace(120, 120.1, 3 * len(artists)), artist=list(artists * 3))
    made = build_set(facts, start=0, tracks=2 * len(artists), settings=only(TempoAxis()))
    names = [facts.artist[row] for row in made.rows]
    for place, name in enumerate(names):
        assert name not in names[max(0, place - gap) : place]
    assert not made.remarks


def test_fillers_on_the_way_to_a_far_end(columns):
    """Nothing lies between 100 and 140 BPM, but the set must have four tracks."""
    facts = columns(bpm=[100, 101, 138, 140])
    settings = only(TempoAxis(), three_to_two=0, two_to_three=0)
    made = build_set(facts, start=0, end=3, tracks=4, settings=settings)
    assert made.rows == (0, 1, 2, 3)
    assert [one.filler for one in made.transitions] == [False, True, False]
    assert made.transitions[1].reason.endswith(", filler on the way")
    assert made.remarks[0].startswith("track 3 is a filler")


def test_one_bad_transition_is_not_paid_for_by_the_others(columns):
    """A step of 4 in energy scores .5 and .5 in two halves, and 1 and .0625 at once, which is the higher mean."""
    facts = columns(energy=[5, 5, 9, 7])
    by_mean, usual = (
        build_set(facts, start=0, end=2, tracks=3, settings=replace(only(EnergyAxis()), shortfall_costs=costs))
        for costs in (0.0, 10.0)
    )
    assert (by_mean.rows, by_mean.score, by_mean.weakest) == ((0, 1, 2), pytest.approx(1.0625 / 2), 0.0625)
    assert (usual.rows, usual.score, usual.weakest) == ((0, 3, 2), 0.5, 0.5)


def test_worth_is_the_score_less_what_is_missing():
    worth = SetSettings(least=0.5, shortfall_costs=4.0).worth(np.float32([0.9, 0.5, 0.4]))
    assert worth == pytest.approx([0.9, 0.5, 0.4 - 4 * 0.1], abs=1e-6)


def test_a_transition_below_the_floor_is_named(columns):
    made = build_set(columns(bpm=[100, 101, 113]), start=0, tracks=3, settings=only(TempoAxis()))
    assert [round(one.score, 2) for one in made.transitions] == [0.98, 0.05]
    assert made.remarks == (
        "1 transition is below 0.50: 2 → 3 (0.05); no better set was found: another start, fewer tracks, or more music "
        "in the library may help",
    )
    assert made.weakest == pytest.approx(made.transitions[1].score)


def test_energy_far_from_the_curve_is_said(columns):
    """4, 4 and 4 where 6, 8 and 10 are wanted."""
    facts = columns(bpm=[120] * 4, energy=[4] * 4)
    made = build_set(facts, start=0, tracks=4, curve=EnergyCurve(shape="rise", low=4, high=10))
    assert made.remarks[0].startswith("the energy is 4.0 below the curve on average: few tracks there lead on; a lower")
    flat = build_set(facts, start=0, tracks=4, curve=EnergyCurve())
    assert not any("curve" in remark for remark in flat.remarks)


def test_the_tempo_budget_of_the_set(columns):
    """A change of 2 % scores more than a step of 3 in energy; not if 1 % is all that there is."""
    facts = columns(bpm=[120, 122.4, 120], energy=[5, 5, 8])
    axes = (TempoAxis(), EnergyAxis())
    free = build_set(facts, start=0, tracks=2, settings=only(*axes))
    tight = build_set(facts, start=0, tracks=2, settings=only(*axes, set_percent=1.0, over_budget=0.1))
    assert (free.rows, tight.rows) == ((0, 1), (0, 2))
    spent = build_set(facts, start=0, end=1, tracks=2, settings=only(*axes, set_percent=1.0))
    assert spent.transitions[0].reason.endswith("over the tempo budget of the set")
    assert spent.remarks == ("the tempo changes add up to 2.0 %, more than the budget of 1 %",)
    assert spent.score == pytest.approx(0.7 * (0.2 * 0.5 ** ((2 / 6) ** 2) + 0.18) / 0.38, abs=1e-5)


@pytest.mark.parametrize("minutes", [30, 60, 95])
def test_so_many_minutes(library, minutes):
    made = build_set(library, start=0, end=9, minutes=minutes)
    assert made.minutes == pytest.approx(minutes, abs=2.5)
    lengths = [track.duration_s for track in made.tracks]
    assert made.minutes == pytest.approx((sum(lengths) - 15 * (len(lengths) - 1)) / 60)
    assert made.rows[-1] == 9


def test_more_minutes_than_there_is_music(columns):
    made = build_set(columns(bpm=[120] * 4, duration_s=[200, np.nan, 240, 250]), start=0, minutes=60)
    assert len(made.tracks) == 4
    assert made.minutes == pytest.approx((200 + 240 + 240 + 250 - 45) / 60)  # an unknown length is the median
    assert made.remarks[0] == "the set lasts 15 minutes and not 60: there are only 4 tracks to choose from"


def test_plain_types_for_json(library):
    made = build_set(library, start=0, tracks=3).named(["a", "b", "c"])
    plain = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert [track["name"] for track in plain["tracks"]] == ["a", "b", "c"]
    assert len(plain["transitions"]) == 2 and plain["transitions"][0].keys() == {
        "score",
        "axes",
        "reason",
        "tempo_change_percent",
        "tempo_multiple",
        "key_shift_semitones",
        "filler",
    }
    with pytest.raises(ValueError, match="zip"):
        made.named(["a"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"start": 300, "tracks": 3}, "start=300: give the row of a track, from 0 to 299"),
        ({"start": 0}, "give tracks or minutes"),
        ({"start": 0, "tracks": 3, "minutes": 9}, "give tracks or minutes"),
        ({"start": 0, "tracks": 1}, "tracks=1: give a whole number, 2 or more"),
        ({"start": 0, "minutes": 0}, "minutes=0: give a number, above 0"),
        ({"start": 0, "tracks": 3, "locked": {1: 2}}, "locked.1=2: the start is there"),
        ({"start": 0, "tracks": 3, "locked": {4: 2}}, "locked.4: the set has only 3 places"),
        ({"start": 0, "tracks": 3, "locked": {3: 2}, "end": 4}, "end=4: another track is locked at place 3"),
        ({"start": 0, "tracks": 3, "locked": {2: 4}, "end": 4}, "a recording is asked for at two places"),
        ({"start": 0, "tracks": 3, "banned": [0]}, "the track of row 0 is both asked for and banned"),
    ],
)
def test_what_cannot_be_asked(library, asked, message):
    with pytest.raises(ConfigError, match=message):
        build_set(library, **asked)


def test_the_end_may_be_named_at_its_place(library):
    assert build_set(library, start=0, tracks=3, locked={3: 4}, end=4).rows[-1] == 4


@pytest.mark.slow
def test_a_large_library_is_cut_down_to_a_shortlist():
    """The set is nearly as good as one from all tracks."""
    facts = many(2000, artists=500)
    small = build_set(facts, start=0, end=1, tracks=8, settings=SetSettings(shortlist=100))
    large = build_set(facts, start=0, end=1, tracks=8, settings=SetSettings(shortlist=2000))
    assert small.score >= 0.97 * large.score


def test_a_shortlist_of_one_artist_leaves_others():
    """Nearly all tracks, and the nearest ones, are by one artist."""
    facts = many(600, artists=500)
    artist = np.where(np.arange(600) % 10, "prolific", facts.artist)
    facts = Columns(**{**{name: getattr(facts, name) for name in facts.__dataclass_fields__}, "artist": artist})
    made = build_set(facts, start=0, tracks=10, settings=SetSettings(shortlist=50))
    assert not any(one.filler for one in made.transitions)
