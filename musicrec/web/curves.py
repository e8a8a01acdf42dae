"""How a track develops: roll-off and zero crossings over time, and what the models say of its chunks."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from musicrec.descriptors.roll_off import roll_off_frequencies
from musicrec.heads import Head
from musicrec.heads.keys import camelot, parse_pitch_class
from musicrec.heads.tag_groups import TagGroups

MOST_POINTS = 1000
_FRAME_S, _LEAST_HOP_S = 0.032, 0.06
_AUDIBLE = 1e-3  # sum of the magnitudes of a sine of -60 dBFS
_BATCH = 2048  # frames
_MOST_TAGS, _MOST_TIMES = 12, 400

OverTime = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""{head: (middles of the chunks in seconds (chunks,), probabilities (chunks, classes))}."""


def curves_of(waveform: np.ndarray, sample_rate: int) -> dict[str, Any]:
    """Return roll-off and zero crossings over time, in plain JSON types.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        sample_rate: In Hz.

    Returns:
        "hop_s", the seconds between two points; "roll_off_hz", the mean roll-off around each point, None where it is
        silent; and "zero_crossings_per_s".
    """
    size = round(_FRAME_S * sample_rate)
    duration_s = len(waveform) / sample_rate
    points = max(1, min(MOST_POINTS, math.ceil(duration_s / _LEAST_HOP_S)))
    edges = np.arange(points + 1, dtype=np.int64) * len(waveform) // points
    negative = (waveform < 0).view(np.int8)  # -0 is 0
    crossings = np.add.reduceat(np.diff(negative, prepend=negative[:1]) != 0, edges[:-1], dtype=np.int32)
    seconds = np.maximum(np.diff(edges), 1) / sample_rate
    return {
        "hop_s": round(duration_s / points, 6),
        "roll_off_hz": _roll_offs(np.pad(waveform, (0, max(0, size - len(waveform)))), sample_rate, size, points),
        "zero_crossings_per_s": np.round(crossings / seconds, 1).tolist(),
    }


def _roll_offs(waveform: np.ndarray, sample_rate: int, size: int, points: int) -> list[float | None]:
    """Return the mean roll-off of the audible frames that begin in each of `points` equal parts."""
    from scipy.fft import rfft, rfftfreq  # twice as fast as NumPy's

    frequencies = rfftfreq(size, 1 / sample_rate).astype(np.float32)
    window = (np.hanning(size + 1)[:-1] * 2 / size).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(waveform, size)
    hop = max(1, min(round(_LEAST_HOP_S * sample_rate), len(frames) // points or 1))
    starts = np.arange(0, len(frames), hop)
    sums, counts = np.zeros(points), np.zeros(points)
    for first in range(0, len(starts), _BATCH):
        some = starts[first : first + _BATCH]
        magnitudes = np.abs(rfft(frames[some] * window, axis=1))
        audible = magnitudes.sum(axis=1) > _AUDIBLE
        places = np.minimum(some * points // len(waveform), points - 1)[audible]
        sums += np.bincount(places, roll_off_frequencies(magnitudes[audible], frequencies), points)
        counts += np.bincount(places, minlength=points)
    return [round(total / count, 1) if count else None for total, count in zip(sums, counts, strict=True)]


def predictions_of(heads: Mapping[str, Head], over_time: OverTime) -> dict[str, Any]:
    """Return what the models say of the chunks of a track, in plain JSON types.

    Args:
        heads: The heads, {name: head}.
        over_time: Their answers, whose chunks may differ.

    Returns:
        "times_s", the middles of chunks; "tags", {tag: [strength per time]} of the strongest tags; "bpm" and "key" per
        time, the key as Camelot code; [] if no head predicts them.
    """
    if not over_time:
        return {"times_s": [], "tags": {}, "bpm": [], "key": []}
    tagged = [name for name in over_time if heads[name].role == "tag"]
    times = max((over_time[name][0] for name in tagged or over_time), key=len)
    times = times[:: math.ceil(len(times) / _MOST_TIMES)]
    values = {name: of[_nearest(middles, times)] for name, (middles, of) in over_time.items()}
    facts = [
        [heads[name].dj_facts(heads[name].decode(row)) for row in of]
        for name, of in values.items()
        if heads[name].role == "feature"
    ]
    bpm = next((row for row in ([fact.bpm for fact in of] for of in facts) if any(row)), [])
    return {
        "times_s": np.round(times, 2).tolist(),
        "tags": _strongest(heads, {name: values[name] for name in tagged}),
        "bpm": [None if value is None else round(value, 1) for value in bpm],
        "key": _keys(facts, len(times)),
    }


def _nearest(middles: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return for each time the position of the nearest chunk."""
    return np.abs(middles[None, :] - times[:, None]).argmin(axis=1)


def _strongest(heads: Mapping[str, Head], values: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """Return the strength per time of the tags that are strongest somewhere: {tag: [strengths]}."""
    if not values:
        return {}
    groups = TagGroups([heads[name] for name in values])
    if groups.tags:
        names, strengths = [tag.name for tag in groups.tags], groups.strengths(values)
    else:
        names = [tag for name in values for tag in heads[name].classes]
        strengths = np.concatenate(list(values.values()), axis=1)
    best = np.argsort(-strengths.max(axis=0), kind="stable")[:_MOST_TAGS]
    return {names[place]: np.round(strengths[:, place].astype(float), 3).tolist() for place in best}


def _keys(facts: list[list[Any]], count: int) -> list[str | None]:
    """Return the Camelot codes; the tonic of one head and the mode of another are put together, as in descriptions."""
    codes: list[str | None] = []
    for place in range(count):
        here = [of[place] for of in facts]
        tonic, mode = next(((fact.tonic, fact.mode) for fact in here if fact.tonic is not None), (None, None))
        mode = mode or next((fact.mode for fact in here if fact.mode is not None), None)
        codes.append(camelot(parse_pitch_class(str(tonic)), str(mode)) if tonic is not None and mode else None)
    return codes if any(codes) else []
