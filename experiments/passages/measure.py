"""Measure what passages find that whole tracks do not.

    python experiments/passages/measure.py MANIFEST.csv --cache CACHE --csv passages.csv
    python experiments/passages/measure.py MANIFEST.csv --cache CACHE --choose --csv choosing.csv

Two questions, for each track of a manifest of 100 s or more:

- **excerpt**: 30 s from a random place, encoded by ffmpeg as MP3 at 128 kbit/s, is the query; which track is it from?
- **halves**: the first half of the track is the query; which of all second halves is it continued by?

Rankings:

- *whole tracks*: the cosine of the mean embeddings of the taggers, centred and scaled by their mean and deviation over
  what is ranked, as queries compare them;
- *end and beginning, before*: the last 30 s against the first 30 s, with all numbers of the embeddings, centred and
  scaled, as libraries of format 6 did;
- *end and beginning*: the same from stored passages, as `passage=outro_to_intro` does;
- *best passages*: the stored passages that fit best, as `passage=best` does.

The table has the share of queries whose track is first, that whose track is among the first five, and the mean
reciprocal rank, with bootstrap intervals over the queries, and the differences to whole tracks. --choose measures other
settings of passages instead. What the taggers heard, chunk by chunk, is kept in CACHE, so that the script can be
stopped; a half of a track is the chunks that lie in it.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track as with_progress

from musicrec.audio.decode import decode
from musicrec.data.manifest import read_manifest
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.export import catalogue, passages
from musicrec.export.chunk_batches import chunk_batches, heard_starts
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.export.passages import END_S, HeardChunks, Passages, passages_of
from musicrec.recommend import passage_statistics, stored_passages
from musicrec.recommend.evaluation.estimates import mean
from musicrec.recommend.exports import DEFAULT_COVERAGE
from musicrec.recommend.passage_statistics import PassageStatistics
from musicrec.recommend.reranking.passages import match_passages
from musicrec.recommend.stored_passages import from_bytes, to_bytes
from musicrec.system.csv_table import write_records

RATE, LEAST_S, EXCERPT_S, MP3_KBPS = 16_000, 100.0, 30.0, 128
TAGGERS = ("musicnn_mtt", "musicnn_msd")  # which hear the same chunks
PARTS = ("track", "excerpt", "first", "second")
LEAST_FITTED = 20
LENGTHS_S, SIZES, RIDGES = (5.0, 10.0, 15.0, 30.0), (16, 32, 64, 128), (0.01, 0.05, 0.2, 1.0, 100.0)


@dataclass(frozen=True, eq=False)
class Heard:
    """What the taggers heard of a part of a track."""

    chunks: HeardChunks
    duration_s: float

    @property
    def embedding(self) -> np.ndarray:
        """The mean embedding, (size,)."""
        return np.asarray(self.chunks.embeddings.mean(axis=0))

    @cached_property
    def passages(self) -> Passages:
        """The passages, with all numbers."""
        return passages_of([self.chunks], self.duration_s)

    @cached_property
    def stored(self) -> Passages:
        """The passages as a library has them."""
        return from_bytes(to_bytes(self.passages))

    def end(self, *, last: bool) -> np.ndarray:
        """Return the mean over the last 30 s, or over the first, (size,)."""
        middle = self.chunks.start_s + self.chunks.length_s / 2
        rows = middle >= self.duration_s - END_S if last else middle <= END_S
        return np.asarray(self.chunks.embeddings[rows].mean(axis=0))

    def half(self, *, last: bool) -> "Heard":
        """Return the first or the second half."""
        half_s, start_s, length_s = self.duration_s / 2, self.chunks.start_s, self.chunks.length_s
        rows = start_s >= half_s if last else start_s + length_s <= half_s
        starts = start_s[rows] - (half_s if last else 0)
        return Heard(HeardChunks(self.chunks.embeddings[rows], starts, length_s), half_s)


def excerpt(file: str, duration_s: float, *, seed: int) -> np.ndarray:
    """Return 30 s from a random place of a file, after it was encoded as MP3."""
    start_s = np.random.default_rng(seed).uniform(0, duration_s - EXCERPT_S)
    with tempfile.TemporaryDirectory() as folder:
        cut = ["ffmpeg", "-v", "error", "-ss", f"{start_s:.3f}", "-t", f"{EXCERPT_S:g}", "-i", file, "-map", "0:a:0"]
        subprocess.run([*cut, "-b:a", f"{MP3_KBPS}k", f"{folder}/excerpt.mp3"], check=True)
        return decode(f"{folder}/excerpt.mp3", sample_rate=RATE)


@torch.inference_mode()
def hear(taggers: Sequence[Model], waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings of the chunks that the taggers hear, (chunks, size), and where these begin, in seconds."""
    first, cpu = taggers[0], torch.device("cpu")
    whole = [torch.from_numpy(waveform)]
    batches = chunk_batches(first.network, first.frontend, whole, batch_size=32, device=cpu, coverage=DEFAULT_COVERAGE)
    found = [torch.cat([tagger.network(batch)[0] for tagger in taggers], dim=1) for _, batch in batches]
    starts = heard_starts(first.network, first.frontend, len(waveform), coverage=DEFAULT_COVERAGE)
    return torch.cat(found).numpy(), starts * first.frontend.hop_length / RATE


def read_or_hear(taggers: Sequence[Model], file: str, cache: Path, *, seed: int) -> dict[str, Heard] | None:
    """Return what the taggers heard of the parts of a track; None if it is short."""
    kept = cache / f"{seed:04}.npz"
    if not kept.exists():
        waveform = decode(file, sample_rate=RATE)
        duration_s = len(waveform) / RATE
        found: dict[str, np.ndarray] = {"duration_s": np.array(duration_s)}
        if duration_s >= LEAST_S:
            for name, heard in {"track": waveform, "excerpt": excerpt(file, duration_s, seed=seed)}.items():
                found[name], found[f"{name}/start_s"] = hear(taggers, heard)
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **found)
    length_s = taggers[0].network.chunk_frames * taggers[0].frontend.hop_length / RATE  # type: ignore[attr-defined]
    with np.load(kept) as read:
        if "track" not in read:
            return None
        whole, part = (
            Heard(HeardChunks(read[name], read[f"{name}/start_s"], length_s), duration_s)
            for name, duration_s in (("track", float(read["duration_s"])), ("excerpt", EXCERPT_S))
        )
    parts = (whole, part, whole.half(last=False), whole.half(last=True))
    return dict(zip(PARTS, parts, strict=True))


def cosines(queries: np.ndarray, tracks: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the cosines of (queries, size) and (tracks, size), centred and scaled by those of `fitted`."""
    middle, deviation = fitted.mean(axis=0), fitted.std(axis=0) + 1e-6
    units = [(one - middle) / deviation for one in (queries, tracks)]
    units = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in units]
    return np.asarray(units[0] @ units[1].T)


def by_passages(queries: Sequence[Heard], tracks: Sequence[Heard], mode: str) -> np.ndarray:
    """Return how well the passages of (queries, tracks) fit, with statistics of the tracks."""
    stored = [one.stored for one in tracks]
    statistics = PassageStatistics.fit(stored, least=LEAST_FITTED)
    assert statistics is not None
    rows = [match_passages(one.stored, stored, mode=mode, statistics=statistics) for one in queries]
    return np.array([[np.nan if match is None else match.similarity for match in row] for row in rows])


def rankings(heard: Sequence[Mapping[str, Heard]]) -> dict[str, dict[str, np.ndarray]]:
    """Return {question: {ranking: (queries, tracks) similarities}}; the right answer is on the diagonal."""
    parts = {name: [one[name] for one in heard] for name in PARTS}
    means = {name: np.stack([one.embedding for one in of_part]) for name, of_part in parts.items()}
    ends = np.stack([one.end(last=True) for one in parts["first"]])
    begins = np.stack([one.end(last=False) for one in parts["second"]])
    of_ends = np.concatenate([[one.end(last=last) for one in parts["second"]] for last in (False, True)])
    return {
        "excerpt": {
            "whole tracks": cosines(means["excerpt"], means["track"], means["track"]),
            "best passages": by_passages(parts["excerpt"], parts["track"], "best"),
        },
        "halves": {
            "whole tracks": cosines(means["first"], means["second"], means["second"]),
            "end and beginning, before": cosines(ends, begins, of_ends),
            "end and beginning": by_passages(parts["first"], parts["second"], "outro_to_intro"),
            "best passages": by_passages(parts["first"], parts["second"], "best"),
        },
    }


def measures(similarities: np.ndarray) -> dict[str, np.ndarray]:
    """Return {measure: (queries,)}."""
    right = np.diag(similarities)[:, None]
    rank = 1 + (similarities > right).sum(axis=1)
    return {"first": (rank == 1) * 1.0, "first five": (rank <= 5) * 1.0, "reciprocal rank": 1 / rank}


def estimates(heard: Sequence[Mapping[str, Heard]], only: Sequence[str] = ()) -> Iterator[dict[str, str | float]]:
    """Yield one row per question, ranking and measure; `only` names the rankings."""
    bootstrap = Bootstrap(resamples=2000, confidence=0.95, units=("track",), seed=0)
    for question, similarities in rankings(heard).items():
        base = measures(similarities["whole tracks"])
        for ranking, of_ranking in similarities.items():
            if only and ranking not in only:
                continue
            for measure, values in measures(of_ranking).items():
                value, difference = mean(values, bootstrap), mean(values - base[measure], bootstrap)
                row = {"question": question, "ranking": ranking, "measure": measure}
                row |= {name: round(getattr(value, name), 4) for name in ("value", "low", "high")}
                yield row | {
                    f"difference_{name}": round(getattr(difference, name), 4) for name in ("value", "low", "high")
                }


def choices(heard: Sequence[Mapping[str, Heard]]) -> Iterator[dict[str, str | float]]:
    """Yield rows for other settings of passages, one setting changed at a time."""
    usual = {"passage_s": passages.PASSAGE_S, "size": stored_passages.SIZE, "ridge": passage_statistics._RIDGE}
    tried = {"passage_s": LENGTHS_S, "size": SIZES, "ridge": RIDGES}
    for name, value in [(name, value) for name, values in tried.items() for value in values]:
        settings = usual | {name: value}
        passages.PASSAGE_S, stored_passages.SIZE = float(settings["passage_s"]), int(settings["size"])
        passage_statistics._RIDGE = settings["ridge"]
        stored_passages.projection.cache_clear()
        fresh = [{part: Heard(one.chunks, one.duration_s) for part, one in of_track.items()} for of_track in heard]
        for row in estimates(fresh, only=("end and beginning", "best passages")):
            yield {"setting": name, "tried": value, **row}


def table_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of the table in the README, one per ranking, from the rows of a CSV file."""
    names = ("first", "first five", "reciprocal rank")
    lines = [
        "| " + " | ".join(("query", "ranking", *names, "first, more than whole tracks")) + " |",
        "|---|---|---|---|---|---|",
    ]
    by_ranking: dict[tuple[str, ...], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        setting = (f"{row['setting']} {float(row['tried']):g}",) if "setting" in row else ()
        by_ranking.setdefault((*setting, row["question"], row["ranking"]), {})[row["measure"]] = row

    def text(row: Mapping[str, Any], prefix: str = "") -> str:
        value, low, high = (float(row[f"{prefix}{name}"]) for name in ("value", "low", "high"))
        sign = "+" if prefix else ""
        interval = "" if np.isnan(low) else f" [{low:{sign}.3f}, {high:{sign}.3f}]"
        return f"{value:{sign}.3f}{interval}"

    for (*setting, question, ranking), measured in by_ranking.items():
        cells = [text(measured[name]) for name in names]
        more = "" if ranking == "whole tracks" else text(measured["first"], "difference_")
        lines.append("| " + " | ".join((": ".join((*setting, question)), ranking, *cells, more)) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--choose", action="store_true", help="measure other lengths, dimensions and whitenings")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    taggers = [read_export(catalogue.resolve(name)).for_inference() for name in TAGGERS]
    for tagger in taggers:
        tagger.network.eval()
    files = with_progress(read_manifest(options.manifest)["path"].to_list(), "listening")
    found = [read_or_hear(taggers, file, options.cache, seed=seed) for seed, file in enumerate(files)]
    heard = [one for one in found if one is not None]
    sizes = [len(to_bytes(one["track"].passages)) for one in heard]
    rows = list(choices(heard) if options.choose else estimates(heard))
    print(f"{len(heard)} tracks; stored passages take {np.mean(sizes):,.0f} bytes per track, {max(sizes):,} at most")
    print("\n".join(table_of(rows)))
    if options.csv:
        write_records(options.csv, rows)


if __name__ == "__main__":
    main()
