"""Answers as people read them, in a narrow and in a wide terminal."""

import dataclasses
import io
import json

import numpy as np
import pytest
from rich.console import Console, Group

from musicrec.audio.remark import Remark
from musicrec.errors import ConfigError
from musicrec.heads.tags import TagHead
from musicrec.recommend.answer import Answer
from musicrec.recommend.answer_table import as_table
from musicrec.recommend.library import Changes
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.presets import read_preset
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.system.console import remark_text

PUBLIC = TagHead(name="tags_mtt", classes=("techno", "guitar", "slow", "female", "woman", "no vocals"))


@pytest.fixture
def crate(heads: dict, make_track, tmp_path) -> SqliteLibrary:
    """Four tracks with the answers of a public tagger, a genre of the user's own, tempo, key and energy."""
    known = [PUBLIC, *(heads[name] for name in ("genre", "tempo", "key"))]
    with SqliteLibrary.create(tmp_path / "l.sqlite", exports=[], heads=known, embedding_size=4) as library:
        for name, energy, said in (
            ("a techno track with quite a long name", 7.25, [0.9, 0.1, 0.1, 0.1, 0.2, 0.7]),
            ("b", 6.5, [0.8, 0.1, 0.1, 0.1, 0.1, 0.6]),
            ("c", 2.0, [0.1, 0.9, 0.8, 0.7, 0.9, 0.1]),
            ("d", 1.5, [0.1, 0.6, 0.8, 0.1, 0.1, 0.1]),
        ):
            track = make_track(name, bpm=128)
            answers = {head.name: track.probabilities.get(head.name) for head in known} | {"tags_mtt": np.float32(said)}
            described = {"energy": energy, "loudness": -9.25, "brightness": 2000.0}
            library.add([dataclasses.replace(track, probabilities=answers, descriptors=described)])
        yield library


def shown(answer: Answer, width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(as_table(answer, width=width), crop=False)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_facts_and_results_fit_the_terminal(crate: SqliteLibrary, width: int):
    answer = Recommender.open(crate.path).query("b", k=2)
    lines = shown(answer, width)
    # A path is never broken.
    assert all(len(line) <= width or "/" in line for line in lines)
    text = " ".join(" ".join(lines).split())
    for fact in (
        "b 1:00",
        "genre techno 0.80",
        "voice instrumental 0.60",
        "128.0 BPM",
        "A minor · 8A (1.00)",
        "energy 6.5 of 10, loudness -9.2 LUFS",
        "brightness 2000 Hz",
        "from tags",
        "instrumentalness",
    ):
        assert fact in text, fact
    assert "house 1.00" in text, "a tag head of the user's own is shown as it is"
    assert "slow" not in text and "guitar 0" not in text, "the query does not have these tags"
    (row,) = (line.split() for line in lines if line.split()[:2] == ["1", "a"])
    assert "7.2" in row and ("8A" in row) and ("minor" in row) == (width == 120)


def test_the_answer_holds_the_tags_as_they_were_said_and_as_they_are_shown(crate: SqliteLibrary):
    answer = json.loads(json.dumps(Recommender.open(crate.path).query("c", k=3).as_dict()))
    query = answer["query"]
    assert [(tag["tag"], round(tag["probability"], 2)) for tag in query["tags"]["tags_mtt"][:3]] == [
        ("guitar", 0.9), ("woman", 0.9), ("slow", 0.8)
    ]  # fmt: skip
    assert [tag["tag"] for tag in query["tag_groups"]["voice"] if tag["present"]] == ["female voice"]
    assert {tag["name"] for tag in answer["filter"]["tags"]} == {"house", "guitar", "female voice"}
    nearest = next(row for row in answer["results"] if row["track_id"] == "d")
    assert nearest["shared_tags"] == ["guitar", "house"] and nearest["descriptors"]["energy"] == 1.5
    assert nearest["tag_groups"]["mood"] == ["slow"]


def test_a_track_without_a_clear_genre_says_what_is_nearest(crate: SqliteLibrary):
    assert "genre none is clear; nearest: techno 0.10" in " ".join(" ".join(shown(
        Recommender.open(crate.path).query("d"), 100)).split())  # fmt: skip


def test_filters_that_leave_nothing_and_those_that_come_later(crate: SqliteLibrary):
    recommender = Recommender.open(crate.path)
    none = " ".join(" ".join(shown(recommender.query("b", filters=MusicalFilters(year=(1990, 1999))), 100)).split())
    assert "year 1990–1999: 0 tracks" in none and "no track is left for this step" in none
    assert "widen it; tracks of unknown year pass with --keep-unknown year" in none
    vinyl = MusicalFilters(key=("same", "neighbour"), key_lock=False, bpm_percent=6, max_per_artist=1)
    later = " ".join(" ".join(shown(recommender.query("b", k=2, filters=vinyl), 120)).split())
    assert "key 7A, 8A or 9A once it plays at the query's tempo, at most 1 per artist: up to 3 tracks" in later
    assert "of 3 tracks" in later


def test_tags_that_must_not_be_are_shown(crate: SqliteLibrary):
    answer = Recommender.open(crate.path).query("b", k=2, tags={"none": ["guitar"]})
    assert "1 tags none of guitar; any of" in " ".join(" ".join(shown(answer, 120)).split())


def test_filters_and_silent_tracks_can_both_leave_nothing(library: SqliteLibrary, make_track):
    silent = dataclasses.replace(make_track("b", bpm=90), remarks=(Remark("silent", unreliable=True),))
    library.add([make_track("a"), silent, make_track("c")])
    recommender = Recommender.open(library.path)
    both = recommender.query("a", filters=MusicalFilters(bpm=(80, 100))).remarks
    assert any(text.startswith("left out: 1 silent") for text in both)
    assert any(text.startswith("no track passes the filters") for text in both)
    library.save(Changes(missing=["/music/c.wav"]))
    alone = recommender.query("a").remarks
    assert any(text.startswith("left out: 1 silent") for text in alone)
    assert not any("no track passes" in text or "only track" in text for text in alone)


def test_a_long_path_is_not_broken():
    console = Console(width=30, record=True, file=io.StringIO())
    path = "/a/folder/with/a/long/name/music.sqlite"
    console.print(Group(remark_text(f"to use musicnn as well, delete {path} and index again", width=30)), crop=False)
    assert console.export_text().split("\n") == ["to use musicnn as well, delete", path, "and index again", ""]


def test_a_path_has_an_order_of_its_own(crate: SqliteLibrary):
    with Recommender.open(crate.path) as recommender:
        mix = dataclasses.replace(read_preset("mix"), reranking=Reranking(hubs=0.5), passage="best")
        plain, path = (recommender.query("b", preset=mix, k=2, towards=end) for end in (None, "d"))
        for name, value in (("neighbours", 5), ("hubs", 0.5), ("balance", 0.9)):
            with pytest.raises(
                ConfigError, match=rf"reranking\.{name}={value}: a path between two tracks has an order"
            ):
                recommender.query("b", towards="d", **{name: value})
    hubs = "tracks that resemble everything count less"
    shown_plain, shown_path = (" ".join(" ".join(shown(one, 120)).split()) for one in (plain, path))
    assert hubs in shown_plain and hubs not in shown_path
    assert "passages against" not in shown_plain + shown_path, "nobody knows the passages of these tracks"
    assert "a path compares whole tracks; passages do not count in it" in path.remarks
