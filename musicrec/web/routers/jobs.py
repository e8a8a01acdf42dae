"""Jobs, their progress, and the one that indexes a folder."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from musicrec.web.background import INDEX
from musicrec.web.errors import WebError, printable
from musicrec.web.job_schemas import Folders, FolderToIndex, JobFacts, JobId
from musicrec.web.jobs import ENDED, Job, JobControl
from musicrec.web.state import State, User
from musicrec.web.worker_process import TaskLimits

router = APIRouter(tags=["jobs"])

_INDEX_LIMITS = TaskLimits(memory_bytes=1 << 50)  # the files are those of the user, who may have any number
_MOST_STREAMS, _MOST_OF_USER = 256, 64
_MOST_FOLDERS = 2000
_COME_BACK_MS = 60_000
_streams: Counter[str] = Counter()  # {user: number}


@router.get("/jobs", summary="List the jobs")
async def get_jobs(state: State, user: User) -> list[JobFacts]:
    """List the jobs that the user has started, the oldest first. They are forgotten an hour after their end."""
    return [JobFacts(**job.as_dict()) for job in state.jobs.all(user)]


@router.get("/jobs/{job}", summary="Return a job")
async def get_job(job: JobId, state: State, user: User) -> JobFacts:
    """Return a job."""
    return JobFacts(**state.jobs.find(job, user).as_dict())


@router.delete("/jobs/{job}", summary="Cancel a job")
async def cancel_job(job: JobId, state: State, user: User) -> JobFacts:
    """Cancel a job. What indexing has saved by then is kept."""
    return JobFacts(**state.jobs.cancel(job, user).as_dict())


async def _watched(job: JobId, state: State, user: User) -> AsyncIterator[Job]:
    """Yield a job that may be watched, before the answer begins; its place is free again when the answer ends."""
    found = state.jobs.find(job, user)
    if _streams.total() >= _MOST_STREAMS or _streams[user] >= _MOST_OF_USER:
        raise WebError(503, "too many jobs are being watched; close some of the pages", headers={"Retry-After": "5"})
    _streams[user] += 1
    try:
        yield found
    finally:
        _streams[user] -= 1
        if not _streams[user]:
            del _streams[user]


@router.get("/jobs/{job}/events", summary="Tell the progress of a job", response_class=EventSourceResponse)
async def watch_job(
    watched: Annotated[Job, Depends(_watched)],
    state: State,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterable[ServerSentEvent]:
    """Tell the progress of a job as server-sent events: `progress`, and at last `done`, `failed` or `cancelled`.

    The data of each event is the job. Whoever comes back with Last-Event-ID misses nothing that still counts.
    """
    after = int(last_event_id) if last_event_id and last_event_id.isdecimal() else 0
    async for number, job_state, facts in state.jobs.changes(watched, after=after):
        event = job_state if job_state in ENDED else "progress"
        yield ServerSentEvent(event=event, id=str(number), data=facts)
    if watched.state in ENDED:
        yield ServerSentEvent(comment="the job has ended", retry=_COME_BACK_MS)


@router.post("/library/index", summary="Index a folder", status_code=202)
async def index_folder(wanted: FolderToIndex, state: State, user: User) -> JobFacts:
    """Index a folder of the server's computer as `musicrec index` does. The job's `result` says how far it is."""
    _check_may_index(state)
    folder = await asyncio.to_thread(_existing, wanted.folder)
    background = state.background

    async def work(control: JobControl) -> dict[str, Any]:
        arguments = {**background.models, "folder": str(folder)}
        done: dict[str, Any] = await background.indexing.run("index", arguments, limits=_INDEX_LIMITS, control=control)
        return done

    return JobFacts(**state.jobs.submit("index", work, lane=INDEX, owner=user).as_dict())


@router.get("/folders", summary="List the folders in a folder")
async def get_folders(state: State, user: User, path: Annotated[str, Query(max_length=4096)] = "") -> Folders:
    """List the folders in a folder of the server's computer, to choose one to index; by default the home folder."""
    _check_may_index(state)
    folder = await asyncio.to_thread(_existing, path or str(Path.home()))
    names = await asyncio.to_thread(_folders_in, folder)
    parent = None if folder.parent == folder else printable(str(folder.parent))
    return Folders(path=printable(str(folder)), parent=parent, folders=names)


def _check_may_index(state: State) -> None:
    if not state.settings.index:
        raise WebError(403, "this server was started without the right to index; run `musicrec index FOLDER` there")


def _existing(path: str) -> Path:
    """Return a folder that is there.

    Raises:
        WebError: It is not (404), or its path is not absolute (400).
    """
    folder = Path(path).expanduser() if path.startswith("~/") or path == "~" else Path(path)
    if not folder.is_absolute() or "\0" in path:
        raise WebError(400, f"folder={printable(path[:200])}: give an absolute path, such as /home/me/Music")
    folder = Path(os.path.normpath(folder))
    try:
        found = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
    except OSError:
        found = False
    if not found:
        raise WebError(404, f"folder={printable(path[:200])}: there is no such folder, or it cannot be opened")
    return folder


def _folders_in(folder: Path) -> list[str]:
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.is_dir() and printable(entry.name) == entry.name:
                    names.append(entry.name)
                if len(names) >= _MOST_FOLDERS:
                    break
    except OSError:
        raise WebError(404, "this folder cannot be opened") from None
    return sorted(names, key=str.casefold)
