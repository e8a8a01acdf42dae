"""A profile as one JSON document, out and in."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from musicrec.errors import ProfileError
from musicrec.recommend.profiles.records import Profile

FORMAT, VERSION = "musicrec profile", 1


def to_document(profile: Profile) -> dict[str, Any]:
    """Return everything about a user in plain JSON types; times are texts in ISO 8601."""
    return {"format": FORMAT, "version": VERSION, **TypeAdapter(Profile).dump_python(profile, mode="json")}


def from_document(document: Any) -> Profile:
    """Return the profile in a document.

    Raises:
        ProfileError: It is no profile, or of a newer version, or a value is invalid; the message names the place.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ProfileError("not a profile of musicrec; give what `export_user` returned")
    version = document.get("version")
    if version != VERSION:
        raise ProfileError(f"a profile of version {version!r}; this version of musicrec reads version {VERSION}")
    content = {name: value for name, value in document.items() if name not in ("format", "version")}
    try:
        return TypeAdapter(Profile).validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ProfileError(f"the profile cannot be read: {place}: {first['msg']}") from None
