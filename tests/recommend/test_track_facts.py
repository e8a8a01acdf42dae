import numpy as np

from musicrec.heads.keys import key_index, parse_key
from musicrec.recommend.track_facts import TrackFacts


def test_facts_of_a_row(columns):
    table = columns(bpm=[120, np.nan], key=["8A", ""], artist=["Ada", ""], year=[1990, -1], recording=[4, -1])
    assert TrackFacts.of_row(table, 0) == TrackFacts(
        bpm=120.0, key=key_index(*parse_key("8A")), artist="Ada", year=1990, recordings=frozenset({4})
    )
    assert TrackFacts.of_row(table, 1) == TrackFacts()
