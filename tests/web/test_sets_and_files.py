"""Sets, exports and the map."""

import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from musicrec.programs.command import main
from musicrec.recommend.recommender import Recommender
from musicrec.web.map import place_tracks
from musicrec.web.routers.export import attachment, file_name
from musicrec.web.settings import ServerSettings
from tests.web.conftest import TRACKS, track_id


def test_a_set_is_that_of_the_command(client: TestClient, library, capsys):
    with pytest.raises(SystemExit):
        main(["set", "03.wav", "--end", "20.wav", "-n", "6", "--curve", "rise", "--lock", "3=09.wav",
              "--ban", "04.wav", "--settings", "vinyl", "--json", "--library", str(library)])  # fmt: skip
    wanted = json.loads(capsys.readouterr().out)
    asked = {
        "start": track_id(3), "end": track_id(20), "tracks": 6, "curve": "rise", "locked": {"3": track_id(9)},
        "banned": [track_id(4)], "settings": {"name": "vinyl"},
    }  # fmt: skip
    made = client.post("/api/v1/sets", json=asked)
    assert made.status_code == 200, made.text
    found = made.json()
    assert [track["id"] for track in found["tracks"]][2] == track_id(9)
    for track in found["tracks"]:
        assert track.pop("id") == track["audio_hash"]
    assert found == wanted


def test_sets(client: TestClient):
    client.post("/api/v1/feedback", json={"kind": "dislike", "track": track_id(5)})
    made = client.post("/api/v1/sets", json={"start": track_id(4), "minutes": 15, "curve": [[0, 3], [0.5, 9], [1, 4]]})
    assert made.status_code == 200 and 10 < made.json()["minutes"] < 20
    assert len(client.post("/api/v1/sets", json={"start": track_id(4)}).json()["tracks"]) == 12
    whole = client.post("/api/v1/sets", json={"start": track_id(4), "tracks": TRACKS - 1}).json()
    assert track_id(5) not in [track["id"] for track in whole["tracks"]], "never again"


def test_a_set_in_a_given_order(client: TestClient):
    ids = [track_id(number) for number in (9, 2, 17)]
    found = client.post("/api/v1/sets/order", json={"tracks": ids, "settings": {"axes": {"key": {"weight": 1}}}}).json()
    assert [track["id"] for track in found["tracks"]] == ids and len(found["transitions"]) == 2
    assert all(transition["reason"] for transition in found["transitions"])


@pytest.mark.parametrize(
    "asked, status, message",
    [
        ({"start": "none"}, 404, "none"),
        ({"start": "u-1"}, 400, "upload"),
        ({"start": "/etc/passwd"}, 422, "start"),
        ({"tracks": 3, "minutes": 10}, 400, "give one of them"),
        ({"tracks": 201}, 422, "tracks"),
        ({"minutes": 10_000}, 422, "minutes"),
        ({"tracks": 100}, 400, ""),
        ({"end": track_id(1)}, 400, "end"),
        ({"banned": [track_id(1)]}, 400, "banned"),
        ({"locked": {"0": track_id(2)}}, 422, "locked"),
        ({"locked": {"13": track_id(2)}}, 400, "13"),
        ({"curve": [[0.5, 3], [0, 9]]}, 400, "curve.points"),
        ({"curve": [[0, 11]]}, 422, "curve"),
        ({"settings": {"name": "/etc/x.yaml"}}, 400, "settings.name=/etc/x.yaml: choose"),
        ({"settings": {"keys": "/etc/x.yaml"}}, 400, "settings.keys=/etc/x.yaml: choose"),
        ({"settings": {"name": "vinyl", "mix_s": 3}}, 400, "not both"),
        ({"settings": {"axes": {"key": {"nothing": 1}}}}, 400, "axes.key.nothing"),
        ({"settings": {"axes": {"key": {"weight": "x"}}}}, 400, "axes.key.weight"),
        ({"settings": {"tempo": {"halving_percent": -1}}}, 400, "tempo.halving_percent"),
        ({"settings": {"width": 10**9}}, 422, "width"),
    ],
)
def test_mistakes_of_sets(client: TestClient, asked: dict, status: int, message: str):
    answer = client.post("/api/v1/sets", json={"start": track_id(1), **asked})
    assert answer.status_code == status and message in answer.json()["detail"], answer.text


@pytest.mark.parametrize("form", ["rekordbox", "traktor", "m3u8", "csv", "json"])
def test_export_writes_what_the_command_writes(client: TestClient, library, tmp_path, form: str):
    suffix = {"rekordbox": "xml", "traktor": "nml"}.get(form, form)
    client.post("/api/v1/feedback", json={"kind": "rate", "track": track_id(2), "stars": 5})
    asked = {"tracks": [track_id(2), track_id(1)], "format": form, "key_notation": "open_key", "name": "Fri/day: é"}
    answer = client.post("/api/v1/export", json=asked)
    assert answer.status_code == 200, answer.text
    disposition = answer.headers["content-disposition"]
    assert disposition == f"attachment; filename=\"Fri_day_ _.{suffix}\"; filename*=UTF-8''Fri_day_%20%C3%A9.{suffix}"
    with Recommender.open(library) as recommender:
        recommender.export(
            tmp_path / f"x.{suffix}", asked["tracks"], name="Fri/day: é", key_notation="open_key",
            ratings={track_id(2): 5},
        )  # fmt: skip
    assert answer.content == (tmp_path / f"x.{suffix}").read_bytes()


def test_exports(client: TestClient):
    whole = client.post("/api/v1/export", json={"format": "csv"})
    assert (
        len(whole.text.splitlines()) == TRACKS + 1 and 'filename="musicrec.csv"' in whole.headers["content-disposition"]
    )
    client.post("/api/v1/playlists", json={"name": "Friday", "tracks": [track_id(1)]})
    friday = client.post("/api/v1/export", json={"playlist": "Friday", "format": "m3u8"})
    assert "/music/01.wav" in friday.text and "Friday.m3u8" in friday.headers["content-disposition"]
    for wrong, status in (
        ({"playlist": "None", "format": "csv"}, 400),
        ({"playlist": "Friday", "tracks": [track_id(1)], "format": "csv"}, 400),
        ({"tracks": ["none"], "format": "csv"}, 404),
        ({"tracks": [], "format": "csv"}, 422),
        ({"format": "../x"}, 422),
    ):
        assert client.post("/api/v1/export", json=wrong).status_code == status, wrong


def test_exports_are_written_where_those_of_a_killed_server_are_removed(
    client: TestClient, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
):
    written, export = [], Recommender.export

    def remembered(recommender: Recommender, path: Path, *args, **settings):
        written.append(path)
        return export(recommender, path, *args, **settings)

    monkeypatch.setattr(Recommender, "export", remembered)
    assert client.post("/api/v1/export", json={"format": "csv"}).status_code == 200
    (path,) = written
    (folder,) = settings.temporary.glob("server-*")
    assert path.is_relative_to(folder) and not path.parent.exists()


def test_names_of_files():
    assert file_name("../../etc/passwd") == "_.._etc_passwd" and file_name(" . ") == "musicrec" == file_name("")
    assert file_name("song\u202egnp.exe") == "songgnp.exe"
    assert file_name('a\r\n"b\x00') == "a_b_" and len(file_name("x" * 500)) == 100
    assert attachment('a"\r\nSet-Cookie: x.csv').isprintable() and "\udc80" not in attachment("\udc80.csv")


def test_the_map(client: TestClient):
    found = client.get("/api/v1/map").json()
    assert len(found["ids"]) == len(found["x"]) == len(found["y"]) == len(found["genre"]) == TRACKS
    assert found["genres"] == ["house", "jazz", "rock"] and set(found["genre"]) == {0, 1, 2}
    assert min(found["x"]) >= 0 and max(found["y"]) <= 1 and len(set(found["x"])) > TRACKS / 2
    assert client.get("/api/v1/map").json() == found


def test_what_sounds_alike_is_near_on_the_map():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 50)
    vectors = np.eye(6, 16, dtype=np.float32)[groups] + 0.1 * rng.normal(size=(300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = place_tracks(vectors, landmarks=120)
    assert places.shape == (300, 2) and places.min() >= 0 and places.max() <= 1
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).mean() > 0.95
    assert np.array_equal(places, place_tracks(vectors, landmarks=120))
    for count in (0, 1, 2, 3, 4, 7):
        assert np.isfinite(place_tracks(vectors[:count])).all()
    assert np.isfinite(place_tracks(np.zeros((9, 4), np.float32))).all()
