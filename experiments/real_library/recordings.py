"""Print what the models say of the recordings of a manifest, beside what their publishers say, as a Markdown table.

    musicrec models get musicnn
    python experiments/real_library/recordings.py RECORDINGS/manifest.csv

This is the table of docs/real_music.md. The columns of the manifest that are read: track_id, path, title, genre,
instruments, bpm, key and mode. The models are the default set, and the answers are those of `musicrec query`. Numbers
beside tags are strengths, those in brackets are probabilities. `--library FILE` keeps the library.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from musicrec.recommend.recommender import Recommender
from musicrec.system.csv_table import read_rows

COLUMNS = ("recording", "publisher", "genre and instruments", "BPM: publisher", "answer", "key: publisher", "answer",
           "energy", "loudness")  # fmt: skip
NOTHING = "–"


def row(stated: dict[str, str], heard: dict[str, Any]) -> list[str]:
    """Return the cells of a recording.

    Args:
        stated: Its row of the manifest.
        heard: "query" of the answer about it.
    """
    said = [*filter(None, [stated.get("genre")]), *filter(None, stated.get("instruments", "").split("|"))]
    tags = [tag for group in ("genre", "instruments") for tag in heard["tag_groups"].get(group, []) if tag["present"]]
    features, descriptors = heard["features"], heard["descriptors"]
    return [
        stated["title"],
        ", ".join(said),
        ", ".join(f"{tag['tag']} {tag['strength']:.2f}" for tag in tags),
        stated.get("bpm", ""),
        f"{heard['bpm']:.1f} ({features['tempo']['probability']:.2f})",
        " ".join(filter(None, [stated.get("key"), stated.get("mode")])),
        f"{heard['key']} ({features['key']['probability']:.2f})",
        f"{descriptors['energy']:.1f}" if "energy" in descriptors else "",
        f"{descriptors['loudness']:.1f} LUFS" if "loudness" in descriptors else "",
    ]


def table(rows: list[list[str]]) -> str:
    """Return rows as a Markdown table under the names of the columns."""
    head, *lines = (f"| {' | '.join(cell or NOTHING for cell in cells)} |" for cells in (COLUMNS, *rows))
    return "\n".join([head, f"|{'---|' * len(COLUMNS)}", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--library", type=Path, help="keep the library in this file")
    options = parser.parse_args()
    (_, header), *lines = read_rows(options.manifest)
    stated = [dict(zip(header, cells, strict=False)) for _, cells in lines]
    with tempfile.TemporaryDirectory() as folder:
        library = options.library or Path(folder) / "recordings.sqlite"
        with Recommender.open(library) as recommender:
            recommender.index(options.manifest)
            heard = [recommender.query(one["track_id"]).query for one in stated]
    print(table([row(one, answer) for one, answer in zip(stated, heard, strict=True)]))


if __name__ == "__main__":
    main()
