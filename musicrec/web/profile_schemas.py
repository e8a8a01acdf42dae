"""People, what they say of tracks, playlists and exports, as the API takes and answers them."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from musicrec.web.pins import LEAST_PIN, LONGEST_PIN
from musicrec.web.schemas import MOST_TRACKS, Strict, TrackId, TrackRow

_TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # kinds of characters that change direction


def _in_one_line(name: str) -> str:
    """Refuse what begins a new line, and other control characters; no path leads to a playlist with a line break."""
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in name):
        raise ValueError("control characters cannot be part of a name")
    return name


def _in_one_direction(name: str) -> str:
    """Refuse what changes the order of the letters around it on the page."""
    if any(unicodedata.bidirectional(char) in _TURNS for char in name):
        raise ValueError("control characters cannot be part of a name")
    return name


def _not_a_step(name: str) -> str:
    """Refuse what browsers take for a step in a path; a playlist of such a name could never be opened again."""
    if name in (".", ".."):
        raise ValueError("choose another name")
    return name


UserName = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
PlaylistName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300, strip_whitespace=True),
    AfterValidator(_not_a_step),
]
NewPlaylistName = Annotated[PlaylistName, AfterValidator(_in_one_line)]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class SignIn(Strict):
    """Who uses the page from now on."""

    user: UserName
    pin: str | None = Field(None, max_length=LONGEST_PIN)


class NewUser(Strict):
    """Somebody new."""

    name: Annotated[UserName, AfterValidator(_in_one_line), AfterValidator(_in_one_direction)]
    pin: str = Field(min_length=LEAST_PIN, max_length=LONGEST_PIN)


class Said(Strict):
    """What somebody says of a track of the library."""

    kind: Literal["like", "dislike", "rate", "skip", "pair", "played"]
    track: TrackId
    stars: int | None = Field(None, ge=1, le=5, description="for rate")
    after: TrackId | None = Field(None, description="for skip: what was playing or asked about before")
    then: TrackId | None = Field(None, description="for pair: what works after the track")


class EventFacts(BaseModel):
    """What somebody said."""

    kind: Literal["liked", "disliked", "rated", "skipped", "paired", "played"]
    track: str
    title: str
    rating: int | None
    after: str | None
    after_title: str
    at: str | None = Field(description="in UTC")
    undone_at: str | None = Field(description="null if it counts")


class Events(BaseModel):
    """What was said, the last first."""

    events: list[EventFacts]


class Undone(BaseModel):
    """What was taken back; empty if there was nothing."""

    undone: list[EventFacts]


class PlaylistFacts(BaseModel):
    """A playlist in a list."""

    name: str
    tracks: int
    changed: str = Field(description="in UTC")


class PlaylistRow(TrackRow):
    """A track of a playlist."""

    place: int = Field(description="from 1")
    available: bool = Field(description="whether its file is there")


class PlaylistContent(BaseModel):
    """A playlist with its tracks."""

    name: str
    tracks: list[PlaylistRow]


class NewPlaylist(Strict):
    """A playlist to be made."""

    name: NewPlaylistName
    tracks: list[TrackId] = Field([], max_length=MOST_TRACKS)


class PlaylistChange(Strict):
    """What is changed in a playlist; null stays as it is."""

    name: NewPlaylistName | None = None
    tracks: list[TrackId] | None = Field(None, max_length=MOST_TRACKS, description="all tracks in their new order")


class AddedTracks(Strict):
    """Tracks to be added to a playlist, which is made if there is none of this name."""

    tracks: list[TrackId] = Field(min_length=1, max_length=MOST_TRACKS)
    at: int | None = Field(None, ge=1, le=1_000_000, description="place of the first one; the end without it")


class ContinueRequest(Strict):
    """How many tracks should go on after a playlist."""

    k: int = Field(10, ge=1, le=100)


class ExportRequest(Strict):
    """What is written into a file. Without tracks and playlist, the whole library."""

    tracks: list[TrackId] | None = Field(None, min_length=1, max_length=MOST_TRACKS)
    playlist: PlaylistName | None = None
    format: Literal["rekordbox", "traktor", "m3u8", "csv", "json"]
    key_notation: Literal["camelot", "open_key", "musical"] = "camelot"
    name: FileName | None = Field(None, description="name of the playlist in the file, and of the file")
