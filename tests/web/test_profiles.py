"""Feedback, history and playlists."""

from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from musicrec.recommend.library import Changes
from musicrec.recommend.profiles.records import Entry
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.web.routers import playlists as playlist_router
from tests.web.conftest import track_id


def say(client: TestClient, **said):
    return client.post("/api/v1/feedback", json=said)


def test_feedback_undo_and_history(client: TestClient):
    assert say(client, kind="like", track=track_id(1)).json()["events"][0]["kind"] == "liked"
    say(client, kind="rate", track=track_id(2), stars=4)
    say(client, kind="skip", track=track_id(3), after=track_id(4))
    pair = say(client, kind="pair", track=track_id(5), then=track_id(6)).json()["events"][0]
    assert (pair["kind"], pair["track"], pair["after"]) == ("paired", track_id(6), track_id(5))
    say(client, kind="played", track=track_id(7))
    events = client.get("/api/v1/history").json()["events"]
    assert [event["kind"] for event in events] == ["played", "paired", "skipped", "rated", "liked"]
    assert events[3]["rating"] == 4 and events[2]["after"] == track_id(4) and events[0]["title"] == "Song 7"
    assert len(client.get("/api/v1/history", params={"limit": 2}).json()["events"]) == 2
    undone = client.post("/api/v1/feedback/undo").json()["undone"]
    assert [event["kind"] for event in undone] == ["played"] and undone[0]["undone_at"]
    assert len(client.get("/api/v1/history").json()["events"]) == 4
    assert client.get("/api/v1/history", params={"undone": True}).json()["events"][0]["undone_at"]


def test_opinions_are_in_the_table(client: TestClient):
    assert client.post("/api/v1/feedback/undo").json() == {"undone": []}
    for number, kind in ((1, "like"), (2, "dislike"), (3, "like"), (3, "dislike")):
        say(client, kind=kind, track=track_id(number))
    say(client, kind="rate", track=track_id(1), stars=2)
    rows = {row["id"]: row for row in client.get("/api/v1/tracks").json()["tracks"]}
    shown = [(rows[track_id(number)]["opinion"], rows[track_id(number)]["rating"]) for number in (1, 2, 3, 4)]
    assert shown == [("like", 2), ("dislike", None), ("dislike", None), (None, None)]
    liked = client.get("/api/v1/tracks", params={"opinion": "like"}).json()
    assert (liked["total"], liked["tracks"][0]["id"]) == (1, track_id(1))
    assert client.get(f"/api/v1/tracks/{track_id(2)}").json()["opinion"] == "dislike"


@pytest.mark.parametrize(
    "said, status, message",
    [
        ({"kind": "love", "track": track_id(1)}, 422, "kind"),
        ({"kind": "like", "track": "none"}, 404, "none"),
        ({"kind": "like", "track": "u-abc"}, 400, "upload"),
        ({"kind": "like", "track": "/etc/passwd"}, 422, "track"),
        ({"kind": "rate", "track": track_id(1)}, 400, "stars"),
        ({"kind": "rate", "track": track_id(1), "stars": 6}, 422, "stars"),
        ({"kind": "like", "track": track_id(1), "stars": 3}, 400, "stars"),
        ({"kind": "pair", "track": track_id(1)}, 400, "then"),
        ({"kind": "pair", "track": track_id(1), "then": track_id(1)}, 400, "two different ones"),
        ({"kind": "skip", "track": track_id(1), "after": "none"}, 404, "none"),
    ],
)
def test_mistakes_of_feedback(client: TestClient, said: dict, status: int, message: str):
    answer = say(client, **said)
    assert answer.status_code == status and message in answer.json()["detail"]
    assert client.get("/api/v1/history").json() == {"events": []}


def titles(content: dict) -> list[str]:
    return [row["title"] for row in content["tracks"]]


def test_playlists(client: TestClient):
    made = client.post("/api/v1/playlists", json={"name": "Friday / Nacht?", "tracks": [track_id(1), track_id(2)]})
    assert made.status_code == 201 and titles(made.json()) == ["Song 1", "Song 2"]
    assert client.post("/api/v1/playlists", json={"name": "Friday / Nacht?"}).status_code == 409
    assert client.post("/api/v1/playlists", json={"name": "Other"}).json()["tracks"] == []
    listed = client.get("/api/v1/playlists").json()
    assert [(one["name"], one["tracks"]) for one in listed] == [("Friday / Nacht?", 2), ("Other", 0)]


def test_tracks_of_playlists(client: TestClient):
    path = "/api/v1/playlists/Friday"
    assert client.get(path).status_code == 404
    added = client.post(f"{path}/tracks", json={"tracks": [track_id(1), track_id(2)]})
    assert titles(added.json()) == ["Song 1", "Song 2"], "a new name makes a playlist"
    added = client.post(f"{path}/tracks", json={"tracks": [track_id(3)], "at": 2}).json()
    assert titles(added) == ["Song 1", "Song 3", "Song 2"] and [row["place"] for row in added["tracks"]] == [1, 2, 3]
    assert all(row["available"] and row["bpm"] for row in added["tracks"])
    assert client.post(f"{path}/tracks", json={"tracks": [track_id(3)], "at": 9}).status_code == 400
    turned = client.put(path, json={"tracks": [track_id(2), track_id(1), track_id(2)], "name": "Saturday"})
    assert turned.json()["name"] == "Saturday" and titles(turned.json()) == ["Song 2", "Song 1", "Song 2"]
    path = "/api/v1/playlists/Saturday"
    assert titles(client.delete(f"{path}/tracks/2").json()) == ["Song 2", "Song 2"]
    assert client.delete(f"{path}/tracks/3").status_code == 404
    assert client.put(path, json={"tracks": ["none"]}).status_code == 404
    client.post("/api/v1/playlists", json={"name": "Sunday"})
    assert client.put(path, json={"name": "Sunday"}).status_code == 409
    assert client.put(path, json={}).status_code == 200
    assert client.delete(path).status_code == 204 and client.delete(path).status_code == 404
    assert client.get("/api/v1/playlists/Friday").status_code == 404


def test_a_playlist_goes_on(client: TestClient):
    client.post("/api/v1/playlists", json={"name": "Friday", "tracks": [track_id(1), track_id(2)]})
    found = client.post("/api/v1/playlists/Friday/continue", json={"k": 3}).json()
    ids = [track["id"] for track in found["tracks"]]
    assert len(ids) == 4 and ids[0] == track_id(2) and track_id(1) not in ids and len(found["transitions"]) == 3
    assert len(client.get("/api/v1/playlists/Friday").json()["tracks"]) == 2, "nothing is added"
    client.post("/api/v1/playlists", json={"name": "Empty"})
    assert client.post("/api/v1/playlists/Empty/continue", json={}).status_code == 400
    assert client.post("/api/v1/playlists/None/continue", json={}).status_code == 404


def test_what_is_missing_stays_in_a_playlist(client: TestClient, library):
    with Recommender.open(library) as recommender, recommender.feedback() as feedback:
        gone = Entry(audio_hash="f" * 32, title="Of another library")
        feedback.playlists.create("Friday", ["01.wav", "02.wav"], entries=[gone])
    with SqliteLibrary.open(library) as store:
        store.save(Changes(missing=["/music/02.wav"]))
    rows = client.get("/api/v1/playlists/Friday").json()["tracks"]
    assert [(row["title"], row["available"]) for row in rows] == [
        ("Song 1", True),
        ("Song 2", False),
        ("Of another library", False),
    ]
    assert rows[1]["bpm"] == 102 and rows[2]["bpm"] is None
    turned = client.put("/api/v1/playlists/Friday", json={"tracks": [row["id"] for row in rows[::-1]]})
    assert titles(turned.json()) == ["Of another library", "Song 2", "Song 1"]
    assert client.get(f"/api/v1/tracks/{track_id(2)}").status_code == 404


def test_every_name_of_a_playlist_can_be_opened_and_deleted(client: TestClient):
    for name in ("Friday / Nacht?", "a/tracks", "x/continue", "100%", "a\\b", "…", "/", "<b>"):
        assert client.post("/api/v1/playlists", json={"name": name, "tracks": [track_id(1)]}).status_code == 201
        path = f"/api/v1/playlists/{quote(name, safe='')}"
        assert titles(client.get(path).json()) == ["Song 1"], name
        assert titles(client.post(f"{path}/tracks", json={"tracks": [track_id(2)]}).json()) == ["Song 1", "Song 2"]
        assert titles(client.delete(f"{path}/tracks/1").json()) == ["Song 2"]
        assert client.delete(path).status_code == 204 and client.get("/api/v1/playlists").json() == []
    client.post("/api/v1/playlists", json={"name": "Friday"})
    for name in (".", "..", " .. ", "a\nb", "a\r\nb", "a\u2028b"):  # steps in the path to browsers, or no path at all
        assert client.post("/api/v1/playlists", json={"name": name}).status_code == 422
        assert client.put("/api/v1/playlists/Friday", json={"name": name}).status_code == 422


def test_playlists_have_limits(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(playlist_router, "MOST_TRACKS", 3)
    monkeypatch.setattr(playlist_router, "_MOST_ENTRIES", 5)
    monkeypatch.setattr(playlist_router, "_MOST_PLAYLISTS", 2)
    tracks = [track_id(number) for number in (1, 2, 3)]

    def add(name: str, count: int) -> int:
        return client.post(f"/api/v1/playlists/{name}/tracks", json={"tracks": tracks[:count]}).status_code

    assert [add("A", 2), add("A", 1), add("A", 1)] == [200, 200, 409]
    assert [add("B", 3), add("B", 2)] == [409, 200], "five in all"
    assert client.put("/api/v1/playlists/B", json={"tracks": tracks}).status_code == 409
    client.put("/api/v1/playlists/A", json={"tracks": []})
    assert client.post("/api/v1/playlists", json={"name": "C"}).status_code == 409, "two in all"
    assert client.put("/api/v1/playlists/B", json={"tracks": tracks, "name": "D"}).status_code == 200
