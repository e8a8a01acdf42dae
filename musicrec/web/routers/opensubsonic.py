"""OpenSubsonic: similar tracks and paths for players, by the ids of this library.

Only what the extension "sonicSimilarity" needs is here. Players sign in with an API key, which is the token.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response

from musicrec.errors import MusicrecError
from musicrec.recommend.recommender import Recommender
from musicrec.web import subsonic
from musicrec.web.asking import ask
from musicrec.web.errors import WebError
from musicrec.web.opinions import opinions_of
from musicrec.web.reading import check_ids
from musicrec.web.schemas import QueryRequest
from musicrec.web.security import is_authorised
from musicrec.web.state import USUAL_USER, State, WebState
from musicrec.web.subsonic import SubsonicError

router = APIRouter(prefix="/rest", tags=["opensubsonic"])

MOST = 500
Form = Annotated[str, Query(alias="f", max_length=10, description="json or xml")]
Id = Annotated[str | None, Query(max_length=64)]
Count = Annotated[int, Query(ge=1, le=MOST)]
_UNUSED: dict = {"response_class": Response, "responses": {200: {"content": {"application/json": {}, "text/xml": {}}}}}


async def _check(request: Request, state: State) -> None:
    given = request.query_params
    if state.settings.token is None or is_authorised(request.scope, state.settings):
        return
    if "apiKey" not in given:
        raise SubsonicError(subsonic.NO_TOKEN_LOGIN, "sign in with an API key: the token of the address of the page")
    if "u" in given:
        raise SubsonicError(subsonic.CONFLICTING, "give apiKey without u")
    raise SubsonicError(subsonic.WRONG_KEY, "this is not the token of the server")


def _form(form: str) -> Literal["json", "xml"]:
    return "json" if form == "json" else "xml"


@router.get("/getOpenSubsonicExtensions", summary="List the extensions that players can use", **_UNUSED)
@router.get("/getOpenSubsonicExtensions.view", include_in_schema=False)
async def extensions(f: Form = "xml") -> Response:
    """Return the extensions. It needs no token."""
    return subsonic.respond({"openSubsonicExtensions": subsonic.EXTENSIONS}, _form(f))


@router.get("/ping", summary="Tell a player that the server answers", dependencies=[Depends(_check)], **_UNUSED)
@router.get("/ping.view", include_in_schema=False, dependencies=[Depends(_check)])
async def ping(f: Form = "xml") -> Response:
    """Return an empty answer."""
    return subsonic.respond({}, _form(f))


@router.get(
    "/getSonicSimilarTracks", summary="Return what sounds like a track", dependencies=[Depends(_check)], **_UNUSED
)
@router.get("/getSonicSimilarTracks.view", include_in_schema=False, dependencies=[Depends(_check)])
async def similar(state: State, id: Id = None, count: Count = 10, f: Form = "xml") -> Response:
    """Return the answer to a query without a preset, the most similar first."""
    if id is None:
        raise SubsonicError(subsonic.MISSING, "id: is missing")

    found = await _answer(state, [id], k=count)
    similar = [(one["id"], min(1.0, max(0.0, one["similarity"]))) for one in found]
    return await _respond(state, lambda recommender: _entries(recommender, state, similar), _form(f))


@router.get("/findSonicPath", summary="Return a path between two tracks", dependencies=[Depends(_check)], **_UNUSED)
@router.get("/findSonicPath.view", include_in_schema=False, dependencies=[Depends(_check)])
async def path(
    state: State,
    startSongId: Id = None,
    endSongId: Id = None,
    count: Count = 25,
    f: Form = "xml",
) -> Response:
    """Return tracks from one to the other in small steps, with both ends."""
    if startSongId is None or endSongId is None:
        raise SubsonicError(subsonic.MISSING, "startSongId and endSongId are needed")
    between: list[dict] = []
    if count > 2 and startSongId != endSongId:
        between = await _answer(state, [startSongId, endSongId], k=count - 2)
    ids = list(dict.fromkeys([startSongId, *(one["id"] for one in between), endSongId]))

    def matches(recommender: Recommender) -> list[dict]:
        check_ids(recommender, state, ids)
        return _entries(recommender, state, list(zip(ids, _likeness(recommender, ids), strict=True)))

    return await _respond(state, matches, _form(f))


async def _answer(state: WebState, tracks: list[str], *, k: int) -> list[dict]:
    """Return what is like a track, or leads from one to the other."""
    with _in_its_terms():
        await state.table_reader.run(lambda recommender: check_ids(recommender, state, tracks))  # refuses uploads
        # The ids are not checked by their form: players get the same answer for every id that is not there.
        asked = QueryRequest.model_construct(tracks=tracks[:1], towards=(*tracks[1:], None)[0], k=k)
        return (await ask(state, asked, user=USUAL_USER, taste=_taste(state)))["results"]


async def _respond(
    state: WebState, matches: Callable[[Recommender], list[dict]], form: Literal["json", "xml"]
) -> Response:
    with _in_its_terms():
        return subsonic.respond({"sonicMatch": await state.recommender.run(matches)}, form)


@contextmanager
def _in_its_terms() -> Iterator[None]:
    """Turn mistakes into those of OpenSubsonic."""
    try:
        yield
    except WebError as error:
        raise SubsonicError(subsonic.NOT_FOUND if error.status == 404 else subsonic.GENERIC, error.detail) from None
    except MusicrecError as error:
        raise SubsonicError(subsonic.GENERIC, str(error)) from None


def _taste(state: WebState) -> str:
    """Return whose likes change the order; a player of several people says nothing of who uses it."""
    return "" if state.settings.users else USUAL_USER


def _entries(recommender: Recommender, state: WebState, found: list[tuple[str, float]]) -> list[dict]:
    table, user = state.track_lists.of(recommender), _taste(state)
    opinions = opinions_of(recommender, state, user)
    entries = []
    for one, similarity in found:
        row = table.row_of[one]
        shown = subsonic.song(opinions.added_to(table.row(row)), table.paths[row])
        entries.append({"entry": shown, "similarity": round(float(similarity), 6)})
    return entries


def _likeness(recommender: Recommender, ids: list[str]) -> np.ndarray:
    """Return how close tracks sound to the first of them, from 0 to 1."""
    numbers = recommender.library.ids_of(ids)
    vectors = recommender.library_index.table(np.array([numbers[one] for one in ids])).columns.vectors
    likeness = np.clip(vectors @ vectors[0], 0.0, 1.0)
    likeness[0] = 1.0
    return likeness


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer a `SubsonicError` in the form of OpenSubsonic; for `create_app`."""
    assert isinstance(error, SubsonicError)
    return subsonic.respond_error(error, _form(request.query_params.get("f", "xml")))
