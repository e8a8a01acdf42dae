"""The endpoints that read the library."""

from collections.abc import Callable, Iterator
from inspect import isasyncgenfunction, iscoroutinefunction

from fastapi.dependencies.models import Dependant
from fastapi.testclient import TestClient

from musicrec.web.app import ROUTERS
from musicrec.web.routers import health, opensubsonic
from tests.web.conftest import TRACKS, track_id


def test_session_and_library(client: TestClient, library):
    session = client.get("/api/v1/session").json()
    assert session["user"] == "me" and not session["users"]
    assert session["library"] == {"path": str(library), "tracks": TRACKS}
    facts = client.get("/api/v1/library").json()
    assert (facts["tracks"], facts["missing"]) == (TRACKS, 0)
    assert {genre["name"]: genre["tracks"] for genre in facts["genres"]} == {"house": 8, "jazz": 8, "rock": 8}
    assert facts["energy"] == [1.0, 10.0] and facts["bpm"][0] == 100


def test_the_table(client: TestClient):
    page = client.get("/api/v1/tracks", params={"sort": "bpm", "order": "desc", "limit": 2}).json()
    assert page["total"] == TRACKS and [row["title"] for row in page["tracks"]] == ["Song 23", "Song 22"]
    row = page["tracks"][0]
    assert row["id"] == track_id(23) and row["camelot"] == "2B" and row["artist"] is None and row["energy"] == 10
    found = client.get("/api/v1/tracks", params={"search": "celine ALBUM", "genre": ["jazz"]}).json()
    assert [row["title"] for row in found["tracks"]] == ["Song 10", "Song 22"]


def test_query_and_details(client: TestClient):
    asked = {"tracks": [track_id(3)], "k": 5}
    answer = client.post("/api/v1/query", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["query"]["id"] == track_id(3) and len(answer.json()["results"]) == 5
    details = client.get(f"/api/v1/tracks/{track_id(3)}").json()
    assert details["path"] == "/music/03.wav" and details["features"]["key"]
    assert client.get("/api/v1/tracks/none").json() == {"detail": "none: the library has no track with this id"}


def test_presets_and_keys(client: TestClient):
    presets = client.get("/api/v1/presets").json()
    assert {preset["name"] for preset in presets["presets"]} == {"explore", "inspire", "mix"}
    assert {"embedding", "tempo", "key"} <= set(presets["blocks"]) and presets["genres"] == ["house", "jazz", "rock"]
    assert client.get("/api/v1/keys").json()["8A"]["9A"] == 0.9


def test_page_health_and_metrics(client: TestClient):
    assert client.get("/").headers["content-type"].startswith("text/html")
    assert client.get("/healthz").json() == {"status": "ok"}
    text = client.get("/metrics").text
    assert 'musicrec_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in text


def test_nothing_that_an_endpoint_depends_on_runs_in_a_thread():
    """Jobs, uploads and sessions are for one event loop; FastAPI calls a plain function in a thread."""

    def calls(dependant: Dependant) -> Iterator[Callable]:
        yield dependant.call
        for inner in dependant.dependencies:
            yield from calls(inner)

    found = {call for router in (*ROUTERS, opensubsonic.router, health.router)
             for route in router.routes for call in calls(route.dependant)}  # fmt: skip
    in_a_thread = {call for call in found if not (iscoroutinefunction(call) or isasyncgenfunction(call))}
    assert len(found) > 40 and not in_a_thread
