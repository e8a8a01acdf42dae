"""Who uses the page."""

import math

from fastapi import APIRouter, Request

from musicrec.errors import LibraryError
from musicrec.recommend.profiles.records import checked
from musicrec.recommend.recommender import Recommender
from musicrec.system.version import VERSION
from musicrec.web.connections import client_of
from musicrec.web.errors import WebError
from musicrec.web.look_alikes import look, mixed_scripts
from musicrec.web.pins import hash_pin, matches, nobodys_pin
from musicrec.web.profile_schemas import NewUser, SignIn
from musicrec.web.schemas import SessionFacts
from musicrec.web.security import set_session
from musicrec.web.state import USUAL_USER, State, WebState, session_of

router = APIRouter(tags=["session"])

_MOST_USERS = 1_000


@router.get("/session", summary="Tell who asks, and what the server can do", response_model=SessionFacts)
async def session(request: Request, state: State) -> dict:
    """Return the user, or null with the names of those who can sign in."""
    settings, found = state.settings, session_of(request)

    def facts(recommender: Recommender) -> dict:
        try:
            table = state.track_lists.known(recommender.library.version())
            tracks = len(recommender) if table is None else len(table)
            names = _names(recommender, state) if settings.users else []
        except LibraryError:
            tracks, names = None, []
        return {"names": names, "library": {"path": str(recommender.path), "tracks": tracks}}

    return {
        "user": (found and found.user) if settings.users else USUAL_USER,
        "users": settings.users,
        "needs_pin": settings.users,
        "can_index": settings.index,
        "version": VERSION,
        **await state.table_reader.run(facts),
    }


@router.post("/session", summary="Sign in", response_model=SessionFacts)
async def sign_in(request: Request, state: State, asked: SignIn) -> dict:
    """Let a user use the page in this browser. Wrong PINs must wait: after three, twice as long each time."""
    _check_several(state)
    name = checked("user", asked.user)
    wait = state.attempts.wait_s(name)
    if wait > 0:
        seconds = math.ceil(wait)
        raise WebError(
            429,
            f"{name}: too many wrong PINs; try again in {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )
    state.attempts.begin(name)

    def is_right(recommender: Recommender) -> tuple[bool, bool]:
        with recommender.feedback(name, profiles=state.settings.profiles) as feedback:
            stored = feedback.pin()
        known = stored is not None
        return known, matches(asked.pin or "", stored or nobodys_pin()) and known

    known, right = await state.recommender.run(is_right)
    if known:
        state.attempts.keep(name)
    if not right:
        raise WebError(403, "this name and this PIN do not belong together")
    state.attempts.succeed(name)
    _begin(request, state, name)
    return await session(request, state)


@router.delete("/session", summary="Sign out", response_model=SessionFacts)
async def sign_out(request: Request, state: State) -> dict:
    """Let nobody use the page in this browser, until somebody signs in."""
    _check_several(state)
    _begin(request, state, None)
    return await session(request, state)


@router.post("/users", summary="Add a user", response_model=SessionFacts, status_code=201)
async def add(request: Request, state: State, asked: NewUser) -> dict:
    """Add a user with a PIN, and sign them in. A profile without a PIN, as the command makes it, gets this one."""
    _check_several(state)
    name = checked("user", asked.name)

    def added(recommender: Recommender) -> bool:
        with recommender.feedback(name, profiles=state.settings.profiles) as feedback:
            users = [user.name for user in feedback.users()]
            if name not in users:
                if mixed := mixed_scripts(name):
                    scripts = " and ".join(mixed)
                    raise WebError(
                        400, f"{name}: {scripts} letters in one name may look alike; use those of one script"
                    )
                if look(name) in map(look, users):
                    return False
            if len(users) >= _MOST_USERS:
                raise WebError(409, f"there are {_MOST_USERS:,} users already, which is the most")
            return feedback.set_pin(hash_pin(asked.pin))

    if not await state.recommender.run(added):
        raise WebError(
            409, f"{name}: there is a user of this name already, or of one that looks alike; choose another name"
        )
    _begin(request, state, name)
    return await session(request, state)


def _check_several(state: WebState) -> None:
    if not state.settings.users:
        raise WebError(400, "this server has one user; start it with --users for several")


def _begin(request: Request, state: WebState, user: str | None) -> None:
    """Give the browser a new session; the old one ends, so that nobody else can have prepared it."""
    before = session_of(request)
    if before is not None:
        state.sessions.end(before)
    address = "" if request.client is None else client_of(request.client.host)
    set_session(request.scope, state.sessions.start(trusted=True, user=user, address=address))


def _names(recommender: Recommender, state: WebState) -> list[str]:
    with recommender.feedback(profiles=state.settings.profiles) as feedback:
        return feedback.users_with_pin()
