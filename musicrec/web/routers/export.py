"""Files for DJ programs, players and spreadsheets."""

import re
import tempfile
import unicodedata
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Response

from musicrec.errors import ConfigError, PlaylistError
from musicrec.recommend.recommender import Recommender
from musicrec.web.profile_schemas import ExportRequest
from musicrec.web.reading import check_ids
from musicrec.web.state import State, User

router = APIRouter(tags=["export"])

_KINDS = {
    "rekordbox": (".xml", "application/xml"),
    "traktor": (".nml", "application/xml"),
    "m3u8": (".m3u8", "audio/x-mpegurl; charset=utf-8"),
    "csv": (".csv", "text/csv; charset=utf-8"),
    "json": (".json", "application/json"),
}
_LONGEST_NAME = 100


@router.post(
    "/export",
    summary="Write tracks for other programs",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for _, kind in _KINDS.values()}}},
)
async def export(state: State, user: User, asked: ExportRequest) -> Response:
    """Return the file that `musicrec export` writes, with the stars of the user."""
    if asked.tracks is not None and asked.playlist is not None:
        raise ConfigError("give tracks or a playlist, not both")
    suffix, kind = _KINDS[asked.format]
    name = asked.name or asked.playlist or "musicrec"

    def written(recommender: Recommender) -> bytes:
        with recommender.feedback(user, profiles=state.settings.profiles, read_only=True) as feedback:
            tracks, ratings = asked.tracks, feedback.ratings()
            if asked.playlist is not None:
                tracks = [entry.audio_hash for entry in feedback.playlists.get(asked.playlist).entries]
        if asked.tracks is not None:
            check_ids(recommender, state, asked.tracks)
        with tempfile.TemporaryDirectory(dir=state.background.exports) as folder:
            file = Path(folder) / f"musicrec{suffix}"
            try:
                recommender.export(
                    file, tracks, name=name if tracks is not None else None, key_notation=asked.key_notation,
                    ratings=ratings,
                )  # fmt: skip
            except PlaylistError as error:
                raise PlaylistError(str(error).replace(str(file), file.name)) from None
            return file.read_bytes()

    content = await state.slow_recommender.run(written)
    return Response(content, media_type=kind, headers={"Content-Disposition": attachment(f"{file_name(name)}{suffix}")})


def file_name(name: str) -> str:
    """Return a name that every system takes as that of a file."""
    seen = "".join(one for one in name if unicodedata.category(one) != "Cf")  # they can hide what its suffix is
    plain = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]+', "_", seen).strip(" .")
    return plain[:_LONGEST_NAME] or "musicrec"


def attachment(name: str) -> str:
    """Return the header by which a browser saves an answer as a file of this name."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
