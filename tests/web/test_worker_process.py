"""Worker processes: what they may take, and what happens when they end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from musicrec.errors import MusicrecError
from musicrec.web import worker_process
from musicrec.web.jobs import JobCancelled, JobControl
from musicrec.web.worker_process import TaskLimits, WorkerError, WorkerProcess

FAKE = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))
LIMITS = TaskLimits(wall_s=30.0)


def run(use: Callable[[WorkerProcess], Coroutine[Any, Any, Any]], **settings: Any) -> Any:
    async def main() -> Any:
        worker = WorkerProcess(FAKE, **settings)
        try:
            return await asyncio.wait_for(use(worker), 60)
        finally:
            await worker.stop()

    return asyncio.run(main())


def is_running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    until = time.monotonic() + 10
    while is_running(pid):
        assert time.monotonic() < until, f"{pid} still runs"
        time.sleep(0.02)


def test_it_starts_when_needed_and_stays():
    async def use(worker: WorkerProcess) -> None:
        assert worker.pid is None
        given = {"array": np.arange(6, dtype=np.float32).reshape(2, 3), "bytes": b"\0\xff", "path": "/a/\udcff.mp3"}
        first = await worker.run("echo", given, limits=LIMITS)
        assert first["pid"] == worker.pid
        assert (first["given"]["array"] == given["array"]).all() and first["given"]["array"].dtype == np.float32
        assert (first["given"]["bytes"], first["given"]["path"]) == (given["bytes"], given["path"])
        second, third = await asyncio.gather(*(worker.run("echo", {}, limits=LIMITS) for _ in range(2)))
        assert second["pid"] == third["pid"] == first["pid"]

    run(use)


def test_progress_comes_in_order():
    async def use(worker: WorkerProcess) -> list:
        told: list[dict] = []
        control = JobControl(lambda **progress: told.append(progress))
        assert await worker.run("count", {"to": 5}, limits=LIMITS, control=control) == {"counted": 5}
        return told

    assert run(use) == [{"done": n, "total": 5, "message": f"at {n}"} for n in range(5)]


def test_a_bad_file_fails_alone_and_a_mistake_brings_a_new_process():
    async def use(worker: WorkerProcess) -> None:
        with pytest.raises(MusicrecError, match=r"^/x\.mp3: damaged$"):
            await worker.run("fail", {"path": "/x.mp3"}, limits=LIMITS)
        pid = worker.pid
        assert (await worker.run("echo", {}, limits=LIMITS))["pid"] == pid
        with pytest.raises(MusicrecError, match="RuntimeError: unexpected"):
            await worker.run("mistake", {}, limits=LIMITS)
        assert (await worker.run("echo", {}, limits=LIMITS))["pid"] != pid

    run(use)


def test_a_killed_process_is_replaced_and_the_task_done(tmp_path: Path):
    async def use(worker: WorkerProcess) -> None:
        assert await worker.run("crash", {"once": str(tmp_path / "once")}, limits=LIMITS) == "survived"
        with pytest.raises(WorkerError, match=r"ended twice \(killed by SIGKILL\)"):
            await worker.run("crash", {}, limits=LIMITS)
        assert (await worker.run("echo", {}, limits=LIMITS))["given"] == {}

    run(use)


@pytest.mark.parametrize(
    ("task", "arguments", "limits", "message"),
    [
        ("hang", {}, TaskLimits(wall_s=0.5), r"took longer than 0\.5 s"),
        ("burn", {}, TaskLimits(wall_s=30, cpu_s=0.5), "too much processor time"),
        ("grow", {}, TaskLimits(wall_s=30, memory_bytes=300 << 20), r"more than 0\.3 GB of memory"),
        ("grow", {"limit": 200 << 20}, TaskLimits(wall_s=30), "more memory than it may have"),
    ],
)
def test_limits(task: str, arguments: dict, limits: TaskLimits, message: str):
    async def use(worker: WorkerProcess) -> None:
        with pytest.raises(MusicrecError, match=message):
            await worker.run(task, arguments, limits=limits)
        assert (await worker.run("echo", {}, limits=LIMITS))["given"] == {}, "the next task has a new process"

    run(use)


@pytest.mark.parametrize("kind", ["text", "list", "pickle", "deep"])
def test_a_process_that_was_taken_over_cannot_give_what_is_no_message(kind: str):
    async def use(worker: WorkerProcess) -> None:
        with pytest.raises(WorkerError, match="gave an answer that is none"):
            await worker.run("garbage", {"kind": kind}, limits=LIMITS)

    run(use)


def test_cancelling_keeps_what_was_done():
    async def use(worker: WorkerProcess) -> None:
        told: list[dict] = []
        control = JobControl(lambda **progress: told.append(progress))
        task = asyncio.ensure_future(worker.run("count", {"to": 10_000}, limits=LIMITS, control=control))
        while len(told) < 3:
            await asyncio.sleep(0.01)
        pid = worker.pid
        control.cancelled.set()
        with pytest.raises(JobCancelled) as caught:
            await task
        assert 0 < caught.value.result["counted"] < 10_000
        assert worker.pid == pid, "models stay loaded"

    run(use)


def test_what_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker_process, "_CANCEL_S", 0.3)

    async def use(worker: WorkerProcess) -> None:
        told: list[dict] = []
        control = JobControl(lambda **progress: told.append(progress))
        task = asyncio.ensure_future(worker.run("child", {}, limits=LIMITS, control=control))
        while not told:
            await asyncio.sleep(0.02)
        control.cancelled.set()
        with pytest.raises(JobCancelled):
            await task
        wait_until_gone(int(told[0]["message"]))  # what the task has started ends, too

    run(use)


def test_an_idle_process_ends():
    async def use(worker: WorkerProcess) -> None:
        pid = (await worker.run("echo", {}, limits=LIMITS))["pid"]
        await asyncio.to_thread(wait_until_gone, pid)
        assert (await worker.run("echo", {}, limits=LIMITS))["pid"] != pid

    run(use, idle_s=0.2)


def test_it_ends_with_the_server():
    """Also if the server is killed, and the process is busy."""
    code = f"""
import asyncio, os
from musicrec.web.jobs import JobControl
from musicrec.web.worker_process import TaskLimits, WorkerProcess
async def main():
    worker = WorkerProcess({FAKE!r})
    print((await worker.run("echo", {{}}, limits=TaskLimits()))["pid"], flush=True)
    await worker.run("hang", {{}}, limits=TaskLimits())
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as server:
        pid = int(server.stdout.readline())
        assert is_running(pid)
        server.send_signal(signal.SIGKILL)
    wait_until_gone(pid)


def test_it_ends_when_its_input_ends():
    process = subprocess.Popen([*FAKE, str(os.getpid())], stdin=subprocess.PIPE, start_new_session=True)
    process.stdin.close()
    assert process.wait(30) == -signal.SIGKILL


def test_it_does_not_work_for_a_parent_that_has_ended():
    process = subprocess.Popen([*FAKE, "1"], stdin=subprocess.PIPE)
    assert process.wait(30) == 1
    process.stdin.close()


def test_it_knows_no_secrets(monkeypatch: pytest.MonkeyPatch):
    for name in worker_process.SECRETS:
        monkeypatch.setenv(name, "a-secret")
    monkeypatch.setenv("MUSICREC_MODELS", "/models")

    async def use(worker: WorkerProcess) -> str:
        answer = await worker.run("echo", {}, limits=LIMITS)
        return Path(f"/proc/{answer['pid']}/environ").read_text()

    environment = run(use)
    assert "MUSICREC_MODELS=/models" in environment and "a-secret" not in environment
