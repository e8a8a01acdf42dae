"""What `musicrec set` prints and writes, with a stand-in for the recommender."""

import json
from pathlib import Path

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.programs import set_command
from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.build import build_set
from musicrec.recommend.sets.curve import EnergyCurve

TRACKS = 6
COLUMNS = Columns(
    bpm=np.linspace(120, 126, TRACKS),
    key=np.arange(TRACKS),
    energy=np.linspace(4, 7, TRACKS),
    loudness=np.full(TRACKS, -9.0),
    year=np.full(TRACKS, -1),
    duration_s=np.full(TRACKS, 200.0),
    artist=np.array([f"artist {number}" for number in range(TRACKS)]),
    album=np.full(TRACKS, ""),
    genre=np.full(TRACKS, "house"),
    vectors=np.zeros((TRACKS, 0)),
)


class Recommender:
    """Tracks are named by their row."""

    def build_set(self, start, *, end, locked, banned, without, **asked):
        self.asked = asked | {"without": without}
        made = build_set(
            COLUMNS,
            start=int(start),
            end=None if end is None else int(end),
            locked={place: int(track) for place, track in locked.items()},
            banned=[int(track) for track in banned],
            **asked,
        )
        return made.named([f"track {row}" for row in made.rows])


@pytest.mark.slow
def test_a_table_and_pictures(capsys, tmp_path: Path):
    files = [tmp_path / "set.png", tmp_path / "set.svg"]
    set_command.build(Recommender(), "0", end="5", tracks=4, lock=["2=3"], ban=["1"], picture=files)
    printed = capsys.readouterr().out
    assert "4 tracks, 12:35, score" in printed and "→" in printed
    assert all(file.stat().st_size > 1000 for file in files) and f"picture: {files[0]}" in printed


def test_json(capsys):
    made = set_command.build(Recommender(), "0", tracks=3, curve="rise:4-6", as_json=True)
    assert json.loads(capsys.readouterr().out) == made.to_dict()
    assert [track.target for track in made.tracks] == [4, 5, 6]


def test_twelve_tracks_unless_a_length_is_given():
    asked = Recommender()
    with pytest.raises(ConfigError, match="a set of 12 tracks: there are only 6 to choose from"):
        set_command.build(asked, "0")
    set_command.build(asked, "0", minutes=9.0)
    assert asked.asked["tracks"] is None


@pytest.mark.parametrize(
    ("text", "curve"),
    [
        ("wave", EnergyCurve(shape="wave")),
        ("peak:4-9", EnergyCurve(shape="peak", low=4, high=9)),
        ("flat:6", EnergyCurve(shape="flat", low=6)),
        ("4,6,5", EnergyCurve(shape="points", points=[(0, 4), (0.5, 6), (1, 5)])),
    ],
)
def test_curves(text, curve):
    read = set_command.parse_curve(text)
    assert read.targets(7, 5.0).tolist() == curve.targets(7, 5.0).tolist()


@pytest.mark.parametrize("text", ["up", "peak:a-b", "5", "points", "4,,5", "peak:4-19", "0,5"])
def test_what_is_no_curve(text):
    with pytest.raises(ConfigError, match=f"--curve {text}: give one of flat, rise, peak, wave; with limits"):
        set_command.parse_curve(text)


@pytest.mark.parametrize("word", ["5", "x=track", "=track", "5="])
def test_what_is_no_lock(word):
    with pytest.raises(ConfigError, match=f"--lock {word}: give a place and a track, as in 5=TRACK"):
        set_command.parse_locks([word])


def test_locks():
    assert set_command.parse_locks(["5=a = b", "2=c"]) == {5: "a = b", 2: "c"}
    with pytest.raises(ConfigError, match="another track is locked at place 5"):
        set_command.parse_locks(["5=a", "05=b"])


def test_a_picture_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match=r"--picture set.pdf: give a file whose name ends in .png or .svg"):
        set_command.build(Recommender(), "0", tracks=3, picture=["set.pdf"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"tracks": 3, "minutes": 60.0}, "-n 3 and --minutes 60: give one of them"),
        ({"end": "0"}, "--end 0: the set begins with this track"),
        ({"lock": ["1=5"]}, "--lock 1=5: the set begins with TRACK; lock a track at place 2 or behind"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        set_command.build(Recommender(), "0", **asked)
