"""Beats and bars of MIDI files, by the arithmetic of the standard: 480 ticks per quarter note, 0.5 s at 120 BPM."""

import pytest

from musicrec.data.midi.beat_map import DEFAULT_TEMPO, BeatMap

TICKS = 480


def beats(*, tempi=(), metres=(), begin_s=0.0, duration_s=3.0):
    beat_map = BeatMap(TICKS)
    beat_map.tempi += tempi
    beat_map.metres += metres
    return [(round(time_s, 6), place) for time_s, place in beat_map.beats(begin_s=begin_s, duration_s=duration_s)]


def test_a_file_that_states_nothing_has_four_quarters_at_120():
    assert beats() == [(0, 1), (0.5, 2), (1, 3), (1.5, 4), (2, 1), (2.5, 2)]


def test_beats_follow_the_tempo():
    """120 BPM for two quarters, then 60 BPM for one and a half, then 240 BPM."""
    tempi = [(0, DEFAULT_TEMPO), (2 * TICKS, 1_000_000), (round(3.5 * TICKS), 250_000)]
    # The fourth beat begins at 1 + 1 = 2 s; half of it lasts 0.5 s, the other half 0.125 s.
    expected = [(0, 1), (0.5, 2), (1, 3), (2, 4), (2.625, 1), (2.875, 2)]
    assert beats(tempi=tempi) == expected


@pytest.mark.parametrize(
    ("metres", "places"),
    [
        ([(0, (3, 4))], [1, 2, 3, 1, 2, 3]),
        ([(0, (3, 4)), (TICKS, (3, 4))], [1, 2, 3, 1, 2, 3]),  # stated again: no new bar
        ([(0, (4, 4)), (0, (2, 4))], [1, 2, 1, 2, 1, 2]),  # the last one at a tick holds
        ([(4 * TICKS, (3, 4))], [1, 2, 3, 4, 1, 2]),
        ([(0, (2, 4)), (4 * TICKS, (3, 4))], [1, 2, 1, 2, 1, 2]),
        ([(0, (1, 4)), (TICKS, (4, 4))], [4, 1, 2, 3, 4, 1]),  # a pickup of one beat
        ([(0, (2, 4)), (2 * TICKS, (3, 4))], [2, 3, 1, 2, 3, 1]),  # and one of two
        ([(0, (5, 4))], [1, 2, 3, 4, 5, 1]),
    ],
)
def test_places_in_bars_follow_the_metre(metres, places):
    assert beats(metres=metres) == [(number / 2, place) for number, place in enumerate(places)]


@pytest.mark.parametrize(("metre", "per_bar"), [((6, 8), 2), ((9, 8), 3), ((12, 8), 4)])
def test_the_beat_of_a_compound_metre_is_three_eighths(metre, per_bar):
    assert beats(metres=[(0, metre)]) == [(0.75 * number, number % per_bar + 1) for number in range(4)]


@pytest.mark.parametrize("metre", [(7, 8), (3, 8), (2, 2), (1, 4), (0, 4), (17, 4), (4, 2**200)])
def test_a_metre_that_does_not_say_its_beat_gives_none(metre):
    assert beats(metres=[(0, metre)]) == []
    assert beats(metres=[(4 * TICKS, metre)]) == [], "a part of the file would have wrong places"
    assert len(beats(metres=[(6 * TICKS, metre)])) == 6, "beyond the end"


def test_a_part_begins_between_beats_and_in_its_bar():
    """From 1.2 s on: the beats at 1.5, 2 and 2.5 s are places 4, 1 and 2. The end of a part is not in it."""
    assert beats(begin_s=1.2, duration_s=1.8) == [(0.3, 4), (0.8, 1), (1.3, 2)]
    assert beats(begin_s=2.0, duration_s=1.0) == [(0, 1), (0.5, 2)]


def test_beats_of_absurd_files_take_no_memory():
    assert beats(tempi=[(0, 1)], duration_s=600) == [], "60 million BPM"
    assert beats(metres=[(1, (3, 4)), (2, (4, 4)), (3, (3, 4))]) == [], "bars of a tick"
    late = beats(begin_s=4e9, duration_s=2)  # 8e9 quarters, a multiple of four, precede it
    assert [place for _, place in late] == [1, 2, 3, 4]
