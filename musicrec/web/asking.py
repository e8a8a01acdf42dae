"""Queries of a server: who may ask with which track, and where the answer is computed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from musicrec.errors import AudioError, ConfigError
from musicrec.recommend.recommender import SAID_OF_TRACKS
from musicrec.recommend.track import Track
from musicrec.web.query_tasks import answer_query, names_of_library
from musicrec.web.reading import UPLOAD, check_ids, library_tracks
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
    if wanted.at_s is not None:
        uploads[wanted.tracks[0]] = await _part(state, wanted, wanted.at_s, user=user)
        asked |= {"at_s": None, "passage": wanted.passage or "best"}
    taste, processes = user if taste is None else taste, state.background.queries
    if processes is not None:
        return await processes.query(asked, uploads=uploads, user=taste)
    return await state.pool.run(
        lambda recommender: answer_query(
            recommender, asked, uploads=uploads, user=taste, profiles=state.settings.profiles
        )
    )


async def _part(state: WebState, wanted: QuerySettings, at_s: float, *, user: str) -> Track:
    """Return the part of a track by which is asked. It is decoded where all files are: not in this process."""
    if len(wanted.tracks) > 1 or wanted.towards is not None:
        raise ConfigError(f"at_s={at_s:g}: this is a place in one track; name only one, and no path")
    one = wanted.tracks[0]
    if one.startswith(UPLOAD):
        whole, file = state.uploads.track(one, user), str((await state.uploads.playable(one, user))[0])
    else:
        (whole,) = await state.table_pool.run(lambda recommender: library_tracks(recommender, state, [one]))
        file = whole.path
    try:
        part = await state.media.part(file, at_s)
    except AudioError as error:
        raise AudioError(str(error).replace(file, whole.path)) from None
    remarks = tuple(
        replace(remark, text=remark.text.replace(Path(file).name, Path(whole.path).name)) for remark in part.remarks
    )
    return replace(part, path=whole.path, remarks=remarks, **{fact: getattr(whole, fact) for fact in SAID_OF_TRACKS})


async def library_names(state: WebState) -> dict[str, list[str]]:
    """Return what weights and filters can name: "blocks", "genres" and "tags".

    Raises:
        MusicrecError: The library cannot be read.
        WebError: A process failed.
    """
    processes = state.background.queries
    return await (state.pool.run(names_of_library) if processes is None else processes.names())
