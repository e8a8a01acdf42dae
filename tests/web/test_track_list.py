"""The table of the library, and the pool of recommenders."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musicrec.recommend.library import Changes
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.web.errors import WebError
from musicrec.web.recommender_thread import RecommenderThread
from musicrec.web.track_list import SORTS, RowFilter, TrackLists, search_text


def test_each_order_is_a_whole_one_with_the_unknown_last(library):
    with Recommender.open(library) as recommender:
        table = TrackLists().of(recommender)
    for sort in SORTS:
        up, down = table.find(RowFilter(), sort=sort), table.find(RowFilter(), sort=sort, descending=True)
        assert sorted(up) == sorted(down) == list(range(24)), sort
    years = [table.row(int(row))["year"] for row in table.find(RowFilter(), sort="year", descending=True)]
    assert years[0] == 2013 and years[-5:] == [None] * 5 and years[:19] == sorted(years[:19], reverse=True)
    artists = [table.row(int(row))["artist"] for row in table.find(RowFilter(), sort="artist")]
    assert artists == ["Ada"] * 6 + ["Bo"] * 6 + ["Céline"] * 6 + [None] * 6
    keys = [table.row(int(row))["camelot"] for row in table.find(RowFilter(), sort="key")]
    assert list(dict.fromkeys(keys)) == ["2B", "8A", "8B", "9A"]


def test_filters(library):
    with Recommender.open(library) as recommender:
        table = TrackLists().of(recommender)

    def titles(**wanted) -> list[str]:
        return [table.titles[row] for row in table.find(RowFilter(**wanted))]

    assert titles(search="CELINE song 1") == ["Song 10", "Song 14", "Song 18", "Song 6"]
    assert titles(search="x") == [] and len(titles(search="  ")) == 24
    assert titles(bpm=(105, 107), energy=(None, 3.5)) == ["Song 5", "Song 6"]
    assert titles(key="2B", genres=["rock"]) == ["Song 11", "Song 23"]
    assert {table.row(row)["camelot"] for row in table.find(RowFilter(compatible_with="8A"))} == {"8A", "8B", "9A"}
    assert titles(rows=np.array([3, 4]), bpm=(104, None)) == ["Song 4"]


def test_letters_are_found_without_their_accents():
    assert search_text("Émile ÇA Straße Ōta") == "emile ca strasse ota"
    assert search_text("Björk Ærø, Łódź Œuvre") == "bjork aero, lodz oeuvre"


def test_a_change_of_the_library_is_seen(library):
    lists = TrackLists()
    with Recommender.open(library) as recommender, SqliteLibrary.open(library) as other:
        before = lists.of(recommender)
        assert lists.of(recommender) is before is lists.known(recommender.library.version())
        other.save(Changes(missing=["/music/02.wav"]))
        assert len(lists.of(recommender)) == 23


class _Stub:
    path, closed = "none", 0

    def close(self) -> None:
        type(self).closed += 1


def test_a_recommender_stays_in_its_thread_and_is_closed():
    async def ask() -> list[tuple[int, int]]:
        one = RecommenderThread(_Stub, name="one")
        answers = await asyncio.gather(
            *(one.run(lambda stub: (time.sleep(0.01), (id(stub), threading.get_ident()))[1]) for _ in range(4))
        )
        with pytest.raises(ZeroDivisionError):
            await one.run(lambda stub: 1 / 0)
        late = asyncio.ensure_future(one.run(lambda stub: time.sleep(0.05)))
        await asyncio.sleep(0.01)
        late.cancel()
        full = RecommenderThread(_Stub, name="full", most=2)
        two = [asyncio.ensure_future(full.run(lambda stub: time.sleep(0.05))) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(WebError, match="too much to do"):
            await full.run(lambda stub: 7)
        await asyncio.gather(*two)
        assert await full.run(lambda stub: 7) == 7
        full.close()
        assert await one.run(lambda stub: 7) == 7, "a question that nobody waits for does not hold the others up"
        one.close()
        return answers

    answers = asyncio.run(ask())
    assert len(set(answers)) == 1 and answers[0][1] != threading.get_ident() and _Stub.closed == 2


def test_one_long_tag_does_not_widen_the_memory_of_all(library: Path, make_track: Callable):
    long = dataclasses.replace(make_track(90), genre="g" * 1_000, title="t" * 1_000)
    with SqliteLibrary.open(library) as store:
        store.add([long])
    with Recommender.open(library) as recommender:
        table = TrackLists().of(recommender)
    row = table.row_of[long.audio_hash]
    assert table.find(RowFilter(genres=["g" * 1_000, "nothing"])).tolist() == [row]
    assert table.find(RowFilter(genres=["nothing"])).tolist() == [] and table.find(RowFilter(), sort="title")[-1] == row
    numbers, of_track = table._genre_numbers
    assert of_track.nbytes == 8 * len(table) and len(numbers) == 4 and ("g" * 1_000, 1) in table.genre_counts
