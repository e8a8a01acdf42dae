"""Processes that answer queries and build sets. What Python computes there does not keep the server from its work."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from musicrec.recommend.profiles.presence import PROFILES_VARIABLE
from musicrec.recommend.track import Track
from musicrec.web.errors import WebError, too_busy
from musicrec.web.jobs import JobControl
from musicrec.web.messages import track_fields
from musicrec.web.recommender_thread import MOST, MOST_SLOW
from musicrec.web.worker_process import TaskLimits, WorkerError, WorkerProcess, absolute_place

log = logging.getLogger("musicrec.web")

COMMAND = (sys.executable, "-m", "musicrec.web.recommender_tasks")
_LIMITS = TaskLimits(wall_s=300.0, memory_bytes=None)
_IDLE_S = 600.0
_MOST_USUAL = 4
_SECRETS = ("MUSICREC_TOKEN",)  # they read no files of others, and profiles may be in PostgreSQL


def usual_processes() -> int:
    """Return how many query processes suit this computer: one core is for the server itself."""
    return max(1, min(_MOST_USUAL, (os.cpu_count() or 1) - 1))


class RecommenderProcesses:
    """Answers queries in processes of their own, as many at the same time as there are. It is for one event loop.

    Each reads the library when it is first needed, and again when it has changed. The one that was used last is used
    first, so that only as many are started as are needed; all but it end when they have nothing to do. Sets, which take
    longer, have a process of their own, one after the other.

    Args:
        count: The most processes for queries.
        library: Address of the library.
        profiles: Where profiles are kept; None for MUSICREC_PROFILES, or else the file of the library.
    """

    def __init__(self, count: int, *, library: str, profiles: str | None) -> None:
        place = profiles or os.environ.get(PROFILES_VARIABLE)
        self._library, self._profiles = library, absolute_place(place) if place else None
        self._processes = [
            WorkerProcess(COMMAND, idle_s=_IDLE_S if number else None, secrets=_SECRETS) for number in range(count)
        ]
        self._sets = WorkerProcess(COMMAND, idle_s=_IDLE_S, secrets=_SECRETS)
        self._idle: asyncio.LifoQueue[WorkerProcess] = asyncio.LifoQueue()
        self._waiting = self._sets_asked = 0
        for process in reversed(self._processes):
            self._idle.put_nowait(process)

    async def query(self, asked: Mapping[str, Any], *, uploads: Mapping[str, Track], user: str) -> dict[str, Any]:
        """Answer a query; see `recommender_tasks.answer_query`.

        Raises:
            MusicrecError: As there.
            WebError: A process failed (500), or too many wait (503).
        """
        fields = {one: track_fields(track) for one, track in uploads.items()}
        arguments = {"asked": dict(asked), "uploads": fields, "user": user, "profiles": self._profiles}
        return await self._run("query", arguments)

    async def names(self) -> dict[str, list[str]]:
        """Return what weights and filters can name; see `recommender_tasks.names_of_library`.

        Raises:
            MusicrecError: The library cannot be read.
            WebError: A process failed (500), or too many wait (503).
        """
        return await self._run("names", {})

    async def build_set(self, asked: Mapping[str, Any], *, user: str, control: JobControl) -> dict[str, Any]:
        """Build a set; see `sets.build`.

        Raises:
            JobCancelled: It is no longer wanted, which `control` says.
            MusicrecError: As there.
            WebError: The process failed (500), or too many wait (503).
        """
        arguments = {"asked": dict(asked), "user": user, "profiles": self._profiles}
        return await self._of_set("build_set", arguments, control)

    async def explain_set(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Explain a set in a given order; see `sets.explain`.

        Raises:
            MusicrecError: As there.
            WebError: The process failed (500), or too many wait (503).
        """
        return await self._of_set("explain_set", {"asked": dict(asked)})

    async def stop(self) -> None:
        """End the processes."""
        for process in (*self._processes, self._sets):
            await process.stop()

    async def _run(self, task: str, arguments: Mapping[str, Any]) -> Any:
        """Run a task in the first process that is free. It is finished also if nobody waits for it any longer."""
        if self._waiting >= MOST:
            raise too_busy()
        self._waiting += 1
        try:
            process = await self._idle.get()
        finally:
            self._waiting -= 1

        def end(done: "asyncio.Future[Any]") -> None:
            self._idle.put_nowait(process)
            if not done.cancelled():
                done.exception()  # otherwise asyncio complains that nobody has looked at it

        done = asyncio.ensure_future(self._finish(process, task, arguments))
        done.add_done_callback(end)
        return await asyncio.shield(done)

    async def _of_set(self, task: str, arguments: Mapping[str, Any], control: JobControl | None = None) -> Any:
        if self._sets_asked >= MOST_SLOW:
            raise too_busy()
        self._sets_asked += 1
        try:
            return await self._finish(self._sets, task, arguments, control)
        finally:
            self._sets_asked -= 1

    async def _finish(
        self, process: WorkerProcess, task: str, arguments: Mapping[str, Any], control: JobControl | None = None
    ) -> Any:
        try:
            return await process.run(task, {**arguments, "library": self._library}, limits=_LIMITS, control=control)
        except WorkerError as error:
            log.error("%s failed: %s", task, error)
            raise WebError(500, "this failed; the log of the server says more") from None
