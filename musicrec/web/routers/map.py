"""The map of the library."""

import asyncio

import numpy as np
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from musicrec.recommend.recommender import Recommender
from musicrec.web.map import place_tracks
from musicrec.web.state import State, User
from musicrec.web.track_list import TrackList

router = APIRouter(tags=["map"])

_DIGITS = 4


class MapFacts(BaseModel):
    """Where tracks lie: what sounds alike is near."""

    ids: list[str]
    x: list[float] = Field(description="from 0 to 1")
    y: list[float] = Field(description="from 0 to 1")
    genre: list[int] = Field(description="place of the genre in genres; -1 if unknown")
    genres: list[str] = Field(description="the most frequent first")


@router.get("/map", summary="Return a map of the library", response_model=MapFacts)
async def track_map(state: State, user: User) -> Response:
    """Return a place in two dimensions for each track. The first time after a change takes seconds."""

    def sounds(recommender: Recommender) -> tuple:
        library = recommender.library
        with library.one_state():
            version, tracks = library.version(), state.track_lists.of(recommender)
            if state.maps.known(version) is not None:
                return version, tracks, None
            return version, tracks, recommender.library_index.everything().columns.vectors

    async with state.maps.turn:
        version, tracks, vectors = await state.slow_recommender.run(sounds)
        if vectors is not None:
            state.maps.keep(version, await asyncio.to_thread(_drawn, vectors, tracks))
        return Response(state.maps.known(version), media_type="application/json")


def _drawn(vectors: np.ndarray, tracks: TrackList) -> bytes:
    return bytes(JSONResponse(_facts(place_tracks(vectors), tracks)).body)


def _facts(places: np.ndarray, tracks: TrackList) -> dict:
    names = [name for name, _ in tracks.genre_counts]
    numbers = {name: number for number, name in enumerate(names)}
    x, y = np.round(places.T.astype(float), _DIGITS).tolist()
    return {
        "ids": tracks.hashes,
        "x": x,
        "y": y,
        "genre": [numbers.get(genre, -1) for genre in tracks.genres],
        "genres": names,
    }
