"""What works in the background of a server: jobs, worker processes, uploads and previews, from start to end."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from musicrec.recommend import stores
from musicrec.web.jobs import Jobs
from musicrec.web.media import Media
from musicrec.web.recommender_processes import RecommenderProcesses, usual_processes
from musicrec.web.server_folder import ServerFolder
from musicrec.web.settings import ServerSettings
from musicrec.web.transcode import Previews
from musicrec.web.uploads import ANALYSIS, Uploads
from musicrec.web.worker_process import WorkerProcess, absolute_place

INDEX = "index"
"""The lane of indexing, which has a worker process of its own, so that uploads do not wait for it."""
_MOST_DETAILS, _MOST_INDEX = 20, 5  # jobs that wait
_IDLE_S, _MODELS_IDLE_S = 120.0, 1800.0
_INDEX_PRIORITY = 10


class Background:
    """Works while a server answers; use it in an `async with` block, in the event loop of the server.

    Args:
        settings: Of the server.
        count: Receives kind and state of each job that ends.

    Attributes:
        jobs: The jobs.
        uploads: The uploads.
        media: What is played and drawn of tracks.
        exports: Folder in which exports are written.
        processes: Processes that answer queries and build sets; None if the server itself does.
        indexing: The worker process that indexes.
        models: What the worker processes need to find library and models: "library" and "device".
    """

    jobs: Jobs
    uploads: Uploads
    media: Media
    exports: Path

    def __init__(
        self, settings: ServerSettings, *, count: Callable[[str, str], None] = lambda kind, state: None
    ) -> None:
        self._settings, self._count, self._stack = settings, count, ExitStack()
        self.models = {"library": _absolute(settings.library), "device": settings.device}
        self._analysis, self._drawing = WorkerProcess(idle_s=_MODELS_IDLE_S), WorkerProcess(idle_s=_IDLE_S)
        self._converter = WorkerProcess(idle_s=_IDLE_S)
        self.indexing = WorkerProcess(idle_s=_IDLE_S, priority=_INDEX_PRIORITY)
        count_of = usual_processes() if settings.processes is None else settings.processes
        place = self.models["library"]
        self.processes = RecommenderProcesses(count_of, library=place, profiles=settings.profiles) if count_of else None
        self._sweeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Background":
        folder = self._stack.enter_context(ServerFolder(self._settings.temporary))
        limits, share = self._settings.uploads, 0.5 if self._settings.users else 1.0  # so that others have some room
        limits = replace(limits, each=limits.each or max(1, int(share * limits.waiting)))
        lanes = {ANALYSIS: limits.waiting + _MOST_DETAILS, INDEX: _MOST_INDEX}
        self.jobs = Jobs(lanes, share=share, count=self._count)
        self.uploads = Uploads(
            folder.below("uploads"),
            limits=limits,
            jobs=self.jobs,
            worker=self._analysis,
            converter=self._converter,
            models=self.models,
        )
        self.media = Media(
            jobs=self.jobs,
            analysis=self._analysis,
            drawing=self._drawing,
            previews=Previews(folder.below("previews")),
            models=self.models,
        )
        self.exports = folder.below("exports")
        self.jobs.start()
        self._sweeping = asyncio.ensure_future(self.uploads.sweep())
        return self

    def stop_soon(self) -> None:
        """Cancel all jobs, so that those who watch them hang up before the server waits for them."""
        if hasattr(self, "jobs"):
            self.jobs.cancel_all()

    async def __aexit__(self, *exception: object) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self.jobs.stop()
        await self.uploads.stop()
        await self.media.stop()
        for worker in (self._analysis, self._drawing, self._converter, self.indexing):
            await worker.stop()
        if self.processes is not None:
            await self.processes.stop()
        await asyncio.to_thread(self._stack.close)


def _absolute(library: Path | str | None) -> str:
    """Return the address of a library for a process that runs in another folder."""
    return absolute_place(str(stores.default_library() if library is None else library))
