"""Answers in the form of OpenSubsonic, as JSON or XML.

The extension "sonicSimilarity" is described at https://opensubsonic.netlify.app/docs/extensions/sonicsimilarity/.
"""

import mimetypes
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any
from xml.etree import ElementTree

from fastapi.responses import JSONResponse, Response

from musicrec.interchange.output_files import NOT_IN_XML
from musicrec.system.version import VERSION
from musicrec.web.errors import printable

PROTOCOL = "1.16.1"
NAMESPACE = "http://subsonic.org/restapi"
MISSING, WRONG_LOGIN, NO_TOKEN_LOGIN, CONFLICTING, WRONG_KEY, FORBIDDEN, NOT_FOUND = 10, 40, 41, 43, 44, 50, 70
GENERIC = 0
EXTENSIONS = [{"name": "apiKeyAuthentication", "versions": [1]}, {"name": "sonicSimilarity", "versions": [1]}]


class SubsonicError(Exception):
    """A request of a player that cannot be answered.

    Args:
        code: One of OpenSubsonic's codes.
        message: One message for the user.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def respond(content: Mapping[str, Any], form: str) -> Response:
    """Return an answer.

    Args:
        content: What is asked for; values are lists of mappings, or mappings.
        form: "json" or "xml".
    """
    return _respond({"status": "ok"}, content, form)


def respond_error(error: SubsonicError, form: str) -> Response:
    """Return an answer that says what is wrong. Players want the HTTP status 200 even then."""
    return _respond({"status": "failed"}, {"error": {"code": error.code, "message": printable(error.message)}}, form)


def _respond(status: Mapping[str, Any], content: Mapping[str, Any], form: str) -> Response:
    head = {**status, "version": PROTOCOL, "type": "musicrec", "serverVersion": VERSION, "openSubsonic": True}
    if form == "json":
        return JSONResponse({"subsonic-response": {**head, **content}})
    root = ElementTree.Element("subsonic-response", {"xmlns": NAMESPACE} | _attributes(head))
    _add(root, content)
    text = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(text, media_type="text/xml; charset=utf-8")


def song(row: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a row of the table of tracks as OpenSubsonic's "Child".

    Args:
        row: The row.
        path: Its file, of which only the name is told.
    """
    name = PurePath(path).name
    known = {
        "album": row["album"],
        "artist": row["artist"],
        "year": row["year"],
        "genre": row["genre"],
        "duration": None if row["duration_s"] is None else round(row["duration_s"]),
        "bpm": None if row["bpm"] is None else round(row["bpm"]),
        "userRating": row["rating"],
        "suffix": PurePath(name).suffix.removeprefix(".").lower() or None,
        "contentType": mimetypes.guess_type(name)[0],
    }
    facts = {"id": row["id"], "isDir": False, "title": row["title"], "isVideo": False, "type": "music", "path": name}
    return facts | {key: value for key, value in known.items() if value is not None}


def _add(parent: ElementTree.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            inside = {key: item for key, item in one.items() if isinstance(item, (dict, list))}
            plain = {key: item for key, item in one.items() if key not in inside}
            element = ElementTree.SubElement(parent, name, _attributes(plain))
            for key, item in inside.items():
                if isinstance(item, list) and not any(isinstance(part, dict) for part in item):
                    for part in item:
                        ElementTree.SubElement(element, key).text = str(part)
                else:
                    _add(element, {key: item})


def _attributes(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else _clean(str(value)) for name, value in values.items()
    }


def _clean(text: str) -> str:
    """Return text without what XML cannot hold."""
    return NOT_IN_XML.sub("�", text)
