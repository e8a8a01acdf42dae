"""Tags of the public taggers as people read them: synonyms joined, two taggers combined, sorted into groups.

A public tagger has 50 tags, among them "female", "female voice", "female vocal" and "woman". `tag_groups.yaml` joins
what means the same into one tag and sorts these into groups. The probabilities of a tagger are not comparable between
tags: "guitar" is often at 0.2, "sitar" hardly ever at 0.02. Therefore a tag has a *strength*, from 0 to 1, which is 0.5
where the probability p reaches the limit of its tag (`head.limits`):

    z = logit(p) - logit(limit)                             of one tag of one tagger
    evidence of a tagger = the largest z of its synonyms
    evidence of a tag = the mean over the taggers that know it - max(0, the largest z of the tags against it)
    strength = 1 / (1 + exp(-evidence))

A track has the tag if its strength is 0.5 or more.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from musicrec.heads.answers import ranked
from musicrec.heads.head import Head
from musicrec.heads.tags import TagHead

FILE = Path(__file__).with_suffix(".yaml")
NAME = "joined_tags"  # of the head that stands for all joined tags
_SMALLEST = 1e-6  # probabilities are kept this far from 0 and 1, where the logit is infinite
_DOUBT = 0.1  # in a measure read off tags: the strength that is assumed on both sides


@dataclass(frozen=True, kw_only=True)
class JoinedTag:
    """A tag as people read it.

    Attributes:
        name: Its name.
        group: The group it is shown in: "genre", "instruments", "voice", "mood" or "era".
        sources: {head: the tags of the head that say it}.
        against: {head: the tags of the head that speak against it}.
    """

    name: str
    group: str
    sources: Mapping[str, tuple[str, ...]]
    against: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TagTable:
    """The content of `tag_groups.yaml`.

    Attributes:
        tags: The joined tags, group by group.
        from_tags: {measure: (names of the tags for it, of those against it)}.
        filtered: The groups that recommendations are filtered by.
    """

    tags: tuple[JoinedTag, ...]
    from_tags: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    filtered: tuple[str, ...]


@functools.cache
def tag_table() -> TagTable:
    """Read `tag_groups.yaml`."""
    written = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    measures, filtered = written.pop("from_tags"), tuple(written.pop("filtered"))
    tags = []
    for group, entries in written.items():
        for name, sources in entries.items():
            against = _tuples(sources.pop("against", {}))
            tags.append(JoinedTag(name=name, group=group, sources=_tuples(sources), against=against))
    from_tags = {name: (tuple(sides["for"]), tuple(sides["against"])) for name, sides in measures.items()}
    return TagTable(tags=tuple(tags), from_tags=from_tags, filtered=filtered)


@functools.cache
def joined_heads() -> frozenset[str]:
    """Return the names of the heads whose tags are joined."""
    return frozenset(name for tag in tag_table().tags for name in tag.sources)


def _tuples(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {head: tuple(tags) for head, tags in lists.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Side:
    """Where the tags for the joined tags, or against them, stand among the classes of the heads side by side.

    Attributes:
        columns: (heads, synonyms, joined tags) int. A tag with fewer synonyms has its first one again, which changes no
            maximum.
        known: (heads, joined tags) bool, whether the head has a synonym at all.
    """

    columns: np.ndarray
    known: np.ndarray

    def strongest(self, joined: np.ndarray) -> list[np.ndarray]:
        """Return the largest value of the synonyms, (…, joined tags) for each head; 0 where it has none.

        Args:
            joined: (…, classes) of the heads side by side.
        """
        found = []
        for columns, known in zip(self.columns, self.known, strict=True):
            best = joined[..., columns[0]]
            for others in columns[1:]:
                best = np.maximum(best, joined[..., others])
            found.append(np.where(known, best, 0.0))
        return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _FoundTags:
    """The joined tags that heads can answer, what they come from, and the tags for and against them."""

    tags: tuple[JoinedTag, ...]
    sources: tuple[str, ...]
    sides: tuple[_Side, _Side]


@functools.lru_cache(maxsize=16)  # every query asks, always for the same heads
def _find_tags(heads: tuple[tuple[str, tuple[str, ...]], ...]) -> _FoundTags:
    """Return the joined tags of heads, given as (name, classes)."""
    classes = dict(heads)

    def columns(named: Mapping[str, tuple[str, ...]], head: str) -> list[int]:
        return [classes[head].index(tag) for tag in named.get(head, ()) if tag in classes[head]]

    tags = tuple(tag for tag in tag_table().tags if any(columns(tag.sources, head) for head in classes))
    sources = tuple(dict.fromkeys(name for tag in tags for name in tag.sources if name in classes))
    starts = np.cumsum([0, *(len(classes[name]) for name in sources)])

    def side(of_tags: Sequence[Mapping[str, tuple[str, ...]]]) -> _Side:
        places = [[columns(named, head) for named in of_tags] for head in sources]
        most = max((len(one) for of_head in places for one in of_head), default=1) or 1
        filled = [
            [[start + place for place in (one + one[:1] * most)[:most] or [0] * most] for one in of_head]
            for start, of_head in zip(starts, places, strict=False)
        ]
        return _Side(
            columns=np.array(filled, dtype=np.int64).reshape(len(sources), len(of_tags), most).transpose(0, 2, 1),
            known=np.array([[bool(one) for one in of_head] for of_head in places]).reshape(len(sources), len(of_tags)),
        )

    sides = side([tag.sources for tag in tags]), side([tag.against for tag in tags])
    return _FoundTags(tags=tags, sources=sources, sides=sides)


class TagGroups:
    """The joined tags that some heads can answer.

    Args:
        heads: The heads. Those that the table does not name are passed over.

    Attributes:
        tags: The joined tags, in the order of the table; empty if no head is in the table.
        sources: Names of the heads that they come from.
    """

    def __init__(self, heads: Iterable[Head]) -> None:
        names = joined_heads()
        known = {head.name: head for head in heads if head.name in names}
        self._found = _find_tags(tuple((name, tuple(head.classes)) for name, head in known.items()))
        self.tags, self.sources = list(self._found.tags), list(self._found.sources)
        self._heads = {name: known[name] for name in self.sources}

    def strengths(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the strength of each joined tag, as the module describes it.

        Args:
            values: {head: (…, classes) probabilities}.

        Returns:
            (…, tags) float32.
        """
        above = [_logit(values[name]) - _logit(head.limits) for name, head in self._heads.items()]
        joined = np.concatenate(above, axis=-1)
        said = np.sum(self._found.sides[0].strongest(joined), axis=0) / self._found.sides[0].known.sum(axis=0)
        contrary = np.max(self._found.sides[1].strongest(joined), axis=0)
        return (1 / (1 + np.exp(-(said - np.maximum(contrary, 0))))).astype(np.float32)

    def filtered(self, values: Mapping[str, np.ndarray]) -> tuple[TagHead, np.ndarray]:
        """Return the joined tags that recommendations are filtered by, as a head whose probabilities are the strengths.

        Args:
            values: {head: (…, classes) probabilities}.

        Returns:
            The head, and (…, its classes) strengths.
        """
        columns = [index for index, tag in enumerate(self.tags) if tag.group in tag_table().filtered]
        head = TagHead(name=NAME, classes=tuple(self.tags[index].name for index in columns))
        return head, self.strengths(values)[..., columns]

    def describe(self, strengths: np.ndarray) -> dict[str, list[dict[str, Any]]]:
        """Return the tags of one track as {group: [{"tag", "strength", "present"}]}, strongest first.

        Args:
            strengths: (tags,), from `strengths`.
        """
        found = {}
        for group in dict.fromkeys(tag.group for tag in self.tags):
            columns = [index for index, tag in enumerate(self.tags) if tag.group == group]
            names, values = [self.tags[index].name for index in columns], strengths[columns]
            found[group] = [
                {"tag": one["tag"], "strength": one["probability"], "present": one["present"]}
                for one in ranked(values, names, values >= 0.5)
            ]
        return found

    def measures(self, strengths: np.ndarray) -> dict[str, float]:
        """Return what the tags say of danceability, acousticness, instrumentalness, valence and vocals, from 0 to 1.

        A measure is (F + d) / (F + A + 2d), where F and A are the strongest of the tags for and against it and d = 0.1:
        0.5 where neither side says anything. A measure of which one side is unknown to the taggers is left out.

        Args:
            strengths: (tags,), from `strengths`.
        """
        by_name = {tag.name: float(value) for tag, value in zip(self.tags, strengths, strict=True)}
        found = {}
        for name, sides in tag_table().from_tags.items():
            known = [[by_name[tag] for tag in side if tag in by_name] for side in sides]
            if all(known):
                said, against = map(max, known)
                found[name] = (said + _DOUBT) / (said + against + 2 * _DOUBT)
        return found


def _logit(probabilities: np.ndarray) -> np.ndarray:
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), _SMALLEST, 1 - _SMALLEST)
    return np.log(kept / (1 - kept))
