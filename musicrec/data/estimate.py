"""How much a waveform store will take, said before any of it is decoded."""

import contextlib
import os
import time
from dataclasses import dataclass

import mutagen
import polars as pl

from musicrec.audio.decode import decode
from musicrec.audio.file_tags import opened
from musicrec.errors import AudioError

_HEADERS = 32  # read of files of each kind
_DECODED, _DECODED_S = 4, 20.0  # files, and how much of each, that are decoded for their speed
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """audio_s: length of all tracks. store_bytes: what they will take. build_s: how long decoding will take; None
    where it was not asked for, or nothing can be decoded."""

    audio_s: float
    store_bytes: int
    build_s: float | None = None


def estimate(files: pl.DataFrame, *, sample_rate: int, workers: int, timed: bool = True) -> Estimate:
    """What decoding these files will take, judged from the headers of some of each kind and from their sizes.

    files: the columns path and size in bytes. timed: also decode a little of some, to know the speed.
    """
    files = files.filter(pl.col("size") > 0).with_columns(
        kind=pl.col("path").str.extract(r"\.(\w+)$").str.to_lowercase()
    )
    shuffled = files.sample(fraction=1.0, shuffle=True, seed=_SEED)
    sample = shuffled.filter(pl.int_range(pl.len()).over("kind") < _HEADERS)
    sample = sample.with_columns(length_s=pl.Series([_length_s(path) for path in sample["path"]], dtype=pl.Float64))
    known = sample.drop_nulls("length_s")
    if known.is_empty():
        return Estimate(audio_s=0.0, store_bytes=0)
    overall = known["length_s"].sum() / known["size"].sum()
    rates = known.group_by("kind").agg(rate=pl.col("length_s").sum() / pl.col("size").sum())
    sizes = files.group_by("kind").agg(pl.col("size").sum()).join(rates, on="kind", how="left")
    audio_s = sizes.select((pl.col("size") * pl.col("rate").fill_null(overall)).sum()).item()
    build_s = None
    if timed:
        cost = _cost(known["path"].head(_DECODED).to_list(), sample_rate)
        build_s = None if cost is None else audio_s * cost / workers
    return Estimate(audio_s=audio_s, store_bytes=round(2 * sample_rate * audio_s), build_s=build_s)


def _length_s(path: str | os.PathLike) -> float | None:
    """As the header states it, without a look at the audio."""
    with contextlib.suppress(mutagen.MutagenError, OSError):
        return getattr(getattr(opened(path), "info", None), "length", None) or None
    return None


def _cost(paths: list[str], sample_rate: int) -> float | None:
    """Seconds that decoding a second of audio takes on one thread."""
    spent_s = audio_s = 0.0
    for path in paths:
        begin = time.perf_counter()
        try:
            samples = len(decode(path, sample_rate=sample_rate, duration_s=_DECODED_S))
        except (AudioError, OSError):
            continue
        spent_s, audio_s = spent_s + time.perf_counter() - begin, audio_s + samples / sample_rate
    return spent_s / audio_s if audio_s else None
