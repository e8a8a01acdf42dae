"""Long work: jobs that wait in lanes, tell how far they are, can be cancelled, and are forgotten after a while."""

import asyncio
import contextlib
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from musicrec.errors import MusicrecError
from musicrec.web.errors import WebError, printable
from musicrec.web.shares import first_of_largest_share

log = logging.getLogger("musicrec.web")

Kind = Literal["analysis", "index", "details"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED = ("done", "failed", "cancelled")
_TOLD_EVERY_S = 0.1  # progress that comes faster is told together
_WATCHED_S = 2.0  # how long those who watch a job that does not stop are still told, after the server has begun to


class JobCancelled(Exception):
    """A job was cancelled.

    Args:
        result: What it had done by then, or None.
    """

    def __init__(self, result: dict[str, Any] | None = None) -> None:
        super().__init__("cancelled")
        self.result = result


class JobControl:
    """What the work of a job gets: how to tell its progress, and whether it is still wanted.

    Args:
        told: Receives done, total, message and result, those that change.

    Attributes:
        cancelled: Is set when the job is no longer wanted.
    """

    def __init__(self, told: Callable[..., None] = lambda **progress: None) -> None:
        self.cancelled = asyncio.Event()
        self._told = told

    def update(self, **progress: Any) -> None:
        """Tell progress: done, total, message, result."""
        self._told(**progress)


Work = Callable[[JobControl], Awaitable[dict[str, Any] | None]]


@dataclass(kw_only=True, eq=False)
class Job:
    """A job.

    Attributes:
        id: Its name in addresses.
        kind: What it does.
        owner: The user who started it.
        state: Whether it waits, runs or has ended.
        done: How many of `total` have been done.
        total: 0 while that is not known.
        message: What it does now, or why it failed.
        track: The track that it is about, or None.
        result: What it gave; of an index job also what it has done so far.
        number: Is greater after each change.
        ended: When it ended, on the clock of `Jobs`; None before.
    """

    id: str
    kind: Kind
    owner: str
    track: str | None = None
    state: JobState = "waiting"
    done: int = 0
    total: int = 0
    message: str = ""
    result: dict[str, Any] | None = None
    number: int = 1
    ended: float | None = None
    _work: Work
    _on_end: Callable[["Job"], None]
    _control: JobControl = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._control = JobControl(self._update)

    def as_dict(self) -> dict[str, Any]:
        """Return the job in plain JSON types."""
        names = ("id", "kind", "state", "done", "total", "message", "track", "result")
        return {name: getattr(self, name) for name in names}

    def _update(self, **progress: Any) -> None:
        for name, value in progress.items():
            if name in ("done", "total") and isinstance(value, int) and value >= 0:
                setattr(self, name, value)
            elif name == "message" and isinstance(value, str):
                self.message = printable(value[:2000])
            elif name == "result" and isinstance(value, dict | None):
                self.result = value
        self._tell()

    def _end(self, state: JobState, now: float, **progress: Any) -> None:
        self.state, self.ended = state, now
        try:
            self._on_end(self)
        except Exception:
            log.exception("the end of job %s", self.id)
        self._update(**progress)

    def _tell(self) -> None:
        self.number += 1
        self._changed.set()
        self._changed = asyncio.Event()


class Jobs:
    """The jobs of a server. It is for one event loop.

    Args:
        lanes: {lane: the most jobs that wait in it}. The jobs of a lane are done one after the other.
        share: The largest part of these that may be of one user.
        keep_s: How long a job is known after its end.
        most_kept: The most jobs that are known after their end. After that, whoever has the most loses the oldest.
        clock: The time in seconds.
        count: Receives kind and state of each job that ends.
    """

    def __init__(
        self,
        lanes: Mapping[str, int],
        *,
        share: float = 1.0,
        keep_s: float = 3600.0,
        most_kept: int = 200,
        clock: Callable[[], float] = time.monotonic,
        count: Callable[[str, str], None] = lambda kind, state: None,
    ) -> None:
        self._count, self._share = count, share
        self._most_waiting, self._keep_s, self._most_kept, self._clock = dict(lanes), keep_s, most_kept, clock
        self._waiting: dict[str, deque[Job]] = {lane: deque() for lane in lanes}
        self._wake = {lane: asyncio.Event() for lane in lanes}
        self._jobs: dict[str, Job] = {}
        self._runners: list[asyncio.Task[None]] = []
        self._closed = self._unwatched = False

    def start(self) -> None:
        """Begin to work. It must be called in the event loop."""
        self._runners = [asyncio.ensure_future(self._run_lane(lane)) for lane in self._waiting]

    async def stop(self, *, grace_s: float = 5.0) -> None:
        """Cancel all jobs, and wait a little for those that save what they have done."""
        self.cancel_all()
        until = time.monotonic() + grace_s
        while any(job.state == "running" for job in self._jobs.values()) and time.monotonic() < until:
            await asyncio.sleep(0.02)
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)

    def cancel_all(self) -> None:
        """Cancel all jobs, and take no more. Whoever watches one is told its end, if it comes within two seconds."""
        self._closed = True
        for job in list(self._jobs.values()):
            self._cancel(job)
        asyncio.get_running_loop().call_later(_WATCHED_S, self._hang_up)

    def submit(
        self,
        kind: Kind,
        work: Work,
        *,
        lane: str,
        owner: str,
        track: str | None = None,
        on_end: Callable[[Job], None] = lambda job: None,
    ) -> Job:
        """Let a job wait for its turn.

        Args:
            kind: What it does.
            work: Does it.
            lane: Where it waits.
            owner: The user who starts it.
            track: The track that it is about.
            on_end: Called when it ends, even if it never began.

        Raises:
            WebError: Too many jobs wait in the lane (429), or the server is stopping (503).
        """
        if self._closed:
            raise WebError(503, "the server is stopping")
        if len(self._waiting[lane]) >= self._most_waiting[lane]:
            raise too_many(f"{self._most_waiting[lane]} jobs are waiting already")
        own = sum(job.owner == owner for job in self._waiting[lane])
        if own >= max(1.0, self._share * self._most_waiting[lane]):
            raise too_many(f"{own} of your jobs are waiting already")
        self._forget()
        job = Job(id=secrets.token_hex(8), kind=kind, owner=owner, track=track, _work=work, _on_end=on_end)
        self._jobs[job.id] = job
        self._waiting[lane].append(job)
        self._wake[lane].set()
        return job

    def finished(self, kind: Kind, *, owner: str, track: str | None = None, result: dict | None = None) -> Job:
        """Return a job that was done before it was asked for."""

        async def nothing(control: JobControl) -> None: ...

        self._forget()
        job = Job(id=secrets.token_hex(8), kind=kind, owner=owner, track=track, _work=nothing, _on_end=lambda job: None)
        job.state, job.ended, job.result, job.done, job.total = "done", self._clock(), result, 1, 1
        self._jobs[job.id] = job
        return job

    def all(self, owner: str | None = None) -> list[Job]:
        """Return the jobs that are known, the oldest first; of one user, if one is given."""
        self._forget()
        return [job for job in self._jobs.values() if owner in (None, job.owner)]

    def find(self, job_id: str, owner: str | None = None) -> Job:
        """Return a job.

        Raises:
            WebError: There is none with this id (404), or another user started it.
        """
        self._forget()
        job = self._jobs.get(job_id)
        if job is None or owner not in (None, job.owner):
            raise WebError(404, "there is no such job; it may have ended some time ago")
        return job

    def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Ask a job to stop. One that waits has stopped at once; one that has ended stays as it is.

        Raises:
            WebError: There is none with this id (404), or another user started it.
        """
        job = self.find(job_id, owner)
        self._cancel(job)
        return job

    async def changes(self, job: Job, *, after: int = 0) -> AsyncIterator[tuple[int, JobState, dict[str, Any]]]:
        """Yield a job whenever it has changed, until it has ended, or the server stops.

        Changes in quick succession are yielded as one. Whoever comes back with the number that they saw last misses
        nothing that still counts.

        Args:
            job: The job.
            after: Yield only what has changed after this number.

        Yields:
            The number, the state and the job in plain JSON types.
        """
        while True:
            changed = job._changed
            if job.number > after:
                after = job.number
                yield after, job.state, job.as_dict()
                if job.state not in ENDED:
                    await asyncio.sleep(_TOLD_EVERY_S)
                    continue
            if job.state in ENDED or self._unwatched:
                return
            await changed.wait()

    def _hang_up(self) -> None:
        self._unwatched = True
        for job in self._jobs.values():
            job._changed.set()

    def _cancel(self, job: Job) -> None:
        if job.state == "waiting":
            for waiting in self._waiting.values():
                with contextlib.suppress(ValueError):
                    waiting.remove(job)
            self._end(job, "cancelled", message="it was cancelled")
        elif job.state == "running":
            job._control.cancelled.set()
            job._update(message="it is being cancelled")

    async def _run_lane(self, lane: str) -> None:
        waiting, wake = self._waiting[lane], self._wake[lane]
        while True:
            while not waiting:
                wake.clear()
                await wake.wait()
            job = waiting.popleft()
            job.state = "running"
            job._tell()
            await self._run(job)

    async def _run(self, job: Job) -> None:
        try:
            result = await job._work(job._control)
            self._end(job, "done", result=result, message="", done=max(job.done, job.total))
        except JobCancelled as cancelled:
            result = job.result if cancelled.result is None else cancelled.result
            self._end(job, "cancelled", result=result, message="it was cancelled")
        except (MusicrecError, WebError) as error:
            self._end(job, "failed", message=str(error))
        except asyncio.CancelledError:
            self._end(job, "cancelled", message="the server was stopped")
            raise
        except Exception:
            log.exception("job %s failed", job.id)
            self._end(job, "failed", message="this failed because of a mistake in musicrec")

    def _end(self, job: Job, state: JobState, **progress: Any) -> None:
        self._count(job.kind, state)
        job._end(state, self._clock(), **progress)

    def _forget(self) -> None:
        """Forget jobs that ended long ago, and of too many the oldest one of whoever has the most."""
        until = self._clock() - self._keep_s
        for job in [job for job in self._jobs.values() if job.ended is not None and job.ended < until]:
            del self._jobs[job.id]
        ended = sorted((job for job in self._jobs.values() if job.ended is not None), key=lambda job: job.ended or 0.0)
        while len(ended) > self._most_kept:
            oldest = first_of_largest_share(ended)
            ended.remove(oldest)
            del self._jobs[oldest.id]


def too_many(what: str) -> WebError:
    """Return the error for more work than waits at a time."""
    return WebError(429, f"{what}; try again when some of them are done", headers={"Retry-After": "5"})
