"""Whole queries of a library in SQLite, beside those of versions before: from the command line and in a process.

    python benchmarks/queries.py --rows 10000 100000 1000000 --out FOLDER

The tracks are those of `library_search.py`. Three sides are measured, each in a process of its own:

- the command: `musicrec query TRACK`, from its start to its end, with a track of the library;
- open: `Recommender.query` when the library is open, with the default settings, with two presets, and by the passages
  that fit best;
- before: all answers of all tracks in memory, compared one block after the other (`ExactSearch`), after a filter by
  tags. It finds the tracks that are nearest by the default weights, and describes none of them. For up to 100,000
  tracks only: it takes 1.2 GB for these.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from library_search import apart, build, chosen

QUERIES = 30
MOST_BEFORE = 100_000
PRESETS = (None, "mix", "explore")


def peak_mb() -> float:
    """Return the most memory that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ask(address: str) -> dict[str, float]:
    """Open a library and ask; return seconds and memory."""
    begin = time.perf_counter()
    from musicrec.recommend.recommender import Recommender

    with Recommender.open(address) as recommender:
        names = [f"Track {number:07}" for number in chosen(len(recommender), QUERIES)]
        recommender.query(names[0])
        found = {"open": time.perf_counter() - begin}
        for preset in PRESETS:
            recommender.query(names[0], preset=preset)
            seconds = []
            for name in names:
                start = time.perf_counter()
                recommender.query(name, preset=preset)
                seconds.append(time.perf_counter() - start)
            found[preset or "default"] = statistics.median(seconds)
        seconds = []
        for name in names:
            start = time.perf_counter()
            recommender.query(name, passage="best")
            seconds.append(time.perf_counter() - start)
        found["passages"] = statistics.median(seconds)
    return found | {"peak": peak_mb()}


def ask_as_before(address: str) -> dict[str, float]:
    """Read all answers and ask; return seconds and memory."""
    import numpy as np

    begin = time.perf_counter()
    from musicrec.recommend import stores
    from musicrec.recommend.evaluation.exact_search import ExactSearch
    from musicrec.recommend.evaluation.rankers import Query, two_step_ranker
    from musicrec.recommend.similarity import Similarity

    library = stores.open_library(stores.address(address))
    tracks, values = library.read()
    heads = list(library.heads.values())
    similarity = Similarity(heads, blocks=[name for name in values if name not in library.heads])
    rank = two_step_ranker(ExactSearch(tracks, values), similarity, heads=heads)
    among = np.ones(len(tracks), dtype=bool)
    rows = chosen(len(tracks), QUERIES)
    seconds = []
    for row in [rows[0], *rows]:
        start = time.perf_counter()
        rank(Query(row=row, values={name: of_one[row] for name, of_one in values.items()}), among=among, k=10)
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            opened = time.perf_counter() - begin
    return {"open": opened, "default": statistics.median(seconds[1:]), "peak": peak_mb()}


def command(address: str, rows: int) -> dict[str, float]:
    """Ask by the command, a few times; return the median of the seconds, and the most memory."""
    seconds, peaks = [], []
    for number in chosen(rows, 5):
        words = [sys.executable, "-m", "musicrec", "query", f"Track {number:07}", "--library", address]
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - start)
        peaks.append(used.ru_maxrss / 1024)
        if status:
            raise SystemExit(f"{' '.join(words)} failed")
    return {"open": statistics.median(seconds), "peak": max(peaks)}


def measure(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    """Build a library if it is not there, and measure all sides."""
    address = str(folder / f"{rows}.sqlite")
    if not Path(address).exists():
        build(address, rows)
    found: dict[str, dict[str, Any]] = {"command": command(address, rows)}
    found["open"] = apart(["--ask", address], program=__file__)
    if rows <= MOST_BEFORE:
        found["before"] = apart(["--before", address], program=__file__)
    return found


def table_of(measured: dict[int, dict[str, dict[str, float]]]) -> Table:
    """Return what was measured as a table."""
    headings = ("first answer, s", "default, ms", "mix, ms", "explore, ms", "passages, ms", "peak memory, MB")
    table = Table("tracks", "side", *headings, box=MARKDOWN)
    for rows, sides in measured.items():
        for side, one in sides.items():
            times = [
                f"{1000 * one[name]:.0f}" if name in one else "" for name in ("default", "mix", "explore", "passages")
            ]
            table.add_row(f"{rows:,}", side, f"{one['open']:.2f}", *times, f"{one['peak']:,.0f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="numbers of tracks")
    parser.add_argument("--out", type=Path, help="folder for the libraries, which are kept and used again")
    parser.add_argument("--ask", metavar="LIBRARY", help=argparse.SUPPRESS)
    parser.add_argument("--before", metavar="LIBRARY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask or options.before:
        print(json.dumps(ask(options.ask) if options.ask else ask_as_before(options.before)))
        return
    folder = options.out.resolve() if options.out else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    Console(width=120).print(table_of({rows: measure(folder, rows) for rows in sorted(options.rows)}))


if __name__ == "__main__":
    main()
