from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary


def test_a_set_is_built_from_the_library(library: SqliteLibrary, make_track):
    """By tempo, as all else is equal: the tracks in the order of their tempi; a banned one is not among them."""
    library.add(
        [make_track(name, bpm=bpm) for name, bpm in (("a", 120), ("b", 124), ("c", 128), ("d", 132), ("e", 122))]
    )
    with Recommender.open(library.path) as recommender:
        made = recommender.build_set("a", end="d", tracks=4, banned=["e"])
        assert [track.name for track in made.tracks] == ["a", "b", "c", "d"]
        assert [round(track.bpm) for track in made.tracks] == [120, 124, 128, 132]
        for asked, message in (
            ({"start": "x"}, "x: there is no such file, and no such track"),
            ({"start": "a", "banned": ["A"]}, "A: this track is both asked for and banned"),
            ({"start": "a", "end": "A"}, "a: the set begins with this track, so it cannot come again"),
            ({"start": "a", "locked": {2: "a"}}, "a: the set begins with this track, so it cannot come again"),
            ({"start": "a", "end": "b", "locked": {3: "c"}}, "b: another track is locked at place 3, the last one"),
        ):
            with pytest.raises(ConfigError, match=message):
                recommender.build_set(**asked, tracks=3)
        assert recommender.build_set("a", tracks=2, locked={1: "a", 2: "c"}, end="c").tracks[1].name == "c"


def test_a_set_has_only_tracks_of_the_library(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    (music.parent / "other.wav").write_bytes(b"not in it")
    with (
        Recommender.open(library.path) as recommender,
        pytest.raises(ConfigError, match="a set is built from tracks of the library"),
    ):
        recommender.build_set(str(music.parent / "other.wav"), tracks=3)
