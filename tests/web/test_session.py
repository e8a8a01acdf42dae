"""Several people: names, PINs, profiles apart."""

import pytest
from fastapi.testclient import TestClient

from musicrec.recommend.recommender import Recommender
from musicrec.web import pins
from musicrec.web import sessions as session_store
from musicrec.web.look_alikes import look, mixed_scripts
from musicrec.web.pins import FREE_ATTEMPTS, Attempts, hash_pin, matches
from musicrec.web.sessions import LIFETIME_S, Sessions
from musicrec.web.settings import ServerSettings
from tests.web.conftest import track_id


@pytest.fixture
def shared(serve, settings: ServerSettings) -> TestClient:
    """A client of a server with several people."""
    return serve(settings, users=True)


def test_nobody_is_signed_in_at_first(shared: TestClient):
    session = shared.get("/api/v1/session").json()
    assert (session["user"], session["users"], session["names"], session["needs_pin"]) == (None, True, [], True)
    for method, path in (("GET", "tracks"), ("GET", "library"), ("GET", "history"), ("POST", "feedback/undo")):
        answer = shared.request(method, f"/api/v1/{path}")
        assert answer.status_code == 401 and "signed in" in answer.json()["detail"], path


def test_people_have_their_own_profiles(shared: TestClient):
    added = shared.post("/api/v1/users", json={"name": "Anna", "pin": "1234"})
    assert added.status_code == 201 and added.json()["user"] == "Anna"
    assert "HttpOnly" in added.headers["set-cookie"] and "SameSite=Strict" in added.headers["set-cookie"]
    shared.post("/api/v1/feedback", json={"kind": "like", "track": track_id(1)})
    assert shared.delete("/api/v1/session").json()["user"] is None
    assert shared.get("/api/v1/history").status_code == 401
    assert shared.post("/api/v1/users", json={"name": "Bo", "pin": "56789"}).json()["names"] == ["Anna", "Bo"]
    assert shared.get("/api/v1/history").json() == {"events": []}
    assert shared.post("/api/v1/session", json={"user": "Anna", "pin": "1234"}).json()["user"] == "Anna"
    assert [event["kind"] for event in shared.get("/api/v1/history").json()["events"]] == ["liked"]


def test_signing_in_begins_a_new_session(shared: TestClient):
    shared.post("/api/v1/users", json={"name": "Anna", "pin": "1234"})
    before = shared.cookies["musicrec"]
    shared.post("/api/v1/session", json={"user": "Anna", "pin": "1234"})
    after = shared.cookies["musicrec"]
    assert before != after
    shared.cookies.clear()
    shared.cookies.set("musicrec", before)
    assert shared.get("/api/v1/session").json()["user"] is None, "the one before has ended"


def test_wrong_pins(shared: TestClient):
    shared.post("/api/v1/users", json={"name": "Anna", "pin": "1234"})
    shared.delete("/api/v1/session")
    for asked in ({"user": "Anna", "pin": "1235"}, {"user": "Anna"}, {"user": "Nobody", "pin": "1234"}):
        answer = shared.post("/api/v1/session", json=asked)
        assert (answer.status_code, answer.json()["detail"]) == (403, "this name and this PIN do not belong together")
    assert shared.post("/api/v1/session", json={"user": "Anna", "pin": "1"}).status_code == 403
    late = shared.post("/api/v1/session", json={"user": "Anna", "pin": "1234"})
    assert late.status_code == 429 and int(late.headers["retry-after"]) >= 1, "not even the right one"


def test_a_name_is_taken_once(shared: TestClient, library):
    with Recommender.open(library) as recommender, recommender.feedback("Cora") as cora:
        cora.like("03.wav")
    shared.post("/api/v1/users", json={"name": "Anna", "pin": "1234"})
    taken = shared.post("/api/v1/users", json={"name": " Anna ", "pin": "4321"})
    assert taken.status_code == 409 and "choose another name" in taken.json()["detail"]
    for alike in ("anna", "Ａnna", "An\u200bna", "Anna\u2800", "Ann\ufe0fa"):
        refused = shared.post("/api/v1/users", json={"name": alike, "pin": "4321"})
        assert refused.status_code == 409 and "looks alike" in refused.json()["detail"], alike
    assert shared.post("/api/v1/users", json={"name": "Cora", "pin": "4321"}).status_code == 201
    assert len(shared.get("/api/v1/history").json()["events"]) == 1, "a profile of the command gets its PIN here"
    for odd in ("Bo\u202e", "Bo\u2066b", "Bo\nb", "Bo\x1bb", "Bo\u2028b", "\n"):
        assert shared.post("/api/v1/users", json={"name": odd, "pin": "1234"}).status_code == 422, odd
    for wrong in ({"name": "", "pin": "1234"}, {"name": "x", "pin": "123"}, {"name": "x" * 101, "pin": "1234"}):
        assert shared.post("/api/v1/users", json=wrong).status_code == 422


def test_one_user_needs_no_session(client: TestClient):
    assert client.get("/api/v1/session").json()["user"] == "me"
    for method, path, body in (("POST", "session", {"user": "Anna"}), ("POST", "users", {"name": "A", "pin": "1234"})):
        answer = client.request(method, f"/api/v1/{path}", json=body)
        assert answer.status_code == 400 and "--users" in answer.json()["detail"]


def test_pins_are_salted_and_hashed():
    first, second = hash_pin("1234"), hash_pin("1234")
    assert first != second and "1234" not in first
    assert matches("1234", first) and matches("1234", second) and not matches("1235", first)


def test_waits_grow_and_end():
    now = 0.0
    attempts = Attempts(clock=lambda: now)
    waits = []
    for _ in range(FREE_ATTEMPTS + 10):
        attempts.begin("Anna")
        waits.append(attempts.wait_s("Anna"))
        now += waits[-1]
    assert waits[:5] == [0, 0, 2, 4, 8] and waits[-1] == 300 and attempts.wait_s("Bo") == 0
    attempts.succeed("Anna")
    attempts.begin("Anna")
    assert attempts.wait_s("Anna") == 0


def test_sessions_end():
    now = 0.0
    sessions = Sessions(clock=lambda: now)
    made = sessions.start(trusted=True, user="Anna")
    assert sessions.find(made.key) is made and sessions.find(None) is sessions.find("x") is None
    now = LIFETIME_S + 1.0
    assert sessions.find(made.key) is None


@pytest.mark.parametrize(
    "one, other",
    [("Cope", "Соре"), ("BOSS", "ВОЅЅ"), ("Bo1", "Bol"), ("Zoe", "Zοe"), ("Anna", "𝐀nna"), ("ſam", "Sam"), ("X", "Χ"),
     ("Mia", "Mıa"), ("Anna", "ᴀɴɴᴀ"), ("MEG", "ᴍᴇɢ")],
)  # fmt: skip
def test_names_that_look_alike(one: str, other: str):
    assert look(one) == look(other)


def test_names_of_two_scripts(shared: TestClient):
    for name in (
        "Zoë",
        "Łukasz",
        "Жанна",
        "Ζωή",
        "ジョンー々DJ",
        "김 DJ",
        "佐藤さん",
        "DJ 🎧 2",
        "عمر",
        "Ann-Marie O’Neill",
    ):
        assert mixed_scripts(name) == [], name
    assert mixed_scripts("Аnnа") == ["Cyrillic", "Latin"] and mixed_scripts("αda") == ["Greek", "Latin"]
    refused = shared.post("/api/v1/users", json={"name": "Аnnа", "pin": "4321"})
    assert refused.status_code == 400 and "Cyrillic and Latin" in refused.json()["detail"]
    assert shared.post("/api/v1/users", json={"name": "Сара", "pin": "4321"}).status_code == 201
    assert shared.post("/api/v1/users", json={"name": "Capa", "pin": "4321"}).status_code == 409


def test_invented_names_push_no_user_out(shared: TestClient, monkeypatch: pytest.MonkeyPatch):
    """The wrong PINs of users stay counted, whatever else is tried."""
    monkeypatch.setattr(pins, "_MOST_NAMES", 5)
    monkeypatch.setattr(pins, "_FIRST_WAIT_S", 60.0)  # longer than eight attempts take on a busy machine
    shared.post("/api/v1/users", json={"name": "Anna", "pin": "1234"})

    def status(name: str) -> int:
        return shared.post("/api/v1/session", json={"user": name, "pin": "0000"}).status_code

    assert [status("Anna") for _ in range(FREE_ATTEMPTS + 1)] == [403] * FREE_ATTEMPTS + [429]
    assert {status(f"nobody {number}") for number in range(8)} == {403}
    assert status("Anna") == 429
    attempts = shared.app.state.web.attempts
    assert len(attempts._invented) == 5 and len(attempts._users) == 1


def test_waits_do_not_overflow():
    attempts = Attempts(clock=lambda: 0.0)
    for _ in range(2_000):
        attempts.begin("Anna")
    assert attempts.wait_s("Anna") == 300


def test_nobody_pushes_the_sessions_of_others_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(session_store, "_MOST", 6)
    sessions = Sessions()
    anna, guest = sessions.start(trusted=True, user="Anna"), sessions.start(trusted=True, address="192.0.2.1")
    of_bo = [sessions.start(trusted=True, user="Bo") for _ in range(20)]
    more = [sessions.start(trusted=True, address="192.0.2.2") for _ in range(20)]
    kept = [one for one in [anna, guest, *of_bo, *more] if sessions.find(one.key)]
    assert len(kept) == 6 and kept[:2] == [anna, guest] and {one.user for one in kept[2:]} == {"Bo", None}
    for one in kept:
        sessions.end(one)
        sessions.end(one)
    assert not sessions._counts
