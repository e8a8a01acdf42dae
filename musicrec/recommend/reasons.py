"""One sentence that says why a track is recommended, from what contributes most to its similarity."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from musicrec.heads.keys import RELATIONS, camelot_relations
from musicrec.recommend.key_relations import CAMELOT_24, relation_text, sounding_text, transpose
from musicrec.recommend.reranking.passages import PassageMatch
from musicrec.recommend.sets.axes import LoudnessAxis, TimbreAxis
from musicrec.recommend.sets.tempo import TempoRules, tempo_sign
from musicrec.recommend.track_facts import TrackFacts
from musicrec.recommend.wording import length_text, loudness_text, signed

AXES = {
    "tags": ("genre", "instruments", "attributes", "tags", "tags_mtt", "tags_msd"),
    "tempo": ("tempo",),
    "key": ("key", "mode"),
    "energy": ("energy",),
    "loudness": ("loudness",),
    "brightness": ("brightness",),
    "sound": ("embedding",),
    "variation": ("variation",),
}
"""{what a sentence speaks of: the blocks that it is about}. "embedding.NAME" belongs to "embedding"."""

_ALIKE = TimbreAxis().similar  # from this cosine on, tracks sound alike
_SOMEWHAT = 0.3
_AS_BRIGHT = 0.95
_AS_ENERGETIC, _SLIGHTLY = 0.75, 2.0  # differences on the scale from 1 to 10
_AS_LOUD_LU = 1.5
_QUIETER_LU = LoudnessAxis().halving_lu
_MOST_PERCENT = TempoRules().transition_percent
_MATTERS = 0.1  # a fault is named if its axis has this share of the weights
_BEHIND = ("sound", "variation")  # what stands behind the semicolon
_TELLING = {"tempo": 3.0, "key": 3.0, "loudness": 0.5, "brightness": 0.5, "variation": 0.5}
"""How much more an axis tells than its part of the similarity: few tracks share tempo or key, many are as loud."""


def reason(
    query: TrackFacts,
    track: TrackFacts,
    *,
    scores: Mapping[str, float],
    weights: Mapping[str, float],
    shared_tags: Sequence[str] = (),
    tempo_change: tuple[float, float] | None = None,
    shift_semitones: int = 0,
    vinyl: bool = False,
    passage: PassageMatch | None = None,
    most: int = 4,
) -> str:
    """Return why a track is recommended, as "Both techno at 127 BPM (+1.7 %), as energetic; sounds alike".

    What the tracks have in common comes first: genre or tags. Then come the axes that contribute most, which is their
    weight times their score; tempo and key come before what many tracks share (`_TELLING`). If tempo, key or loudness
    matter and do not go together, the sentence ends with a "but".

    Args:
        query: What is known of the track that was asked about.
        track: What is known of the recommended track.
        scores: {block: similarity}, from -1 to 1; NaN, or left out, where a track has no value.
        weights: {block: weight}.
        shared_tags: The tags that both have, the most telling first.
        tempo_change: How much faster the track is than the query, in percent, and the multiple of its tempo for which
            that holds; None if a tempo is unknown.
        shift_semitones: By how much the track sounds higher than it is: by a key shift, or by the tempo.
        vinyl: Whether the tempo moves the key.
        passage: The passages of both that fit; None if whole tracks were compared.
        most: The most axes that are named, besides tags.
    """
    contributions = {axis: _weighted(blocks, weights, scores) for axis, blocks in AXES.items()}
    total = sum(weights.values()) or 1.0
    matters = {axis for axis, blocks in AXES.items() if _weighted(blocks, weights) >= _MATTERS * total}
    lead = _common(query, track, shared_tags, weighted=_weighted(AXES["tags"], weights) > 0)
    phrases, faults = {}, []
    for axis, (good, bad) in {
        "tempo": _tempo(track, tempo_change),
        "key": _key(query, track, shift_semitones, vinyl=vinyl),
        "energy": (_energy(query, track), ""),
        "loudness": _loudness(query, track),
        "brightness": ("as bright" if scores.get("brightness", 0.0) >= _AS_BRIGHT else "", ""),
        "sound": (_sound(_mean_score("embedding", weights, scores)), ""),
        "variation": ("changes as much over time" if _mean_score("variation", weights, scores) >= _ALIKE else "", ""),
    }.items():
        if good and contributions[axis] > 0:
            phrases[axis] = good
        if bad and axis in matters:
            faults.append(bad)
    chosen = sorted(phrases, key=lambda axis: -_TELLING.get(axis, 1.0) * contributions[axis])[:most]
    named = [phrases[axis] for axis in phrases if axis in chosen and axis not in _BEHIND]
    behind = [phrases[axis] for axis in phrases if axis in chosen and axis in _BEHIND]
    if lead and named and "tempo" in chosen:  # "both techno at 127 BPM"
        named[0] = f"{lead} {named[0]}"
    elif lead:
        named.insert(0, lead)
    elif named:
        named[0] = named[0].removeprefix("at ")
    met = "" if passage is None else f"its {_span(passage.track_s)} fits {_span(passage.query_s)} of the query"
    parts = [", ".join(named), " and ".join(behind), met, f"but {_joined(faults)}" if faults else ""]
    sentence = "; ".join(filter(None, parts)) or "nearest of all, and nothing stands out"
    return sentence[0].upper() + sentence[1:]


def _weighted(blocks: Sequence[str], weights: Mapping[str, float], scores: Mapping[str, float] | None = None) -> float:
    """Return the sum of the weights of blocks, or of weights times scores."""
    chosen = {name: weight for name, weight in weights.items() if name.partition(".")[0] in blocks}
    if scores is None:
        return sum(chosen.values())
    return sum(weight * _or_0(scores.get(name, 0.0)) for name, weight in chosen.items())


def _mean_score(block: str, weights: Mapping[str, float], scores: Mapping[str, float]) -> float:
    """Return the similarity in a block; the mean if embeddings of several models are compared."""
    weight = _weighted([block], weights)
    return _weighted([block], weights, scores) / weight if weight else 0.0


def _common(query: TrackFacts, track: TrackFacts, shared_tags: Sequence[str], *, weighted: bool) -> str:
    """Return what both are, such as "both techno"; more tags if their similarity counts."""
    genre = [track.genre] if track.genre and track.genre == query.genre else []
    others = [name for name in shared_tags if name not in genre]
    names = (genre + others)[: 3 if weighted else 1 if genre else 2]
    return f"both {_joined(names)}" if names else ""


def _tempo(track: TrackFacts, change: tuple[float, float] | None) -> tuple[str, str]:
    if change is None or track.bpm is None or math.isnan(change[0]):
        return "", ""
    percent, multiple = change
    sign = tempo_sign(multiple)
    bpm = f"{track.bpm:.0f} BPM"
    if abs(percent) > _MOST_PERCENT:
        return "", f"{signed(percent, 1)} % tempo{f' ({sign})' if sign else ''}"
    if not sign and not round(percent, 1):
        return f"at the same tempo ({bpm})", ""
    return f"at {bpm} ({f'{sign}, ' if sign else ''}{signed(percent, 1)} %)", ""


def _key(query: TrackFacts, track: TrackFacts, shift: int, *, vinyl: bool) -> tuple[str, str]:
    if query.key is None or track.key is None:
        return "", ""
    sounding = int(transpose(np.array(track.key), shift))
    if not shift and sounding == query.key:
        return f"in the same key ({CAMELOT_24[track.key]})", ""
    relation = relation_text(query.key, sounding)
    moved = sounding_text(sounding, shift=shift, vinyl=vinyl)
    why = f"{moved}: {relation}" if moved else relation
    text = f"{CAMELOT_24[track.key]} after {CAMELOT_24[query.key]} ({why})"
    unrelated = camelot_relations()[query.key, sounding] == RELATIONS.index("other")
    return ("", text) if unrelated else (text, "")


def _energy(query: TrackFacts, track: TrackFacts) -> str:
    if query.energy is None or track.energy is None:
        return ""
    step = track.energy - query.energy
    if abs(step) < _AS_ENERGETIC:
        return "as energetic"
    more = "more energetic" if step > 0 else "calmer"
    if abs(step) < _SLIGHTLY:
        return f"slightly {more}"
    return f"{more} ({track.energy:.1f} after {query.energy:.1f})"


def _loudness(query: TrackFacts, track: TrackFacts) -> tuple[str, str]:
    if query.loudness is None or track.loudness is None:
        return "", ""
    louder = track.loudness - query.loudness
    return "as loud" if abs(louder) < _AS_LOUD_LU else "", loudness_text(louder, least=_QUIETER_LU)


def _sound(similarity: float) -> str:
    if similarity < _SOMEWHAT:
        return ""
    return "sounds alike" if similarity >= _ALIKE else "sounds somewhat alike"


def _span(place_s: tuple[float, float]) -> str:
    """Return a part of a track as "1:20–1:30"."""
    return "–".join(length_text(at_s) for at_s in place_s)


def _joined(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _or_0(value: float) -> float:
    return 0.0 if math.isnan(value) else value
