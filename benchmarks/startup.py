"""Measure how long a command takes until it answers, and its peak memory.

    python benchmarks/startup.py --before ../musicrec-0.1 --turns 5

Compares this checkout with another one. In each turn every command runs once in either checkout, one directly after the
other, so a change in the load of the machine affects both. Exports with random weights, audio and one library per
checkout are created first, in a temporary folder.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

# This process imports no more than it needs: on Linux, the peak memory of a child includes that of its parent when it
# was started.
ROOT = Path(__file__).parents[1]

# {what is measured: words after `python`}. MUSIC, LIBRARY and NOWHERE are paths that `main` fills in.
COMMANDS = {
    "musicrec --help": ["-m", "musicrec", "--help"],
    "train.py --help": ["train.py", "--help"],
    "recommend.py --help": ["recommend.py", "--help"],
    "mistake: unknown option of a group": ["train.py", "model=transformer9"],
    "mistake: unknown key": ["train.py", "optim.learning_rate=1"],
    "mistake: value of a wrong type, musicrec": ["train.py", "optim.lr=fast"],
    "mistake: value of a wrong type, Lightning": ["train.py", "trainer.max_epochs=abc"],
    "mistake: unknown action": ["recommend.py", "action=ask"],
    "mistake: missing query file": ["recommend.py", "action=query", "query=NOWHERE.mp3", "library=LIBRARY"],
    "mistake: missing library": ["recommend.py", "action=query", "query=TRACK", "library=NOWHERE.sqlite"],
    "query by a track of the library": ["recommend.py", "action=query", "query=TRACK", "library=LIBRARY"],
    "query by a file": ["recommend.py", "action=query", "query=MUSIC/TRACK.flac", "library=LIBRARY"],
}

# Run by this checkout. The format of exports has not changed, so the other checkout can read them.
PREPARE = """
import sys
from pathlib import Path

from musicrec.data.synthetic import make_synthetic
from musicrec.export.folder import write_export
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.crnn import CRNN
from musicrec.models.frontends.mel import MelSpectrogram

folder = Path(sys.argv[1])
make_synthetic(folder / "music", tracks=16, duration_s=20.0, progress=False)
metre = ClassHead(name="metre", column="metre", classes=("3", "4"))
parts = {
    "tagger": [TagHead(name="instruments", classes=("piano", "bass", "drums"))],
    "features": [TempoHead(name="tempo"), KeyHead(name="key"), metre],
}
for name, heads in parts.items():
    outputs = {head.name: len(head.classes) for head in heads}
    network = CRNN(outputs, chunk_samples=80_000, width=8, gru_size=8)
    write_export(folder / name, network=network, heads=heads, frontend=MelSpectrogram(), metrics={}, data={})
"""


def run(checkout: Path, words: Sequence[str], *, fails: bool = False) -> tuple[float, float]:
    """Run `python WORDS` in a checkout.

    Args:
        checkout: The folder with train.py and musicrec/.
        words: The words after `python`.
        fails: Whether the command must fail.

    Returns:
        Seconds, and peak memory in MB.
    """
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *words], cwd=checkout, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if (process.returncode != 0) != fails:
            output.seek(0)
            printed = output.read().decode(errors="replace")
            raise SystemExit(f"{checkout}: {words} ended with status {process.returncode}:\n{printed}")
    return took, usage.ru_maxrss / 1024


def measure(checkouts: dict[str, Path], commands: dict[str, list[str]], *, folder: Path, turns: int) -> Table:
    """Measure all commands in all checkouts.

    Args:
        checkouts: Folders by the name of their column.
        commands: Words after `python`, by the name of their row.
        folder: Where `prepare` and the indexing have put exports, audio and libraries.
        turns: How often each command is run, after one run that is not counted.

    Returns:
        Median seconds and highest peak memory of each command in each checkout.
    """
    seconds: dict[tuple[str, str], list[float]] = {}
    peaks: dict[tuple[str, str], list[float]] = {}
    shown = Console(stderr=True)
    for turn in track(range(turns + 1), "measuring", console=shown, disable=not shown.is_terminal):
        for row, words in commands.items():
            for column, checkout in checkouts.items():
                paths = {"LIBRARY": folder / f"{column}.sqlite", "MUSIC": folder / "music" / "audio"}
                paths |= {"NOWHERE": folder / "nowhere", "TRACK": sorted(paths["MUSIC"].iterdir())[0].stem}
                filled = list(words)
                for name, path in paths.items():
                    filled = [word.replace(name, str(path)) for word in filled]
                took, peak = run(checkout, filled, fails=row.startswith("mistake"))
                if turn:
                    seconds.setdefault((row, column), []).append(took)
                    peaks.setdefault((row, column), []).append(peak)
    table = Table("command", *(f"{column}: s" for column in checkouts), *(f"{column}: MB" for column in checkouts))
    table.box = MARKDOWN
    for row in commands:
        medians = [f"{statistics.median(seconds[row, column]):.2f}" for column in checkouts]
        table.add_row(row, *medians, *(f"{max(peaks[row, column]):.0f}" for column in checkouts))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="a checkout to compare with")
    parser.add_argument("--turns", type=int, default=5, help="runs of each command that count")
    parser.add_argument("--only", default="", metavar="TEXT", help="measure only commands with this text in their name")
    options = parser.parse_args()
    checkouts = {"before": options.before.resolve()} if options.before else {}
    checkouts["now"] = ROOT
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(ROOT, ["-c", PREPARE, str(folder)])
        for column, checkout in checkouts.items():
            words = ["recommend.py", "action=index", f"exports=[{folder / 'tagger'},{folder / 'features'}]"]
            words += [f"source={folder / 'music' / 'manifest.csv'}", f"library={folder / column}.sqlite"]
            run(checkout, words)
        commands = {name: words for name, words in COMMANDS.items() if options.only in name}
        Console(width=120).print(measure(checkouts, commands, folder=folder, turns=options.turns))


if __name__ == "__main__":
    main()
