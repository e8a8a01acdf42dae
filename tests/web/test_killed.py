"""A real server with real models, whose processes are killed in the middle of their work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicrec.recommend.recommender import Recommender
from tests.web.test_worker_process import wait_until_gone

pytestmark = pytest.mark.slow

API = "api/v1"


class Server:
    """A server in a process of its own."""

    def __init__(self, library: Path, cache: Path) -> None:
        command = [sys.executable, "-m", "musicrec", "serve", "--library", str(library), "--port", "0", "--no-open"]
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        self.address = self.process.stdout.readline().split()[1]

    def ask(self, path: str, content: bytes | dict | None = None, method: str | None = None) -> Any:
        data = json.dumps(content).encode() if isinstance(content, dict) else content
        headers = {"content-type": "application/json"} if isinstance(content, dict) else {}
        request = urllib.request.Request(f"{self.address}{API}/{path}", data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def follow(self, job: dict, until: Callable[[dict], bool]) -> dict:
        end = time.monotonic() + 240
        while not until(job):
            assert time.monotonic() < end, job
            time.sleep(0.05)
            job = self.ask(f"jobs/{job['id']}")
        return job

    def workers(self) -> list[int]:
        """The processes that the server has started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in listed]

    def stop(self, sent: signal.Signals = signal.SIGTERM) -> None:
        workers = self.workers()
        self.process.send_signal(sent)
        self.process.wait(30)
        self.process.stdout.close()
        for pid in workers:
            wait_until_gone(pid)


def has_ended(job: dict) -> bool:
    return job["state"] in ("done", "failed", "cancelled")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start a server on a library that does not exist yet."""
    servers: list[Server] = []

    def run() -> Server:
        servers.append(Server(tmp_path / "library.sqlite", tmp_path / "cache"))
        return servers[-1]

    yield run
    for server in servers:
        if server.process.poll() is None:
            server.stop()


def test_nothing_is_lost_and_nothing_is_left(start: Callable[[], Server], tiny_music: Path, tmp_path: Path):
    music, outside = tmp_path / "music", tmp_path / "outside.wav"
    shutil.copytree(tiny_music.parent / "audio", music)
    (music / "bad.mp3").write_bytes(b"no audio")
    time_s = np.arange(16_000 * 8) / 16_000
    soundfile.write(outside, 0.4 * np.sin(2 * np.pi * 220 * time_s) * (np.sin(2 * np.pi * 2 * time_s) > 0), 16_000)
    tracks = len(list(music.iterdir())) - 1

    server = start()
    job = server.ask("library/index", {"folder": str(music)})
    server.follow(job, lambda job: job["total"] > 0)
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    job = server.follow(job, has_ended)
    assert job["state"] == "done" and job["result"]["tracks"] == tracks, job
    (unreadable,) = job["result"]["unreadable"]
    assert unreadable["path"] == str(music / "bad.mp3") and "not audio" in unreadable["why"]

    sent = server.ask("uploads?name=../outside.wav", outside.read_bytes())
    assert server.follow(sent["job"], has_ended)["state"] == "done"
    details = server.ask(f"tracks/{sent['id']}/details")
    assert details["predictions"]["bpm"] and details["predictions"]["key"]
    with Recommender.open(tmp_path / "library.sqlite") as recommender:
        expected = recommender.query(str(outside), k=5)
        assert not recommender.verify(progress=False).problems
    answer = server.ask("query", {"tracks": [sent["id"]], "k": 5})
    assert [row["path"] for row in answer["results"]] == [row["path"] for row in expected.results]
    assert [row["score"] for row in answer["results"]] == [row["score"] for row in expected.results]

    shutil.copytree(music, tmp_path / "more" / "copy")
    for number, file in enumerate((tmp_path / "more" / "copy").glob("*.flac")):
        samples, rate = soundfile.read(file)
        soundfile.write(file, samples * (0.5 + number / 100), rate)
    job = server.ask("library/index", {"folder": str(tmp_path / "more")})
    server.ask("uploads?name=a.wav", outside.read_bytes())
    server.follow(job, lambda job: job["total"] > 0)
    server.stop(signal.SIGKILL)
    left = tmp_path / "cache" / "musicrec" / "serve"
    assert len(list(left.glob("server-*"))) == 1

    server = start()
    assert not [path for path in left.glob("server-*/uploads/*")] and len(list(left.glob("server-*"))) == 1
    with Recommender.open(tmp_path / "library.sqlite") as recommender:
        assert not recommender.verify(progress=False).problems and len(recommender) >= tracks
    job = server.follow(server.ask("library/index", {"folder": str(tmp_path / "more")}), has_ended)
    assert job["state"] == "done" and job["result"]["tracks"] == 2 * tracks

    job = server.ask("library/index", {"folder": str(tmp_path / "more")})
    server.ask(f"jobs/{job['id']}", method="DELETE")
    assert server.follow(job, has_ended)["state"] in ("cancelled", "done")
    server.stop()
    assert not list(left.glob("server-*"))
    with pytest.raises(urllib.error.URLError):
        server.ask("library")
