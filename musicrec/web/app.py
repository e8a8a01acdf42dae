"""The app: state, middleware, endpoints, and the files of the page."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from musicrec.errors import MusicrecError
from musicrec.recommend.recommender import Recommender
from musicrec.system.version import VERSION
from musicrec.web import errors
from musicrec.web.asking import library_names
from musicrec.web.background import Background
from musicrec.web.connections import RequestShare
from musicrec.web.errors import WebError
from musicrec.web.metrics import Metrics
from musicrec.web.recommender_thread import MOST_SLOW, RecommenderThread
from musicrec.web.request_log import RequestLog
from musicrec.web.routers import (
    export,
    feedback,
    health,
    jobs,
    library,
    map,
    media,
    opensubsonic,
    playlists,
    query,
    session,
    sets,
    tracks,
    uploads,
)
from musicrec.web.schemas import MISTAKES
from musicrec.web.security import Security
from musicrec.web.settings import ServerSettings
from musicrec.web.state import WebState
from musicrec.web.subsonic import SubsonicError

API = "/api/v1"
STATIC = Path(__file__).parent / "static"

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    library.router,
    tracks.router,
    query.router,
    sets.router,
    feedback.router,
    playlists.router,
    export.router,
    map.router,
    jobs.router,
    uploads.router,
    media.router,
)
"""The endpoints below `API`. Those at the root are added by `create_app`."""

_ABOUT = """Finds tracks of a library that go together: what the page uses, for your own programs.

Errors are `{"detail": "one message"}`. Without `--token`, only programs on this computer are answered; with it, send
`Authorization: Bearer TOKEN`."""


async def _warm_up(state: WebState) -> None:
    """Read the library, for which the first page and the first query would wait: seconds for 100,000 tracks."""
    with suppress(MusicrecError, WebError):  # such as no library yet; a request says so
        await state.table_reader.run(state.track_lists.of)
        await library_names(state)


def create_app(settings: ServerSettings, *, open_recommender: Callable[[], Recommender] | None = None) -> FastAPI:
    """Return the app of a server.

    Args:
        settings: Its settings.
        open_recommender: Opens the recommender of a thread; None opens the library of the settings.
    """
    opener = open_recommender or (lambda: Recommender.open(settings.library, device=settings.device))
    metrics = Metrics()
    state = WebState(
        settings=settings,
        metrics=metrics,
        recommender=RecommenderThread(opener, name="feedback"),
        table_reader=RecommenderThread(opener, name="table"),
        slow_recommender=RecommenderThread(opener, name="sets", most=MOST_SLOW),
        background=Background(settings, count=metrics.job_ended),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Start what works in the background, and stop it."""
        try:
            async with state.background:
                warming = asyncio.ensure_future(_warm_up(state))
                yield
                warming.cancel()
        finally:
            for thread in (state.recommender, state.table_reader, state.slow_recommender):
                thread.close()

    app = FastAPI(
        title="musicrec",
        version=VERSION,
        description=_ABOUT,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=MISTAKES,
    )
    app.state.web = state
    errors.register(app)
    for router in ROUTERS:
        app.include_router(router, prefix=API)
    app.include_router(health.router)
    app.include_router(opensubsonic.router)
    app.add_exception_handler(SubsonicError, opensubsonic.answer_error)
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    app.add_middleware(Security, settings=settings, sessions=state.sessions)
    app.add_middleware(RequestShare)
    app.add_middleware(RequestLog, metrics=metrics, api=API)  # outermost: it counts what is refused, too
    return app
