"""Conditions against sets of rows that were found by hand, and against plain Python on many random ones."""

import json
import math

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.conditions import AMONG_COLUMNS, RANGE_COLUMNS, TEXT_COLUMNS, Condition
from musicrec.recommend.tag_bits import TagBits

FACTS = {
    "bpm": [120, 126, 60, np.nan, 90],
    "key": ["8A", "9A", "", "8A", "2B"],
    "energy": [5, 6, 7, np.nan, 10],
    "year": [1999, 2005, -1, 1985, 1990],
    "genre": ["house", "techno", "house", "", "rock"],
    "artist": ["Ada", "Bo", "", "Ada", "Cy"],
    "recording": [7, 8, -1, 7, 9],
}
A_MINOR, E_MINOR = 21, 16  # places in KEYS_24
TAGS = TagBits.pack(["drums", "flute", "piano"], np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0]]))


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"ranges": {"bpm": [(118, 126)]}}, [0, 1]),
        ({"ranges": {"bpm": [(118, 126), (59, 63)]}}, [0, 1, 2]),
        ({"ranges": {"bpm": [(118, 126)]}, "keep_unknown": ["bpm"]}, [0, 1, 3]),
        ({"ranges": {"bpm": []}}, []),
        ({"ranges": {"bpm": []}, "keep_unknown": ["bpm"]}, [3]),
        ({"ranges": {"bpm": [(-math.inf, 90)]}}, [2, 4]),
        ({"ranges": {"bpm": [(90.5, None)]}}, [0, 1]),
        ({"ranges": {"bpm": [(None, None)]}}, [0, 1, 2, 4]),
        ({"ranges": {"year": [(-math.inf, 1990)]}}, [3, 4]),
        ({"ranges": {"year": [(1990, 2000)]}, "keep_unknown": ["year"]}, [0, 2, 4]),
        ({"among": {"key": {A_MINOR, E_MINOR}}}, [0, 1, 3]),
        ({"among": {"key": range(24)}}, [0, 1, 3, 4]),
        ({"among": {"key": range(24)}, "keep_unknown": ["key"]}, [0, 1, 2, 3, 4]),
        ({"among": {"key": []}}, []),
        ({"among": {"key": [A_MINOR]}, "keep_unknown": ["key"]}, [0, 2, 3]),
        ({"among": {"genre": {"house", "rock", "polka"}}}, [0, 2, 4]),
        ({"among": {"genre": {"house"}}, "keep_unknown": ["genre"]}, [0, 2, 3]),
        ({"among": {"genre": {"house", "a", "b", "c", "d"}}, "keep_unknown": ["genre"]}, [0, 2, 3]),
        ({"among": {"genre": {""}}}, []),
        ({"among": {"recording": {7, 9}}}, [0, 3, 4]),
        ({"not_among": {"artist": {"Ada"}}}, [1, 2, 4]),
        ({"not_among": {"artist": {""}}}, [0, 1, 2, 3, 4]),
        ({"not_among": {"recording": {7, -1}}}, [1, 2, 4]),
        ({"not_among": {"recording": range(100)}}, [2]),
        ({"not_among": {"artist": {"Ada"}}, "ranges": {"bpm": [(100, 130)]}}, [1]),
        ({"tags_any": ["flute", "piano"]}, [1, 2, 3]),
        ({"tags_any": [["flute", "piano"], ["drums"]]}, [1, 3]),
        ({"tags_all": ["drums", "flute"]}, [1, 3]),
        ({"tags_none": ["drums", "piano"]}, [4]),
        ({"tags_any": ["drums"], "tags_none": ["piano"], "among": {"genre": {"house"}}}, [0]),
    ],
)
def test_which_tracks(columns, parts, rows, coded):
    facts = columns(**FACTS)
    if coded:
        for name in TEXT_COLUMNS:
            facts.text_codes(name)
    assert np.flatnonzero(Condition(**parts).mask(facts, TAGS)).tolist() == rows


def test_the_last_digit_of_a_limit_counts(columns):
    """133.56 is no number of single precision: the tempo that is kept lies a little off."""
    assert Condition(ranges={"bpm": [(133.56, 133.56)]}).mask(columns(bpm=[133.56])).all()


def random_condition(rng: np.random.Generator) -> Condition:
    def some(values) -> list:
        return [value for value in values if rng.random() < 0.4]

    ranges = {}
    for name, lowest, highest in (("bpm", 60, 180), ("energy", 1, 10), ("year", 1980, 2020)):
        if rng.random() < 0.5:
            ranges[name] = [sorted(rng.uniform(lowest, highest, 2)) for _ in range(rng.integers(1, 4))]
    among = {"key": some(range(24)), "genre": some(["house", "rock", "jazz"])}
    return Condition(
        ranges=ranges,
        among={name: values for name, values in among.items() if rng.random() < 0.5},
        not_among={"artist": some("abcd")},
        tags_any=some(["drums", "flute", "piano"]),
        tags_all=some(["flute"]),
        tags_none=some(["piano"]),
        keep_unknown=some([*RANGE_COLUMNS, *AMONG_COLUMNS]),
    )


def by_hand(condition: Condition, facts, tags: TagBits, row: int) -> bool:
    """The definition, one track at a time."""

    def known(name):
        value = getattr(facts, name)[row]
        return bool(value) if name in TEXT_COLUMNS else not (np.isnan(value) or value < 0)

    for name, ranges in condition.ranges.items():
        value = np.float32(getattr(facts, name)[row])
        inside = any(np.float32(low) <= value <= np.float32(high) for low, high in ranges)
        if not (inside if known(name) else name in condition.keep_unknown):
            return False
    for name, values in condition.among.items():
        if not (getattr(facts, name)[row] in values if known(name) else name in condition.keep_unknown):
            return False
    if any(known(name) and getattr(facts, name)[row] in values for name, values in condition.not_among.items()):
        return False
    has = set(tags.of_track(row))
    return (
        all(has & set(group) for group in condition.tags_any)
        and has >= set(condition.tags_all)
        and not has & set(condition.tags_none)
    )


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def random_facts(columns, rng):
    tracks = 60
    facts = columns(
        bpm=np.where(rng.random(tracks) < 0.2, np.nan, rng.uniform(60, 180, tracks)),
        energy=np.where(rng.random(tracks) < 0.2, np.nan, rng.uniform(1, 10, tracks)),
        year=np.where(rng.random(tracks) < 0.2, -1, rng.integers(1980, 2020, tracks)),
        genre=rng.choice(["house", "rock", "jazz", ""], tracks),
        artist=rng.choice([*list("abcde"), ""], tracks),
        key=rng.choice(["", *(f"{number}{letter}" for number in range(1, 13) for letter in "AB")], tracks),
    )
    return facts, TagBits.pack(["drums", "flute", "piano"], rng.random((tracks, 3)) < 0.5)


@pytest.mark.parametrize("trial", range(60))
def test_as_by_hand_and_together(random_facts, rng, trial):
    """`a & b` lets pass what both let pass, and what is written can be read again."""
    facts, tags = random_facts
    one, other = random_condition(rng), random_condition(rng)
    expected = [by_hand(one, facts, tags, row) for row in range(len(facts))]
    np.testing.assert_array_equal(one.mask(facts, tags), expected)
    both = one.mask(facts, tags) & other.mask(facts, tags)
    np.testing.assert_array_equal((one & other).mask(facts, tags), both)
    assert Condition.from_dict(json.loads(json.dumps((one & other).to_dict()))) == one & other


def test_in_json():
    condition = Condition(
        ranges={"bpm": [(118, math.inf)]},
        among={"key": {3, 1}},
        not_among={"artist": {"b", "a"}, "album": set()},
        tags_any=["x", "y"],
        keep_unknown=["bpm"],
    )
    assert condition.to_dict() == {
        "ranges": {"bpm": [[118.0, None]]},
        "among": {"key": [1, 3]},
        "not_among": {"artist": ["a", "b"]},
        "tags_any": [["x", "y"]],
        "keep_unknown": ["bpm"],
    }
    assert Condition().to_dict() == {}


def test_whether_it_asks_for_anything():
    assert not Condition() and not Condition(keep_unknown=["bpm"])
    assert Condition(among={"key": []}) and Condition(tags_none=["a"])


def test_together_it_is_as_strict_as_the_stricter():
    kept = Condition(ranges={"bpm": [(100, 130)]}, keep_unknown=["bpm"])
    strict = Condition(ranges={"bpm": [(120, 140), (50, 70)]})
    assert (kept & strict) == Condition(ranges={"bpm": [(120, 130)]})
    assert (kept & Condition()).keep_unknown == {"bpm"}
    assert (kept & Condition(ranges={"bpm": [(10, 20)]}, keep_unknown=["bpm"])).ranges == {"bpm": ()}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"ranges": {"tempo": [(1, 2)]}}, "condition.ranges: no column 'tempo'; choose from: bpm, energy, loudness"),
        ({"ranges": {"key": [(1, 2)]}}, "condition.ranges: no column 'key'"),
        (
            {"among": {"bpm": {1}}},
            "condition.among: no column 'bpm'; choose from: key, genre, artist, album, recording",
        ),
        ({"keep_unknown": ["x"]}, "condition.keep_unknown: no column 'x'"),
        ({"ranges": {"bpm": [(2, 1)]}}, r"condition.ranges.bpm: \(2, 1\): give the lower limit first"),
        ({"ranges": {"bpm": [(1, 2, 3)]}}, r"condition.ranges.bpm: \(1, 2, 3\) is no range; give \(low, high\)"),
        ({"ranges": {"bpm": [(math.nan, 2)]}}, "give the lower limit first"),
    ],
)
def test_what_is_refused(parts, message):
    with pytest.raises(ConfigError, match=message):
        Condition(**parts)
    with pytest.raises(ConfigError, match=message):
        Condition.from_dict(parts)


def test_a_part_that_does_not_exist():
    with pytest.raises(ConfigError, match=r"condition.tags: no such part; choose from: ranges, among, not_among"):
        Condition.from_dict({"tags": ["a"]})


def test_tags_of_a_library_without_tags(columns):
    with pytest.raises(ConfigError, match="tag flute: the tracks of this library have no tags"):
        Condition(tags_any=["flute"]).mask(columns(**FACTS))
