"""What players ask, as https://opensubsonic.netlify.app/docs/extensions/sonicsimilarity/ describes it."""

from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient

from musicrec.web.settings import ServerSettings
from musicrec.web.subsonic import respond
from tests.web.conftest import track_id

TOKEN = "a-token-of-some-length"


def ask(client: TestClient, name: str, **asked) -> dict:
    answer = client.get(f"/rest/{name}", params={"f": "json", "v": "1.16.1", "c": "test", **asked})
    assert answer.status_code == 200
    content = answer.json()["subsonic-response"]
    assert content["version"] == "1.16.1" and content["type"] == "musicrec" and content["openSubsonic"] is True
    assert content["serverVersion"]
    return content


@pytest.mark.parametrize("ending", ["", ".view"])
def test_similar_tracks(client: TestClient, ending: str):
    found = ask(client, f"getSonicSimilarTracks{ending}", id=track_id(3), count=5)
    wanted = client.post("/api/v1/query", json={"tracks": [track_id(3)], "k": 5}).json()["results"]
    assert found["status"] == "ok"
    assert [match["entry"]["id"] for match in found["sonicMatch"]] == [one["id"] for one in wanted]
    entry, similarity = found["sonicMatch"][0]["entry"], found["sonicMatch"][0]["similarity"]
    assert 0 <= similarity <= 1 and similarity == pytest.approx(wanted[0]["similarity"], abs=1e-6)
    assert entry["isDir"] is False and entry["title"] == wanted[0]["title"] and entry["duration"] > 100
    assert entry["path"] == f"{wanted[0]['track_id']}" and entry["suffix"] == "wav", "no folders of the server"
    assert len(ask(client, "getSonicSimilarTracks", id=track_id(3))["sonicMatch"]) == 10


def test_a_path(client: TestClient):
    found = ask(client, "findSonicPath", startSongId=track_id(3), endSongId=track_id(20), count=5)
    ids = [match["entry"]["id"] for match in found["sonicMatch"]]
    between = client.post("/api/v1/query", json={"tracks": [track_id(3)], "towards": track_id(20), "k": 3}).json()
    assert ids == [track_id(3), *(one["id"] for one in between["results"]), track_id(20)]
    likeness = [match["similarity"] for match in found["sonicMatch"]]
    assert likeness[0] == 1.0 and all(0 <= one <= 1 for one in likeness)
    alone = ask(client, "findSonicPath", startSongId=track_id(3), endSongId=track_id(3))["sonicMatch"]
    assert [match["entry"]["id"] for match in alone] == [track_id(3)]


def test_xml_is_the_usual_form(client: TestClient):
    answer = client.get("/rest/getSonicSimilarTracks", params={"id": track_id(3), "count": 1})
    assert answer.headers["content-type"] == "text/xml; charset=utf-8"
    root = ElementTree.fromstring(answer.content)
    space = {"s": "http://subsonic.org/restapi"}
    assert root.attrib["status"] == "ok" and root.attrib["openSubsonic"] == "true"
    (match,) = root.findall("s:sonicMatch", space)
    assert 0 <= float(match.attrib["similarity"]) <= 1 and match.find("s:entry", space).attrib["isDir"] == "false"
    extensions = ElementTree.fromstring(client.get("/rest/getOpenSubsonicExtensions").content)
    names = {one.attrib["name"]: one.find("s:versions", space).text for one in extensions}
    assert names == {"apiKeyAuthentication": "1", "sonicSimilarity": "1"}


def test_mistakes(client: TestClient):
    for name, asked, code in (
        ("getSonicSimilarTracks", {}, 10),
        ("findSonicPath", {"startSongId": track_id(1)}, 10),
        ("getSonicSimilarTracks", {"id": "none"}, 70),
        ("getSonicSimilarTracks", {"id": "../../etc/passwd"}, 70),
        ("getSonicSimilarTracks", {"id": "u-1"}, 0),
    ):
        failed = ask(client, name, **asked)
        assert failed["status"] == "failed" and failed["error"]["code"] == code and failed["error"]["message"]


def test_players_sign_in_with_the_token(serve, settings: ServerSettings):
    client = serve(settings, token=TOKEN)
    assert ask(client, "getOpenSubsonicExtensions")["openSubsonicExtensions"][1]["name"] == "sonicSimilarity"
    for asked, code in (
        ({}, 41),
        ({"u": "x", "t": "y", "s": "z"}, 41),
        ({"apiKey": "wrong"}, 44),
        ({"apiKey": "wrong", "u": "x"}, 43),
    ):
        for name in ("ping", "getSonicSimilarTracks", "findSonicPath", "ping.view"):
            assert ask(client, name, **asked)["error"]["code"] == code
    assert ask(client, "ping", apiKey=TOKEN)["status"] == "ok"
    assert len(ask(client, "getSonicSimilarTracks", apiKey=TOKEN, id=track_id(1))["sonicMatch"]) == 10
    assert client.get("/api/v1/library", params={"apiKey": TOKEN}).status_code == 401, "for players only"


def test_xml_holds_no_character_that_it_must_not():
    answer = respond({"sonicMatch": [{"title": "a\x00\x1b\ufffe\uffff\ud800\udc80 <b>&"}]}, "xml")
    assert ElementTree.fromstring(answer.body)[0].get("title") == "a\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd <b>&"
