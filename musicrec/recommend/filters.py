"""The first step of a recommendation: keep the tracks that share tags with the query, or that have chosen tags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from musicrec.config.number_types import Count, Share
from musicrec.config.value_check import check_choice, check_value
from musicrec.heads import Head
from musicrec.heads.tag_groups import TagGroups
from musicrec.recommend.conditions import Condition
from musicrec.recommend.tag_bits import POSSIBLE, TagBits

_LEAST_ODDS = 0.25  # of those at which a track has a tag; measured in experiments/recommendation


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag of the query.

    Attributes:
        head: Name of the head that the tag belongs to.
        index: Index of the tag in the classes of the head.
        name: Name of the tag.
        probability: Probability that the query has the tag.
        usual_probability: Mean probability of the tag over the library.
    """

    head: str
    index: int
    name: str
    probability: float
    usual_probability: float


@dataclass(frozen=True, kw_only=True)
class TagStep:
    """One attempt of the filter.

    Attributes:
        tags: The tags it asked for; empty for no filter.
        tracks: Number of tracks that were left.
    """

    tags: tuple[Tag, ...]
    tracks: int


def tag_values(heads: Sequence[Head], values: Mapping[str, np.ndarray]) -> tuple[list[Head], dict[str, np.ndarray]]:
    """Return the heads that tracks are filtered by, and their values.

    These are the heads of the role "tag", but those of the public taggers are one head with joined tags
    (`musicrec.heads.tag_groups`).

    Args:
        heads: The heads of the library.
        values: {head: (…, classes) probabilities}.
    """
    groups = TagGroups(heads)
    chosen = [head for head in heads if head.role == "tag" and head.name not in groups.sources]
    found = {head.name: values[head.name] for head in chosen}
    if groups.tags:
        joined, strengths = groups.filtered(values)
        chosen, found[joined.name] = [*chosen, joined], strengths
    return chosen, found


def tag_key(head: str, tag: str) -> str:
    """Return the name by which a library knows a tag."""
    return f"{head}: {tag}"


def possible_tag_key(head: str, tag: str) -> str:
    """Return the name by which a library knows that a track may have a tag; see `TagFilter.may_have_tag`."""
    return f"{POSSIBLE}{tag_key(head, tag)}"


@dataclass(frozen=True, kw_only=True)
class TagFilter:
    """Keeps the tracks that share the most characteristic tags of the query, and asks for less if too few are left.

    The most characteristic tags are those whose probability is furthest above the mean of the library: nearly every
    track has drums, so drums say less about a track than a flute.

    Args:
        match: "any" keeps tracks that have one of the tags, "all" keeps tracks that have all of them.
        top: Number of tags to ask for, over all tag heads together.
        threshold: Multi-label heads: a track has the tags of this probability or more. None uses the limits of the
            export: its tuned thresholds, or a multiple of how probable the tag usually is, else 0.5.
        at_least: Multi-label heads: if no tag reaches the threshold, a track has this many of its most probable tags.
        close: Heads with exclusive classes, such as genre: the query also has its second class if the probability is
            at most this much lower than that of the first.
        possible: Also keep tracks that may have a tag of the query: those whose probability is not clearly below its
            limit, see `may_have_tag`. False keeps only those that have it. Tags of your choice are always had.
        required: Never ask for less, even if no track is left.
        any: Tags of your choice in place of those of the query; a track has at least one of them. They are named as
            they are shown, such as "flute", or with the head of one model, as "tags: flute".
        all: Tags of your choice in place of those of the query; a track has all of them.
        none: Tags that a track does not have.

    Raises:
        ConfigError: A setting is out of range.
    """

    match: str = "any"
    top: Count = 3
    threshold: Share | None = None
    at_least: Count = 3
    close: Share = 0.1
    possible: bool = True
    required: bool = False
    any: Sequence[str] = ()
    all: Sequence[str] = ()
    none: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_choice("filter.match", self.match, ("any", "all"))
        check_value("filter.top", self.top, Count)
        check_value("filter.threshold", self.threshold, Share | None)
        check_value("filter.at_least", self.at_least, Count)
        check_value("filter.close", self.close, Share)
        check_value("filter.possible", self.possible, bool)
        check_value("filter.required", self.required, bool)
        for name in ("any", "all", "none"):
            given: Any = getattr(self, name)
            words = (given,) if isinstance(given, str) else tuple(map(str, given or ()))
            object.__setattr__(self, name, tuple(dict.fromkeys(words)))

    @property
    def usual_tags(self) -> bool:
        """Whether tracks have the tags that a library has noted for them."""
        return self.threshold is None and self.at_least == TagFilter.at_least

    def has_tag(self, head: Head, probabilities: np.ndarray, *, close: float = 0.0) -> np.ndarray:
        """Return which tags of a head the tracks have.

        Args:
            head: The head.
            probabilities: (tracks, classes).
            close: As the setting of this name, which is meant for queries; 0 for no second class.

        Returns:
            (tracks, classes) bool.
        """
        order = np.argsort(-probabilities, axis=1, kind="stable")
        has = np.zeros(probabilities.shape, dtype=bool)
        if head.exclusive:
            np.put_along_axis(has, order[:, :1], True, axis=1)
            if close and probabilities.shape[1] > 1:
                first, second = np.take_along_axis(probabilities, order[:, :2], axis=1).T
                np.put_along_axis(has, order[:, 1:2], (first - second <= close)[:, None], axis=1)
            return has
        np.put_along_axis(has, order[:, : self.at_least], True, axis=1)
        sure = probabilities >= self._limits(head)
        return np.where(sure.any(axis=1, keepdims=True), sure, has)

    def may_have_tag(self, head: Head, probabilities: np.ndarray) -> np.ndarray:
        """Return which tags of a head the tracks have or may have.

        A limit tells how tags are shown. Two tracks that sound alike may lie on either side of it, so a track may have
        a tag as long as the odds p / (1 - p) are at least a quarter of those at the limit. Of exclusive classes, each
        counts whose probability is at least a quarter of that of the first.

        Args:
            head: The head.
            probabilities: (tracks, classes).

        Returns:
            (tracks, classes) bool.
        """
        if head.exclusive:
            return probabilities >= _LEAST_ODDS * probabilities.max(axis=1, keepdims=True, initial=0)
        limits = np.broadcast_to(self._limits(head), probabilities.shape)
        likely = probabilities * (1 - limits) >= _LEAST_ODDS * limits * (1 - probabilities)
        return likely | self.has_tag(head, probabilities)

    def _limits(self, head: Head) -> Any:
        return head.limits if self.threshold is None else self.threshold

    def tags_of_tracks(self, heads: Sequence[Head], probabilities: Mapping[str, np.ndarray]) -> TagBits:
        """Return the tags that tracks have, and those that they may have.

        Args:
            heads: The tag heads.
            probabilities: {head: (tracks, classes)}.
        """
        kinds = ((tag_key, self.has_tag), (possible_tag_key, self.may_have_tag))
        names = [key(head.name, tag) for key, _ in kinds for head in heads for tag in head.classes]
        found = [has(head, probabilities[head.name]) for _, has in kinds for head in heads]
        return TagBits.pack(names, np.concatenate(found, axis=1) if found else np.zeros((0, 0), dtype=bool))

    def tags_of(
        self, query: Mapping[str, np.ndarray], heads: Sequence[Head], usual: Mapping[str, np.ndarray]
    ) -> list[Tag]:
        """Return all tags of the query, the most characteristic first.

        Args:
            query: {head: (classes,)} probabilities of the query.
            heads: The tag heads.
            usual: {head: (classes,)} mean probabilities over the library.
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
            for index in np.flatnonzero(self.has_tag(head, query[head.name][None], close=self.close)[0])
        ]
        return sorted(tags, key=lambda tag: tag.usual_probability - tag.probability)

    def chosen(self, tags: TagBits) -> Condition:
        """Return what the tags of your choice ask for.

        Args:
            tags: The tags of the library. If several of its models know a tag of this name, one of them is enough.

        Raises:
            ConfigError: The library does not know a tag.
        """
        wanted = [tags.named(word) for word in self.all]
        if self.any:
            wanted.insert(0, tuple(name for word in self.any for name in tags.named(word)))
        return Condition(tags_any=wanted, tags_none=[name for word in self.none for name in tags.named(word)])

    def pool(
        self,
        tags: Sequence[Tag],
        known: TagBits,
        count: Callable[[Condition], int],
        *,
        min_pool: int,
    ) -> tuple[Condition, list[TagStep]]:
        """Choose what tracks must have to stay.

        If fewer than `min_pool` tracks are left, the filter changes by one tag at a time until there are enough: "any"
        adds tags of the query, "all" drops the least characteristic. The last resort is no filter. Tags of your choice
        are never dropped.

        Args:
            tags: The tags of the query, as `tags_of` returns them.
            known: The tags of the library.
            count: Returns the number of tracks that a condition leaves.
            min_pool: Number of tracks to leave.

        Returns:
            The condition, and the steps that led there; the last one is in force.
        """
        own = self.chosen(known)
        if self.any or self.all:
            return own, [TagStep(tags=(), tracks=count(own))]
        sizes = range(self.top, len(tags) + 1) if self.match == "any" else range(min(self.top, len(tags)), 0, -1)
        key = possible_tag_key if self.possible else tag_key
        steps: list[TagStep] = []
        for size in sizes or ([len(tags)] if tags else []):
            asked = tuple(tags[:size])
            keys = [key(tag.head, tag.name) for tag in asked]
            kept = own & (Condition(tags_any=keys) if self.match == "any" else Condition(tags_all=keys))
            steps.append(TagStep(tags=asked, tracks=count(kept)))
            if steps[-1].tracks >= min_pool or self.required:
                return kept, steps
        steps.append(TagStep(tags=(), tracks=count(own)))
        return own, steps
