"""What the events of a user say about recordings: a number for each, bans, and pairs.

Old events count less: after one half-life, half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.taste_settings import TasteSettings

_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the events of a user say about the tracks of a library.

    Attributes:
        rows: (known,) the tracks that the user said something about.
        weights: (known,) float64, how much the user likes each; negative for what is not liked.
        banned: (disliked,) the tracks that never come again.
        pairs: (pairs, 2) a track, and one that works after it.
        skips: (skips, 2) a track, and one that was skipped after it.
    """

    rows: np.ndarray
    weights: np.ndarray
    banned: np.ndarray
    pairs: np.ndarray
    skips: np.ndarray

    @property
    def amount(self) -> float:
        """How much evidence this is, in fresh likes."""
        return float(np.abs(self.weights).sum())


def evidence(
    events: Sequence[Event], rows: Mapping[str, int], *, now: datetime, settings: TasteSettings | None = None
) -> Evidence:
    """Weigh the events of a user.

    The last opinion on a recording counts, be it a like, a dislike or a rating (1 to 5 stars are -1 to 1). Plays and
    skips are added to it. Only a dislike bans a recording, whatever its age, and a later like or rating lifts the ban.

    Args:
        events: The events that count, in any order. What is not in the library is left out.
        rows: {audio hash: row of the track}.
        now: The time from which ages are counted.
        settings: How much each kind counts.
    """
    settings = settings or TasteSettings()
    opinions: dict[int, tuple[str, float]] = {}
    behaviour: dict[int, float] = {}
    pairs: dict[tuple[int, int], None] = {}  # without repetitions, in order
    skips: dict[tuple[int, int], None] = {}
    for event in sorted(events, key=lambda event: event.at or now):
        row = rows.get(event.audio_hash)
        if row is None or event.undone_at is not None:
            continue
        age_days = max(0.0, (now - (event.at or now)).total_seconds() / _DAY_S)
        decay = 0.5 ** (age_days / settings.half_life_days)
        if event.kind == "rated":
            opinions[row] = (event.kind, decay * ((event.rating or 3) - 3) / 2)
        elif event.kind in ("liked", "disliked"):
            opinions[row] = (event.kind, decay if event.kind == "liked" else -decay)
        elif event.kind in ("played", "skipped"):
            weight = settings.played if event.kind == "played" else -settings.skipped
            behaviour[row] = behaviour.get(row, 0.0) + decay * weight
        before = rows.get(event.after_hash or "")
        if before is not None and event.kind in ("paired", "skipped"):
            chosen, other = (pairs, skips) if event.kind == "paired" else (skips, pairs)
            other.pop((before, row), None)  # the last word on a pair counts
            chosen[before, row] = None
    most = settings.behaviour_most
    weights = {
        row: opinions.get(row, ("", 0.0))[1] + min(max(behaviour.get(row, 0.0), -most), most)
        for row in sorted(opinions.keys() | behaviour.keys())
    }
    return Evidence(
        rows=np.array(list(weights), dtype=np.int64),
        weights=np.array(list(weights.values()), dtype=np.float64),
        banned=np.array(sorted(row for row, (kind, _) in opinions.items() if kind == "disliked"), dtype=np.int64),
        pairs=np.array(list(pairs), dtype=np.int64).reshape(-1, 2),
        skips=np.array(list(skips), dtype=np.int64).reshape(-1, 2),
    )
