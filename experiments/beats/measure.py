"""Beats of labelled clips and tempo of real songs: a network with the head `beats` against librosa's beat tracker.

    python experiments/beats/measure.py beats.csv --models beats --splits test test_shift --csv beats_scores.csv
    python experiments/beats/measure.py beats.csv --models none --librosa --splits test test_shift
    python experiments/beats/measure.py beats.csv --models beats --splits valid --speeds 0.9 1.1
    python experiments/beats/measure.py --songs FOLDER --models beats --librosa

beats.csv is a manifest with the column `beats`. Scores are means over the clips, by mir_eval. A row "peaks" takes every
clear peak of the network, a row "sequence" the most probable sequence of beats, as the head answers, and a row "grid"
the beats at a constant tempo. `--speeds` plays the clips at other speeds with their pitch unchanged; the labels move
along. `--songs` compares the tempo with notes.mid, as in experiments/real_library/tempo.py. `--librosa` needs librosa
0.11 and takes it as it comes: 22,050 Hz, and a beat_track that expects 120 BPM.
"""

import argparse
import runpy
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from musicrec.audio.decode import decode_track
from musicrec.audio.search import find_audio
from musicrec.data.manifest import read_manifest
from musicrec.deformations.time_stretch import TimeStretch
from musicrec.export.analyzer import TrackAnalyzer, load
from musicrec.heads.beat_decoding import pick_peaks
from musicrec.heads.beat_metrics import METRICS, track_points
from musicrec.heads.beats import BeatHead
from musicrec.system.csv_table import write_records

LIBROSA_RATE = 22_050


def librosa_beats(waveform: np.ndarray, rate: int) -> tuple[float, np.ndarray]:
    """Return the tempo in BPM and the beats in seconds, by librosa."""
    import librosa

    if rate != LIBROSA_RATE:
        waveform = librosa.resample(waveform, orig_sr=rate, target_sr=LIBROSA_RATE)
    tempo, beats = librosa.beat.beat_track(y=waveform, sr=LIBROSA_RATE, units="time")
    return float(np.atleast_1d(tempo)[0]), beats


def answers(analyzer: TrackAnalyzer | None, waveform: np.ndarray, *, librosa: bool) -> dict[str, np.ndarray]:
    """Return {method: beats (beats, 2), times and whether they are downbeats}."""
    found = {}
    if analyzer is not None:
        analysis, head = analyzer.analyze(waveform), analyzer.frame_heads["beats"]
        frames, grid = analysis.frames["beats"], analysis.beat_grid
        downbeats = pick_peaks(frames[1], frame_rate=head.frame_rate)
        peaks = pick_peaks(frames[0], frame_rate=head.frame_rate)
        found["peaks"] = np.stack([peaks, _near(peaks, downbeats)], axis=1)
        found["sequence"] = head.beats(frames)
        found["grid"] = np.zeros((0, 2))
        if grid is not None:
            places = (np.arange(len(grid.beats_s)) + grid.first_place - 1) % grid.beats_per_bar
            found["grid"] = np.stack([grid.beats_s, places == 0], axis=1)
    if librosa:
        beats = librosa_beats(waveform, 16_000)[1]
        found["librosa"] = np.stack([beats, np.zeros(len(beats))], axis=1)
    return found


def _near(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return whether each time is the nearest one to one of the others, within 70 ms."""
    marks = np.zeros(len(times))
    for other in others:
        nearest = int(np.abs(times - other).argmin()) if len(times) else -1
        if nearest >= 0 and abs(times[nearest] - other) <= 0.07:
            marks[nearest] = 1
    return marks


def measure_clips(options: argparse.Namespace, analyzer: TrackAnalyzer | None) -> list[dict]:
    """Return one row per split, speed and method."""
    frame = read_manifest(options.manifest).filter(pl.col("split").is_in(options.splits))
    target = BeatHead().encode(frame)
    points: dict[tuple, list] = {}
    for row, truth in zip(frame.to_dicts(), target, strict=True):
        waveform = decode_track(row["path"]).waveform
        for speed in options.speeds:
            played, labels = waveform, truth[None]
            if speed != 1:
                stretch = TimeStretch(rate=speed)
                deformed = stretch(
                    torch.from_numpy(waveform)[None], samples=int(len(waveform) / speed), sample_rate=16_000, seeds=[0]
                )
                played = deformed.waveform[0].numpy()
                ratio, shift = deformed.tempo_ratio, deformed.shift_semitones
                labels = BeatHead().move(labels, shift_semitones=shift, tempo_ratio=ratio)
            for method, beats in answers(analyzer, played, librosa=options.librosa).items():
                values = track_points(beats, labels[0].numpy())
                points.setdefault((row["split"], speed, method), []).append(values)
    return [
        {"split": split, "speed": speed, "method": method, "clips": len(values)}
        | dict(zip(METRICS, np.nanmean(values, axis=0).round(3).tolist(), strict=True))
        for (split, speed, method), values in points.items()
    ]


def measure_songs(options: argparse.Namespace, analyzer: TrackAnalyzer | None) -> list[dict]:
    """Return one row per song with the tempo of notes.mid, of the grid, and of librosa."""
    written_bpm = runpy.run_path("experiments/real_library/tempo.py")["written_bpm"]
    records = []
    songs = [options.songs / name for name in find_audio(options.songs).files]
    for song in sorted(file for file in songs if file.name == "song.ogg" and file.with_name("notes.mid").exists()):
        written, waveform = written_bpm(song.with_name("notes.mid")), decode_track(song).waveform
        record = {"song": song.parent.name, "notes_mid_bpm": round(written, 2)}
        if analyzer is not None:
            grid = analyzer.analyze(waveform).beat_grid
            record |= {} if grid is None else {"grid_bpm": round(grid.bpm, 3), "confidence": round(grid.confidence, 2)}
        if options.librosa:
            record["librosa_bpm"] = round(librosa_beats(waveform, 16_000)[0], 2)
        records.append(record)
    return records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--songs", type=Path)
    parser.add_argument("--models", default="beats", help="a name or an export folder; none for none")
    parser.add_argument("--splits", nargs="+", default=["valid"])
    parser.add_argument("--speeds", nargs="+", type=float, default=[1.0])
    parser.add_argument("--librosa", action="store_true")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    analyzer = None if options.models == "none" else load(*options.models.split(","))
    begin, records = time.perf_counter(), []
    if options.manifest:
        records += measure_clips(options, analyzer)
    if options.songs:
        records += measure_songs(options, analyzer)
    for record in records:
        print("| " + " | ".join(str(value) for value in record.values()) + " |")
    print(f"{time.perf_counter() - begin:.0f} s")
    if options.csv:
        write_records(options.csv, records)


if __name__ == "__main__":
    main()
