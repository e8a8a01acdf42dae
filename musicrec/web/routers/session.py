"""Who uses the page."""

from fastapi import APIRouter, Request

from musicrec.errors import LibraryError
from musicrec.recommend.recommender import Recommender
from musicrec.system.version import VERSION
from musicrec.web.schemas import SessionFacts
from musicrec.web.state import USUAL_USER, State, session_of

router = APIRouter(tags=["session"])


def _place(recommender: Recommender) -> dict:
    try:
        tracks = len(recommender)
    except LibraryError:
        tracks = None
    return {"path": str(recommender.path), "tracks": tracks}


@router.get("/session", summary="Tell who asks, and what the server can do", response_model=SessionFacts)
async def session(request: Request, state: State) -> dict:
    """Return the user, or null with the names of those who can sign in."""
    settings, found = state.settings, session_of(request)
    return {
        "user": (found and found.user) if settings.users else USUAL_USER,
        "users": settings.users,
        "names": [],
        "needs_pin": settings.users,
        "can_index": settings.index,
        "version": VERSION,
        "library": await state.pool.run(_place),
    }
