"""A worker process as the server sees it: started when first needed, watched, and replaced when it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicrec import errors
from musicrec.errors import MusicrecError
from musicrec.web import messages
from musicrec.web.jobs import JobCancelled, JobControl

log = logging.getLogger("musicrec.web")

COMMAND = (sys.executable, "-m", "musicrec.web.worker")
SECRETS = ("MUSICREC_TOKEN", "MUSICREC_PROFILES", "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE")
"""Names of environment variables that what reads hostile files need not know."""
_LOOK_EVERY_S = 0.25
_CANCEL_S = 10.0  # from the wish to cancel to the end of the process; indexing ends after the track that it is at
_LOGGED_BYTES = 8192
_ROOT = Path(__file__).resolve().parents[2]


def environment(secrets: Collection[str] = SECRETS) -> dict[str, str]:
    """Return the environment of a program that reads files of others: that of this process, without its secrets."""
    return {name: value for name, value in os.environ.items() if name not in secrets}


def absolute_place(place: str) -> str:
    """Return the place of a library or of profiles for a process, which runs in another folder than this one.

    Args:
        place: A file, `lance:FOLDER`, or a URL, which stays as it is.
    """
    if "://" in place:
        return place
    prefix, path = ("lance:", place.removeprefix("lance:")) if place.startswith("lance:") else ("", place)
    return f"{prefix}{Path(path).expanduser().absolute()}"


class WorkerError(MusicrecError):
    """A task failed together with its process, or was stopped because it took too much."""


class _Ended(Exception):
    """The process ended by itself, or somebody killed it."""


@dataclass(frozen=True, kw_only=True)
class TaskLimits:
    """What a task may take.

    Attributes:
        wall_s: Time in seconds; None for any.
        cpu_s: Processor time in seconds; None for any.
        memory_bytes: Resident memory of the process; None for any.
    """

    wall_s: float | None = None
    cpu_s: float | None = None
    memory_bytes: int | None = 4 << 30


class WorkerProcess:
    """Runs tasks in a process of their own, one after the other. It is for one event loop.

    If the process is killed from outside in the middle of a task, the task is tried once more in a new one.

    Args:
        command: What starts the process, for tests; None for `COMMAND`. The number of this process is
            added.
        idle_s: End the process when it had nothing to do for so long; None never does.
        priority: By how much it gives way to other programs, 0 to 19.
        secrets: Names of environment variables that it does not get.
    """

    def __init__(
        self,
        command: Sequence[str] | None = None,
        *,
        idle_s: float | None = None,
        priority: int = 0,
        secrets: Collection[str] = SECRETS,
    ) -> None:
        self._command = list(command or COMMAND)
        self._idle_s, self._priority, self._secrets = idle_s, priority, secrets
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[bytes] | None = None
        self._helpers: list[asyncio.Task[None]] = []
        self._lock = asyncio.Lock()
        self._number, self._logged, self._used = 0, b"", time.monotonic()

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def run(
        self, task: str, arguments: Mapping[str, Any], *, limits: TaskLimits, control: JobControl | None = None
    ) -> Any:
        """Run a task and return its result, after those that were asked for before.

        Args:
            task: Name of the task.
            arguments: What it gets, in the types of a message.
            limits: What it may take.
            control: Gets its progress, and says when it is no longer wanted.

        Raises:
            JobCancelled: It was cancelled. What it had done by then is in it.
            MusicrecError: The task says why it failed.
            WorkerError: It took too much, or its process ended twice.
        """
        control = control or JobControl()
        async with self._lock:
            try:
                return await self._run_twice(task, arguments, limits, control)
            finally:
                self._used = time.monotonic()

    async def stop(self) -> None:
        """End the process."""
        for helper in self._helpers:
            helper.cancel()
        await self._kill()

    async def _run_twice(self, task: str, arguments: Mapping[str, Any], limits: TaskLimits, control: JobControl) -> Any:
        for last in (False, True):
            try:
                return await self._run_once(task, arguments, limits, control)
            except _Ended as ended:
                await self._kill()
                if last or control.cancelled.is_set():
                    raise WorkerError(f"the process that worked on it ended twice ({ended})") from None
                log.warning("the worker process ended in the middle of a task (%s); the task is tried again", ended)
        raise AssertionError

    async def _run_once(self, task: str, arguments: Mapping[str, Any], limits: TaskLimits, control: JobControl) -> Any:
        process = await self._started()
        self._number += 1
        number, finished = self._number, False
        request = {"number": number, "task": task, "arguments": dict(arguments), "cpu_s": limits.cpu_s}
        try:
            await self._send(process, request)
            result = await self._answer(process, number, limits, control)
            finished = True
            return result
        except (JobCancelled, _Failed) as ended:
            finished = not isinstance(ended, _Failed) or ended.expected
            if isinstance(ended, _Failed):
                raise ended.as_error() from None
            raise
        finally:
            if not finished:  # its state is not known, or it must stop at once
                await asyncio.shield(self._kill())
                self._log()

    async def _answer(
        self, process: asyncio.subprocess.Process, number: int, limits: TaskLimits, control: JobControl
    ) -> Any:
        begin, cancelled_at = time.monotonic(), None
        while True:
            message = await self._message(process)
            if message is not None and message.get("number") == number:
                if isinstance(progress := message.get("progress"), dict):
                    control.update(**{name: progress[name] for name in _PROGRESS if name in progress})
                elif cancelled_at is not None and ("done" in message or "failed" in message):
                    raise JobCancelled(message.get("done"))
                elif "done" in message:
                    return message["done"]
                elif "failed" in message:
                    raise _Failed(message)
            now = time.monotonic()
            if control.cancelled.is_set() and cancelled_at is None:
                cancelled_at = now
                await self._send(process, {"cancel": number})
            if cancelled_at is not None and now > cancelled_at + _CANCEL_S:
                await self._kill()
                raise JobCancelled(None)
            if limits.wall_s is not None and now > begin + limits.wall_s:
                raise WorkerError(f"it was stopped because it took longer than {limits.wall_s:g} s")
            if limits.memory_bytes is not None and (resident_bytes(process.pid) or 0) > limits.memory_bytes:
                raise WorkerError(
                    f"it was stopped because it took more than {limits.memory_bytes / 2**30:.1f} GB of memory"
                )

    async def _message(self, process: asyncio.subprocess.Process) -> dict[str, Any] | None:
        """Return the next message, None if there is none for a while.

        Raises:
            WorkerError: It is not a message.
            _Ended: The process has ended.
        """
        assert process.stdout is not None
        if self._reading is None:
            self._reading = asyncio.ensure_future(process.stdout.readline())
        await asyncio.wait({self._reading}, timeout=_LOOK_EVERY_S)
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        try:
            line = reading.result()
            if not line.endswith(b"\n"):
                raise _Ended(await self._reason(process))
            message = messages.decode(line)
        except ValueError:
            raise WorkerError("the process that worked on it gave an answer that is none") from None
        if not isinstance(message, dict):
            raise WorkerError("the process that worked on it gave an answer that is none")
        return message

    async def _reason(self, process: asyncio.subprocess.Process) -> str:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        status = process.returncode
        if status == -signal.SIGXCPU:
            raise WorkerError("it was stopped because it took too much processor time")
        self._log()
        if status is not None and status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"status {status}"

    def _log(self) -> None:
        """Log what the process has said about its end."""
        if self._logged:
            log.warning("the worker process says: %s", self._logged.decode(errors="replace").strip()[-2000:])
            self._logged = b""

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._kill()
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=messages.MOST_BYTES,
            start_new_session=True,  # Ctrl-C reaches only the server; what the process has started ends with it
            cwd="/",
            env={**environment(self._secrets), "PYTHONPATH": os.pathsep.join(paths)},
        )
        if self._priority:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, self._priority)
        self._logged = b""
        self._helpers = [asyncio.ensure_future(self._keep_log(self._process))]
        if self._idle_s is not None:
            self._helpers.append(asyncio.ensure_future(self._end_when_idle(self._process, self._idle_s)))
        return self._process

    async def _keep_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while data := await process.stderr.read(_LOGGED_BYTES):
            self._logged = (self._logged + data)[-_LOGGED_BYTES:]

    async def _end_when_idle(self, process: asyncio.subprocess.Process, idle_s: float) -> None:
        while process.returncode is None:
            await asyncio.sleep(idle_s / 4)
            if not self._lock.locked() and time.monotonic() > self._used + idle_s:
                async with self._lock:
                    if self._process is process:
                        await self._kill()

    async def _send(self, process: asyncio.subprocess.Process, message: Any) -> None:
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended, which its output will say
            process.stdin.write(messages.encode(message))
            await process.stdin.drain()

    async def _kill(self) -> None:
        """End the process and all that it has started."""
        process, self._process = self._process, None
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.wait(self._helpers[:1], timeout=1)  # what it has said last


class _Failed(Exception):
    """A task says why it failed.

    Args:
        message: What the process said.
    """

    def __init__(self, message: Mapping[str, Any]) -> None:
        super().__init__(str(message["failed"]))
        self.expected, self._kind = message.get("expected") is True, message.get("kind")

    def as_error(self) -> MusicrecError:
        """Return the error that the task has raised, or a `WorkerError` for one that nobody expected."""
        if not self.expected:
            return WorkerError(str(self))
        kind = getattr(errors, self._kind, None) if isinstance(self._kind, str) else None
        if isinstance(kind, type) and issubclass(kind, MusicrecError):
            return kind(str(self))
        return MusicrecError(str(self))


_PROGRESS = ("done", "total", "message", "result")


def resident_bytes(pid: int) -> int | None:
    """Return the memory that a process occupies; None if that cannot be known."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return None
