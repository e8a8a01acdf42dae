"""Endpoints of jobs, uploads and media, with a worker process that only pretends."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from musicrec.recommend.library import Changes, LibraryFile, Recording
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.web import worker_process
from musicrec.web.app import create_app
from musicrec.web.errors import WebError
from musicrec.web.routers import jobs as jobs_router
from musicrec.web.settings import ServerSettings, UploadLimits
from tests.web.conftest import BASE, track_id
from tests.web.test_worker_process import FAKE

API = "/api/v1"


@pytest.fixture(autouse=True)
def fake_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "COMMAND", FAKE)


@pytest.fixture
def music(library: Path, make_track: Callable, tmp_path: Path) -> dict[str, Path]:
    """{id: file} of tracks in the library with a file: WAV, AIFF, one that is gone, and one that is no file."""
    sound = np.full((8000, 2), 0.25)
    files = {}
    with SqliteLibrary.open(library) as opened:
        for number, name in enumerate(("a.wav", "b.aiff", "gone.wav", "folder.wav"), 100):
            path = tmp_path / name
            if number < 102:
                soundfile.write(path, sound, 8000)
            elif name.startswith("folder"):
                path.mkdir()
            opened.add([make_track(number, path=str(path))])
            files[track_id(number)] = path
    return files


def events(client: TestClient, job: str, *, last: str | None = None) -> list[tuple[str, int, dict]]:
    """The events of a job until it has ended: (event, id, data)."""
    headers = {} if last is None else {"last-event-id": last}
    answer = client.get(f"{API}/jobs/{job}/events", headers=headers)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "data" in lines:
            found.append((lines["event"], int(lines["id"]), json.loads(lines["data"])))
    return found


def send(client: TestClient, content: bytes, name: str = "a.mp3") -> dict[str, Any]:
    answer = client.post(f"{API}/uploads", params={"name": name}, content=content)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_an_upload_from_its_first_byte_to_its_end(client: TestClient):
    sent = send(client, b"play" + bytes(100_000), "../x/Ä song.mp3")
    assert sent["name"] == "Ä song.mp3" and sent["job"]["kind"] == "analysis" and sent["job"]["track"] == sent["id"]
    told = events(client, sent["job"]["id"])
    assert told[-1][0] == "done" and all(event == "progress" for event, _, _ in told[:-1])
    assert [number for _, number, _ in told] == sorted({number for _, number, _ in told})
    assert told[-1][2]["result"] == {"track": sent["id"], "name": "Ä song.mp3"}
    assert events(client, sent["job"]["id"], last=str(told[-1][1])) == []
    assert events(client, sent["job"]["id"], last="nonsense")[-1][0] == "done"
    track = f"{API}/tracks/{sent['id']}"
    peaks = client.get(f"{track}/peaks").json()
    assert peaks["duration_s"] == 12.5 and len(peaks["peaks"]) == 1500 and max(peaks["peaks"]) == 1.0
    details = client.get(f"{track}/details").json()
    assert details["roll_off_hz"] == [None, 100.0] and details["predictions"]["key"] == ["8A"]
    assert client.post(f"{track}/details").json()["state"] == "done"
    assert client.get(f"{track}/spectrogram.png").headers["content-type"] == "image/png"
    audio = client.get(f"{track}/audio")
    assert (audio.content, audio.headers["content-type"]) == (b"an mp3", "audio/mpeg")
    assert client.get(f"{API}/jobs").json()[0]["id"] == sent["job"]["id"]
    assert client.delete(f"{API}/uploads/{sent['id']}").status_code == 204
    for call in (
        client.get(f"{track}/audio"),
        client.get(f"{track}/peaks"),
        client.delete(f"{API}/uploads/{sent['id']}"),
    ):
        assert call.status_code == 404 and "detail" in call.json()


def test_a_bad_upload_says_why(client: TestClient):
    sent = send(client, b"bad", "b.flac")
    (*_, (event, _, job)) = events(client, sent["job"]["id"])
    assert (event, job["message"]) == ("failed", "b.flac: damaged or cut off")
    assert client.get(f"{API}/tracks/{sent['id']}/peaks").status_code == 404


def test_uploads_that_are_refused(serve: Callable, settings: ServerSettings):
    client = serve(settings, uploads=UploadLimits(size_bytes=1000, waiting=1))

    def chunks() -> Any:
        for _ in range(1_000_000):
            yield bytes(100)

    for content, status in ((bytes(1001), 413), (chunks(), 413), (b"", 400)):
        answer = client.post(f"{API}/uploads", content=content)
        assert answer.status_code == status and "detail" in answer.json()
    slow = send(client, b"slow")
    answer = client.post(f"{API}/uploads", content=b"x")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "5"
    assert client.get(f"{API}/tracks/{slow['id']}/audio").status_code == 409
    assert client.delete(f"{API}/jobs/{slow['job']['id']}").status_code == 200
    assert events(client, slow["job"]["id"])[-1][0] == "cancelled"
    assert not [file for file in settings.temporary.rglob("*") if file.is_file() and file.name != ".lock"]


def test_the_folder_of_the_server_is_removed_when_it_stops(settings: ServerSettings):
    with TestClient(create_app(settings), base_url=BASE) as client:
        sent = send(client, b"play")
        events(client, sent["job"]["id"])
        assert client.get(f"{API}/tracks/{sent['id']}/audio").content == b"an mp3"
        assert [file for file in settings.temporary.rglob("u-*") if file.is_file()]
    assert [path.name for path in settings.temporary.iterdir()] == [".lock"]


def test_audio_by_ranges(client: TestClient, music: dict[str, Path]):
    (wav, path), *_ = music.items()
    content, url = path.read_bytes(), f"{API}/tracks/{wav}/audio"
    whole = client.get(url)
    assert whole.content == content and whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes" and whole.headers["x-content-type-options"] == "nosniff"
    head = client.head(url)
    assert head.status_code == 200 and head.content == b"" and head.headers["content-length"] == str(len(content))
    for asked, part in (
        ("0-0", content[:1]),
        ("100-199", content[100:200]),
        ("-10", content[-10:]),
        ("5-", content[5:]),
    ):
        answer = client.get(url, headers={"range": f"bytes={asked}"})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith(f"/{len(content)}")
    answer = client.get(url, headers={"range": f"bytes={len(content)}-"})
    assert answer.status_code == 416 and answer.headers["content-range"] == f"bytes */{len(content)}"
    many = client.get(url, headers={"range": "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 5000, 2))})
    assert len(many.content) <= 2 * len(content), "many small ranges are no way to make the server send much"
    same = {"range": "bytes=0-9", "if-range": whole.headers["etag"]}
    assert client.get(url, headers=same).status_code == 206
    assert client.get(url, headers={**same, "if-range": '"another"'}).content == content


def test_audio_that_browsers_do_not_play_is_converted(client: TestClient, music: dict[str, Path]):
    aiff = track_id(101)
    for _ in range(2):
        answer = client.get(f"{API}/tracks/{aiff}/audio", headers={"range": "bytes=0-99"})
        assert (answer.status_code, answer.headers["content-type"], len(answer.content)) == (206, "audio/mpeg", 100)
    music[aiff].write_bytes(b"FORM no longer")
    answer = client.get(f"{API}/tracks/{aiff}/audio")
    assert answer.status_code == 415 and "ffmpeg cannot convert it" in answer.json()["detail"]


def test_a_browser_that_does_not_play_a_format_gets_an_mp3(client: TestClient, music: dict[str, Path]):
    (wav, _), *_ = music.items()
    for preview, kind in (("true", "audio/mpeg"), ("false", "audio/wav")):
        answer = client.get(f"{API}/tracks/{wav}/audio", params={"preview": preview})
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert client.get(f"{API}/tracks/{wav}/audio?preview=maybe").status_code == 422
    assert client.get(f"{API}/tracks/{track_id(102)}/audio?preview=true").status_code == 404, "the file is gone"


@pytest.mark.parametrize("number", [102, 103, 7, 999])
def test_only_files_that_the_library_knows_and_that_are_there(number: int, client: TestClient, music: dict[str, Path]):
    answer = client.get(f"{API}/tracks/{track_id(number)}/audio")
    assert answer.status_code == 404 and "detail" in answer.json()


def test_a_file_that_was_missing_when_its_folder_was_indexed(client: TestClient, library: Path, music: dict[str, Path]):
    (wav, path), *_ = music.items()
    with SqliteLibrary.open(library) as opened:
        opened.save(Changes(missing=[str(path)]))
    for part in ("audio", "peaks"):
        assert client.get(f"{API}/tracks/{wav}/{part}").status_code == 404


def test_the_waveform_of_a_file_that_is_not_there(client: TestClient, music: dict[str, Path]):
    (wav, path), *_ = music.items()
    assert client.get(f"{API}/tracks/{wav}").json()["has"] == {"audio": True, "peaks": True, "details": False}
    path.unlink()
    for answer in (client.get(f"{API}/tracks/{wav}/peaks"), client.post(f"{API}/tracks/{wav}/details")):
        assert answer.status_code == 404 and "the file of this track is not there" in answer.json()["detail"]
    assert client.get(f"{API}/tracks/{wav}").json()["has"] == {"audio": False, "peaks": False, "details": False}


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "a.wav", "u-", "u-..", "a%00b"])
def test_an_id_is_never_a_path(name: str, client: TestClient, music: dict[str, Path]):
    for part in ("audio", "peaks", "details", "spectrogram.png"):
        assert client.get(f"{API}/tracks/{name}/{part}").status_code in (404, 422)


def test_details_of_a_track_of_the_library(client: TestClient, music: dict[str, Path]):
    (wav, path), *_ = music.items()
    url = f"{API}/tracks/{wav}"
    assert client.get(f"{url}/details").status_code == client.get(f"{url}/spectrogram.png").status_code == 404
    job = client.post(f"{url}/details")
    assert job.status_code == 202 and job.json()["kind"] == "details"
    assert events(client, job.json()["id"])[-1][0] == "done"
    assert client.get(f"{url}/spectrogram.png").content == b"\x89PNG of " + os.fsencode(path)
    assert client.get(f"{url}/peaks").json()["peaks"] == [1.0] * 1500


def test_a_waveform_that_the_library_has_needs_no_file(client: TestClient, library: Path, make_track: Callable):
    track = make_track(200, path="/gone/200.wav")
    kept = ("audio_hash", "duration_s", "probabilities", "embedding")
    recording = Recording(**{name: getattr(track, name) for name in kept}, peaks=np.full(1500, 51, np.uint8))
    file = LibraryFile(path=track.path, audio_hash=track.audio_hash, size=1, mtime_ns=1, track_id="200")
    with SqliteLibrary.open(library) as opened:
        opened.save(Changes(recordings=[recording], files=[file]))
    found = client.get(f"{API}/tracks/{track_id(200)}/peaks").json()
    assert found == {"duration_s": 380.0, "peaks": [0.2] * 1500}


def test_folders(client: TestClient, tmp_path: Path):
    for name in ("b", "A", ".hidden", "ä"):
        (tmp_path / "music" / name).mkdir(parents=True)
    (tmp_path / "music" / "file.mp3").touch()
    found = client.get(f"{API}/folders", params={"path": str(tmp_path / "music")}).json()
    assert found == {"path": str(tmp_path / "music"), "parent": str(tmp_path), "folders": ["A", "b", "ä"]}
    assert client.get(f"{API}/folders").json()["path"] == str(Path.home())
    assert client.get(f"{API}/folders", params={"path": "/"}).json()["parent"] is None
    for path, status in (
        ("relative", 400),
        (str(tmp_path / "none"), 404),
        ("/a\0b", 400),
        (f"{tmp_path}/music/file.mp3", 404),
    ):
        for answer in (
            client.get(f"{API}/folders", params={"path": path}),
            client.post(f"{API}/library/index", json={"folder": path}),
        ):
            assert answer.status_code == status and "detail" in answer.json()


def test_indexing_only_where_it_is_allowed(serve: Callable, settings: ServerSettings, tmp_path: Path):
    client = serve(settings, index=False)
    assert client.post(f"{API}/library/index", json={"folder": str(tmp_path)}).status_code == 403
    assert client.get(f"{API}/folders").status_code == 403


def test_jobs_that_do_not_exist(client: TestClient):
    for job, status in (("0" * 16, 404), ("x", 422), ("..", 404)):
        assert client.get(f"{API}/jobs/{job}").status_code == status
        assert client.get(f"{API}/jobs/{job}/events").status_code == status


def test_a_part_of_a_track_is_analysed_in_the_worker_process(client: TestClient, music: dict[str, Path]):
    """No file is decoded in the process of the server, nor is the name of an upload taken for a path."""
    track, file = next(iter(music.items()))
    asked = {"at_s": 7, "k": 2}
    answer = client.post(f"{API}/query", json=asked | {"tracks": [track]})
    assert answer.status_code == 200, answer.text
    query = answer.json()["query"]
    assert (query["at_s"], query["title"], query["path"]) == (7.0, "Song 100", str(file))
    name, pid = answer.json()["remarks"][0].split(": ")
    assert name == file.name and int(pid) != os.getpid()
    sent = send(client, b"play", "~root.mp3")
    events(client, sent["job"]["id"])
    answer = client.post(f"{API}/query", json=asked | {"tracks": [sent["id"]]}).json()
    assert answer["query"]["id"] == sent["id"] and answer["query"]["path"] is None
    assert answer["query"]["title"] == "A title" and answer["remarks"][0].startswith("~root.mp3: ")
    late = client.post(f"{API}/query", json={"tracks": [sent["id"]], "at_s": 101})
    assert (late.status_code, late.json()["detail"]) == (415, "~root.mp3: it ends at 0:12")
    for more in ({"tracks": [track, track_id(1)]}, {"tracks": [track], "towards": track_id(1)}):
        refused = client.post(f"{API}/query", json=asked | more)
        assert refused.status_code == 400 and "name only one, and no path" in refused.json()["detail"]


def test_one_user_cannot_hold_all_streams_of_progress(client: TestClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_router, "_MOST_STREAMS", 3)
    monkeypatch.setattr(jobs_router, "_MOST_OF_USER", 2)
    state = client.app.state.web

    async def use() -> None:
        jobs = {user: state.jobs.finished("details", owner=user).id for user in ("ada", "bo", "cy")}

        async def watch(user: str) -> Any:
            stream = jobs_router._watched(jobs[user], state, user)
            await anext(stream)
            return stream

        held = [await watch("ada"), await watch("ada")]
        with pytest.raises(WebError, match="too many jobs are being watched"):
            await watch("ada")
        held.append(await watch("bo"))
        with pytest.raises(WebError, match="too many jobs are being watched"):
            await watch("cy")
        for stream in held:
            await stream.aclose()
        assert not jobs_router._streams
        await (await watch("cy")).aclose()

    client.portal.call(use)
