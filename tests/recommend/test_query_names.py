from collections.abc import Callable

import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.query_names import QueryNames


def test_names_and_tracks_are_found_in_their_order(make_track: Callable):
    names = QueryNames(["a", make_track("b")], unlike=["c"])
    found = names.find(make_track)
    assert [track.track_id for track in found.alike] == ["a", "b"]
    assert [track.track_id for track in found.every] == ["a", "b", "c"] and found.towards is None
    path = QueryNames("a", towards="d").find(make_track)
    assert path.towards is not None and [track.track_id for track in path.every] == ["a", "d"]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"alike": []}, "query: name at least one track"),
        ({"alike": ["a", " "]}, "query: the name is empty"),
        ({"alike": "a", "towards": "b", "unlike": ["c"]}, "towards=b: a path leads from one track to another"),
        ({"alike": ["a"], "towards": "b", "playlist": True}, "towards=b: a path leads from one track to another"),
        ({"alike": ["a", "c"], "towards": "b"}, "towards=b: a path leads from one track to another"),
    ],
)
def test_a_mistake_is_found_before_anything_is_read(named: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        QueryNames(named.pop("alike"), **named)


@pytest.mark.parametrize("named", [{"unlike": ["b", "a"]}, {"towards": "a"}])
def test_a_track_cannot_be_asked_for_and_against(make_track: Callable, named: dict):
    with pytest.raises(ConfigError, match="a is named twice"):
        QueryNames("a", **named).find(make_track)
