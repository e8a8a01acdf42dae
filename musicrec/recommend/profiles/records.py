"""What a profile consists of, as plain dataclasses."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from musicrec.errors import ProfileError

Kind = Literal["played", "liked", "disliked", "skipped", "rated", "paired"]
"""What happened. "disliked" means "never again"; "paired" means "this works after the other recording"."""

KINDS: tuple[Kind, ...] = get_args(Kind)
_LONGEST = {"user": 200, "playlist": 500, "audio_hash": 200}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that a user did or said about a recording.

    Attributes:
        kind: What happened.
        audio_hash: The recording.
        title: How people call the recording. It is shown, and never looked up.
        rating: Stars from 1 to 5 if the kind is "rated", else None.
        after_hash: The recording that was playing or asked about before: a skip says "not after that one", and a pair
            "works after that one". None if there was none; a pair needs it.
        after_title: How people call that recording.
        at: When it happened, with a time zone. None stands for now; it is read back in UTC.
        undone_at: When the user took it back; None if it counts.
    """

    kind: Kind
    audio_hash: str
    title: str = ""
    rating: int | None = None
    after_hash: str | None = None
    after_title: str = ""
    at: datetime | None = None
    undone_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ProfileError(f"kind={self.kind!r}: no such feedback; choose from: {', '.join(KINDS)}")
        object.__setattr__(self, "audio_hash", checked("audio_hash", self.audio_hash))
        object.__setattr__(self, "title", clean(self.title))
        object.__setattr__(self, "after_title", clean(self.after_title))
        if self.after_hash is not None:
            object.__setattr__(self, "after_hash", checked("audio_hash", self.after_hash))
        elif self.kind == "paired":
            raise ProfileError(f"paired: name in after_hash what {self.title or self.audio_hash} works after")
        whole = isinstance(self.rating, int) and not isinstance(self.rating, bool)
        if self.kind == "rated" and not (whole and 1 <= (self.rating or 0) <= 5):
            raise ProfileError(f"rating={self.rating!r}: give a whole number from 1 to 5")
        if self.kind != "rated" and self.rating is not None:
            raise ProfileError(f"rating={self.rating!r}: only feedback of the kind 'rated' has one")
        _check_times(at=self.at, undone_at=self.undone_at)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A recording in a playlist: its audio hash, and its title for people."""

    audio_hash: str
    title: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "audio_hash", checked("audio_hash", self.audio_hash))
        object.__setattr__(self, "title", clean(self.title))


@dataclass(frozen=True, kw_only=True)
class Playlist:
    """A playlist of a user.

    Attributes:
        name: Its name, unique for the user.
        entries: The recordings in their order. One may occur several times.
        created_at: When it was made, in UTC.
        changed_at: When it was last changed, in UTC.
    """

    name: str
    entries: tuple[Entry, ...] = ()
    created_at: datetime
    changed_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked("playlist", self.name))
        _check_times(created_at=self.created_at, changed_at=self.changed_at)


@dataclass(frozen=True, kw_only=True)
class User:
    """A user: a unique name, and since when there is a profile, in UTC."""

    name: str
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked("user", self.name))
        _check_times(created_at=self.created_at)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Everything that is stored about a user.

    Attributes:
        user: The user.
        events: All events in the order in which they were recorded, also those that were undone.
        playlists: All playlists, by name.
    """

    user: User
    events: tuple[Event, ...] = ()
    playlists: tuple[Playlist, ...] = ()


def _check_times(**times: datetime | None) -> None:
    for name, time in times.items():
        if time is not None and time.tzinfo is None:
            raise ProfileError(f"{name}={time.isoformat()}: has no time zone; give one, as in +00:00")


def clean(text: str) -> str:
    """Return text that every database takes: without NUL, and with � for what is not Unicode (odd file names)."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def checked(what: str, value: str) -> str:
    """Return a name or hash without blanks around it.

    Two spellings of one accented letter, as different systems write them, become the same.

    Raises:
        ProfileError: It is empty or too long, or not a text.
    """
    if not isinstance(value, str):
        raise ProfileError(f"{what}={value!r}: give a text")
    value = unicodedata.normalize("NFC", clean(value)).strip()
    if not 1 <= len(value) <= _LONGEST[what]:
        problem = f"has {len(value):,} characters; the most is {_LONGEST[what]}" if value else "is empty"
        raise ProfileError(f"{what}={value[:40]!r}: {problem}")
    return value
