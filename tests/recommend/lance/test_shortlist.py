"""The tracks that LanceDB finds, against the exact search and the conditions on arrays."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.errors import ConfigError
from musicrec.recommend import summaries
from musicrec.recommend.conditions import Condition
from musicrec.recommend.library import Changes
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.tag_bits import TagBits
from musicrec.recommend.track_table import TrackTable
from tests.recommend.lance.changes import changes_of

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary

INF = float("inf")
CONDITIONS = [
    {},
    {"ranges": {"bpm": [(100, 140)]}},
    {"ranges": {"bpm": [(100, 110), (150, INF)], "energy": [(-INF, 5.5)]}},
    {"ranges": {"energy": [(3, 8)]}, "keep_unknown": ["energy"]},
    {"ranges": {"energy": [(-INF, INF)]}},
    {"ranges": {"year": [(1984.5, 1992)]}},
    {"ranges": {"year": [(1985, 1990)]}, "keep_unknown": ["year"]},
    {"ranges": {"bpm": []}},
    {"among": {"key": [0, 21]}},
    {"among": {"genre": ["house", "no such genre"]}},
    {"among": {"artist": ["D'Artagnan 1", "D'Artagnan 2"]}},
    {"among": {"artist": ["D'Artagnan 1"], "album": ["Ä"]}, "keep_unknown": ["artist", "album"]},
    {"among": {"genre": []}},
    {"not_among": {"artist": ["D'Artagnan 1", "D'Artagnan 2"]}},
    {"not_among": {"genre": ["rock"], "key": [0], "recording": [3]}},
    {"among": {"recording": [1]}, "keep_unknown": ["recording"]},
    {"tags_all": ["instruments: drums", "instruments: piano"]},
    {"tags_any": [["instruments: flute", "instruments: sax"], ["genre: jazz"]]},
    {"tags_none": ["instruments: drums"], "ranges": {"bpm": [(90, 170)]}},
]


@pytest.fixture
def filled(lance: "LanceLibrary", make_tracks: Callable) -> "LanceLibrary":
    lance.save(changes_of(make_tracks(60)))
    summaries.bring_up_to_date(lance)
    return lance


WEIGHTS = {"tempo": 2.0, "key": 1.0, "embedding": 1.0, "energy": 0.5}


@pytest.mark.parametrize("parts", CONDITIONS, ids=str)
def test_the_shortlist_is_that_of_the_exact_search(filled: "LanceLibrary", parts: dict):
    exact, index, condition = MemoryIndex(filled), filled.index(), Condition(**parts)
    vector = exact.all.vectors[7]
    expected, found = (one.shortlist(vector, WEIGHTS, condition, n=12) for one in (exact, index))
    same(found, expected)
    assert index.count(condition) == exact.count(condition)
    assert index.genres == exact.genres and len(index) == len(exact) == 60


def same(one: TrackTable, other: TrackTable) -> None:
    for name in ("ids", "vectors", "known", "unreliable"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.tags.bits, other.tags.bits)
    for name in ("bpm", "key", "energy", "loudness", "year", "duration_s", "artist", "album", "genre", "recording",
                 "vectors"):  # fmt: skip
        np.testing.assert_array_equal(getattr(one.columns, name), getattr(other.columns, name), err_msg=name)


def test_tables_are_those_of_the_exact_search(filled: "LanceLibrary"):
    exact, index = MemoryIndex(filled), filled.index()
    wanted = np.array([7, 3, 999, 60, 7])
    same(index.table(wanted), exact.table(wanted))
    same(index.everything(), exact.everything())
    assert len(index.sample(10)) == 10 and len(index.sample(1000)) == 60
    other = TagBits(index.tags.names, index.everything().tags.bits[::-1])
    drums = Condition(tags_all=["instruments: drums"])
    assert index.with_tags(other).count(drums) == index.count(drums)


def test_other_tags_of_a_library_that_was_not_summed_up_to_the_end(lance: "LanceLibrary", make_tracks: Callable):
    """As after a program that was killed between the last save and the summaries."""
    tracks = make_tracks(8)
    lance.save(changes_of(tracks[2:6]))
    summaries.bring_up_to_date(lance)
    lance.save(changes_of([*tracks[:2], *tracks[6:]]))
    index = lance.index()
    assert isinstance(index, MemoryIndex) and len(index) == 8, "none is left out"
    summaries.bring_up_to_date(lance)
    index = lance.index()
    other = index.with_tags(TagBits(index.tags.names, index.everything().tags.bits))
    expected = index.everything()
    assert not isinstance(index, MemoryIndex) and len(other) == len(expected) == 8
    np.testing.assert_array_equal(other.table(expected.ids).tags.bits, expected.tags.bits)


def test_silent_tracks_are_left_out(lance: "LanceLibrary", make_tracks: Callable):
    tracks = make_tracks(10)
    silent = dataclasses.replace(tracks[4], remarks=(Remark("silent", unreliable=True),))
    lance.save(changes_of([*tracks[:4], silent, *tracks[5:]]))
    summaries.bring_up_to_date(lance)
    index = lance.index()
    vector = index.everything().vectors[0]
    assert len(index.shortlist(vector, WEIGHTS, Condition(), n=20)) == index.count(Condition()) == 9
    assert len(index.shortlist(vector, WEIGHTS, Condition(), n=20, unreliable=True)) == 10
    assert index.count(Condition(), unreliable=True) == 10


def test_a_track_is_not_found_when_its_file_is_missing_or_its_answers_are_old(filled: "LanceLibrary", make_tracks):
    def found() -> list[int]:
        return filled.index().shortlist(vector, WEIGHTS, Condition(), n=100).ids.tolist()

    index = filled.index()
    number, vector = int(index.ids[0]), index.everything().vectors[0]
    assert len(found()) == 60
    filled.save(Changes(missing=[filled.tracks([number])[0].path]))
    assert number not in found() and len(found()) == 59
    filled.save(changes_of([make_tracks(60)[1]]))
    assert len(found()) == 59, "it is summed up from its new answers"
    summaries.bring_up_to_date(filled)
    assert len(found()) == 59


def test_unknown_tags(filled: "LanceLibrary"):
    with pytest.raises(ConfigError, match="no track of this library has it"):
        filled.index().count(Condition(tags_all=["instruments: drum"]))


def test_before_the_first_summaries_the_tracks_are_in_memory(lance: "LanceLibrary", make_tracks: Callable):
    assert isinstance(lance.index(), MemoryIndex) and len(lance.index()) == 0
    lance.save(changes_of(make_tracks(3)))
    assert len(lance.index()) == 3


def test_with_an_index_of_the_vectors(lance: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch):
    from musicrec.recommend.lance import search

    monkeypatch.setattr(search, "INDEXED_FROM", 500)
    lance.save(changes_of(make_tracks(600)))
    summaries.bring_up_to_date(lance, progress=False)
    assert lance.problems() == []
    exact, index = MemoryIndex(lance), lance.index()
    condition, shares = Condition(ranges={"bpm": [(100, 140)]}, tags_all=["instruments: drums"]), []
    for row in range(0, 600, 60):
        for wanted in (Condition(), condition):
            expected, found = (
                one.shortlist(exact.all.vectors[row], WEIGHTS, wanted, n=50).ids for one in (exact, index)
            )
            shares.append(np.isin(expected[:10], found[:10]).mean())
    assert np.mean(shares) > 0.95
    more = make_tracks(620)[600:]
    lance.save(changes_of(more))
    summaries.bring_up_to_date(lance, progress=False)
    (new,) = lance.ids_of([more[3].audio_hash]).values()
    index = lance.index()
    (vector,) = index.table(np.array([new])).vectors
    assert index.shortlist(vector, WEIGHTS, Condition(), n=5).ids[0] == new, "what came later is found, too"
