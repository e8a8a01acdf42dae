"""The tracks of a playlist, with what a library knows of them."""

from dataclasses import asdict, dataclass
from typing import Any

from musicrec.heads.keys import KEYS_24
from musicrec.recommend.key_relations import CAMELOT_24
from musicrec.recommend.library import Library
from musicrec.recommend.library_tracks import mix_facts, tracks_of
from musicrec.recommend.profiles.records import Playlist


@dataclass(frozen=True, kw_only=True)
class PlaylistTrack:
    """A track of a playlist; None stands for what is unknown.

    Attributes:
        place: Its place, from 1.
        audio_hash: The recording.
        name: What people call it.
        state: "present", "missing" (its file was not there), or "unknown" (the library does not hold it).
        path: Its file, None if it is unknown.
        duration_s: Length in seconds.
        bpm: Tempo in BPM.
        key: Name of the key, such as "A minor".
        camelot: Camelot code of the key, such as "8A".
        energy: From 1, calm, to 10, hard.
    """

    place: int
    audio_hash: str
    name: str
    state: str
    path: str | None = None
    duration_s: float | None = None
    bpm: float | None = None
    key: str | None = None
    camelot: str | None = None
    energy: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the track in plain JSON types, rounded."""
        digits = {"duration_s": 1, "bpm": 1, "energy": 1}
        values = asdict(self)
        return values | {name: value if value is None else round(value, digits[name]) for name, value in values.items()
                         if name in digits}  # fmt: skip


def playlist_tracks(library: Library, playlist: Playlist) -> list[PlaylistTrack]:
    """Return the tracks of a playlist.

    Args:
        library: The library.
        playlist: The playlist.
    """
    entries = playlist.entries
    found = tracks_of(library, (entry.audio_hash for entry in entries))
    tracks = []
    for place, entry in enumerate(entries, start=1):
        one = found.get(entry.audio_hash)
        if one is None:
            name = entry.title or entry.audio_hash[:8]
            tracks.append(PlaylistTrack(place=place, audio_hash=entry.audio_hash, name=name, state="unknown"))
            continue
        facts = mix_facts(library.heads, one.track)
        tracks.append(
            PlaylistTrack(
                place=place,
                audio_hash=entry.audio_hash,
                name=one.track.name,
                state="missing" if one.missing else "present",
                path=one.track.path,
                duration_s=one.track.duration_s,
                bpm=facts.bpm,
                key=None if facts.key is None else KEYS_24[facts.key],
                camelot=None if facts.key is None else CAMELOT_24[facts.key],
                energy=facts.energy,
            )
        )
    return tracks
