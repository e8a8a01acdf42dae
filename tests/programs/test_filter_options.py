"""Filters as they are written on a command line."""

import math

import pytest

from musicrec.errors import ConfigError
from musicrec.programs.filter_options import (
    parse_bpm,
    parse_duration,
    parse_energy,
    parse_keep_unknown,
    parse_keys,
    parse_loudness,
    parse_multiples,
    parse_place,
    parse_year,
    read_filters,
)
from musicrec.recommend.musical_filters import CAN_BE_UNKNOWN, MusicalFilters
from musicrec.recommend.presets import read_key_table, read_preset


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_bpm, "120-128", (120, 128)),
        (parse_bpm, "120–128", (120, 128)),
        (parse_bpm, "120..128.5", (120, 128.5)),
        (parse_bpm, "120 to 128", (120, 128)),
        (parse_bpm, "120-", (120, None)),
        (parse_bpm, "-128", (None, 128)),
        (parse_bpm, "6%", 6),
        (parse_bpm, "±6%", 6),
        (parse_bpm, "+-2.5 %", 2.5),
        (parse_bpm, "+/-6%", 6),
        (parse_bpm, "any", None),
        (parse_energy, "6-9", (6, 9)),
        (parse_energy, "±1", 1),
        (parse_energy, "+-0.5", 0.5),
        (parse_energy, "-4", (None, 4)),
        (parse_energy, "Any", None),
        (parse_loudness, "-12..-8", (-12, -8)),
        (parse_loudness, "-12--8", (-12, -8)),
        (parse_loudness, "-12 to -8.5", (-12, -8.5)),
        (parse_loudness, "..-8", (None, -8)),
        (parse_loudness, "-12..", (-12, None)),
        (parse_loudness, "±3", 3),
        (parse_year, "1990-1999", (1990, 1999)),
        (parse_year, "1994", (1994, 1994)),
        (parse_year, "-1999", (None, 1999)),
        (parse_year, "±5", 5),
        (parse_duration, "3:00-6:30", (180, 390)),
        (parse_duration, "180-390", (180, 390)),
        (parse_duration, "-6:30", (None, 390)),
        (parse_duration, "55:00-1:02:03", (3300, 3723)),
        (parse_duration, "1:00:00-", (3600, None)),
        (parse_duration, "any", None),
        (parse_multiples, "half,3:2", ("half", "three_to_two")),
        (parse_multiples, "÷2,×2,2:3", ("half", "double", "two_to_three")),
        (parse_multiples, "own", ()),
        (parse_keys, "8A", ("8A",)),
        (parse_keys, "A minor, 1m,compatible", ("A minor", "1m", "compatible")),
        (parse_keys, "Two-Steps,semitone", ("two_steps", "semitone")),
        (parse_keys, "any", ()),
        (parse_keep_unknown, "year,duration", ("year", "duration_s")),
        (parse_keep_unknown, "all", CAN_BE_UNKNOWN),
        (parse_keep_unknown, "none", ()),
    ],
)
def test_read(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (parse_bpm, "124", "--bpm 124: give a range, as in 120-128, 120- or -128, or how far .*, as in 6%"),
        (parse_bpm, "±6", "--bpm ±6: with a percent sign, as in ±6%; or give a range, as in 120-128"),
        (parse_bpm, "128-120", "--bpm 128-120: give the lower limit first"),
        (parse_bpm, "120%", "--bpm 120%: give a percentage above 0 and below 100"),
        (parse_bpm, "3-5", "--bpm 3-5: music has between 20 and 400 BPM"),
        (parse_bpm, "500-", "--bpm 500-: music has between 20 and 400 BPM"),
        (parse_bpm, "-", "--bpm -: give a range"),
        (parse_bpm, "fast", "--bpm fast: give a range"),
        (parse_energy, "7", "--energy 7: give a range from 1 to 10, as in 6-9, 6- or -4, or how far .* as in ±1"),
        (parse_energy, "60-90", "--energy 60-90: give a range from 1 to 10"),
        (parse_loudness, "-8", "--loudness -8: give a range in LUFS, as in -12..-8"),
        (parse_loudness, "-8..-12", "--loudness -8..-12: give the lower limit first"),
        (parse_year, "90-99", "--year 90-99: give years, as in 1990-1999"),
        (parse_duration, "5", "--duration 5: give a range of lengths, as in 3:00-6:30"),
        (parse_duration, "6:30-3:00", "--duration 6:30-3:00: give the lower limit first"),
        (parse_duration, "3-6", "--duration 3-6: these are seconds; for minutes, write them as in 3:00-6:30"),
        (parse_duration, "3:75-", "--duration 3:75-: give a range"),
        (parse_duration, "1:75:00-", "--duration 1:75:00-: give a range"),
        (parse_multiples, "triple", "--multiples triple: 'triple': choose from: half, double, 3:2, 2:3; or own"),
        (parse_keys, "8A,8C", "--key 8A,8C: '8C' is no key; give keys such as 8A, 1m or A minor, or words: compat"),
        (parse_keys, ",", "--key ,: give keys such as"),
        (parse_keep_unknown, "artist", "--keep-unknown artist: 'artist': choose from: bpm, .*duration, key, genre; or"),
    ],
)
def test_mistakes(parse, text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_all_together():
    filters = read_filters(
        genre="house, techno",
        bpm="120-128",
        multiples="own",
        key="compatible",
        key_table="mixxx",
        key_lock=False,
        energy="6-9",
        loudness="±3",
        year="1990-",
        duration="-6:30",
        not_artist=["same", "Ada, the First"],
        not_album=["same"],
        max_per_artist=1,
        keep_unknown="year",
    )
    assert filters == MusicalFilters(
        genre=("house", "techno"),
        bpm=(120, 128),
        multiples=(),
        key=("compatible",),
        key_table=read_key_table("mixxx"),
        key_lock=False,
        energy=(6, 9),
        loudness_within=3,
        year=(1990, math.inf),
        duration_s=(None, 390),
        not_artist=("same", "Ada, the First"),
        not_album=("same",),
        max_per_artist=1,
        keep_unknown=("year",),
    )


def test_options_take_the_place_of_a_preset():
    mix = read_preset("mix").filters
    assert read_filters(base=mix) == mix
    ranged = read_filters(base=mix, bpm="120-128")
    assert (ranged.bpm, ranged.bpm_percent, ranged.key) == ((120, 128), None, mix.key)
    assert read_filters(base=ranged, bpm="3%").bpm_percent == 3
    nothing = read_filters(base=mix, bpm="any", key="any")
    assert nothing.bpm_percent is None and nothing.key == ()
    explore = read_preset("explore").filters
    lifted = read_filters(base=explore, not_artist=["any"], max_per_artist=0)
    assert lifted.not_artist == () and lifted.max_per_artist is None
    assert read_filters(base=MusicalFilters(genre=["rock"]), genre="any").genre == ()


def test_switches():
    assert read_filters(key_shift=True, same_recording=True) == MusicalFilters(key_shift=True, same_recording=True)
    with pytest.raises(ConfigError, match="--key-shift and --vinyl: on a turntable the tempo moves the key"):
        read_filters(key_shift=True, key_lock=False)


def test_on_a_turntable_there_is_no_key_shift():
    shifted = MusicalFilters(key=["compatible", "semitone"], key_shift=True)
    vinyl = read_filters(base=shifted, key_lock=False)
    assert vinyl.key == ("compatible",) and not vinyl.key_shift
    with pytest.raises(ConfigError, match="--key semitone: with --vinyl the tempo moves the key"):
        read_filters(key="semitone", key_lock=False)


def test_numbers_of_tracks():
    with pytest.raises(ConfigError, match="--max-per-artist -1: give a whole number; 0 for any number of tracks"):
        read_filters(max_per_artist=-1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("80", 80), ("80.5", 80.5), ("1:20", 80), ("61:05", 3665), ("1:02:03", 3723), (" 0:00 ", 0)]
)
def test_places_in_a_track(text: str, seconds: float):
    assert parse_place(text) == seconds


@pytest.mark.parametrize("text", ["", "1:60", "-5", "1:2", "1:99:00", "a", "1:20:", "nan"])
def test_mistaken_places(text: str):
    with pytest.raises(ConfigError, match=f"--at {text}: give a place in minutes and seconds, as in 1:20"):
        parse_place(text)
