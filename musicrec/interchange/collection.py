"""The common model of the collections of DJ programs: tracks with cues and beat grids, and a tree of playlists.

A reader fills in what its format has; everything else is None or empty. Positions are seconds from the beginning of the
audio as the program that wrote the file counts them. Programs skip different amounts of padding of an MP3, so the same
position can be some 26 ms apart in two of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from musicrec.interchange.key_notation import parse_key_class

CueKind = Literal["cue", "fade_in", "fade_out", "load", "grid", "loop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """A marked position.

    Attributes:
        position_s: Seconds from the beginning.
        kind: What it marks; "grid" is a point of the beat grid that is also a hot cue.
        name: Its name, None if it has none.
        hot_cue: Number of its button from 0, None for a memory cue.
        loop_s: Length of a loop in seconds, None where it does not end.
        colour: (red, green, blue) from 0 to 255.
    """

    position_s: float
    kind: CueKind = "cue"
    name: str | None = None
    hot_cue: int | None = None
    loop_s: float | None = None
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GridPoint:
    """A beat from which on beats come at an even distance, until the next point.

    Attributes:
        position_s: Seconds from the beginning.
        bpm: Tempo from here on.
        beat: Which beat of the bar it is, from 1.
        metre: Beats of a bar, such as "4/4".
    """

    position_s: float
    bpm: float
    beat: int = 1
    metre: str = "4/4"


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionTrack:
    """A track of a collection.

    Attributes:
        path: The file, with "/" between folders; "" if it is no file, as in a streaming service. Paths of Windows begin
            with a drive ("C:/Music/a.mp3") or with "//server/share".
        title: Title.
        artist: Artist.
        album: Album.
        genre: Genre.
        year: Year of release.
        duration_s: Length in seconds.
        bpm: Tempo.
        key: Musical key as the collection writes it, such as "Am", "8A" or "1m".
        key_class: The same as a position in `musicrec.heads.keys.KEYS_24`; from `key` unless it is given.
        rating: 0 to 5 stars.
        comment: Comment.
        cues: Cues and loops, in the order of the file.
        beat_grid: Points of the beat grid. The first one is the first beat.
        play_count: How often it was played.
        date_added: When it was added to the collection.
        last_played: When it was last played.
        source: {"program.attribute": text} of what this model has no place for, such as "rekordbox.TrackID". The writer
            of the same program writes it again.
    """

    path: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    genre: str | None = None
    year: int | None = None
    duration_s: float | None = None
    bpm: float | None = None
    key: str | None = None
    key_class: int | None = None
    rating: int | None = None
    comment: str | None = None
    cues: tuple[Cue, ...] = ()
    beat_grid: tuple[GridPoint, ...] = ()
    play_count: int | None = None
    date_added: date | None = None
    last_played: date | None = None
    source: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.key_class is None and self.key is not None:
            object.__setattr__(self, "key_class", parse_key_class(self.key))


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionPlaylist:
    """A playlist.

    Attributes:
        name: Its name.
        tracks: Positions in `Collection.tracks`, in the order of the playlist; a track may come twice.
        missing: Entries that name no track of the collection, as the file writes them.
    """

    name: str
    tracks: tuple[int, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaylistFolder:
    """A folder of playlists.

    Attributes:
        name: Its name.
        children: Playlists and folders in it.
    """

    name: str
    children: "tuple[CollectionPlaylist | PlaylistFolder, ...]" = ()


@dataclass(frozen=True, kw_only=True)
class Collection:
    """The collection of a DJ program.

    Attributes:
        tracks: All tracks.
        playlists: Playlists and folders at the top.
        program: What wrote the file, such as "rekordbox 7.0.9".
        problems: Values that could not be understood and were left out, with their lines.
    """

    tracks: tuple[CollectionTrack, ...] = ()
    playlists: tuple[CollectionPlaylist | PlaylistFolder, ...] = ()
    program: str | None = None
    problems: tuple[str, ...] = ()

    def every_playlist(self) -> Iterator[tuple[tuple[str, ...], CollectionPlaylist]]:
        """Yield the names of the folders above each playlist, and the playlist."""
        waiting: list[tuple[tuple[str, ...], CollectionPlaylist | PlaylistFolder]] = [
            ((), it) for it in self.playlists[::-1]
        ]
        while waiting:
            above, item = waiting.pop()
            if isinstance(item, CollectionPlaylist):
                yield above, item
            else:
                waiting.extend(((*above, item.name), child) for child in item.children[::-1])
