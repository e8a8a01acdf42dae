"""What a set says of its tracks."""

from musicrec.recommend.sets.track_set import SetTrack, TrackSet
from musicrec.recommend.sets.transition import Transition


def made(*tempi: float | None, steps: list[tuple[float | None, float | None]]) -> TrackSet:
    """A set of tracks at these tempi. Of each step: the multiple, and the change in percent."""
    facts = {"duration_s": 300.0, "key": None, "camelot": None, "energy": None, "genre": None, "target": None}
    return TrackSet(
        tracks=tuple(
            SetTrack(row=row, starts_min=5.0 * row, bpm=bpm, locked=False, **facts) for row, bpm in enumerate(tempi)
        ),
        transitions=tuple(
            Transition(
                score=0.8, axes={}, reason="", tempo_multiple=by, tempo_change_percent=change, key_shift_semitones=0
            )
            for by, change in steps
        ),
        score=0.8,
        minutes=5.0 * len(tempi),
    )


def test_half_and_double_time_count_at_the_tempo_that_mixes():
    found = made(120.0, 61.0, 61.5, 122.0, steps=[(2.0, 1.7), (1.0, 0.8), (0.5, -0.8)])
    assert found.mixed_bpm == (120, 122, 123, 122)
    assert [track["mixed_bpm"] for track in found.to_dict()["tracks"]] == [120, 122, 123, 122]


def test_two_beats_against_three_and_what_no_fader_reaches_remain_a_jump():
    found = made(122.0, 180.0, 80.0, 82.0, steps=[(2 / 3, -1.6), (2.0, -11.1), (1.0, 2.5)])
    assert found.mixed_bpm == (122, 180, 80, 82)


def test_an_unknown_tempo_has_none_and_leaves_the_others():
    found = made(120.0, 61.0, None, 61.0, steps=[(2.0, 1.7), (None, None), (None, None)])
    assert found.mixed_bpm == (120, 122, None, 122)
