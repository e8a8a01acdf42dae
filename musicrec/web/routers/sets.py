"""Sets: tracks in an order that works, with a reason for each transition."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from musicrec.errors import ConfigError
from musicrec.web.asking import build_set, explain_set
from musicrec.web.set_schemas import OrderRequest, SetAnswer, SetRequest
from musicrec.web.state import State, User

router = APIRouter(tags=["sets"])


@router.post("/sets", summary="Build a set", response_model=SetAnswer)
async def build(request: Request, state: State, user: User, asked: SetRequest) -> JSONResponse:
    """Build as `musicrec set --json` does. What the user never wants again is left out, unless it is named.

    A client that hangs up ends it.
    """
    if asked.tracks is not None and asked.minutes is not None:
        raise ConfigError(f"tracks={asked.tracks}, minutes={asked.minutes:g}: give one of them")
    ends = [asked.start] if asked.end is None else [asked.start, asked.end]
    if len(set(ends)) < len(ends):
        raise ConfigError("end: the set begins with this track; leave end out, or name another track")
    if set(ends) & set(asked.banned):
        raise ConfigError("banned: the set begins or ends with a track of these; ban it, or ask for it")
    return JSONResponse(await build_set(state, asked, user=user, hung_up=request.is_disconnected))


@router.post("/sets/order", summary="Explain a set in a given order", response_model=SetAnswer)
async def order(state: State, user: User, asked: OrderRequest) -> JSONResponse:
    """Return the transitions and the score of these tracks in this order."""
    return JSONResponse(await explain_set(state, asked))
