"""Queries in processes of their own: equal answers and mistakes, several at a time, and what ends in the middle."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import ConfigError, LibraryError
from musicrec.recommend.recommender import Recommender
from musicrec.web import asking, recommender_processes
from musicrec.web.errors import WebError
from musicrec.web.recommender_processes import RecommenderProcesses, usual_processes
from musicrec.web.schemas import QueryRequest
from musicrec.web.set_schemas import SetRequest
from musicrec.web.settings import ServerSettings
from musicrec.web.worker_process import absolute_place
from tests.web.conftest import TRACKS, track_id

pytestmark = pytest.mark.slow

QUESTIONS = (
    {"tracks": [track_id(3)]},
    {"tracks": [track_id(3), track_id(5)], "unlike": [track_id(7)], "k": 4, "preset": "mix"},
    {"tracks": [track_id(3)], "towards": track_id(9), "k": 3},
    {"tracks": [track_id(1)], "filters": {"bpm": [100, 118]}, "tags": {"any": ["piano"]}, "weights": {"tempo": 2}},
)


def test_both_ways_answer_alike(serve: Callable, settings: ServerSettings):
    """Answers, what can be named, OpenSubsonic and mistakes; and what a user said counts in both."""
    here, apart = serve(settings), serve(settings, processes=1, temporary=settings.temporary / "other")
    assert here.post("/api/v1/feedback", json={"kind": "like", "track": track_id(4)}).status_code == 200

    def compare(method: str, path: str, status: int = 200, **asked) -> None:
        one, other = here.request(method, path, **asked), apart.request(method, path, **asked)
        assert (one.status_code, one.text) == (status, other.text) and other.status_code == status

    for question in QUESTIONS:
        compare("POST", "/api/v1/query", json=question)
    compare("GET", "/api/v1/presets")
    asked = {"start": track_id(4), "tracks": 6, "curve": [[0, 3], [1, 8]], "locked": {"3": track_id(9)}}
    compare("POST", "/api/v1/sets", json=asked | {"banned": [track_id(1)], "settings": {"artist_gap": 1}})
    compare("POST", "/api/v1/sets/order", json={"tracks": [track_id(number) for number in (4, 2, 9)]})
    compare("POST", "/api/v1/sets", 400, json={"start": track_id(4), "settings": {"name": "no"}})
    compare("GET", "/rest/getSonicSimilarTracks", params={"id": track_id(2), "f": "json"})
    compare("GET", "/rest/findSonicPath", params={"startSongId": track_id(2), "endSongId": track_id(8)})
    compare("POST", "/api/v1/query", 404, json={"tracks": ["f" * 32]})
    compare("POST", "/api/v1/query", 400, json={"tracks": [track_id(1)], "preset": "no"})
    compare("POST", "/api/v1/query", 400, json={"tracks": [track_id(1)], "weights": {"no": 1}})


def test_mistakes_keep_their_kind_and_a_killed_process_is_replaced(library: Path, tmp_path: Path):
    async def use() -> None:
        asked = QueryRequest(tracks=[track_id(1)], k=3).model_dump() | {"filters": {}, "tags": {}}
        processes = RecommenderProcesses(2, library=str(library), profiles=None)
        nothing = RecommenderProcesses(1, library=str(tmp_path / "none.sqlite"), profiles=None)
        try:
            first, second = await asyncio.gather(*(processes.query(asked, uploads={}, user="me") for _ in range(2)))
            assert first == second and len(first["results"]) == 3
            pids = [one.pid for one in processes._processes]
            assert None not in pids and len(set(pids)) == 2, "two at the same time need two processes"
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            assert await processes.query(asked, uploads={}, user="me") == first
            with pytest.raises(ConfigError, match=r"f{32}: the library has no track with this id any more"):
                await processes.query(asked | {"tracks": ["f" * 32]}, uploads={}, user="me")
            with pytest.raises(LibraryError, match=r"none\.sqlite"):
                await nothing.names()
            assert await processes.query(asked, uploads={}, user="me") == first
        finally:
            await asyncio.gather(processes.stop(), nothing.stop())
        assert all(one.pid is None for one in processes._processes)

    asyncio.run(asyncio.wait_for(use(), 120))


@pytest.mark.parametrize("processes", [0, 1])
def test_a_set_that_nobody_waits_for_is_not_built(
    processes: int, serve: Callable, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
):
    client = serve(settings, processes=processes)
    state = client.app.state.web
    monkeypatch.setattr(asking, "_LOOK_EVERY_S", 0.001)

    async def gone() -> bool:
        return True

    async def build() -> None:
        wanted = SetRequest(start=track_id(1), tracks=TRACKS, settings={"artist_gap": 0})
        with pytest.raises(WebError, match="nobody waits for this set") as caught:
            await asking.build_set(state, wanted, user="me", hung_up=gone)
        assert caught.value.status == 408

    client.portal.call(build)
    assert len(client.post("/api/v1/sets", json={"start": track_id(1), "tracks": 4}).json()["tracks"]) == 4


@pytest.mark.parametrize("variable", [False, True])
def test_relative_profiles_are_found_by_the_process(
    variable: bool, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It runs in another folder. What it does not find changes no order, and says nothing."""
    with Recommender.open(library) as recommender:
        tracks = recommender.library.tracks(list(recommender.library.ids_of([track_id(4), track_id(9)]).values()))
        with recommender.feedback("me", profiles=tmp_path / "mine.sqlite") as feedback:
            feedback.like(*tracks)
    monkeypatch.chdir(tmp_path)
    if variable:
        monkeypatch.setenv("MUSICREC_PROFILES", "mine.sqlite")

    async def use() -> None:
        asked = QueryRequest(tracks=[track_id(1)], k=TRACKS).model_dump() | {"filters": {}, "tags": {}}
        processes = RecommenderProcesses(1, library=str(library), profiles=None if variable else "mine.sqlite")
        try:
            mine, nobodys = [await processes.query(asked, uploads={}, user=user) for user in ("me", "")]
        finally:
            await processes.stop()
        assert mine["results"] != nobodys["results"]

    asyncio.run(asyncio.wait_for(use(), 120))


def test_places_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_place("a/b.sqlite") == str(tmp_path / "a" / "b.sqlite")
    assert absolute_place("lance:music") == f"lance:{tmp_path / 'music'}"
    for place in ("/a/b.sqlite", "lance:/a/b", "s3://bucket/music", "postgresql://me@host/music"):
        assert absolute_place(place) == place
    assert absolute_place("~/b.sqlite") == str(Path.home() / "b.sqlite")


def test_one_core_is_left_for_the_server(monkeypatch: pytest.MonkeyPatch):
    for cores, wanted in ((1, 1), (2, 1), (4, 3), (64, 4), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        assert usual_processes() == wanted


def test_only_so_many_wait(library: Path, monkeypatch: pytest.MonkeyPatch):
    """Clients may go away and come again, and what they asked before would still wait here."""
    monkeypatch.setattr(recommender_processes, "MOST", 2)
    monkeypatch.setattr(recommender_processes, "MOST_SLOW", 0)

    async def use() -> None:
        processes = RecommenderProcesses(1, library=str(library), profiles=None)
        busy = await processes._idle.get()
        waiting = [asyncio.ensure_future(processes.names()) for _ in range(2)]
        await asyncio.sleep(0)
        for refused in (processes.names(), processes.explain_set({})):
            with pytest.raises(WebError, match="too much to do") as caught:
                await refused
            assert caught.value.status == 503 and caught.value.headers == {"Retry-After": "5"}
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)
        processes._idle.put_nowait(busy)
        assert processes._waiting == processes._sets_asked == 0
        await processes.stop()

    asyncio.run(use())
