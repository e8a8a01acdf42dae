"""Load on `musicrec serve`: many people at once, in a library of 100,000 invented tracks.

    python benchmarks/server.py --rows 100000 --clients 50 --seconds 60 --out FOLDER

The tracks are those of `library_search.py`; some of them get an audio file. The server runs as a user runs it, in a
process of its own. The clients are a second process. Each does one thing after the other, with a pause of one second
on average between them, as somebody who looks for music: types a word and sees the table with every letter, asks what
goes with a track, plays a part of one, likes or skips it. Every answer must have the status 200 or 206.

With --pause 0, the clients wait for nothing but the answers, which shows the most that the server can do.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import soundfile
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from library_search import build

AUDIBLE = 100  # tracks with an audio file
SECONDS_OF_AUDIO = 240
PART_BYTES = 256 * 1024  # what a player asks for at once
WORDS = ("artist 12", "album 7", "track 001", "9", "track 00 art")
ACTIONS = {"search": 0.35, "query": 0.25, "audio": 0.2, "feedback": 0.1, "table": 0.1}


def prepare(folder: Path, rows: int) -> Path:
    """Build a library if it is not there, and give some tracks an audio file; return the library."""
    file, audio = folder / f"server-{rows}.sqlite", folder / "audio"
    if file.exists():
        return file
    from musicrec.recommend import stores
    from musicrec.recommend.library import Changes

    building = folder / f"server-{rows}-unfinished.sqlite"
    building.unlink(missing_ok=True)
    build(str(building), rows)
    audio.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).normal(scale=0.1, size=SECONDS_OF_AUDIO * 44100).astype(np.float32)
    first = audio / "0000000.flac"
    soundfile.write(first, noise, 44100)
    with closing(stores.open_library(stores.address(str(building)))) as library:
        chosen = [known.path for known in library.files()[:: max(1, rows // AUDIBLE)]]
        moved = {path: str(audio / Path(path).name) for path in chosen}
        for path in moved.values():
            if not Path(path).exists():
                os.link(first, path)
        library.save(Changes(moved=moved))
    building.rename(file)
    return file


class Client:
    """One person with a connection that stays open."""

    def __init__(self, address: str, seed: int, *, ids: list[str], audible: list[str], pause_s: float) -> None:
        self._place = urlsplit(address)
        self._rng = np.random.default_rng(seed)
        self._ids, self._audible, self._pause_s = ids, audible, pause_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.mistakes: list[str] = []

    async def live(self, until: float) -> None:
        """Do one thing after the other."""
        await asyncio.sleep(self._rng.uniform(0, self._pause_s))
        while time.perf_counter() < until:
            action = str(self._rng.choice(list(ACTIONS), p=list(ACTIONS.values())))
            await getattr(self, f"_{action}")()
            if self._pause_s:
                await asyncio.sleep(self._rng.uniform(0.5, 1.5) * self._pause_s)
        if self._streams:
            self._streams[1].close()

    async def _search(self) -> None:
        word = str(self._rng.choice(WORDS)) + str(self._rng.integers(10))
        for letters in range(2, len(word) + 1, 3):
            await self._ask("search", "GET", f"/api/v1/tracks?{urlencode({'search': word[:letters], 'limit': 100})}")

    async def _table(self) -> None:
        asked = {"sort": str(self._rng.choice(["title", "artist", "bpm", "key", "energy"])), "order": "desc",
                 "offset": int(self._rng.integers(0, len(self._ids))), "bpm_min": 90, "limit": 200}  # fmt: skip
        await self._ask("table", "GET", f"/api/v1/tracks?{urlencode(asked)}")

    async def _query(self) -> None:
        preset = [None, "mix", "explore"][int(self._rng.integers(3))]
        await self._ask("query", "POST", "/api/v1/query", {"tracks": [self._any()], "k": 20, "preset": preset})

    async def _audio(self) -> None:
        first = int(self._rng.integers(0, 8)) * PART_BYTES
        track = str(self._rng.choice(self._audible))
        part = f"bytes={first}-{first + PART_BYTES - 1}"
        await self._ask("audio", "GET", f"/api/v1/tracks/{track}/audio", headers={"Range": part})

    async def _feedback(self) -> None:
        kind = str(self._rng.choice(["like", "skip", "played"]))
        await self._ask("feedback", "POST", "/api/v1/feedback", {"kind": kind, "track": self._any()})

    def _any(self) -> str:
        return self._ids[int(self._rng.integers(len(self._ids)))]

    async def _ask(
        self, name: str, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = {"Host": self._place.netloc, "Content-Type": "application/json", "Content-Length": str(len(content))}
        head = "".join(f"{key}: {value}\r\n" for key, value in (lines | (headers or {})).items())
        begin = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._place.hostname, self._place.port)
            reader, writer = self._streams
            writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            status = int(answer.split(b" ", 2)[1])
            length = next(
                int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")
            )
            received = await asyncio.wait_for(reader.readexactly(length), 60)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, StopIteration) as error:
            self.mistakes.append(f"{name}: {type(error).__name__} {error}")
            self._streams = None
            return
        self.seconds[name].append(time.perf_counter() - begin)
        if status not in (200, 206):
            self.mistakes.append(f"{name}: {status} {received[:200]!r}")


async def load(address: str, library: str, *, clients: int, seconds: float, pause_s: float) -> dict[str, Any]:
    """Let clients ask for a time; return {action: seconds of each}, and the mistakes."""
    from musicrec.recommend import stores

    store = stores.open_library(stores.address(library))
    files = store.files()
    store.close()
    ids = [file.audio_hash for file in files]
    audible = [file.audio_hash for file in files if Path(file.path).exists()]
    people = [Client(address, seed, ids=ids, audible=audible, pause_s=pause_s) for seed in range(clients)]
    await people[0]._search()  # the first question opens the library
    await asyncio.gather(*(person._query() for person in people[:4]))
    for person in people:
        person.seconds.clear()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(person.live(until) for person in people))
    found: dict[str, list[float]] = defaultdict(list)
    for person in people:
        for name, of_one in person.seconds.items():
            found[name] += of_one
    return {"seconds": found, "mistakes": [text for person in people for text in person.mistakes]}


def measure(library: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Start a server, let the clients ask, and stop it; return what `load` found and the memory of the server."""
    words = [sys.executable, "-m", "musicrec", "serve", "--library", str(library), "--port", "0", "--no-open"]
    if options.processes is not None:
        words += ["--processes", str(options.processes)]
    profiles = library.with_name("server-profiles.sqlite")
    for file in library.parent.glob(f"{profiles.name}*"):
        file.unlink()
    words += ["--profiles", str(profiles)]
    started = time.perf_counter()
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = server.stdout.readline().split()[1]
    up = time.perf_counter() - started
    asked = [sys.executable, __file__, "--ask", address, "--library", str(library), "--clients", str(options.clients)]
    asked += ["--seconds", str(options.seconds), "--pause", str(options.pause)]
    found = json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    server.terminate()
    _, _, used = os.wait4(server.pid, 0)
    return found | {"up": up, "peak": used.ru_maxrss / 1024, "processor": used.ru_utime + used.ru_stime}


def table_of(found: dict[str, Any], seconds: float) -> Table:
    """Return what was measured as a table."""
    table = Table("request", "number", "per second", "p50, ms", "p95, ms", "p99, ms", "slowest, ms", box=MARKDOWN)
    for name in sorted(found["seconds"]):
        times = 1000 * np.array(found["seconds"][name])
        figures = (*np.percentile(times, [50, 95, 99]), times.max())
        table.add_row(name, f"{len(times):,}", f"{len(times) / seconds:.1f}", *(f"{figure:.0f}" for figure in figures))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="number of tracks")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=1.0, help="mean pause between two things of a client in seconds")
    parser.add_argument("--processes", type=int, help="of the server for queries; without it, what it chooses itself")
    parser.add_argument("--out", type=Path, help="folder for the library, which is kept and used again")
    parser.add_argument("--ask", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--library", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        done = load(
            options.ask, options.library, clients=options.clients, seconds=options.seconds, pause_s=options.pause
        )
        print(json.dumps(asyncio.run(done)))
        return
    import tempfile

    folder = options.out.resolve() if options.out else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    found = measure(prepare(folder, options.rows), options)
    console = Console(width=120)
    console.print(table_of(found, options.seconds))
    console.print(f"mistakes: {len(found['mistakes'])}", *found["mistakes"][:5], sep="\n")
    used = f"{found['processor'] / options.seconds:.2f} of a core"
    console.print(f"server: ready after {found['up']:.1f} s, {found['peak']:,.0f} MB at most, {used}")
    if found["mistakes"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
