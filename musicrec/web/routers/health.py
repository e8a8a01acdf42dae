"""For those who watch the server: is it alive, and its figures."""

import asyncio
import contextlib
from collections import Counter

from fastapi import APIRouter, Response

from musicrec.errors import MusicrecError
from musicrec.web.state import State

router = APIRouter(tags=["health"])

_PATIENCE_S = 2.0  # for the library; Prometheus waits ten seconds for all figures


@router.get("/healthz", summary="Tell that the server answers")
async def healthz() -> dict[str, str]:
    """Answer {"status": "ok"}. It needs no token."""
    return {"status": "ok"}


@router.get("/metrics", summary="Return figures for Prometheus", response_class=Response)
async def metrics(state: State) -> Response:
    """Return requests and seconds per endpoint, jobs and uploads, and the size of the library."""
    with contextlib.suppress(MusicrecError, asyncio.TimeoutError):  # then the figure of the last time stays
        state.metrics.tracks.set(await asyncio.wait_for(state.recommender.run(len), _PATIENCE_S))
    jobs: Counter[tuple[str, str]] = Counter((job.kind, job.state) for job in state.jobs.all())
    state.metrics.set_work(jobs, uploads_waiting=state.uploads.busy, uploads_kept=state.uploads.kept)
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
