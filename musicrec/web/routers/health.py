"""For those who watch the server: is it alive, and its figures."""

from fastapi import APIRouter, Response

from musicrec.web.state import State

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Tell that the server answers")
async def healthz() -> dict[str, str]:
    """Answer {"status": "ok"}. It needs no token."""
    return {"status": "ok"}


@router.get("/metrics", summary="Return figures for Prometheus", response_class=Response)
async def metrics(state: State) -> Response:
    """Return requests and seconds per endpoint, and the size of the library."""
    return Response(state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
