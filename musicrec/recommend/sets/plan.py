"""What is fixed about a set before the search: its length, which rows may stand where, and the energy curve."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A set with a number of tracks.

    Attributes:
        columns: The facts of all tracks.
        tracks: Number of tracks of the set, 2 or more.
        locked: {place from 0: row}; place 0, the start, is always there.
        eligible: (rows,) bool, the rows that may fill the other places: not banned, not locked, and one per recording.
        targets: (tracks,) the wanted energy of each place; NaN without a curve.
    """

    columns: Columns
    tracks: int
    locked: Mapping[int, int]
    eligible: np.ndarray
    targets: np.ndarray

    def step(self, place: int) -> float:
        """Return how much the wanted energy changes from the place before; 0 without a curve."""
        return float(np.nan_to_num(self.targets[place] - self.targets[place - 1]))

    def next_locked(self, place: int) -> tuple[int, int] | None:
        """Return (place, row) of the first locked track behind a place, None if there is none."""
        later = min((other for other in self.locked if other > place), default=None)
        return None if later is None else (later, self.locked[later])

    def artists_ahead(self, place: int, gap: int) -> list[int]:
        """Return the codes of the artists of locked tracks that are at most `gap` places behind a place."""
        return [
            int(self.columns.artist_codes[row]) for other, row in self.locked.items() if place < other <= place + gap
        ]

    @cached_property
    def available(self) -> int:
        """Number of different tracks there are for the set, with the locked ones."""
        return int(self.eligible.sum()) + len(self.locked)


def eligible_rows(
    columns: Columns, *, locked: Collection[int], banned: Collection[int], allowed: np.ndarray | None
) -> np.ndarray:
    """Return which rows may fill the places of a set that are not locked, (rows,) bool.

    Args:
        columns: The facts of all tracks.
        locked: The locked rows. Their recordings are taken.
        banned: Rows that must not be in the set. Other rows of their recordings must not either.
        allowed: (rows,) bool, such as what a filter leaves. None allows all.
    """
    eligible = np.ones(len(columns), dtype=bool) if allowed is None else np.array(allowed, dtype=bool)
    taken = np.array(sorted({*locked, *banned}), dtype=np.int64)
    eligible[taken] = False
    recording = columns.recording
    named = np.flatnonzero(recording >= 0)
    if named.size:
        eligible[named[np.isin(recording[named], recording[taken][recording[taken] >= 0])]] = False
        named = named[eligible[named]]
        first = named[np.unique(recording[named], return_index=True)[1]]
        eligible[named] = False
        eligible[first] = True
    return eligible


def possible_gap(columns: Columns, rows: Sequence[int], *, most: int) -> int:
    """Return after how many other tracks an artist may return: half of the other artists, if they are few.

    Args:
        columns: The facts of all tracks.
        rows: The tracks to choose from.
        most: What is enough.
    """
    artists = set(columns.artist_codes[list(rows)].tolist()) - {-1}
    return min(most, max(0, len(artists) - 1) // 2)


def check_row(key: str, row: object, columns: Columns) -> int:
    """Return a row as an integer.

    Raises:
        ConfigError: It is not the number of a track.
    """
    if isinstance(row, bool) or not isinstance(row, int | np.integer) or not 0 <= row < len(columns):
        raise ConfigError(f"{key}={row}: give the row of a track, from 0 to {len(columns) - 1}")
    return int(row)
