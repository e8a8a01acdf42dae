"""Queries and sets of a server: who may ask with which track, and where the answer is computed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from musicrec.errors import AudioError, ConfigError
from musicrec.recommend.recommender import SAID_OF_TRACKS
from musicrec.recommend.track import Track
from musicrec.system.progress import Step
from musicrec.web import sets
from musicrec.web.errors import WebError
from musicrec.web.jobs import JobCancelled, JobControl
from musicrec.web.reading import check_ids, library_tracks
from musicrec.web.recommender_tasks import answer_query, names_of_library
from musicrec.web.schemas import QueryRequest
from musicrec.web.set_schemas import OrderRequest, SetRequest, SetTuning
from musicrec.web.state import WebState
from musicrec.web.upload_names import is_upload

_LOOK_EVERY_S = 0.5


async def ask(state: WebState, wanted: QueryRequest, *, user: str, taste: str | None = None) -> dict[str, Any]:
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
    of_library = [one for one in named if not is_upload(one)]
    await state.table_reader.run(lambda recommender: check_ids(recommender, state, of_library))
    uploads: dict[str, Track] = {one: state.uploads.track(one, user) for one in named if is_upload(one)}
    if wanted.at_s is not None:
        uploads[wanted.tracks[0]] = await _part(state, wanted, wanted.at_s, user=user)
        asked |= {"at_s": None, "passage": wanted.passage or "best"}
    taste, processes = user if taste is None else taste, state.background.processes
    if processes is not None:
        return await processes.query(asked, uploads=uploads, user=taste)
    return await state.recommender.run(
        lambda recommender: answer_query(
            recommender, asked, uploads=uploads, user=taste, profiles=state.settings.profiles
        )
    )


async def _part(state: WebState, wanted: QueryRequest, at_s: float, *, user: str) -> Track:
    """Return the part of a track by which is asked. It is decoded where all files are: not in this process."""
    if len(wanted.tracks) > 1 or wanted.towards is not None:
        raise ConfigError(f"at_s={at_s:g}: this is a place in one track; name only one, and no path")
    one = wanted.tracks[0]
    if is_upload(one):
        whole, file = state.uploads.track(one, user), str((await state.uploads.playable(one, user))[0])
    else:
        (whole,) = await state.table_reader.run(lambda recommender: library_tracks(recommender, state, [one]))
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
    processes = state.background.processes
    return await (state.recommender.run(names_of_library) if processes is None else processes.names())


async def build_set(
    state: WebState, wanted: SetRequest, *, user: str, hung_up: Callable[[], Awaitable[bool]]
) -> dict[str, Any]:
    """Build a set; see `sets.build`.

    Args:
        state: The state of the server.
        wanted: What is asked.
        user: Who asks.
        hung_up: Says whether nobody waits for it any longer, which ends it.

    Raises:
        MusicrecError: As for `sets.build`.
        WebError: There is no such track (404), or nobody waits any longer.
    """
    ids = [wanted.start, *([] if wanted.end is None else [wanted.end]), *wanted.locked.values()]
    await state.table_reader.run(lambda recommender: check_ids(recommender, state, ids))
    asked = wanted.model_dump() | {"settings": _tuning(wanted.settings)}
    control, ended = JobControl(), threading.Event()

    def end_if_unwanted(step: Step) -> None:
        if ended.is_set():
            raise WebError(408, "nobody waits for this set any longer")

    if (processes := state.background.processes) is not None:
        work = asyncio.ensure_future(processes.build_set(asked, user=user, control=control))
    else:
        work = asyncio.ensure_future(
            state.slow_recommender.run(
                lambda recommender: sets.build(
                    recommender, asked, user=user, profiles=state.settings.profiles, progress=end_if_unwanted
                )
            )
        )
    while not (await asyncio.wait({work}, timeout=_LOOK_EVERY_S))[0]:
        if await hung_up():
            control.cancelled.set()
            ended.set()
    try:
        return work.result()
    except JobCancelled:
        raise WebError(408, "nobody waits for this set any longer") from None


async def explain_set(state: WebState, wanted: OrderRequest) -> dict[str, Any]:
    """Explain a set in a given order; see `sets.explain`.

    Raises:
        MusicrecError: As for `sets.explain`.
        WebError: There is no such track (404).
    """
    await state.table_reader.run(lambda recommender: check_ids(recommender, state, wanted.tracks))
    asked = wanted.model_dump() | {"settings": _tuning(wanted.settings)}
    if (processes := state.background.processes) is not None:
        return await processes.explain_set(asked)
    return await state.slow_recommender.run(lambda recommender: sets.explain(recommender, asked))


def _tuning(tuning: SetTuning) -> dict[str, Any]:
    return tuning.model_dump(exclude_defaults=True)
