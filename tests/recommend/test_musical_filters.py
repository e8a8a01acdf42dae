"""Which tracks musical filters leave, worked out by hand."""

import math

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.heads.keys import key_index, parse_key
from musicrec.recommend.key_relations import CAMELOT_24, KeyTable
from musicrec.recommend.musical_filters import MusicalFilters, at_most_per_artist, changed_filters
from musicrec.recommend.track_facts import TrackFacts


def key(code: str) -> int:
    return key_index(*parse_key(code))


QUERY = TrackFacts(
    bpm=120.0,
    key=key("8A"),
    energy=6.0,
    loudness=-9.0,
    year=2000,
    duration_s=200.0,
    artist="Ada",
    album="One",
    genre="house",
    recordings=frozenset({1}),
)


@pytest.fixture
def kept(columns):
    """kept(filters, facts, query): the rows that stay, in the order of the rows."""

    def rows(filters: MusicalFilters, facts: dict, query: TrackFacts = QUERY, **options) -> list[int]:
        table = columns(**facts)
        order = np.flatnonzero(filters.condition(query, **options).mask(table))
        return filters.finally_keep(query, table, order).tolist()

    return rows


TEMPI = {"bpm": [120, 127.2, 127.3, 60, 63.6, 240, 80, 180, np.nan]}


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"bpm_percent": 6}, [0, 1, 3, 4, 5]),
        ({"bpm_percent": 6, "multiples": []}, [0, 1]),
        ({"bpm_percent": 6, "multiples": ["double"]}, [0, 1, 3, 4]),
        ({"bpm_percent": 6, "multiples": ["half"]}, [0, 1, 5]),
        ({"bpm_percent": 1, "multiples": ["three_to_two", "two_to_three"]}, [0, 6, 7]),
        ({"bpm": [118, 128]}, [0, 1, 2, 3, 4, 5]),
        ({"bpm": [118, 128], "multiples": []}, [0, 1, 2]),
        ({"bpm": [None, 100], "multiples": []}, [3, 4, 6]),
        ({"bpm": [150, None], "multiples": []}, [5, 7]),
        ({"bpm_percent": 6, "keep_unknown": ["bpm"]}, [0, 1, 3, 4, 5, 8]),
        ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_tempo(kept, settings, rows):
    assert kept(MusicalFilters(**settings), TEMPI) == rows


def test_which_multiple_a_track_counts_at():
    filters = MusicalFilters(bpm_percent=6, multiples=["half", "double", "three_to_two", "two_to_three"])
    change = filters.tempo_change(QUERY, np.array([120, 127.2, 63.6, 240, 80, 180, np.nan]))
    np.testing.assert_allclose(change.multiple, [1, 1, 2, 0.5, 1.5, 2 / 3, np.nan], rtol=1e-6)
    np.testing.assert_allclose(change.percent, [0, 6, 6, 0, 0, 0, np.nan], atol=1e-4)


def test_which_multiple_brings_a_track_into_a_range():
    """The query has 120 BPM, and the range is far from it: 85 BPM is in it, 175 at half its tempo."""
    filters = MusicalFilters(bpm=[80, 90])
    change = filters.tempo_change(QUERY, np.array([85, 174, 42, 120]))
    assert change.multiple[:3].tolist() == [1, 0.5, 2]
    np.testing.assert_allclose(change.percent, [100 * (85 / 120 - 1), -27.5, -30, 0], atol=1e-4)
    unknown = filters.tempo_change(TrackFacts(), np.array([85.0]))
    assert unknown.multiple.tolist() == [1] and math.isnan(unknown.percent[0])


KEYS = {"key": [*list(CAMELOT_24), ""]}


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ({"key": ["8A"]}, "8A"),
        ({"key": "A minor"}, "8A"),
        ({"key": ["1m", "C"]}, "8A 8B"),
        ({"key": ["same"]}, "8A"),
        ({"key": ["neighbour"]}, "7A 9A"),
        ({"key": ["relative"]}, "8B"),
        ({"key": ["diagonal"]}, "7B 9B"),
        ({"key": ["two_steps"]}, "6A 10A"),
        ({"key": ["whole_tone_up"]}, "10A"),
        ({"key": ["semitone_up"]}, "3A"),
        ({"key": ["semitone"]}, "1A 3A"),
        ({"key": ["same", "semitone", "2B"]}, "8A 1A 3A 2B"),
        ({"key": ["compatible"]}, "8A 7A 9A 8B 7B 9B"),
        ({"key": ["compatible"], "key_least": 0.85}, "8A 7A 9A"),
        ({"key": ["compatible"], "key_table": KeyTable(relative=0.9, diagonal=0.45)}, "8A 7A 9A 8B"),
        ({"key": ["compatible"], "key_shift": True}, "8A 7A 9A 8B 7B 9B 1A 3A"),
        ({"key": ["same"], "keep_unknown": ["key"]}, "8A ?"),
    ],
)
def test_key(kept, settings, codes):
    found = kept(MusicalFilters(**settings), KEYS)
    assert {(KEYS["key"][row] or "?") for row in found} == set(codes.split())


def semitones(number: int) -> float:
    return 120 * 2 ** (number / 12)


VINYL = {
    # 3A is a semitone above 8A: 5.9 % faster, and brought back to 120 BPM it sounds as 8A; 1A in the same way.
    "bpm": [120, semitones(1), semitones(-1), 120, semitones(1), semitones(1) / 2, np.nan, semitones(1), 123],
    "key": ["8A", "3A", "1A", "3A", "8A", "3A", "8A", "", "8A"],
}


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"key": ["same"], "key_lock": True}, [0, 4, 6, 8]),
        ({"key": ["same"], "key_lock": False}, [0, 1, 2, 5, 6, 8]),
        ({"key": ["same"], "key_lock": False, "keep_unknown": ["key"]}, [0, 1, 2, 5, 6, 7, 8]),
        ({"key": ["same"], "key_lock": False, "bpm_percent": 6}, [0, 1, 2, 5, 8]),
        ({"key": ["same"], "key_lock": False, "bpm_percent": 6, "multiples": []}, [0, 1, 2, 8]),
        ({"key": ["same"], "key_lock": False, "bpm_percent": 6, "keep_unknown": ["bpm"]}, [0, 1, 2, 5, 6, 8]),
        ({"key": ["same"], "key_lock": False, "bpm": [110, 130]}, [0, 1, 2, 5, 8]),
        ({"key": ["8A"], "key_lock": False}, [0, 1, 2, 5, 6, 8]),
        ({"key": ["semitone_up"], "key_lock": False}, [3]),
    ],
)
def test_on_a_turntable_the_tempo_moves_the_key(kept, settings, rows):
    assert kept(MusicalFilters(**settings), VINYL) == rows


def test_without_a_tempo_of_the_query_no_key_moves(kept):
    query = TrackFacts(key=key("8A"))
    filters = MusicalFilters(key=["same"], key_lock=False, bpm_percent=6)
    assert kept(filters, VINYL, query) == [0, 4, 6, 8]
    assert filters.remarks(query) == [
        "the tempo of the query is unknown: the filter bpm_percent is left out",
        "the tempo of the query is unknown: keys are compared as if no tempo were changed",
    ]


@pytest.mark.parametrize("percent", [1, 3, 6, 10, 30])
def test_the_condition_leaves_every_track_that_stays_in_the_end(columns, percent):
    """The condition of vinyl is only a first sieve: it must never take what the exact test would keep."""
    rng = np.random.default_rng(percent)
    tracks = 2000
    bpm = rng.uniform(50, 250, tracks)
    codes = rng.choice(CAMELOT_24, tracks)
    table = columns(bpm=bpm, key=list(codes))
    filters = MusicalFilters(key=["compatible"], key_lock=False, bpm_percent=percent)
    inside = np.flatnonzero(MusicalFilters(bpm_percent=percent).condition(QUERY).mask(table))
    exact = filters.finally_keep(QUERY, table, inside)
    sieved = np.flatnonzero(filters.condition(QUERY).mask(table))
    assert set(exact) == set(filters.finally_keep(QUERY, table, sieved))
    assert len(sieved) < len(inside) or percent > 6


@pytest.mark.parametrize(
    ("settings", "facts", "rows"),
    [
        ({"energy": [6, 9]}, {"energy": [5.9, 6, 9, 9.1, np.nan]}, [1, 2]),
        ({"energy_within": 1}, {"energy": [4.9, 5, 7, 7.1, np.nan]}, [1, 2]),
        ({"energy_within": 0}, {"energy": [6, 6.1]}, [0]),
        ({"loudness": [None, -8]}, {"loudness": [-12, -8, -7]}, [0, 1]),
        ({"loudness_within": 2}, {"loudness": [-12, -11, -7]}, [1, 2]),
        ({"year": [1990, 1999]}, {"year": [1989, 1990, 1999, -1]}, [1, 2]),
        ({"year": [1990, 1999], "keep_unknown": ["year"]}, {"year": [1989, 1990, 1999, -1]}, [1, 2, 3]),
        ({"year_within": 5}, {"year": [1994, 1995, 2005, 2006, -1]}, [1, 2]),
        ({"duration_s": [180, None]}, {"duration_s": [179, 180, 1000, np.nan]}, [1, 2]),
        ({"genre": ["techno", "same"]}, {"genre": ["house", "techno", "rock", ""]}, [0, 1]),
        ({"not_artist": ["same"]}, {"artist": ["Ada", "Bo", ""]}, [1, 2]),
        ({"not_artist": ["Bo"]}, {"artist": ["Ada", "Bo", ""]}, [0, 2]),
        ({"not_album": ["same"]}, {"album": ["One", "Two", ""]}, [1, 2]),
        ({}, {"recording": [1, 2, -1], "bpm": [1, 1, 1]}, [1, 2]),
        ({"same_recording": True}, {"recording": [1, 2, -1], "bpm": [1, 1, 1]}, [0, 1, 2]),
    ],
)
def test_other_facts(kept, settings, facts, rows):
    assert kept(MusicalFilters(**settings), facts) == rows


def test_genres_are_found_in_any_letters(kept):
    facts = {"genre": ["House", "Hip-Hop", "rock"]}
    assert kept(MusicalFilters(genre=["house", "hip-hop"]), facts, genres=["House", "Hip-Hop", "rock"]) == [0, 1]
    with pytest.raises(ConfigError, match="genre hous: no track of this library has it; did you mean: House"):
        kept(MusicalFilters(genre=["hous"]), facts, genres=["House", "rock"])
    # The query's own genre is no mistake of the user.
    assert kept(MusicalFilters(genre=["same"]), facts, genres=["House"]) == []


def test_at_most_so_many_per_artist():
    artist = np.array(["a", "b", "a", "", "a", "", "b"], dtype=object)
    order = np.array([4, 3, 2, 1, 0, 5, 6])
    assert at_most_per_artist(artist, order, most=1).tolist() == [4, 3, 1, 5]
    assert at_most_per_artist(artist, order, most=2).tolist() == [4, 3, 2, 1, 5, 6]
    assert at_most_per_artist(artist, order[:0], most=1).tolist() == []


def test_the_order_stays(columns):
    facts = columns(artist=["a", "b", "a", "c"])
    rows = MusicalFilters(max_per_artist=1).finally_keep(QUERY, facts, np.array([3, 2, 1, 0]))
    assert rows.tolist() == [3, 2, 1]


def test_what_the_query_lacks_is_left_out_and_said(kept):
    filters = MusicalFilters(
        bpm_percent=6,
        key=["compatible"],
        energy_within=1,
        loudness_within=1,
        year_within=3,
        genre=["same"],
        not_artist=["same"],
        not_album=["same"],
    )
    unknown = TrackFacts()
    assert not filters.condition(unknown)
    assert filters.remarks(unknown) == [
        "the tempo of the query is unknown: the filter bpm_percent is left out",
        "the energy of the query is unknown: the filter energy_within is left out",
        "the loudness of the query is unknown: the filter loudness_within is left out",
        "the year of the query is unknown: the filter year_within is left out",
        "the key of the query is unknown: the filter by key (compatible) is left out",
        "the genre of the query is unknown: the filter genre=same is left out",
        "the artist of the query is unknown: the filter not_artist=same is left out",
        "the album of the query is unknown: the filter not_album=same is left out",
    ]
    assert filters.remarks(QUERY) == []
    # A key that is named needs no key of the query.
    named = MusicalFilters(key=["8A", "neighbour"])
    assert {CAMELOT_24[row] for row in kept(named, KEYS, unknown)} == {"8A"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bpm_percent": 0}, r"filters.bpm_percent=0: give a number or null, above 0 and below 100"),
        ({"bpm_percent": 100}, r"filters.bpm_percent=100: give a number or null, above 0 and below 100"),
        ({"bpm": [128, 120]}, r"filters.bpm=\[128, 120\]: give a range \[low, high\] between 20 and 400; null"),
        ({"bpm": [1200, 1300]}, r"filters.bpm=\[1200, 1300\]: give a range"),
        ({"bpm": 120}, r"filters.bpm=120: give a range"),
        ({"bpm": [None, None]}, "give a range"),
        ({"bpm": [math.nan, 3]}, "give a range"),
        ({"energy": [60, 90]}, r"filters.energy=\[60, 90\]: give a range \[low, high\] between 1 and 10"),
        ({"bpm": [1, 200], "bpm_percent": 6}, "filters.bpm and filters.bpm_percent: give one of them, and null for"),
        ({"multiples": ["triple"]}, "filters.multiples: 'triple' is none of them; choose from: half, double, three"),
        ({"key": ["8C"]}, "filters.key: '8C' is no key; give a key such as A minor, 8A or 1m, or one of: compatible"),
        ({"key_lock": "no"}, "filters.key_lock=no: give true or false"),
        ({"key_lock": False, "key_shift": True}, "filters.key_lock=false: the tempo moves the key"),
        ({"key_lock": False, "key": ["semitone"]}, "filters.key_lock=false: the tempo moves the key"),
        ({"key_least": 2}, "filters.key_least=2: give a number from 0 to 1"),
        ({"max_per_artist": 0}, "filters.max_per_artist=0: give a whole number or null, 1 or more"),
        ({"keep_unknown": ["artist"]}, "filters.keep_unknown: 'artist' is none of them; choose from: bpm, energy"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        MusicalFilters(**settings)


def test_a_range_takes_the_place_of_a_distance():
    """As in preset=mix filters.bpm=[120,128], where the preset has bpm_percent."""
    base = MusicalFilters(bpm_percent=6, energy=(5, 8), max_per_artist=2)
    changed = changed_filters(base, {"bpm": (120, 128), "energy_within": 1})
    assert changed == MusicalFilters(bpm=(120, 128), energy_within=1, max_per_artist=2)
    with pytest.raises(ConfigError, match=r"filters.bpm and filters.bpm_percent: give one of them"):
        changed_filters(base, {"bpm": (120, 128), "bpm_percent": 3})
