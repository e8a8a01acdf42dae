"""The facts of one track, such as the one that was asked about."""

import math
from dataclasses import dataclass

from musicrec.recommend.columns import Columns


@dataclass(frozen=True, kw_only=True)
class TrackFacts:
    """What is known of one track, such as the one that was asked about, in the terms of `Columns`.

    Attributes:
        bpm: Tempo in BPM; None if unknown, as for all numbers.
        key: Place of the key in `KEYS_24`.
        energy: From 1 to 10.
        loudness: In LUFS.
        year: Year of release.
        duration_s: Length in seconds.
        artist: "" if unknown, as for all texts.
        album: Name of the album.
        genre: Name of the strongest genre.
        recordings: The numbers of the recording and of those that are versions of it.
    """

    bpm: float | None = None
    key: int | None = None
    energy: float | None = None
    loudness: float | None = None
    year: int | None = None
    duration_s: float | None = None
    artist: str = ""
    album: str = ""
    genre: str = ""
    recordings: frozenset[int] = frozenset()

    @classmethod
    def of_row(cls, columns: Columns, row: int) -> "TrackFacts":
        """Return what is known of a track.

        Args:
            columns: The facts of many tracks.
            row: The row of the track.
        """
        numbers = {name: _known(float(getattr(columns, name)[row])) for name in ("bpm", "energy", "loudness")}
        key, year, recording = (int(getattr(columns, name)[row]) for name in ("key", "year", "recording"))
        return cls(
            **numbers,
            duration_s=_known(float(columns.duration_s[row])),
            key=None if key < 0 else key,
            year=None if year < 0 else year,
            artist=str(columns.artist[row]),
            album=str(columns.album[row]),
            genre=str(columns.genre[row]),
            recordings=frozenset() if recording < 0 else frozenset({recording}),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
