"""The first step: tracks that share none of the query's tags leave the pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.errors import ConfigError
from musicrec.heads import Head


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag of the query. usual_probability: its mean over the library."""

    head: str
    index: int
    name: str
    probability: float
    usual_probability: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the filter tried: the tags it asked for (none: no filter) and how many tracks were left."""

    tags: tuple[Tag, ...]
    tracks: int


@dataclass(frozen=True, kw_only=True)
class TagFilter:
    """Keeps the tracks that share the query's most telling tags, and is relaxed when too few are left.

    match: "any" keeps tracks with one of the tags, "all" those with all of them.
    top: how many of the query's tags count, over all tag heads together. Those count first whose probability is most
        above the library's mean of that tag, so that drums, which nearly every track has, say less than a flute.
    threshold: a track has a tag of a multi-label head from this probability on (None: from the threshold that the
        export was tuned to for this tag, 0.5 where it was not) ...
    at_least: ... and if none gets there, its most probable ones, as many as this.
    close: the query has the second genre too (of heads with exclusive classes) if its probability is this close to
        the first's.

    Raises ConfigError for values that cannot work.
    """

    match: str = "any"
    top: int = 3
    threshold: float | None = None
    at_least: int = 3
    close: float = 0.1

    def __post_init__(self) -> None:
        if self.match not in ("any", "all"):
            raise ConfigError(f"filter.match={self.match}: choose any or all")
        for name in ("top", "at_least"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"filter.{name}={value}: give a whole number, 1 or more")
        for name in ("threshold", "close"):
            value = getattr(self, name)
            if name == "threshold" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"filter.{name}={value}: give a probability between 0 and 1")

    def own(self, head: Head, probabilities: np.ndarray, *, close: float = 0.0) -> np.ndarray:
        """Which tags tracks have: (tracks, classes) bool of (tracks, classes) probabilities."""
        order = np.argsort(-probabilities, axis=1, kind="stable")
        own = np.zeros(probabilities.shape, dtype=bool)
        if head.exclusive:
            np.put_along_axis(own, order[:, :1], True, axis=1)
            if close and probabilities.shape[1] > 1:
                first, second = np.take_along_axis(probabilities, order[:, :2], axis=1).T
                np.put_along_axis(own, order[:, 1:2], (first - second <= close)[:, None], axis=1)
            return own
        np.put_along_axis(own, order[:, : self.at_least], True, axis=1)
        sure = probabilities >= (head.limits.numpy() if self.threshold is None else self.threshold)
        return np.where(sure.any(axis=1, keepdims=True), sure, own)

    def tags_of(
        self, query: Mapping[str, np.ndarray], heads: Sequence[Head], usual: Mapping[str, np.ndarray]
    ) -> list[Tag]:
        """All tags of the query, the most telling first.

        query: {head: (classes,)} probabilities. usual: the same, the mean over the library.
        """
        tags = [
            Tag(
                head=head.name,
                index=int(index),
                name=head.classes[index],
                probability=float(query[head.name][index]),
                usual_probability=float(usual[head.name][index]),
            )
            for head in heads
            for index in np.flatnonzero(self.own(head, query[head.name][None], close=self.close)[0])
        ]
        return sorted(tags, key=lambda tag: tag.usual_probability - tag.probability)

    def pool(
        self, tags: Sequence[Tag], owned: Mapping[str, np.ndarray], eligible: np.ndarray, *, least: int
    ) -> tuple[np.ndarray, list[Step]]:
        """The tracks that stay: (tracks,) bool, and the steps that led there, the last of them the one that holds.

        tags: as `tags_of` gives them. owned: {head: (tracks, classes) bool}. eligible: (tracks,) bool, those that may
        stay at all. least: the filter is relaxed, a tag at a time, until so many are left: "any" takes more tags of
        the query in, "all" drops the least telling; at last there is no filter.
        """
        sizes = range(self.top, len(tags) + 1) if self.match == "any" else range(min(self.top, len(tags)), 0, -1)
        combine = np.logical_or.reduce if self.match == "any" else np.logical_and.reduce
        steps: list[Step] = []
        for size in sizes or ([len(tags)] if tags else []):
            asked = tuple(tags[:size])
            kept = eligible & combine([owned[tag.head][:, tag.index] for tag in asked])
            steps.append(Step(tags=asked, tracks=int(kept.sum())))
            if steps[-1].tracks >= least:
                return kept, steps
        steps.append(Step(tags=(), tracks=int(eligible.sum())))
        return eligible, steps
