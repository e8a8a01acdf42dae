"""Do the tempo of the model `tempo` and the grid of the model `beats` agree on real music?

    python experiments/beats/agreement.py RECORDINGS/manifest.csv --csv recordings.csv
    python experiments/beats/agreement.py REAL/manifest.csv --artists nexuiz --summary agreement.csv

Prints one line per track, and per artist (a soundtrack, in the manifest of experiments/real_library) how many tracks
have a grid with a confidence of 0.2 or more, from which on exports write it, and how many grids have the tempo of the
model `tempo` within 2 %, half or twice of it, or another one.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from musicrec.data.manifest import read_manifest
from musicrec.export.analyzer import load
from musicrec.recommend.deck_files import LEAST_CONFIDENCE, SAME_TEMPO
from musicrec.system.csv_table import write_records

KINDS = ("same", "octave", "other")


def kind_of(grid_bpm: float, tempo_bpm: float) -> str:
    """Return how two tempi agree: "same", "octave" (half or twice), or "other"."""
    for kind, ratios in (("same", (1.0,)), ("octave", (0.5, 2.0))):
        if any(abs(grid_bpm / tempo_bpm / ratio - 1) <= SAME_TEMPO for ratio in ratios):
            return kind
    return "other"


def analyse(manifest: Path, artists: list[str] | None) -> Iterable[dict[str, Any]]:
    """Yield one row per track of a manifest, or of some of its artists."""
    analyzer = load("tempo", "beats")
    for track in read_manifest(manifest).to_dicts():
        if artists is not None and track["artist"] not in artists:
            continue
        analysis = analyzer.analyze(track["path"])
        tempo, grid = analysis.features["tempo"], analysis.beat_grid
        row = {"artist": track["artist"], "track": track["track_id"], "published_bpm": track["bpm"]}
        row |= {"tempo_bpm": round(tempo["bpm"], 1), "probability": round(tempo["probability"], 2)}
        if grid is None:
            yield row | dict.fromkeys(("grid_bpm", "first_beat_s", "confidence", "agreement"))
            continue
        facts = {"grid_bpm": round(grid.bpm, 2), "first_beat_s": round(grid.first_beat_s, 3)}
        facts |= {"confidence": round(grid.confidence, 3), "agreement": kind_of(grid.bpm, tempo["bpm"])}
        yield row | facts


def summarise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per artist and confidence with the number of tracks, and of each kind of agreement."""
    found = []
    for artist in dict.fromkeys(row["artist"] for row in rows):
        of_artist = [row for row in rows if row["artist"] == artist]
        for name, sure in (("0.2 and more", True), ("less, or no grid", False)):
            chosen = [row for row in of_artist if ((row["confidence"] or 0) >= LEAST_CONFIDENCE) == sure]
            kinds = {kind: sum(row["agreement"] == kind for row in chosen) for kind in KINDS}
            found.append({"artist": artist, "confidence": name, "tracks": len(chosen), **kinds})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--artists", nargs="+")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--summary", type=Path)
    options = parser.parse_args()
    rows = []
    for row in analyse(options.manifest, options.artists):
        print("| " + " | ".join("–" if value is None else str(value) for value in row.values()) + " |", flush=True)
        rows.append(row)
    summary = summarise(rows)
    for line in summary:
        print("| " + " | ".join(map(str, line.values())) + " |")
    for path, table in ((options.csv, rows), (options.summary, summary)):
        if path is not None:
            write_records(path, table)


if __name__ == "__main__":
    main()
