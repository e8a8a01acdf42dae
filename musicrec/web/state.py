"""What the endpoints share. They get it with the type `State`, and the user with the type `User`.

Functions that endpoints depend on are `async`, also those that wait for nothing: FastAPI calls others in a thread,
where jobs, uploads and the like must not be used.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from musicrec.web.background import Background
from musicrec.web.errors import WebError
from musicrec.web.jobs import Jobs
from musicrec.web.map import TrackMaps
from musicrec.web.media import Media
from musicrec.web.metrics import Metrics
from musicrec.web.opinion_cache import OpinionCache
from musicrec.web.pins import Attempts
from musicrec.web.recommender_thread import RecommenderThread
from musicrec.web.sessions import Session, Sessions
from musicrec.web.settings import ServerSettings
from musicrec.web.track_list import TrackLists
from musicrec.web.uploads import Uploads

USUAL_USER = "me"


@dataclass(kw_only=True)
class WebState:
    """What the endpoints share.

    Attributes:
        settings: Settings of the server.
        recommender: Answers questions to the recommender: what users say, and queries if there is no process for them.
        table_reader: Answers those that take milliseconds, as they come with every letter that is typed. They need not
            wait for queries.
        slow_recommender: Answers those that take seconds. No other needs to wait for them.
        background: Jobs, uploads, and what is played and drawn; it works while the server answers.
        track_lists: The library as a table.
        library_facts: Version of the library, and what GET /library answers for it.
        maps: The map of the library.
        opinions: What users think of the tracks.
        attempts: Wrong PINs.
        sessions: Who uses the page.
        metrics: What Prometheus reads.
    """

    settings: ServerSettings
    recommender: RecommenderThread
    table_reader: RecommenderThread
    slow_recommender: RecommenderThread
    background: Background
    track_lists: TrackLists = field(default_factory=TrackLists)
    library_facts: tuple[Hashable, dict[str, Any]] | None = None
    maps: TrackMaps = field(default_factory=TrackMaps)
    opinions: OpinionCache = field(default_factory=OpinionCache)
    attempts: Attempts = field(default_factory=Attempts)
    sessions: Sessions = field(default_factory=Sessions)
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def jobs(self) -> Jobs:
        """Work that takes longer than an answer may."""
        return self.background.jobs

    @property
    def uploads(self) -> Uploads:
        """Files that are asked about and are not in the library."""
        return self.background.uploads

    @property
    def media(self) -> Media:
        """What is played and drawn of tracks of the library."""
        return self.background.media


async def _state(request: Request) -> WebState:
    return request.app.state.web


State = Annotated[WebState, Depends(_state)]
"""An argument of an endpoint that gets the `WebState`."""


def session_of(request: Request) -> Session | None:
    """Return the session of a request, which `security` has found by its cookie."""
    return request.scope.get("musicrec.session")


async def _user(request: Request, state: State) -> str:
    if not state.settings.users:
        return USUAL_USER
    session = session_of(request)
    if session is None or session.user is None:
        raise WebError(401, "nobody is signed in; choose your name and give your PIN (POST /api/v1/session)")
    return session.user


User = Annotated[str, Depends(_user)]
"""An argument of an endpoint that gets the name of who asks; without a name, the answer is 401."""
