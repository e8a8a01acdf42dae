"""The same question to the server and to the command has the same answer."""

import json

import pytest
from fastapi.testclient import TestClient

from musicrec.programs.command import main
from musicrec.web.page_words import on_the_page
from tests.web.conftest import track_id

CASES = {
    "plain": ({}, []),
    "preset": ({"preset": "mix", "k": 7}, ["--preset", "mix", "-k", "7"]),
    "explore": ({"preset": "explore"}, ["--preset", "explore"]),
    "weights": ({"weights": {"tempo": 3, "key": 0.5}}, ["--weights", "tempo=3,key=0.5"]),
    "filters": (
        {"filters": {"bpm_percent": 6, "key": ["compatible"], "energy": [2, 9], "max_per_artist": 2}},
        ["--bpm", "6%", "--key", "compatible", "--energy", "2-9", "--max-per-artist", "2"],
    ),
    "filters of a preset": (
        {"preset": "mix", "filters": {"bpm": [100, 120], "key": None, "keep_unknown": ["year"], "year_within": 9}},
        ["--preset", "mix", "--bpm", "100-120", "--key", "any", "--keep-unknown", "year", "--year", "±9"],
    ),
    "turntable": (
        {"filters": {"key": ["8A", "E minor"], "key_lock": False, "key_shift": False, "key_table": "mixxx"}},
        ["--key", "8A,E minor", "--vinyl", "--key-table", "mixxx"],
    ),
    "tags": ({"tags": {"any": ["piano"], "none": ["flute"]}}, ["--tags", "piano", "--no-tags", "flute"]),
    "order": ({"balance": 0.6, "passage": "outro_to_intro"}, ["--diverse", "--follow"]),
    "neighbours": (
        {"neighbours": 3, "hubs": 0.5, "metric": "euclidean"},
        ["--neighbours", "3", "--hubs", "0.5", "--metric", "euclidean"],
    ),
    "unlike": ({"unlike": [track_id(9)]}, ["--unlike", "09.wav"]),
    "several": ({"tracks": [track_id(3), track_id(4)]}, ["04.wav"]),
    "playlist": ({"tracks": [track_id(3), track_id(4)], "playlist": True}, ["04.wav", "--continue"]),
    "path": ({"towards": track_id(20), "k": 4}, ["--to", "20.wav", "-k", "4"]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_answer_is_that_of_the_command(client: TestClient, library, capsys, case: str):
    asked, words = CASES[case]
    with pytest.raises(SystemExit) as end:
        main(["query", "03.wav", *words, "--json", "--library", str(library), *([] if "-k" in words else ["-k", "20"])])
    assert end.value.code in (0, None)
    wanted = json.loads(capsys.readouterr().out)
    answer = client.post("/api/v1/query", json={"tracks": [track_id(3)], **asked})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    for one in found["results"]:
        assert (one.pop("opinion"), one.pop("rating")) == (None, None)
    assert found == wanted | {"remarks": on_the_page(wanted["remarks"])}
    assert wanted["results"] and all(one["id"] == track_id(int(one["track_id"][:2])) for one in wanted["results"])


def test_what_a_user_says_changes_the_answer(client: TestClient):
    asked = {"tracks": [track_id(3)], "k": 3}
    before = client.post("/api/v1/query", json=asked).json()["results"]
    assert client.post("/api/v1/feedback", json={"kind": "dislike", "track": before[0]["id"]}).status_code == 200
    after = client.post("/api/v1/query", json=asked).json()["results"]
    assert [one["id"] for one in after[:2]] == [one["id"] for one in before[1:]]


@pytest.mark.parametrize(
    "asked, status, message",
    [
        ({"tracks": []}, 422, "tracks: "),
        ({"tracks": ["../../etc/passwd"]}, 422, "tracks.0: "),
        ({"tracks": ["none"]}, 404, "none: the library has no track with this id"),
        ({"tracks": ["u-1"]}, 404, "no such upload"),
        ({"k": 0}, 422, "k: "),
        ({"k": 1001}, 422, "k: "),
        ({"preset": "/etc/passwd.yaml"}, 400, "preset=/etc/passwd.yaml: choose from: explore, inspire, mix"),
        ({"filters": {"key_table": "/etc/x.yaml"}}, 400, "key_table=/etc/x.yaml: choose from"),
        ({"filters": {"bpm": [1, 2, 3]}}, 422, "filters.bpm: "),
        ({"filters": {"bpm": [200, 100]}}, 400, "bpm"),
        ({"filters": {"nothing": 1}}, 422, "filters.nothing: "),
        ({"weights": {"nothing": 1}}, 400, "nothing"),
        ({"weights": {"tempo": -1}}, 422, "weights"),
        ({"tags": {"any": ["no such tag"]}}, 400, "no such tag"),
        ({"towards": track_id(3)}, 400, "named twice"),
        ({"towards": track_id(4), "playlist": True}, 400, "a path leads from one track to another"),
    ],
)
def test_mistakes_are_one_message(client: TestClient, asked: dict, status: int, message: str):
    answer = client.post("/api/v1/query", json={"tracks": [track_id(3)], **asked})
    assert (answer.status_code, list(answer.json())) == (status, ["detail"]) and message in answer.json()["detail"]


def test_numbers_must_be_finite(client: TestClient):
    for number in ("NaN", "Infinity", "1e999"):
        body = f'{{"tracks": ["{track_id(3)}"], "hubs": {number}}}'
        answer = client.post("/api/v1/query", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422 and "detail" in answer.json()


def test_presets_say_what_a_query_takes(client: TestClient):
    """What /presets shows can be sent back."""
    for preset in client.get("/api/v1/presets").json()["presets"]:
        filters = {name: value for name, value in preset["filters"].items() if name != "key_table"}
        asked = {"tracks": [track_id(3)], "preset": preset["name"], "filters": filters}
        assert client.post("/api/v1/query", json=asked).status_code == 200, preset
