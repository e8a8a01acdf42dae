"""Compare the tempo and key of exports with Essentia's, on the same files in one run.

    python benchmarks/tempo_and_key.py --exports TEMPO/export,KEY/export --manifest CORPUS/manifest.csv \\
        --splits test,test_shift

Essentia (`pip install essentia`; AGPL, therefore no dependency) uses RhythmExtractor2013 (multifeature) and
KeyExtractor at 44.1 kHz with their default settings. If it is not installed, its side is left out. A track without a
label for tempo or key is left out of that column. --tracks prints every track.
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

import musicrec
from musicrec.audio.decode import decode
from musicrec.data.manifest import read_manifest
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import KEYS_24, key_index, parse_key
from musicrec.heads.metrics import mirex_points, tempo_hits
from musicrec.heads.tempo import TempoHead

ESSENTIA_RATE = 44_100
Answer = tuple[float, int]  # BPM, place in KEYS_24
COLUMNS = ("tempo Acc1 ±4 %", "Acc2 ±4 %", "Acc1 ±1 %", "key of 24", "key, MIREX", "s per track")


def ours(exports: list[str]) -> Callable[[Path], Answer]:
    analyzer = musicrec.load(*exports)

    def answer(path: Path) -> Answer:
        features = analyzer.analyze(path).features
        return features["tempo"]["bpm"], KEYS_24.index(features["key"]["key"])

    return answer


def essentia() -> Callable[[Path], Answer] | None:
    try:
        import essentia
        import essentia.standard as algorithms
    except ImportError:
        return None
    essentia.log.infoActive = essentia.log.warningActive = False
    rhythm, key = algorithms.RhythmExtractor2013(method="multifeature"), algorithms.KeyExtractor()

    def answer(path: Path) -> Answer:
        waveform = decode(path, sample_rate=ESSENTIA_RATE)
        tonic, mode, _ = key(waveform)
        return float(rhythm(waveform)[0]), key_index(*parse_key(f"{tonic} {mode}"))

    return answer


def cells(answers: list[Answer], bpm: torch.Tensor, keys: torch.Tensor, seconds: float) -> list[str]:
    """A row of the table. bpm, keys: (tracks,) true, NaN where unknown."""
    known = ~bpm.isnan()
    heard = torch.tensor([answer[0] for answer in answers])[known]
    loose, strict = (tempo_hits(heard, bpm[known], tolerance=tolerance) for tolerance in (0.04, 0.01))
    values = [loose[:, 0], loose.any(dim=1), strict[:, 0]]
    known = ~keys.isnan()
    heard_keys = torch.tensor([float(answer[1]) for answer in answers])[known]
    values += [heard_keys == keys[known], mirex_points(heard_keys, keys[known], KEYS_24)[0]]
    return [*(f"{value.double().mean():.3f}" if len(value) else "–" for value in values), f"{seconds:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exports", required=True, help="one export for both, or TEMPO,KEY")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--splits", help="splits of the manifest, such as test,test_shift (default: all tracks)")
    parser.add_argument("--tracks", action="store_true", help="also print every track")
    arguments = parser.parse_args()

    frame = read_manifest(arguments.manifest)
    if arguments.splits:
        frame = frame.filter(pl.col("split").is_in(arguments.splits.split(",")))
    unknown = pl.Series([math.nan] * len(frame))
    bpm = TempoHead().encode(frame) if "bpm" in frame.columns else torch.from_numpy(unknown.to_numpy())
    keys = KeyHead().encode(frame) if {"key", "mode"} <= set(frame.columns) else torch.from_numpy(unknown.to_numpy())

    console, sides, answers = Console(), {"musicrec": ours(arguments.exports.split(",")), "Essentia": essentia()}, {}
    table = Table("", *COLUMNS, title=f"{len(frame)} tracks", box=MARKDOWN)
    for name, side in sides.items():
        if side is None:
            console.print("Essentia is not installed here (pip install essentia), so this shows one side only.")
            continue
        begin = time.perf_counter()
        answers[name] = [side(Path(path)) for path in track(frame["path"], name, console=Console(stderr=True))]
        table.add_row(name, *cells(answers[name], bpm, keys, (time.perf_counter() - begin) / len(frame)))
    console.print(table)

    if arguments.tracks:
        rows = Table("track", "BPM", "key", *answers, box=MARKDOWN)
        for number, name in enumerate(frame["track_id"]):
            true_bpm = "–" if bpm[number].isnan() else f"{bpm[number]:g}"
            true_key = "–" if keys[number].isnan() else KEYS_24[int(keys[number])]
            estimates = (f"{side[number][0]:.1f}, {KEYS_24[side[number][1]]}" for side in answers.values())
            rows.add_row(name, true_bpm, true_key, *estimates)
        console.print(rows)


if __name__ == "__main__":
    main()
