"""Tempo, key and genre of many tracks, as columns, read off what the models said."""

from collections.abc import Mapping, Sequence

import numpy as np

from musicrec.heads import Head
from musicrec.heads.keys import key_index, parse_pitch_class
from musicrec.heads.tag_groups import TagGroups

_CLEAR = 0.5  # from this strength on, a track has a tag


def tempi(values: Mapping[str, np.ndarray], heads: Sequence[Head]) -> np.ndarray | None:
    """Return the tempo of each track in BPM, (tracks,), by the first head that predicts one; None if none does.

    Args:
        values: {head: (tracks, classes)}.
        heads: The heads.
    """
    for head in heads:
        read = getattr(head, "bpm", None)
        if head.role == "feature" and read is not None:
            return np.round(np.asarray(read(values[head.name]), dtype=np.float64), 1)
    return None


def keys_of(values: Mapping[str, np.ndarray], heads: Sequence[Head]) -> np.ndarray | None:
    """Return the place of each track's key in `KEYS_24`, (tracks,), by the first head that predicts tonic and mode."""
    for head in heads:
        if head.role != "feature" or not head.exclusive:
            continue
        keys = []
        for one in np.eye(len(head.classes), dtype=np.float32):
            fact = head.dj_facts(head.decode(one))
            if fact.tonic is None or fact.mode is None:
                break  # soon told, as tempo heads have many classes
            keys.append(key_index(parse_pitch_class(str(fact.tonic)), str(fact.mode)))
        else:
            return np.array(keys)[values[head.name].argmax(axis=1)]
    return None


def genres(values: Mapping[str, np.ndarray], heads: Sequence[Head]) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the genres, and the number of each track's strongest one, (tracks,) int; -1 if none is clear.

    It is that of a genre head, else that of the joined tags.
    """
    count = len(next(iter(values.values()))) if values else 0
    for head in heads:
        if head.name == "genre" and head.role == "tag":
            return tuple(head.classes), values[head.name].argmax(axis=1)
    groups = TagGroups(heads)
    columns = [index for index, tag in enumerate(groups.tags) if tag.group == "genre"]
    if not columns:
        return (), np.full(count, -1)
    strengths = groups.strengths(values)[:, columns]
    names = tuple(groups.tags[index].name for index in columns)
    return names, np.where(strengths.max(axis=1) >= _CLEAR, strengths.argmax(axis=1), -1)
