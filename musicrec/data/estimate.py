"""Estimate the size and the build time of a waveform store before it is built."""

import contextlib
import os
import time
from dataclasses import dataclass

import polars as pl

from musicrec.audio.decode import decode
from musicrec.audio.file_header import read_header
from musicrec.errors import AudioError

_HEADERS = 32  # headers that are read per file type
_DECODED, _DECODED_S = 4, 20.0  # files that are decoded to measure the speed, and seconds of each
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What decoding a set of files will take.

    Attributes:
        audio_s: Duration of all tracks in seconds.
        store_bytes: Size of the decoded tracks.
        build_s: Seconds that decoding will take; None if it was not measured or no file can be decoded.
    """

    audio_s: float
    store_bytes: int
    build_s: float | None = None


def estimate(files: pl.DataFrame, *, sample_rate: int, workers: int, timed: bool = True) -> Estimate:
    """Estimate what decoding these files will take, from their sizes and from the headers of some of each type.

    Args:
        files: Must have the columns path and size (in bytes).
        sample_rate: Rate of the decoded audio in Hz.
        workers: Number of decoding threads.
        timed: Also decode parts of a few files to measure the speed.

    Returns:
        The estimate; all zero if no header can be read.
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
        cost = _decoding_cost(known["path"].head(_DECODED).to_list(), sample_rate)
        build_s = None if cost is None else audio_s * cost / workers
    return Estimate(audio_s=audio_s, store_bytes=round(2 * sample_rate * audio_s), build_s=build_s)


def _length_s(path: str | os.PathLike) -> float | None:
    """Return the duration in seconds that the header of a file states, None if it states none."""
    with contextlib.suppress(AudioError):
        return read_header(path).length_s
    return None


def _decoding_cost(paths: list[str], sample_rate: int) -> float | None:
    """Return the seconds that one thread needs to decode a second of audio, None if no file can be decoded."""
    spent_s = audio_s = 0.0
    for path in paths:
        begin = time.perf_counter()
        try:
            samples = len(decode(path, sample_rate=sample_rate, duration_s=_DECODED_S))
        except (AudioError, OSError):
            continue
        spent_s, audio_s = spent_s + time.perf_counter() - begin, audio_s + samples / sample_rate
    return spent_s / audio_s if audio_s else None
