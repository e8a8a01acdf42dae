"""Beat times as they are written in a manifest: "0.480/4 0.960/1", the time in seconds and the place in the bar."""

import math
from collections.abc import Sequence

import numpy as np

from musicrec.errors import ManifestError


def parse_beats(cell: str | Sequence[str] | None) -> list[tuple[float, float]] | None:
    """Read the beats of a track.

    Args:
        cell: Beats in increasing order, separated by spaces: a time in seconds, and after a slash the place of the beat
            in its bar, 1 for a downbeat. Without the place, it is not known which beats are downbeats.

    Returns:
        (time in seconds, 1 for a downbeat, 0 for another beat, NaN if that is not known) of each beat; None where the
        cell is empty.

    Raises:
        ManifestError: The cell cannot be read. The message names neither file nor column.
    """
    if cell is None or not str(cell).strip():
        return None
    beats: list[tuple[float, float]] = []
    for word in str(cell).split():
        time, slash, place = word.partition("/")
        try:
            beat = float(time), float(int(place) == 1) if slash else math.nan
        except ValueError:
            beat = math.nan, math.nan
        if not 0 <= beat[0] < math.inf or (slash and int(place) < 1) or (beats and beat[0] <= beats[-1][0]):
            raise ManifestError(
                f"{word!r}, expected increasing times in seconds from 0 on, with or without the place in the bar, such "
                "as 0.480/4 0.960/1, or an empty cell"
            )
        beats.append(beat)
    return beats


def write_beats(times_s: Sequence[float], places: Sequence[int] | None) -> str:
    """Return beats as `parse_beats` reads them, to a millisecond.

    Args:
        times_s: Times in seconds, increasing.
        places: The place of each beat in its bar, from 1; None if that is not known.
    """
    if places is None:
        return " ".join(f"{time:.3f}" for time in times_s)
    return " ".join(f"{time:.3f}/{place}" for time, place in zip(times_s, places, strict=True))


def steady_beats(*, bpm: float, beats_per_bar: int, before_s: float = 0.0, duration_s: float) -> str:
    """Return the beats of a part of a piece that keeps its tempo and begins with a downbeat.

    Args:
        bpm: Tempo in beats per minute.
        beats_per_bar: Beats per bar.
        before_s: Seconds of the piece before the part.
        duration_s: Seconds of the part.
    """
    numbers = np.arange(np.ceil(before_s * bpm / 60 - 1e-9), np.ceil((before_s + duration_s) * bpm / 60 - 1e-9))
    times_s, places = (numbers * 60 / bpm - before_s).clip(min=0), (numbers % beats_per_bar + 1).astype(int)
    return write_beats(times_s.tolist(), places.tolist())
