"""A set: its tracks, the transitions between them, and what it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from musicrec.heads.keys import KEYS_24
from musicrec.recommend.columns import Columns
from musicrec.recommend.key_relations import CAMELOT_24
from musicrec.recommend.sets.transition import Transition

_FOLDED = (0.5, 2.0)
_MOST_FOLDED_PERCENT = 8.0  # as far as a pitch fader goes


@dataclass(frozen=True, kw_only=True)
class SetTrack:
    """A track of a set; None stands for what is unknown.

    Attributes:
        row: Its row in the columns.
        name: What people call it, such as "artist – title"; "" until `TrackSet.named`.
        starts_min: When it starts, in minutes from the start of the set.
        duration_s: Length of the track in seconds.
        bpm: Tempo in BPM.
        key: Name of the key, such as "A minor".
        camelot: Camelot code of the key, such as "8A".
        energy: From 1, calm, to 10, hard.
        genre: The strongest genre.
        target: The energy that the curve wants here; None without a curve.
        locked: Whether it stands at a place that was asked for; the start and the end always do.
        audio_hash: The recording; "" until `TrackSet.named`.
        path: Its file; "" until `TrackSet.named`.
    """

    row: int
    name: str = ""
    audio_hash: str = ""
    path: str = ""
    starts_min: float
    duration_s: float | None
    bpm: float | None
    key: str | None
    camelot: str | None
    energy: float | None
    genre: str | None
    target: float | None
    locked: bool

    @property
    def label(self) -> str:
        """The name of the track, or its row if it has none."""
        return self.name or f"row {self.row}"

    def to_dict(self) -> dict[str, Any]:
        """Return the track in plain JSON types, rounded."""
        digits = {"starts_min": 2, "duration_s": 1, "bpm": 1, "energy": 1, "target": 1}
        values = dict(self.__dict__)
        return values | {
            name: None if values[name] is None else round(values[name], places) for name, places in digits.items()
        }


@dataclass(frozen=True, kw_only=True)
class TrackSet:
    """Tracks in order, and how each leads into the next.

    Attributes:
        tracks: The tracks.
        transitions: One less than there are tracks.
        score: Mean of the scores of the transitions, from 0 to 1.
        minutes: Length of the set. Neighbours overlap while they are mixed.
        remarks: What to know about the set, in plain words.
    """

    tracks: tuple[SetTrack, ...]
    transitions: tuple[Transition, ...]
    score: float
    minutes: float
    remarks: tuple[str, ...] = ()

    @property
    def weakest(self) -> float:
        """The lowest score of a transition."""
        return min(transition.score for transition in self.transitions)

    @property
    def mixed_bpm(self) -> tuple[float | None, ...]:
        """The tempo of each track as it counts beside those before it, for pictures.

        Half and double time mix as they are, and are no jump: a track of 61 BPM after one of 120 counts as 122. Two
        beats against three are hard to mix, and remain a jump.
        """
        multiples = [1.0]
        for transition in self.transitions:
            by, change = transition.tempo_multiple, transition.tempo_change_percent
            folds = by in _FOLDED and change is not None and abs(change) <= _MOST_FOLDED_PERCENT
            stays = by is None or by == 1.0
            multiples.append(multiples[-1] * (by if folds and by else 1.0) if folds or stays else 1.0)
        pairs = zip(self.tracks, multiples, strict=True)
        return tuple(None if track.bpm is None else track.bpm * by for track, by in pairs)

    @property
    def rows(self) -> tuple[int, ...]:
        """The rows of the tracks in the columns, in order."""
        return tuple(track.row for track in self.tracks)

    def named(
        self, names: Sequence[str], *, audio_hashes: Sequence[str] | None = None, paths: Sequence[str] | None = None
    ) -> "TrackSet":
        """Return the set with names.

        Args:
            names: One per track of the set, in order.
            audio_hashes: The recordings, as many.
            paths: Their files, as many.
        """
        unknown = [""] * len(self.tracks)
        named = zip(self.tracks, names, audio_hashes or unknown, paths or unknown, strict=True)
        tracks = tuple(
            replace(track, name=name, audio_hash=audio_hash, path=path) for track, name, audio_hash, path in named
        )
        return replace(self, tracks=tracks)

    def to_dict(self) -> dict[str, Any]:
        """Return the set in plain JSON types, rounded."""
        return {
            "score": round(self.score, 4),
            "weakest": round(self.weakest, 4),
            "minutes": round(self.minutes, 2),
            "remarks": list(self.remarks),
            "tracks": [
                track.to_dict() | {"mixed_bpm": None if mixed is None else round(mixed, 1)}
                for track, mixed in zip(self.tracks, self.mixed_bpm, strict=True)
            ],
            "transitions": [transition.to_dict() for transition in self.transitions],
        }


def played_minutes(columns: Columns, rows: Sequence[int], *, mix_s: float) -> np.ndarray:
    """Return when each track starts, and when the set ends, in minutes, (tracks + 1,).

    Args:
        columns: The facts of the tracks. A length that is unknown counts as `usual_length_s`.
        rows: The tracks in order.
        mix_s: How long two neighbours overlap, in seconds; at most half of the shorter one.
    """
    lengths = np.nan_to_num(columns.duration_s[list(rows)].astype(np.float64), nan=usual_length_s(columns))
    overlaps = np.minimum(mix_s, np.minimum(lengths[1:], lengths[:-1]) / 2)
    steps = lengths - np.r_[overlaps, 0.0]
    return np.r_[0.0, np.cumsum(steps)] / 60


def usual_length_s(columns: Columns) -> float:
    """Return the median length of the tracks in seconds; 4 minutes if none is known."""
    known = columns.duration_s[~np.isnan(columns.duration_s)]
    return float(np.median(known)) if known.size else 240.0


def describe_track(columns: Columns, row: int, *, starts_min: float, target: float, locked: bool) -> SetTrack:
    """Return a track of a set from the columns.

    Args:
        columns: The facts of the tracks.
        row: The track.
        starts_min: When it starts, in minutes.
        target: The energy that the curve wants, NaN without a curve.
        locked: See `SetTrack`.
    """
    key = int(columns.key[row])
    return SetTrack(
        row=row,
        starts_min=starts_min,
        duration_s=_or_none(columns.duration_s[row]),
        bpm=_or_none(columns.bpm[row]),
        key=KEYS_24[key] if key >= 0 else None,
        camelot=CAMELOT_24[key] if key >= 0 else None,
        energy=_or_none(columns.energy[row]),
        genre=str(columns.genre[row]) or None,
        target=_or_none(target),
        locked=locked,
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
