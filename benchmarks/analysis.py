"""Measure how long the analysis of music takes: each stage, the whole, and Essentia and librosa on the same files.

    python benchmarks/analysis.py --music ~/Music --exports tempo,key,musicnn_mtt,musicnn_msd
    python benchmarks/analysis.py --music ~/Music --others-python ../essentia-venv/bin/python

All values are seconds per minute of audio. The stages run on one thread, one after another; the table shows their
processor time, which other work on the machine hardly changes, as the shortest of the turns. Stages of networks are
given for the whole of a track, and for the share of it that indexing hears. The wholes run as indexing does, on all
threads (OMP_NUM_THREADS limits them); the table shows time by the clock and processor time, as medians of the turns,
and their ratio to decoding alone. They run in turns, so a change in the load of the machine affects all.

Essentia (RhythmExtractor2013, multifeature, and KeyExtractor at 44.1 kHz) and librosa (beat_track and chroma_cqt at
22.05 kHz) run in processes of one thread. What --others-python, a Python of its own, cannot import is left out.
Without --music, tracks of synthetic music are analysed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import soundfile
import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.audio.decode import Decoded, decode_track
from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.config.explain import one_message
from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.measurement import measure
from musicrec.export import catalogue
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.chunk_batches import chunk_batches, heard_starts
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.recommend.exports import DEFAULT_COVERAGE
from musicrec.system.memory import keep_freed_memory

SAMPLE_RATE = 16_000
STAGE_BATCH = 8

# Run by another Python with the paths as arguments: prints one line of JSON, {program: [wall, processor, audio] in s}.
OTHERS = """
import json, sys, time
found = {}

def measure(name, load, work, rate):
    wall = processor = audio = 0.0
    for number, path in enumerate(sys.argv[1:2] + sys.argv[1:]):
        begin = time.perf_counter(), time.process_time()
        waveform = load(path)
        work(waveform)
        if number:  # the first one warms up
            wall += time.perf_counter() - begin[0]
            processor += time.process_time() - begin[1]
            audio += len(waveform) / rate
    found[name] = [wall, processor, audio]

try:
    import essentia
    import essentia.standard as algorithms
except ImportError:
    pass
else:
    essentia.log.infoActive = essentia.log.warningActive = False
    rhythm, key = algorithms.RhythmExtractor2013(method="multifeature"), algorithms.KeyExtractor()
    load = lambda path: algorithms.MonoLoader(filename=path, sampleRate=44100)()
    measure("Essentia: tempo, key", load, lambda waveform: (rhythm(waveform), key(waveform)), 44100)
try:
    import librosa
except ImportError:
    pass
else:
    load = lambda path: librosa.load(path, sr=22050)[0]
    work = lambda waveform: (librosa.beat.beat_track(y=waveform), librosa.feature.chroma_cqt(y=waveform, tuning=0.0))
    measure("librosa: beats, chroma", load, work, 22050)
print(json.dumps(found))
"""


def shortest(work: Callable[[], object], turns: int) -> float:
    """Return the least processor time in seconds of some calls, after one that warms up."""
    times = []
    for turn in range(turns + 1):
        begin = time.process_time()
        work()
        if turn:
            times.append(time.process_time() - begin)
    return min(times)


def stages(
    models: Sequence[Model], files: Sequence[Path], turns: int, coverage: float
) -> dict[str, tuple[float, float]]:
    """Measure each stage on one thread.

    Returns:
        {stage: processor time in seconds per minute of audio, for whole tracks and as indexing does it}.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tracks = [decode_track(path, sample_rate=SAMPLE_RATE, meter=LoudnessMeter) for path in files]
    minutes = sum(len(track.waveform) for track in tracks) / SAMPLE_RATE / 60

    def decode(meter: type | None) -> list[Decoded]:
        return [decode_track(path, sample_rate=SAMPLE_RATE, meter=meter) for path in files]

    plain = shortest(lambda: decode(None), turns) / minutes
    metered = shortest(lambda: decode(LoudnessMeter), turns) / minutes
    described = shortest(lambda: [measure(track, sample_rate=SAMPLE_RATE) for track in tracks], turns) / minutes
    found = {
        "decoding": (plain, plain),
        "loudness, while decoding": (metered - plain, metered - plain),
        "other descriptors": (described, described),
    }
    models = TrackAnalyzer(models).models  # in the form and the memory layout of indexing
    waveforms = [torch.from_numpy(track.waveform) for track in tracks]
    with torch.inference_mode():
        for model in models:
            name = model.source.name if model.source else "model"
            every, some = (
                sum(len(heard_starts(model.network, model.frontend, len(w), coverage=share)) for w in waveforms)
                for share in (1.0, coverage)
            )
            heard = some / every

            def inputs(model: Model = model) -> list[torch.Tensor]:
                batches = chunk_batches(
                    model.network, model.frontend, waveforms, batch_size=STAGE_BATCH, device=torch.device("cpu")
                )
                return [batch for _, batch in batches]

            front = shortest(inputs, turns) / minutes
            batches = inputs()
            network = shortest(lambda model=model, batches=batches: [model.network(b) for b in batches], turns)
            found[f"{name}: front end"] = front, front * heard
            found[f"{name}: network"] = network / minutes, network / minutes * heard
    torch.set_num_threads(threads)
    return found


def wholes(
    analyzers: dict[str, TrackAnalyzer], files: Sequence[Path], turns: int
) -> dict[str, list[tuple[float, float, float]]]:
    """Decode alone, and analyse as indexing does, in turns.

    Returns:
        {what: (wall seconds, processor seconds, seconds of audio) of each turn}.
    """
    threads = torch.get_num_threads()

    def decode_all() -> float:
        with ThreadPoolExecutor(threads) as pool:
            decoded = pool.map(lambda path: len(decode_track(path, sample_rate=SAMPLE_RATE).waveform), files)
            return sum(decoded) / SAMPLE_RATE

    def analyse_all(analyzer: TrackAnalyzer) -> float:
        with closing(analyzer.analyze_many(files)) as answers:
            return sum(answer[1].duration_s for _, answer in answers if isinstance(answer, tuple))

    jobs: dict[str, Callable[[], float]] = {"decoding alone": decode_all}
    jobs |= {name: lambda analyzer=analyzer: analyse_all(analyzer) for name, analyzer in analyzers.items()}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in jobs}
    for turn in range(turns + 1):
        for name, job in jobs.items():
            begin = time.perf_counter(), time.process_time()
            audio_s = job()
            if turn:
                found[name].append((time.perf_counter() - begin[0], time.process_time() - begin[1], audio_s))
    return found


def others(python: str, files: Sequence[Path]) -> dict[str, list[tuple[float, float, float]]]:
    """Run Essentia and librosa in another Python, as far as it has them."""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, "-c", OTHERS, *map(str, files)],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | limits,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return {name: [tuple(times)] for name, times in json.loads(done.stdout.splitlines()[-1]).items()}


def music(folder: Path | None, most: int, made: Path) -> list[Path]:
    """Return the files to analyse: the first ones of a folder, or synthetic tracks that are made here."""
    if folder is not None:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)[:most]
        if not found:
            sys.exit(f"--music {folder}: no audio file below it")
        return found
    files = []
    for path in read_manifest(make_synthetic(made, tracks=min(most, 4), duration_s=180.0, progress=False))["path"]:
        files.append(Path(path).with_suffix(".ogg"))
        samples, rate = soundfile.read(path, dtype="float32")
        with soundfile.SoundFile(files[-1], "w", rate, 1, format="OGG", subtype="VORBIS") as file:
            for first in range(0, len(samples), rate):  # libsndfile fails if it gets a long Vorbis at once
                file.write(samples[first : first + rate])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", type=Path, metavar="FOLDER", help="music to analyse (default: synthetic tracks)")
    parser.add_argument("--most", type=int, default=10, help="number of files (default %(default)s)")
    parser.add_argument("--exports", help="names or folders, separated by commas (default: the default set)")
    parser.add_argument("--coverage", type=float, default=DEFAULT_COVERAGE, help="(default %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="(default %(default)s)")
    parser.add_argument("--others-python", default=sys.executable, help="a Python with Essentia or librosa")
    parser.add_argument("--no-stages", action="store_true", help="measure the wholes only")
    arguments = parser.parse_args()

    keep_freed_memory()
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as made, one_message():
        named = arguments.exports.split(",") if arguments.exports else catalogue.default_models()
        models = [read_export(catalogue.resolve(name)) for name in named]
        files = music(arguments.music, arguments.most, Path(made))
        analyzers = {"all models": TrackAnalyzer(models, coverage=arguments.coverage)}
        untagged = [model for model in models if all(head.role != "tag" for head in model.heads)]
        if untagged and len(untagged) < len(models):
            analyzers["without taggers"] = TrackAnalyzer(untagged, coverage=arguments.coverage)
        if not arguments.no_stages:
            table = Table("stage, one thread", "processor s/min: whole tracks", "as in indexing", box=MARKDOWN)
            for stage, (whole, heard) in stages(models, files, arguments.turns, arguments.coverage).items():
                table.add_row(stage, f"{whole:.4f}", f"{heard:.4f}")
            console.print(table)
        measured = wholes(analyzers, files, arguments.turns) | others(arguments.others_python, files)
    table = Table("whole", "s/min by the clock", "times decoding", "processor s/min", "times decoding", box=MARKDOWN)
    base: tuple[float, float] | None = None
    for name, turns in measured.items():
        wall, processor = (statistics.median(turn[at] / turn[2] * 60 for turn in turns) for at in (0, 1))
        base = base or (wall, processor)
        ratios = (f"{wall / base[0]:.2f}", f"{processor / base[1]:.2f}")
        table.add_row(name, f"{wall:.4f}", ratios[0], f"{processor:.4f}", ratios[1])
    console.print(table)
    console.print(
        f"{len(files)} files, {torch.get_num_threads()} thread(s), coverage {arguments.coverage:g}, "
        f"models: {', '.join(named)}"
    )


if __name__ == "__main__":
    main()
