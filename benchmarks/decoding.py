"""Measure how long decoding takes, without anything else.

    python benchmarks/decoding.py --before ../musicrec-0.1 --turns 5

Decodes 50 files of 10 formats, which are made first in a temporary folder: tones and noise, mono and stereo, 20 s to 60
s at 44.1 and 48 kHz. With `--before`, each file is decoded by this checkout and by another one in turns, in two
processes that stay alive, so a change in the load of the machine affects both. A checkout whose decoder cannot read a
format has no value there. Times are processor time of the decoder and of the programs that it starts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

ROOT = Path(__file__).parents[1]

# {format: options of ffmpeg}
FORMATS = {
    "wav": [],
    "flac": [],
    "ogg": ["-q:a", "5"],
    "opus": ["-b:a", "128k", "-ar", "48000"],
    "mp3, CBR": ["-b:a", "192k"],
    "mp3, VBR": ["-q:a", "2"],
    "mp3, CBR without Xing": ["-b:a", "192k", "-write_xing", "0"],
    "aiff": [],
    "m4a": ["-b:a", "192k"],
    "m4a, ALAC": ["-c:a", "alac"],
}
FILES_PER_FORMAT = 5
WITHOUT = "-"

# Run in a checkout: decodes each path that it reads, and prints the processor time in seconds and the samples.
WORKER = """
import sys, time, resource
try:
    from musicrec.audio.decode import decode
except ImportError:
    from musicrec.audio import decode

def used_s():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime

for line in sys.stdin:
    begin = used_s()
    try:
        samples = len(decode(line.rstrip("\\n"), sample_rate=16_000))
        print(used_s() - begin, samples, flush=True)
    except Exception:
        print("-", "-", flush=True)
"""


def make_files(folder: Path) -> dict[str, list[Path]]:
    """Write the audio files.

    Returns:
        The files of each format.
    """
    rng = np.random.default_rng(0)
    files: dict[str, list[Path]] = {name: [] for name in FORMATS}
    for number in range(FILES_PER_FORMAT):
        sample_rate, channels = (44_100, 48_000)[number % 2], 1 + (number > 0)
        time_s = np.arange((20 + 10 * number) * sample_rate) / sample_rate
        chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (220 + 20 * number, 330, 440)) * (time_s % 0.5 < 0.3)
        samples = 0.1 * chord[:, None] + 0.03 * rng.standard_normal((len(time_s), channels))
        source = folder / f"{number}.source.wav"
        soundfile.write(source, samples, sample_rate)
        for index, (name, options) in enumerate(FORMATS.items()):
            path = folder / f"{number}-{index}.{name.split(',')[0]}"
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", source, *options, path]
            subprocess.run(command, check=True)
            files[name].append(path)
        source.unlink()
    return files


def measure(checkouts: dict[str, Path], files: dict[str, list[Path]], turns: int) -> Table:
    """Decode all files in all checkouts, in turns.

    Args:
        checkouts: Folders by the name of their column.
        files: Files by format.
        turns: How often each file is decoded, after one time that is not counted.

    Returns:
        Milliseconds per file of each format: the mean over its files of the median over the turns.
    """
    workers = {}
    # A checkout may look for ffmpeg on the PATH only.
    with tempfile.TemporaryDirectory() as bin_folder:
        os.symlink(imageio_ffmpeg.get_ffmpeg_exe(), Path(bin_folder) / "ffmpeg")
        for column, checkout in checkouts.items():
            environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
            environment["PATH"] = f"{bin_folder}:{environment['PATH']}"
            workers[column] = subprocess.Popen(
                [sys.executable, "-c", WORKER],
                env=environment,
                cwd=checkout,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        try:
            spent: dict[tuple[str, Path], list[str]] = {}
            shown = Console(stderr=True)
            for turn in track(range(turns + 1), "measuring", console=shown, disable=not shown.is_terminal):
                for path in (path for of_format in files.values() for path in of_format):
                    for column in list(workers)[:: 1 if turn % 2 else -1]:
                        worker = workers[column]
                        worker.stdin.write(f"{path}\n")
                        worker.stdin.flush()
                        took, _ = worker.stdout.readline().split()
                        if turn:
                            spent.setdefault((column, path), []).append(took)
        finally:
            for worker in workers.values():
                worker.stdin.close()
                worker.wait()
    table = Table("format", *(f"{column}: ms" for column in checkouts), "ratio", box=MARKDOWN)
    whole = dict.fromkeys(checkouts, 0.0)
    for name, of_format in files.items():
        cells: dict[str, float] = {}
        for column in checkouts:
            takes = [spent[column, path] for path in of_format]
            if WITHOUT not in [took for of_file in takes for took in of_file]:
                cells[column] = 1000 * statistics.mean(statistics.median(map(float, of_file)) for of_file in takes)
        if len(cells) == len(checkouts):
            whole = {column: whole[column] + FILES_PER_FORMAT * cells[column] for column in checkouts}
        table.add_row(
            name, *(f"{cells[column]:.1f}" if column in cells else WITHOUT for column in checkouts), ratio(cells)
        )
    table.add_row("sum of the files that all can read", *(f"{whole[column]:.0f}" for column in checkouts), ratio(whole))
    return table


def ratio(cells: dict[str, float]) -> str:
    """Return the last value divided by the first one; a dash if there are not two."""
    values = list(cells.values())
    return f"{values[-1] / values[0]:.2f}" if len(values) == 2 else WITHOUT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout to compare with")
    parser.add_argument("--turns", type=int, default=5, help="times that each file is decoded")
    options = parser.parse_args()
    checkouts = {"before": options.before.resolve()} if options.before else {}
    checkouts["now"] = ROOT
    with tempfile.TemporaryDirectory() as folder:
        Console(width=120).print(measure(checkouts, make_files(Path(folder)), options.turns))


if __name__ == "__main__":
    main()
