"""Uploads: files that are asked about and are not in the library."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from musicrec.web.errors import WebError
from musicrec.web.job_schemas import JobFacts, UploadFacts
from musicrec.web.schemas import TrackId
from musicrec.web.state import State, User

router = APIRouter(tags=["uploads"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "the bytes of an audio file",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", summary="Send a file to ask with", status_code=202, openapi_extra=_BODY)
async def upload(
    request: Request,
    state: State,
    user: User,
    name: Annotated[str, Query(max_length=4096, description="name of the file, to be shown")] = "",
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
) -> UploadFacts:
    """Send a file; it is analysed by a job, and never enters the library.

    When the job is done, the id can be used wherever a track is named: `/tracks/{id}`, `/query` and the like. It is
    removed an hour after it was last used.
    """
    try:
        received = await state.uploads.receive(name, request.stream(), owner=user, stated_bytes=content_length)
    except ClientDisconnect:
        raise WebError(400, "the upload was cut off; nothing of it was kept") from None
    return UploadFacts(id=received.id, name=received.name, job=JobFacts(**received.job.as_dict()))


@router.delete("/uploads/{upload}", summary="Remove an upload", status_code=204)
async def delete_upload(upload: TrackId, state: State, user: User) -> Response:
    """Remove an upload, and stop its analysis."""
    state.uploads.delete(upload, user)
    return Response(status_code=204)
