"""What who operates a server relies on: its logs, and how it stops, or is killed."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from musicrec.web.request_log import TextFormatter, is_no_end
from tests.web.conftest import track_id

ROOT = Path(__file__).parents[2]
TOKEN, PIN = "a-token-of-some-length", "84713"
START = f"""
import sys
from musicrec.web import worker_process
worker_process.COMMAND = (sys.executable, {str(Path(__file__).with_name("fake_worker.py"))!r})
from musicrec.programs.command import main
main(sys.argv[1:])
"""


class Server:
    """`musicrec serve` with JSON logs, whose worker process is the one for tests."""

    def __init__(self, library: Path, cache: Path, *options: str) -> None:
        self.cache, self.log = cache, cache / "log"
        cache.mkdir(exist_ok=True)
        environment = os.environ | {"XDG_CACHE_HOME": str(cache), "MUSICREC_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        words = ("serve", "--library", str(library), "--port", "0", "--no-open", "--json-logs", *options)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, *words], env=environment, stdout=subprocess.PIPE, stderr=log
            )
        address = wait(lambda: next((line["message"] for line in self.lines() if "listening" in str(line)), None))
        self.client = httpx.Client(
            base_url=address.split()[-1], timeout=30, headers={"authorization": f"Bearer {TOKEN}"}
        )

    def lines(self) -> list[dict]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().split("\n")[:-1]]

    def folders(self) -> list[Path]:
        """Its temporary folders."""
        return list(self.cache.glob("musicrec/serve/server-*"))

    def upload_slowly(self) -> str:
        """Upload what takes long to be analysed; return the job, which runs."""
        job = self.client.post("/api/v1/uploads?name=a.mp3", content=b"slow").json()["job"]["id"]
        wait(lambda: self.client.get(f"/api/v1/jobs/{job}").json()["total"] == 10_000)
        return job

    def worker(self) -> int:
        """Its worker process."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])


def wait(found: Callable, seconds: float = 30.0):
    """Return what is found, once it is."""
    until = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)
    return answer


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def start(library: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers = []

    def begin(*options: str) -> Server:
        servers.append(Server(library, tmp_path / "cache", *options))
        return servers[-1]

    yield begin
    for server in servers:
        server.client.close()
        server.process.kill()
        server.process.communicate()


def test_logs_tell_who_asked_what_and_no_secret(start: Callable[..., Server]):
    server = start("--users")
    client = server.client
    with httpx.Client(base_url=client.base_url) as browser:
        assert browser.get("/", params={"token": TOKEN}).status_code == 303
        assert browser.post("/api/v1/users", json={"name": "Ada", "pin": PIN}).status_code == 201
        assert browser.post("/api/v1/session", json={"user": "Ada", "pin": PIN[::-1]}).status_code == 403
        assert browser.get("/api/v1/history", headers={"x-request-id": "from-the-proxy-1"}).status_code == 200
        assert browser.get("/api/v1/history", headers={"x-request-id": "a\tb c d e f g"}).status_code == 200
    client.post("/api/v1/query", json={"tracks": [track_id(1)]})
    client.get("/rest/getSonicSimilarTracks", params={"apiKey": TOKEN, "id": "x"})
    client.get("/api/v1/nothing", params={"token": TOKEN})
    client.get(f"/{'long' * 10_000}")
    server.process.send_signal(signal.SIGTERM)
    out, _ = server.process.communicate(timeout=15)

    lines = server.lines()  # every line is JSON
    text = out.decode() + server.log.read_text()
    assert not any(secret in text for secret in (TOKEN, PIN, PIN[::-1]))
    requests = [line for line in lines if "status" in line]
    facts = [(line["user"], line["method"], line["route"], line["status"]) for line in requests]
    assert facts == [
        (None, "GET", "", 303),
        ("Ada", "POST", "/api/v1/users", 201),
        ("Ada", "POST", "/api/v1/session", 403),
        ("Ada", "GET", "/api/v1/history", 200),
        ("Ada", "GET", "/api/v1/history", 200),
        (None, "POST", "/api/v1/query", 401),
        (None, "GET", "/rest/getSonicSimilarTracks", 200),
        (None, "GET", "page", 404),
        (None, "GET", "page", 404),
    ]
    assert max(len(line["path"]) for line in requests) == 300, "nobody fills the disk with logs"
    ids = [line["request"] for line in requests]
    assert ids[3] == "from-the-proxy-1" and len(set(ids)) == len(ids)
    assert all(len(one) == 16 for place, one in enumerate(ids) if place != 3)
    assert all(line["ms"] >= 0 and line["time"].endswith("+00:00") for line in requests)


def test_logs_need_a_token_of_their_own():
    """One that is made and printed would be in the logs."""
    command = [sys.executable, "-m", "musicrec", "serve", "--host", "0.0.0.0", "--port", "0", "--json-logs"]
    environment = {name: value for name, value in os.environ.items() if name != "MUSICREC_TOKEN"}
    done = subprocess.run(command, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode != 0 and "MUSICREC_TOKEN" in done.stderr and not done.stdout


def test_it_stops_within_seconds_and_tells_those_who_watch(start: Callable[..., Server]):
    server = start()
    job, worker = server.upload_slowly(), server.worker()
    with server.client.stream("GET", f"/api/v1/jobs/{job}/events") as stream:
        events = stream.iter_lines()
        assert next(events) == "event: progress"
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert "event: cancelled" in list(events), "the stream ends with the end of the job"
    assert server.process.wait(10) in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 8, "Docker kills it after ten seconds"
    assert is_gone(worker) and server.folders() == []


def test_what_a_killed_server_leaves_is_removed_by_the_next(start: Callable[..., Server]):
    server = start()
    server.upload_slowly()
    worker, folders = server.worker(), server.folders()
    assert len(folders) == 1 and any(path.stat().st_size == 4 for path in folders[0].glob("uploads/*"))
    server.process.kill()
    wait(lambda: is_gone(worker))
    after = start()
    assert not folders[0].exists() and len(after.folders()) == 1
    assert after.client.post("/api/v1/query", json={"tracks": [track_id(1)]}).status_code == 200


def test_an_answer_that_is_cut_off_by_the_end_is_no_mistake():
    errors = (asyncio.CancelledError("stopping"), ValueError("a mistake"), None)
    records = [logging.LogRecord("x", logging.ERROR, "", 0, "it ended", (), error and (type(error), error, None))
               for error in errors]  # fmt: skip
    assert [is_no_end(record) for record in records] == [False, True, True]


def test_a_file_cannot_write_to_the_terminal_of_the_log():
    record = logging.LogRecord("x", logging.WARNING, "", 0, "it says: %s", ("\x1b[2J\x9b31mred\u202e\nline ä",), None)
    assert TextFormatter("%(levelname)s: %(message)s").format(record) == "WARNING: it says: �[2J�31mred�\n    line ä"
