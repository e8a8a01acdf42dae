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
from collections.abc import Iterable, Mapping
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


def joined_heads() -> frozenset[str]:
    """Return the names of the heads whose tags are joined."""
    return frozenset(name for tag in tag_table().tags for name in tag.sources)


def _tuples(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {head: tuple(tags) for head, tags in lists.items()}


class TagGroups:
    """The joined tags that some heads can answer.

    Args:
        heads: The heads. Those that the table does not name are passed over.

    Attributes:
        tags: The joined tags, in the order of the table; empty if no head is in the table.
        sources: Names of the heads that they come from.
    """

    def __init__(self, heads: Iterable[Head]) -> None:
        known = {head.name: head for head in heads}
        table = tag_table()
        self.tags = [tag for tag in table.tags if self._columns(tag.sources, known)]
        self.sources = list(dict.fromkeys(name for tag in self.tags for name in tag.sources if name in known))
        self._heads = {name: known[name] for name in self.sources}
        self._for = [self._columns(tag.sources, self._heads) for tag in self.tags]
        self._against = [self._columns(tag.against, self._heads) for tag in self.tags]

    @staticmethod
    def _columns(sources: Mapping[str, tuple[str, ...]], heads: Mapping[str, Head]) -> dict[str, list[int]]:
        """Return {head: indices of its classes} of the tags that the heads have."""
        found = {
            name: [heads[name].classes.index(tag) for tag in tags if tag in heads[name].classes]
            for name, tags in sources.items()
            if name in heads
        }
        return {name: columns for name, columns in found.items() if columns}

    def strengths(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the strength of each joined tag, as the module describes it.

        Args:
            values: {head: (…, classes) probabilities}.

        Returns:
            (…, tags) float32.
        """
        above = {name: _logit(values[name]) - _logit(head.limits) for name, head in self._heads.items()}
        evidence = []
        for sources, against in zip(self._for, self._against, strict=True):
            said = np.mean([above[name][..., columns].max(axis=-1) for name, columns in sources.items()], axis=0)
            contrary = [above[name][..., columns].max(axis=-1) for name, columns in against.items()]
            evidence.append(said - np.max([np.zeros_like(said), *contrary], axis=0))
        return (1 / (1 + np.exp(-np.stack(evidence, axis=-1)))).astype(np.float32)

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
