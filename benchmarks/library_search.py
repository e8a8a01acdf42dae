"""Compare the stores of libraries on invented tracks: time to build, open and ask, memory, size on disk, and recall.

    python benchmarks/library_search.py --rows 10000 100000 1000000 --out FOLDER

Both stores get the same tracks through the same protocol. The tracks are clustered, as music is: they have genres,
artists in these, and albums; tracks of an album have nearly the same sound, tempo and tags. An index finds the nearest
of such vectors more easily than of evenly spread ones, and so does any search in a real collection.

Each store is asked by a process of its own, which opens the library and asks about tracks of it: two of the track's
tags and a tempo within 6 %, weighted as the presets `mix` and `inspire` weight. Recall is the share of the ten best
tracks, which the exact search of SQLite finds, that are the ten best of LanceDB. With --keep, the libraries stay in the
folder, and those that are there already are only asked.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
STORES = {"SQLite": "{folder}/{rows}.sqlite", "LanceDB": "lance:{folder}/{rows}.lance"}
SIZE = 128  # of the embeddings
TAGS = tuple(f"tag {number:02}" for number in range(50))
_GENRES, _PER_ARTIST, _PER_ALBUM = 60, 30, 10
_AT_ONCE = 10_000
_TOP, _SHORTLIST = 10, 100  # as many as a query compares again


class Music:
    """Invented tracks in clusters: genres, artists, albums.

    Args:
        seed: Of the generator; equal seeds give equal music.
    """

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.seed = seed
        self._spectrum = np.arange(1, SIZE + 1, dtype=np.float32) ** -0.5  # few directions differ most, as in networks
        self._sound = rng.normal(size=(_GENRES, SIZE)).astype(np.float32)
        self._tags = rng.normal(-3, 1.8, size=(_GENRES, len(TAGS))).astype(np.float32)
        self._bpm = np.clip(rng.normal(118, 22, _GENRES), 70, 180)
        self._energy = rng.uniform(3, 8, _GENRES)
        shares = np.arange(1, _GENRES + 1) ** -0.8
        self._shares = shares / shares.sum()

    def part(self, number: int, count: int) -> dict[str, np.ndarray]:
        """Return the tracks of a part: artists, albums, tempo, key and energy, tag probabilities and embeddings."""
        rng = np.random.default_rng([self.seed, number])
        albums, artists = -(-count // _PER_ALBUM), -(-count // _PER_ARTIST)
        album = np.arange(count) // _PER_ALBUM
        artist_of_album = np.arange(albums) * _PER_ALBUM // _PER_ARTIST
        genre_of_artist = rng.choice(_GENRES, size=artists, p=self._shares)
        artist = artist_of_album[album]
        genre = genre_of_artist[artist]

        def noise(rows: int, of: np.ndarray) -> np.ndarray:
            return rng.standard_normal((rows, SIZE), dtype=np.float32)[of]

        sound = self._sound[genre] + 0.7 * noise(artists, artist) + 0.4 * noise(albums, album)
        sound += 0.5 * rng.standard_normal((count, SIZE), dtype=np.float32)
        logits = self._tags[genre] + rng.normal(0, 1, (artists, len(TAGS)))[artist] + rng.normal(0, 0.7, (count, 50))
        bpm = self._bpm[genre] + rng.normal(0, 8, albums)[album] + rng.normal(0, 4, count)
        return {
            "artist": artist + number * _AT_ONCE,
            "album": album + number * _AT_ONCE,
            "bpm": np.clip(bpm, 50, 220),
            "key": rng.choice(24, size=count),
            "energy": np.clip(self._energy[genre] + rng.normal(0, 1.2, count), 1, 10),
            "tags": (1 / (1 + np.exp(-logits))).astype(np.float32),
            "embedding": np.maximum(sound * self._spectrum + 0.3, 0),  # as after a ReLU
        }


def heads() -> list[Any]:
    """Return the heads of the invented models."""
    from musicrec.heads.key import KeyHead
    from musicrec.heads.tags import TagHead
    from musicrec.heads.tempo import TempoHead

    return [TagHead(name="tags", classes=TAGS), TempoHead(classes_per_octave=24), KeyHead()]


def changes(music: Music, number: int, count: int) -> Any:
    """Return what adds a part of the music to a library."""
    from musicrec.export.passages import Passages
    from musicrec.recommend.library import Changes, LibraryFile, Listing, Recording, Source

    part, (_, tempo, _) = music.part(number, count), heads()
    distance = np.log2(tempo.centres_bpm[None] / part["bpm"][:, None]) * tempo.classes_per_octave
    tempi = np.exp(-0.5 * distance**2).astype(np.float32)
    tempi /= tempi.sum(axis=1, keepdims=True)
    keys = np.full((count, 24), 0.01, np.float32)
    keys[np.arange(count), part["key"]] = 0.77
    first = number * _AT_ONCE
    noise = 0.3 * np.random.default_rng([music.seed, number, 1]).standard_normal((count, 20, SIZE), dtype=np.float32)
    heard = part["embedding"][:, None] + noise
    starts = 10 * np.arange(20, dtype=np.float32)
    paths = [f"/music/{part['artist'][i]}/{part['album'][i]}/{first + i:07}.flac" for i in range(count)]
    recordings = [
        Recording(
            audio_hash=f"{first + i:032x}",
            duration_s=200.0,
            probabilities={"tags": part["tags"][i], "tempo": tempi[i], "key": keys[i]},
            embedding=part["embedding"][i],
            passages=Passages(values=heard[i], start_s=starts, end_s=starts + 10),
            descriptors={"energy": round(float(part["energy"][i]), 2), "loudness": -9.0},
        )
        for i in range(count)
    ]
    files = [
        LibraryFile(
            path=path,
            audio_hash=recording.audio_hash,
            size=1,
            mtime_ns=1,
            content_hash=recording.audio_hash,
            track_id=path[-12:-5],
            title=f"Track {path[-12:-5]}",
            artist=f"Artist {part['artist'][i]}",
            album=f"Album {part['album'][i]}",
            year=1970 + int(part["album"][i]) % 55,
        )
        for i, (path, recording) in enumerate(zip(paths, recordings, strict=True))
    ]
    listed = [Listing(path=file.path, track_id=file.track_id) for file in files]
    source = Source(place="/music", kind="folder")
    return Changes(place="/music", source=source, recordings=recordings, files=files, listed=listed)


def build(address: str, rows: int) -> dict[str, float]:
    """Build a library; return the seconds for the recordings and files, and for the summaries and indices."""
    from musicrec.recommend import stores, summaries
    from musicrec.recommend.exports import ExportRef

    begin, music, making = time.perf_counter(), Music(), 0.0
    exports = [ExportRef(path="/models/invented", sha256="0" * 64, name="invented", embedding_size=SIZE)]
    library = stores.create_library(
        stores.address(address), exports=exports, heads=heads(), embedding_size=SIZE, analysis={}
    )
    for number, count in parts(rows):
        start = time.perf_counter()
        made = changes(music, number, count)
        making += time.perf_counter() - start
        library.save(made)
    saved = time.perf_counter()
    summaries.bring_up_to_date(library, progress=False)
    library.close()
    return {"save": saved - begin - making, "sum up": time.perf_counter() - saved}


def parts(rows: int) -> Iterator[tuple[int, int]]:
    """Yield the number of each part and how many tracks are in it."""
    for number, start in enumerate(range(0, rows, _AT_ONCE)):
        yield number, min(_AT_ONCE, rows - start)


def ask(address: str, queries: int) -> dict[str, Any]:
    """Open a library and ask; return the seconds, the memory, and the ids that were found."""
    begin = time.perf_counter()
    from musicrec.recommend import stores
    from musicrec.recommend.conditions import Condition
    from musicrec.recommend.library_index import open_index
    from musicrec.recommend.presets import read_preset

    library = stores.open_library(stores.address(address))
    index = open_index(library)
    ids = sorted(library.ids_of(f"{number:032x}" for number in chosen(len(library), queries)).values())
    opened = time.perf_counter() - begin
    found: list[list[int]] = []
    seconds: list[float] = []
    processor: list[float] = []
    for number in ids:
        for name in ("mix", "inspire"):
            weights = read_preset(name).weights
            (track,) = library.tracks([number])
            values = library.values([number])
            vector = index.space.vectors(values)[0][0]
            tags = [f"tags: {TAGS[tag]}" for tag in np.argsort(-track.probabilities["tags"])[:2]]
            bpm = library.heads["tempo"].decode(track.probabilities["tempo"])["bpm"]
            condition = Condition(ranges={"bpm": [(bpm * 0.94, bpm * 1.06)]}, tags_all=tags)
            start, used = time.perf_counter(), time.process_time()
            best = index.shortlist(vector, weights, condition, n=_SHORTLIST).ids
            seconds.append(time.perf_counter() - start)
            processor.append(time.process_time() - used)
            found.append(best.tolist())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"open": opened, "seconds": seconds, "processor": processor, "peak": peak, "found": found}


def chosen(rows: int, queries: int) -> list[int]:
    """Return the numbers of the tracks that are asked about."""
    return np.random.default_rng(1).choice(rows, min(queries, rows), replace=False).tolist()


def measure(folder: Path, rows: int, queries: int) -> dict[str, dict[str, float]]:
    """Build both libraries if they are not there, ask both, and return {store: {what was measured: value}}."""
    found, measured = {}, {}
    for store, pattern in STORES.items():
        address = pattern.format(folder=folder, rows=rows)
        noted = folder / f"{rows}-{store}.json"
        if not noted.exists():
            noted.write_text(json.dumps(apart(["--build", address, "--rows", str(rows)])))
        asked = apart(["--ask", address, "--queries", str(queries)])
        seconds, found[store] = np.array(asked["seconds"][2:]) * 1000, asked["found"]  # the first two warm up
        measured[store] = {
            **json.loads(noted.read_text()),
            "size": size_of(address) / 1e6,
            "open": asked["open"],
            "p50": float(np.percentile(seconds, 50)),
            "p99": float(np.percentile(seconds, 99)),
            "processor": statistics.median(asked["processor"][2:]) * 1000,
            "peak": asked["peak"],
        }
    exact = found["SQLite"]
    for store, ids in found.items():
        shares = [
            len({*one[:_TOP]} & {*best[:_TOP]}) / len(best[:_TOP]) for one, best in zip(ids, exact, strict=True) if best
        ]
        measured[store]["recall"] = float(np.mean(shares))
    return measured


def apart(words: list[str], *, program: str = __file__) -> dict[str, Any]:
    """Run this or another program in a process of its own; return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, program, *words], env=environment, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def size_of(address: str) -> int:
    """Return the size of a library on disk in bytes."""
    from musicrec.recommend import stores

    return stores.size_bytes(stores.address(address))


COLUMNS = {  # {what was measured: heading, format}
    "save": ("save, s", ".1f"),
    "sum up": ("sum up and index, s", ".1f"),
    "size": ("on disk, MB", ",.0f"),
    "open": ("open, s", ".2f"),
    "p50": ("query p50, ms", ".1f"),
    "p99": ("query p99, ms", ".1f"),
    "processor": ("processor time of a query, ms", ".1f"),
    "peak": ("peak memory, MB", ",.0f"),
    "recall": ("recall@10", ".3f"),
}


def table_of(measured: dict[int, dict[str, dict[str, float]]]) -> Table:
    """Return what was measured as a table, one row per store and number of tracks."""
    table = Table("tracks", "store", *(heading for heading, _ in COLUMNS.values()), box=MARKDOWN)
    for rows, stores in measured.items():
        for store, values in stores.items():
            table.add_row(f"{rows:,}", store, *(format(values[name], form) for name, (_, form) in COLUMNS.items()))
    return table


def draw(measured: dict[int, dict[str, dict[str, float]]], path: Path) -> None:
    """Draw how time, memory and size grow with the number of tracks."""
    from matplotlib.figure import Figure

    from musicrec.figures import style

    figure = Figure(figsize=(9, 6), layout="constrained")
    panels = {
        "p50": "query, ms (median; dashed: 99th percentile)",
        "peak": "peak memory, MB",
        "size": "on disk, MB",
        "build": "to build, s",
    }
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, panels.items(), strict=True):
        for store, colour, marker in zip(STORES, style.COLOURS, style.MARKERS, strict=False):
            of_store = [stores[store] for stores in measured.values()]
            values = [one["save"] + one["sum up"] if name == "build" else one[name] for one in of_store]
            axes.loglog(list(measured), values, color=colour, marker=marker, label=store)
            if name == "p50":
                axes.loglog(list(measured), [one["p99"] for one in of_store], color=colour, linestyle="--")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("tracks")
        axes.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False)
    style.save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="numbers of tracks")
    parser.add_argument("--queries", type=int, default=100, help="tracks that are asked about, in two ways each")
    parser.add_argument("--out", type=Path, required=False, help="folder for libraries, table and figure")
    parser.add_argument("--keep", action="store_true", help="keep the libraries, and ask those that are there")
    parser.add_argument("--build", metavar="LIBRARY", help=argparse.SUPPRESS)
    parser.add_argument("--ask", metavar="LIBRARY", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build or options.ask:
        print(json.dumps(build(options.build, *options.rows) if options.build else ask(options.ask, options.queries)))
        return
    folder = options.out.resolve() if options.out else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    measured = {}
    for rows in sorted(options.rows):
        measured[rows] = measure(folder, rows, options.queries)
        if not options.keep:
            remove(folder, rows)
    Console(width=200).print(table_of(measured))
    (folder / "library_search.json").write_text(json.dumps(measured, indent=1) + "\n")
    for suffix in ("png", "svg"):
        draw(measured, folder / f"library_search.{suffix}")


def remove(folder: Path, rows: int) -> None:
    """Delete the libraries of so many tracks."""
    from musicrec.recommend import stores

    for store, pattern in STORES.items():
        stores.delete_library(stores.address(pattern.format(folder=folder, rows=rows)))
        (folder / f"{rows}-{store}.json").unlink()


if __name__ == "__main__":
    main()
