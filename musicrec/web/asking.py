"""Queries of a server: who may ask with which track, and where the answer is computed."""

from typing import Any

from musicrec.recommend.track import Track
from musicrec.web.query_tasks import answer_query, names_of_library
from musicrec.web.reading import UPLOAD, check_ids
from musicrec.web.schemas import QuerySettings
from musicrec.web.state import WebState


async def ask(state: WebState, wanted: QuerySettings, *, user: str, taste: str | None = None) -> dict[str, Any]:
    """Answer a query as `musicrec query --json` does.

    Args:
        state: The state of the server.
        wanted: What is asked.
        user: Who asks; uploads are theirs.
        taste: Whose taste changes the order; None for that of `user`, "" for nobody's.

    Raises:
        MusicrecError: As for `answer_query`.
        WebError: There is no such track, or no such upload of this user (404).
    """
    asked = wanted.model_dump() | {
        "filters": wanted.filters.model_dump(exclude_unset=True),
        "tags": wanted.tags.model_dump(exclude_defaults=True),
    }
    named = [*wanted.tracks, *wanted.unlike, *([] if wanted.towards is None else [wanted.towards])]
    of_library = [one for one in named if not one.startswith(UPLOAD)]
    await state.table_pool.run(lambda recommender: check_ids(recommender, state, of_library))
    uploads: dict[str, Track] = {one: state.uploads.track(one, user) for one in named if one.startswith(UPLOAD)}
    taste, processes = user if taste is None else taste, state.background.queries
    if processes is not None and wanted.at_s is None:
        return await processes.query(asked, uploads=uploads, user=taste)
    # A part of a track must be analysed, for which this process keeps the models.
    return await state.pool.run(
        lambda recommender: answer_query(
            recommender, asked, uploads=uploads, user=taste, profiles=state.settings.profiles
        )
    )


async def library_names(state: WebState) -> dict[str, list[str]]:
    """Return what weights and filters can name: "blocks", "genres" and "tags".

    Raises:
        MusicrecError: The library cannot be read.
        WebError: A process failed.
    """
    processes = state.background.queries
    return await (state.pool.run(names_of_library) if processes is None else processes.names())
