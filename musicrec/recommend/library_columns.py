"""The facts of a library's tracks side by side: what the models answered and what the files say, as `Columns`."""

from collections.abc import Mapping, Sequence

import numpy as np

from musicrec.heads import Head
from musicrec.heads.keys import key_index, parse_pitch_class
from musicrec.heads.tag_groups import TagGroups
from musicrec.recommend.columns import Columns
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.similarity import Similarity

_CLEAR = 0.5  # from this strength on, a track has a tag


def library_columns(search: ExactSearch, heads: Mapping[str, Head]) -> Columns:
    """Return the facts of the tracks, in their order.

    Args:
        search: The tracks.
        heads: The heads of the library, {name: head}.
    """
    tracks, count = search.tracks, len(search.tracks)
    bpm, keys = tempi(search, heads), keys_of(search, heads)
    unknown = np.full((count, 1), np.nan, np.float32)
    similarity = Similarity(list(heads.values()), blocks=["embedding"], weights={"embedding": 1.0})
    return Columns(
        bpm=np.full(count, np.nan) if bpm is None else bpm,
        key=np.full(count, -1) if keys is None else keys,
        energy=search.values.get("energy", unknown)[:, 0],
        loudness=search.values.get("loudness", unknown)[:, 0],
        year=np.array([-1 if track.year is None else track.year for track in tracks]),
        duration_s=np.array([track.duration_s for track in tracks]),
        artist=np.array([track.artist or "" for track in tracks], dtype=object),
        album=np.array([track.album or "" for track in tracks], dtype=object),
        genre=_genres(search, list(heads.values())),
        vectors=similarity.vectors("embedding", search.values["embedding"], search.scaling("embedding")),
    )


def tempi(search: ExactSearch, heads: Mapping[str, Head]) -> np.ndarray | None:
    """Return the tempo of each track in BPM, (tracks,), by the first head that predicts one; None if none does."""
    for name, head in heads.items():
        if head.role == "feature":
            facts = [head.dj_facts(head.decode(values)) for values in search.values[name]]
            if facts and facts[0].bpm is not None:
                return np.array([fact.bpm for fact in facts], dtype=np.float64)
    return None


def keys_of(search: ExactSearch, heads: Mapping[str, Head]) -> np.ndarray | None:
    """Return the place of each track's key in `KEYS_24`, (tracks,), by the first head that predicts tonic and mode."""
    for name, head in heads.items():
        if head.role == "feature":
            facts = [head.dj_facts(head.decode(values)) for values in search.values[name]]
            if facts and facts[0].tonic is not None and facts[0].mode is not None:
                return np.array([key_index(parse_pitch_class(fact.tonic or ""), fact.mode or "") for fact in facts])
    return None


def _genres(search: ExactSearch, heads: Sequence[Head]) -> np.ndarray:
    """Return the strongest genre of each track, (tracks,) text: that of a genre head, else that of the joined tags."""
    for head in heads:
        if head.name == "genre" and head.role == "tag":
            return np.array(head.classes, dtype=object)[search.values[head.name].argmax(axis=1)]
    groups = TagGroups(heads)
    columns = [index for index, tag in enumerate(groups.tags) if tag.group == "genre"]
    if not columns:
        return np.full(len(search.tracks), "", dtype=object)
    strengths = groups.strengths(search.values)[:, columns]
    names = np.array([groups.tags[index].name for index in columns], dtype=object)[strengths.argmax(axis=1)]
    return np.where(strengths.max(axis=1) >= _CLEAR, names, "")
