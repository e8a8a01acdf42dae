"""Divide the test clips of a rendered corpus into those with drums and those without, to evaluate both.

    python experiments/pretrained/split_by_drums.py CORPUS/manifest.csv FOLDER

FOLDER gets `drums.csv` and `no_drums.csv`, manifests whose paths lead to the clips of the corpus.
"""

import argparse
from pathlib import Path

import polars as pl

from musicrec.data.manifest import read_manifest, write_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    tracks = read_manifest(options.manifest).filter(pl.col("split").str.starts_with("test"))
    drums = pl.col("instruments").list.contains("drums")
    for name, rows in (("drums", drums), ("no_drums", ~drums)):
        part = tracks.filter(rows)
        write_manifest(part, options.folder / f"{name}.csv")
        print(f"{options.folder / name}.csv: {part.height} clips")


if __name__ == "__main__":
    main()
