"""The tracks of the library: the table, and all that is known of one."""

import os
from dataclasses import asdict
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from musicrec.recommend.answer import collection_facts, describe, feature_texts
from musicrec.recommend.library_tracks import mix_facts
from musicrec.recommend.recommender import Recommender
from musicrec.web.opinions import opinions_of
from musicrec.web.reading import asked_tracks, stored_outline
from musicrec.web.schemas import Camelot, Opinion, Order, Sort, TrackDetails, TrackId, TrackPage, Word
from musicrec.web.state import State, User
from musicrec.web.track_list import RowFilter, facts_row
from musicrec.web.upload_names import is_upload

router = APIRouter(tags=["tracks"])

Bound = Annotated[float | None, Query(allow_inf_nan=False, ge=-1e6, le=1e6)]


@router.get("/tracks", summary="Search, filter and sort the library", response_model=TrackPage)
async def tracks(
    state: State,
    user: User,
    search: Annotated[str, Query(max_length=200, description="words of title, artist or album")] = "",
    genre: Annotated[list[Word], Query(max_length=100, description="may be repeated: one of them")] = [],  # noqa: B006
    bpm_min: Bound = None,
    bpm_max: Bound = None,
    key: Annotated[Camelot | None, Query()] = None,
    compatible_with: Annotated[Camelot | None, Query(description="keys that can be mixed with this one")] = None,
    energy_min: Bound = None,
    energy_max: Bound = None,
    opinion: Annotated[Opinion | None, Query()] = None,
    sort: Sort = "title",
    order: Order = "asc",
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> JSONResponse:
    """Return a page of the table. A fact that is unknown comes last, in either order."""

    def page(recommender: Recommender) -> dict:
        table, opinions = state.track_lists.of(recommender), opinions_of(recommender, state, user)
        rows = None
        if opinion is not None:
            named = [table.row_of.get(one, -1) for one, said in opinions.opinions.items() if said == opinion]
            rows = np.array([row for row in named if row >= 0], dtype=np.int64)
        wanted = RowFilter(
            search=search,
            genres=genre,
            bpm=(bpm_min, bpm_max),
            energy=(energy_min, energy_max),
            key=key,
            compatible_with=compatible_with,
            rows=rows,
        )
        found = table.find(wanted, sort=sort, descending=order == "desc")
        return {
            "total": len(found),
            "offset": offset,
            "tracks": table.rows(found[offset : offset + limit], opinions),
        }

    return JSONResponse(await state.table_reader.run(page))


@router.get("/tracks/{id}", summary="Return all that is known of a track", response_model=TrackDetails)
async def track(state: State, user: User, id: Annotated[TrackId, Path()]) -> dict:
    """Return the facts of a track of the library, or of an upload that has been analysed."""

    def details(recommender: Recommender) -> dict:
        library = recommender.library
        (found,) = asked_tracks(recommender, state, user, [id])
        if is_upload(id):
            row = facts_row(found, mix_facts(library.heads, found)) | {"id": id, "rating": None, "opinion": None}
            upload = state.uploads.find(id, user)
            has = {"audio": True, "peaks": upload.peaks is not None, "details": upload.details is not None}
        else:
            table = state.track_lists.of(recommender)
            audio = os.path.isfile(found.path)
            peaks = audio or stored_outline(recommender, state, id) is not None
            has = {"audio": audio, "peaks": peaks, "details": state.media.picture(id) is not None}
            (row,) = table.rows([table.row_of[id]], opinions_of(recommender, state, user))
        described = asdict(describe(library.heads, found))
        return {
            **row,
            **{name: described[name] for name in ("tag_groups", "features", "descriptors", "from_tags")},
            "path": None if is_upload(id) else found.path,
            "feature_texts": feature_texts(library.heads, found),
            "collections": collection_facts(library.listings([found.audio_hash]).get(found.audio_hash, ())),
            "remarks": [remark.text for remark in found.remarks],
            "has": has,
        }

    return await state.table_reader.run(details)
