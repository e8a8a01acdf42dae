"""Collections that the tests write and read."""

import random
from datetime import date

from musicrec.interchange.collection import (
    Collection,
    CollectionPlaylist,
    CollectionTrack,
    Cue,
    GridPoint,
    PlaylistFolder,
)

# Names that have broken programs: every one is a file name that Linux, and most of them one that macOS, allows.
NAMES = [
    "plain.mp3",
    " two  blanks .mp3",
    "#1 hit.mp3",
    "100% [x] +1; a=b & c.mp3",
    "%41%zz.mp3",
    'it\'s "quoted" <b>.mp3',
    "Café é.mp3",
    "Cafe\u0301 e\u0301.mp3",  # the same accents as two characters
    "Motörhead – Überß.flac",
    "日本語 🎧.wav",
    "12:30 a.m.mp3",
    ":a:.mp3",
    "back\\slash.mp3",
    "http:x.mp3",
    "@formula, =1+1.mp3",
    "~tilde$`|?*.mp3",
    "\u2028line\u0085.mp3",
    "-1.mp3",
]
FOLDERS = ["/Users/me/Music", "/Volumes/USB & Co/Sets", "/home/me/Müsik #1", "C:/Users/me/My Music", "//nas/share/a b"]


def names(*, seed: int, count: int) -> list[str]:
    """Return file names of random characters that a file system and XML both allow."""
    draw = random.Random(seed)
    ranges = [(0x20, 0x7E)] * 6 + [(0xA1, 0x17F), (0x300, 0x36F), (0x4E00, 0x4E40), (0x1F300, 0x1F5FF)]
    found = []
    for _ in range(count):
        letters = [chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randint(1, 20))]
        found.append("".join(letters).replace("/", "_") + ".mp3")
    return found


def full_collection() -> Collection:
    """Return a collection in which every field occurs, with values that all formats hold exactly."""
    paths = [f"{folder}/{name}" for folder in FOLDERS for name in NAMES if "\\" not in name or folder[0] == "/"]
    paths = [path for path in paths if not (path.startswith(("C:", "//")) and ":" in path[3:])]
    tracks = [CollectionTrack(path=path, title=path[-12:], artist=f"Artist {i}") for i, path in enumerate(paths)]
    tracks[0] = CollectionTrack(
        path=paths[0],
        title="A & B <\"c\"> 'd'\n2nd line\tend",
        artist="Ä. É.",
        album="Album; 1, 2",
        genre="House / Techno",
        year=1999,
        duration_s=301.0,
        bpm=127.97,
        key="Am",
        rating=3,
        comment="=1+1",
        cues=(
            Cue(position_s=0.5, name="Intro", hot_cue=0),
            Cue(position_s=10.25, kind="fade_in"),
            Cue(position_s=60.125, kind="loop", name="L", hot_cue=7, loop_s=7.5),
            Cue(position_s=200.0, kind="fade_out"),
            Cue(position_s=0.0, kind="load"),
        ),
        beat_grid=(GridPoint(position_s=0.025, bpm=127.97), GridPoint(position_s=100.0, bpm=128.5)),
        play_count=12,
        date_added=date(2024, 2, 29),
        last_played=date(2026, 11, 3),
    )
    for stars in range(6):
        tracks[1 + stars] = CollectionTrack(path=paths[1 + stars], rating=stars, play_count=0)
    playlists = (
        PlaylistFolder(
            name="Folder & Co",
            children=(
                CollectionPlaylist(name="Twice", tracks=(0, 3, 0)),
                PlaylistFolder(name="Inside", children=(CollectionPlaylist(name="Empty"),)),
                PlaylistFolder(name="No playlists"),
            ),
        ),
        CollectionPlaylist(name="All of <them> & more", tracks=tuple(range(len(tracks)))),
    )
    return Collection(tracks=tuple(tracks), playlists=playlists)
