"""Filters on musical facts: tempo, key, energy and the like, absolute or relative to the track that was asked about.

Most of them are a plain `Condition`, which a store can evaluate while it searches. Two are not: a key that the tempo
moves (vinyl) depends on two facts of a track, and "at most n per artist" on the order of the results. These are applied
to the ranked tracks.
"""

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Lt

from musicrec.config.number_types import Count, NotNegative, Share
from musicrec.config.value_check import check_fields, check_value
from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.conditions import RANGE_COLUMNS, Condition, Range
from musicrec.recommend.filter_values import SAME, check_words, checked_range, in_any_case, resolved, spelled
from musicrec.recommend.key_filter import KEY_WORDS, KeyFilter, check_keys
from musicrec.recommend.key_relations import KeyTable, moved_semitones, transpose
from musicrec.recommend.sets.tempo import MULTIPLES, TempoChange, TempoRules
from musicrec.recommend.track import folded
from musicrec.recommend.track_facts import TrackFacts

CAN_BE_UNKNOWN = (*RANGE_COLUMNS, "key", "genre")
"""The facts of which `keep_unknown` can keep the tracks that lack them."""

_Percent = Annotated[float, Gt(0), Lt(100)]
_CERTAIN_PERCENT = 12.0  # up to here, no two multiples can both be within a limit


@dataclass(frozen=True, kw_only=True)
class MusicalFilters:
    """Which tracks may be recommended, by musical facts. Without settings, all but the query's own recording.

    A range is (low, high) with both limits included; None leaves an end open. "Within" is how far a track may be from
    the query, up or down. If the query lacks a fact, the filters that are relative to it are left out; `remarks` says
    so. A track that lacks a fact fails the filters on it, unless `keep_unknown` names it.

    Attributes:
        genre: Names of genres, one of which a track has; "same" is the query's.
        bpm: Range of the tempo in BPM.
        bpm_percent: How far the tempo may be from the query's, in percent.
        multiples: Besides its own tempo, a track counts at these multiples: "half", "double", "three_to_two" (one and a
            half times its tempo) and "two_to_three".
        key: Which keys; a track needs one of them. Keys by name or code ("A minor", "8A", "1m"), relations to the
            query's key ("same", "neighbour", "relative", "diagonal", "two_steps", "whole_tone_up", "semitone_up"),
            "semitone" (the query's key once a key shift has moved the track a semitone up or down), or "compatible":
            what scores `key_least` in `key_table`.
        key_least: From this score on, a key is compatible.
        key_table: The score of each relation of two keys.
        key_shift: Whether "compatible" counts on a key shift, which moves a track by a semitone where that is better.
        key_lock: True: a track keeps its key whatever its tempo. False, as on a turntable: bringing a track to the
            query's tempo moves its key, and the key that sounds is what counts.
        energy: Range of the energy, from 1 to 10.
        energy_within: How far the energy may be from the query's.
        loudness: Range of the loudness in LUFS.
        loudness_within: How far it may be from the query's, in LU.
        year: Range of the year of release.
        year_within: How far it may be from the query's.
        duration_s: Range of the length in seconds.
        not_artist: Artists whose tracks are left out; "same" is the query's.
        not_album: Names of albums that are left out; "same" is the query's.
        same_recording: Whether other encodings and versions of the query's own recording may be recommended.
        max_per_artist: The most tracks of one artist; None for any number. Tracks without an artist are not counted.
        keep_unknown: Facts (of `CAN_BE_UNKNOWN`) whose filters a track passes if it lacks them.

    Raises:
        ConfigError: A value is out of range or unknown, or a fact has an absolute and a relative filter.
    """

    genre: Sequence[str] = ()
    bpm: Sequence[float | None] | None = None
    bpm_percent: _Percent | None = None
    multiples: Sequence[str] = ("half", "double")
    key: Sequence[str] = ()
    key_least: Share = 0.5
    key_table: KeyTable = field(default_factory=KeyTable)
    key_shift: bool = False
    key_lock: bool = True
    energy: Sequence[float | None] | None = None
    energy_within: NotNegative | None = None
    loudness: Sequence[float | None] | None = None
    loudness_within: NotNegative | None = None
    year: Sequence[float | None] | None = None
    year_within: NotNegative | None = None
    duration_s: Sequence[float | None] | None = None
    not_artist: Sequence[str] = ()
    not_album: Sequence[str] = ()
    same_recording: bool = False
    max_per_artist: Count | None = None
    keep_unknown: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("genre", "multiples", "key", "not_artist", "not_album", "keep_unknown"):
            given = getattr(self, name)
            words = (given,) if isinstance(given, str) else tuple(given or ())
            object.__setattr__(self, name, tuple(dict.fromkeys(map(str, words))))
        check_fields("filters", self)
        for name in ("key_shift", "key_lock", "same_recording"):
            check_value(f"filters.{name}", getattr(self, name), bool)
        for name in RANGE_COLUMNS:
            object.__setattr__(self, name, checked_range(name, getattr(self, name)))
        for absolute, relative in _PAIRS.items():
            if getattr(self, absolute) is not None and getattr(self, relative) is not None:
                raise ConfigError(
                    f"filters.{absolute} and filters.{relative}: give one of them, and null for the other"
                )
        check_words("multiples", self.multiples, tuple(name for name in MULTIPLES if name != "own"))
        check_words("keep_unknown", self.keep_unknown, CAN_BE_UNKNOWN)
        check_keys(self.key)
        if not self.key_lock and (self.key_shift or "semitone" in self.key):
            raise ConfigError(
                "filters.key_lock=false: the tempo moves the key, so there is no key shift; leave out key_shift and "
                "the key 'semitone'"
            )

    def condition(
        self,
        query: TrackFacts,
        *,
        genres: Collection[str] | None = None,
        names: Callable[[str], Collection[str]] | None = None,
    ) -> Condition:
        """Return what a track must fulfil, as far as that is a plain condition; see `finally_keep` for the rest.

        Args:
            query: What is known of the track that was asked about.
            genres: The genres of the library, so that a genre is found in capital or small letters. None takes the
                names as they are.
            names: Returns the artists, or the albums, of the library for "artist" or "album", so that these are found
                in capital or small letters, too.

        Raises:
            ConfigError: A genre is none of `genres`.
        """
        ranges: dict[str, Sequence[Range]] = {}
        among: dict[str, Collection] = {}
        not_among: dict[str, Collection] = {}
        for name in RANGE_COLUMNS:
            limits = getattr(self, name)
            within = getattr(self, _PAIRS[name]) if name in _PAIRS else None
            about = getattr(query, name)
            if within is not None and about is not None:
                width = about * within / 100 if name == "bpm" else within
                limits = (about - width, about + width)
            if limits is not None:
                ranges[name] = [limits]
        if "bpm" in ranges:
            ranges["bpm"] = [(low / times, high / times) for low, high in ranges["bpm"] for times in self._times()]
        keys = self._possible_keys(query)
        if keys is not None:
            among["key"] = keys
        named = {name for name in self.genre if name != SAME}
        wanted_genres = named if genres is None else spelled(named, genres)
        if SAME in self.genre and query.genre:
            wanted_genres |= {query.genre}  # it needs no check: perhaps no other track of the library has it
        if wanted_genres:
            among["genre"] = wanted_genres
        for name, words, own in (
            ("artist", self.not_artist, query.artist),
            ("album", self.not_album, query.album),
        ):
            if wanted := resolved(words, own):
                not_among[name] = wanted if names is None else wanted | in_any_case(wanted, names(name))
        if query.recordings and not self.same_recording:
            not_among["recording"] = query.recordings
        limited = {*ranges, *among}
        return Condition(
            ranges=ranges,
            among=among,
            not_among=not_among,
            keep_unknown={name for name in self.keep_unknown if name in limited},
        )

    def finally_keep(self, query: TrackFacts, columns: Columns, order: np.ndarray) -> np.ndarray:
        """Return which of the ranked tracks stay, in their order.

        Args:
            query: What is known of the track that was asked about.
            columns: The facts of tracks that fulfil `condition`.
            order: (ranked,) rows of `columns`, best first.
        """
        rows = np.asarray(order, dtype=np.int64)
        allowed = None if self.key_lock else self.keys(query)
        if allowed is not None:
            sounding = self.sounding_keys(query, columns.bpm[rows], columns.key[rows])
            unknown = sounding < 0
            passed = allowed[sounding] & ~unknown
            rows = rows[passed | unknown if "key" in self.keep_unknown else passed]
        if self.max_per_artist is not None:
            rows = at_most_per_artist(columns.artist, rows, most=self.max_per_artist)
        return rows

    def tempo_change(self, query: TrackFacts, bpm: np.ndarray) -> TempoChange:
        """Return how the tempo changes from the query to each track, and at which multiple the track counts.

        With a range of tempi, that is the first multiple that brings the track into it, its own before others.
        Otherwise it is the best one by the rules of sets (`TempoRules`), of those that the filter takes.

        Args:
            query: What is known of the track that was asked about.
            bpm: (tracks,) BPM, NaN if unknown.

        Returns:
            (tracks,) arrays.
        """
        bpm = np.asarray(bpm, dtype=np.float32)
        before = np.array([math.nan if query.bpm is None else query.bpm], dtype=np.float32)
        rules = _tempo_rules(tuple(self.multiples))
        change = rules.change(before, bpm)
        percent, multiple, score = change.percent[0], change.multiple[0], change.score[0]
        if self.bpm is not None:
            low, high = self.bpm
            for times in reversed(self._times()):
                here = (bpm * np.float32(times) >= np.float32(low)) & (bpm * np.float32(times) <= np.float32(high))
                multiple = np.where(here, np.float32(times), multiple)
            percent = 100 * (bpm * multiple / before[0] - 1)
        return TempoChange(percent=percent, multiple=multiple, score=score)

    def sounding_keys(self, query: TrackFacts, bpm: np.ndarray, key: np.ndarray) -> np.ndarray:
        """Return the keys that sound once the tracks are brought to the query's tempo, (tracks,) int16; -1 unknown.

        With key lock, they are the keys of the tracks. An unknown tempo moves nothing.

        Args:
            query: What is known of the track that was asked about.
            bpm: (tracks,) BPM, NaN if unknown.
            key: (tracks,) places in `KEYS_24`, -1 if unknown.
        """
        if self.key_lock:
            return np.asarray(key, dtype=np.int16)
        return transpose(key, moved_semitones(self.tempo_change(query, bpm).percent))

    def keys(self, query: TrackFacts) -> np.ndarray | None:
        """Return which keys may sound, (24,) bool in the order of `KEYS_24`; None if any may.

        Args:
            query: What is known of the track that was asked about. If its key is unknown, only keys that are named
                count, and if none is, any key may sound.
        """
        return self._key_filter().allowed(query.key)

    def unknown_names(self, names: Callable[[str], Collection[str]]) -> list[str]:
        """Return which artists and albums are left out that no track has, one sentence each.

        Args:
            names: As for `condition`.
        """
        found = []
        for kind, words in (("artist", self.not_artist), ("album", self.not_album)):
            wanted = [word for word in words if word != SAME]
            known = {folded(name) for name in names(kind)} if wanted else set()
            found += [f"no track of the library has the {kind} {word}" for word in wanted if folded(word) not in known]
        return found

    def remarks(self, query: TrackFacts) -> list[str]:
        """Return which filters are left out because the query lacks a fact, one sentence each."""
        left_out = [
            (f"{_NAMES[name]} of the query is unknown: the filter {relative} is left out")
            for name, relative in _PAIRS.items()
            if getattr(self, relative) is not None and getattr(query, name) is None
        ]
        relations = [word for word in self.key if word in KEY_WORDS]
        if relations and query.key is None:
            left_out.append(f"the key of the query is unknown: the filter by key ({', '.join(relations)}) is left out")
        elif self.key and not self.key_lock and query.bpm is None:
            left_out.append("the tempo of the query is unknown: keys are compared as if no tempo were changed")
        for name, words in (("genre", self.genre), ("artist", self.not_artist), ("album", self.not_album)):
            if SAME in words and not getattr(query, name):
                setting = name if name == "genre" else f"not_{name}"
                left_out.append(f"the {name} of the query is unknown: the filter {setting}=same is left out")
        return left_out

    def _times(self) -> list[float]:
        return [times for name, times in MULTIPLES.items() if name in ("own", *self.multiples)]

    def _key_filter(self) -> KeyFilter:
        return KeyFilter(words=self.key, least=self.key_least, table=self.key_table, shift=self.key_shift)

    def _possible_keys(self, query: TrackFacts) -> set[int] | None:
        """Return the keys that may pass; on vinyl, all keys that some allowed tempo brings to one that may sound."""
        allowed = self.keys(query)
        if allowed is None:
            return None
        shifts = np.zeros(1, dtype=np.int16)
        if not self.key_lock and query.bpm is not None:
            if self.bpm_percent is None or self.bpm_percent > _CERTAIN_PERCENT:
                return None
            lowest, highest = moved_semitones(np.array([self.bpm_percent, -self.bpm_percent]))
            shifts = np.arange(lowest, highest + 1, dtype=np.int16)
        sounding = np.flatnonzero(allowed)
        return {int(key) for shift in shifts.tolist() for key in transpose(sounding, -shift)}


_PAIRS = {"bpm": "bpm_percent", "energy": "energy_within", "loudness": "loudness_within", "year": "year_within"}
_NAMES = {"bpm": "the tempo", "energy": "the energy", "loudness": "the loudness", "year": "the year"}


def at_most_per_artist(artist: np.ndarray, order: np.ndarray, *, most: int) -> np.ndarray:
    """Return ranked tracks without those that come after `most` others of their artist.

    Args:
        artist: (tracks,) text; a track without an artist ("") always stays.
        order: (ranked,) rows, best first.
        most: The most tracks of one artist.
    """
    count: dict[str, int] = {}
    kept = []
    for row, name in zip(order.tolist(), artist[order].tolist(), strict=True):
        count[name] = count.get(name, 0) + 1
        if not name or count[name] <= most:
            kept.append(row)
    return np.array(kept, dtype=np.int64)


@functools.lru_cache(maxsize=16)  # asked for each track of an answer
def _tempo_rules(multiples: tuple[str, ...]) -> TempoRules:
    """Return rules in which only some multiples count."""
    return TempoRules(**{name: 0.0 for name in MULTIPLES if name not in ("own", *multiples)})


def changed_filters(base: MusicalFilters, changes: Mapping[str, Any]) -> MusicalFilters:
    """Return filters with other settings.

    A range takes the place of a distance from the query, and the other way round.

    Args:
        base: Filters, such as those of a preset.
        changes: Settings by name.

    Raises:
        ConfigError: A setting is out of range, or a range and a distance are both given.
    """
    replaced: dict[str, Any] = {}
    for pair in _PAIRS.items():
        if any(name in changes for name in pair):
            replaced |= dict.fromkeys(pair)
    return replace(base, **{**replaced, **changes})


def set_filters(filters: MusicalFilters) -> frozenset[str]:
    """Return the names of the settings that are not as they are by default."""
    usual = MusicalFilters()
    return frozenset(name for name in setting_names() if getattr(filters, name) != getattr(usual, name))


def setting_names() -> tuple[str, ...]:
    """Return the names of all settings of the filters."""
    return tuple(one.name for one in fields(MusicalFilters))
