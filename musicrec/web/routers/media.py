"""What is played and drawn of a track: of one of the library, or of an upload."""

import asyncio
from pathlib import Path as FilePath
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response

from musicrec.web.errors import WebError
from musicrec.web.job_schemas import DetailsFacts, JobFacts, PeaksFacts
from musicrec.web.media import Outline, Picture, existing_file
from musicrec.web.reading import path_of, stored_outline
from musicrec.web.schemas import TrackId
from musicrec.web.state import State, User, WebState
from musicrec.web.upload_names import is_upload

router = APIRouter(tags=["media"])

_FOR_A_WHILE: dict[str, str] = {"cache-control": "private, max-age=3600"}
_AUDIO: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/*": {}}},
    206: {"description": "the part that the header Range asks for"},
    416: {"description": "the audio has no such part"},
}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
_NOT_YET = "this has not been computed yet; start it with POST to details"

Track = Annotated[TrackId, Path(alias="id")]


@router.get("/tracks/{id}/audio", summary="Return the audio of a track", response_class=FileResponse, responses=_AUDIO)
@router.head("/tracks/{id}/audio", include_in_schema=False)
async def get_audio(
    track: Track,
    state: State,
    user: User,
    preview: Annotated[bool, Query(description="an MP3, for a browser that does not play the format")] = False,
) -> FileResponse:
    """Return the audio of a track: its file, or an MP3 of it if browsers do not play it. Ranges are answered.

    An upload is kept in one format only, whatever `preview` says.
    """
    if is_upload(track):
        file, headers = existing_file(*await state.uploads.playable(track, user)), dict[str, str]()
    else:
        file, headers = await state.media.audio(track, await _path_of(state, track), as_mp3=preview), _FOR_A_WHILE
    return FileResponse(file.path, media_type=file.media_type, stat_result=file.facts, headers=headers)


@router.get("/tracks/{id}/peaks", summary="Return the outline of a waveform")
async def get_peaks(track: Track, state: State, user: User, response: Response) -> PeaksFacts:
    """Return the outline of the waveform of a track."""
    if is_upload(track):
        upload = state.uploads.find(track, user)
        assert upload.peaks is not None and upload.track is not None
        outline = Outline(duration_s=upload.track.duration_s, peaks=upload.peaks)
    else:
        stored = await state.recommender.run(lambda recommender: stored_outline(recommender, state, track))
        outline = stored or await state.media.outline(track, await _existing_path_of(state, track))
        response.headers.update(_FOR_A_WHILE)
    peaks = np.round(outline.peaks / 255, 3).tolist()
    return PeaksFacts(duration_s=round(outline.duration_s, 3), peaks=peaks)


@router.post("/tracks/{id}/details", summary="Measure a track over time", status_code=202)
async def compute_details(track: Track, state: State, user: User) -> JobFacts:
    """Compute spectrogram, curves and predictions over time of a track. Those of uploads are there already."""
    if is_upload(track):
        state.uploads.find(track, user)
        return JobFacts(**state.jobs.finished("details", owner=user, track=track).as_dict())
    path = await _existing_path_of(state, track)
    return JobFacts(**state.media.look(track, path, owner=user).as_dict())


@router.get("/tracks/{id}/details", summary="Return how a track develops")
async def get_details(track: Track, state: State, user: User) -> DetailsFacts:
    """Return curves and predictions over time of a track; 404 until they are computed."""
    return DetailsFacts(**_picture(state, track, user).details)


@router.get(
    "/tracks/{id}/spectrogram.png",
    summary="Return the mel spectrogram of a track",
    response_class=Response,
    responses=_PNG,
)
async def get_spectrogram(track: Track, state: State, user: User) -> Response:
    """Return the mel spectrogram of a track, 1200 by 128 points, in dB; 404 until it is computed."""
    headers = {} if is_upload(track) else _FOR_A_WHILE
    return Response(_picture(state, track, user).spectrogram, media_type="image/png", headers=headers)


def _picture(state: WebState, track: str, user: str) -> Picture:
    if is_upload(track):
        upload = state.uploads.find(track, user)
        assert upload.details is not None
        return Picture(details=upload.details, spectrogram=upload.spectrogram)
    picture = state.media.picture(track)
    if picture is None:
        raise WebError(404, _NOT_YET)
    return picture


async def _path_of(state: WebState, track: str) -> str:
    """Return the file of a track of the library.

    Raises:
        WebError: The library has no such track (404).
    """
    return await state.table_reader.run(lambda recommender: path_of(recommender, state, track))


async def _existing_path_of(state: WebState, track: str) -> str:
    """Return the file of a track of the library, which is there.

    Raises:
        WebError: The library has no such track, or its file is not there (404).
    """
    path = await _path_of(state, track)
    await asyncio.to_thread(existing_file, FilePath(path), "")
    return path
