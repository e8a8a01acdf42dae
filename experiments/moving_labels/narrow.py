"""Leaves training and validation tracks out of a manifest whose tempo or key is not among the chosen ones.

    python experiments/moving_labels/narrow.py CORPUS/manifest.csv --bpm 110 130 --out CORPUS/narrow_tempo.csv
    python experiments/moving_labels/narrow.py CORPUS/manifest.csv --keys C D G A --out CORPUS/narrow_key.csv

The new manifest lies beside the old one, so that its paths hold. The test splits stay whole.
"""

import argparse
from pathlib import Path

import polars as pl


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--bpm", type=float, nargs=2, metavar=("FROM", "TO"))
    chosen.add_argument("--keys", nargs="+", help="tonics, as the manifest spells them")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    frame = pl.read_csv(arguments.manifest, infer_schema=False)
    if arguments.bpm:
        inside = pl.col("bpm").cast(pl.Float64, strict=False).is_between(*arguments.bpm)
    else:
        inside = pl.col("key").is_in(arguments.keys)
    kept = frame.filter(inside | pl.col("split").str.starts_with("test"))
    kept.write_csv(arguments.out)
    print(f"{arguments.out}: {dict(kept['split'].value_counts(sort=True).iter_rows())}")


if __name__ == "__main__":
    main()
