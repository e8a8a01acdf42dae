"""Measure how probable each tag usually is on real music, as the networks answer.

    python experiments/usual_tags/measure.py FOLDER FOLDER … --exports musicnn_mtt musicnn_msd \
        --out musicnn_usual.yaml --answers answers.csv

Each FOLDER is one collection, such as the music of one game. Of each track, 30 s from the middle are analysed; files
below 400 kB or shorter than that are left out, as most are effects. The usual probability of a tag is the mean over the
collections of the mean over their tracks, so that a large collection counts no more than a small one.

Soundtracks have hardly any vocals. So that "no vocals" is not usual, the values of the tags that deny them are halved,
as if half of all music had vocals.
"""

import argparse
from pathlib import Path

import numpy as np
import polars as pl
import yaml
from rich.progress import track as with_progress

import musicrec
from musicrec.audio.decode import decode_track
from musicrec.audio.search import find_audio
from musicrec.errors import AudioError

EXCERPT_S, SMALLEST_BYTES = 30, 400_000
WITHOUT_VOCALS = ("no vocals", "no vocal", "no voice", "instrumental")
COMMENT = """# The mean probability of each tag on real music, as the networks of musicnn answer; measured by
# experiments/usual_tags/measure.py.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="one folder per collection")
    parser.add_argument("--exports", nargs="+", required=True, help="the taggers")
    parser.add_argument("--out", type=Path, required=True, help="the YAML file to write")
    parser.add_argument("--answers", type=Path, required=True, help="the CSV file with the answers per track to write")
    parser.add_argument("--most", type=int, default=25, help="tracks per collection, evenly spaced in their order")
    settings = parser.parse_args()

    analyzer = musicrec.load(*settings.exports)
    rows = []
    for folder in settings.folders:
        files = [path for name in find_audio(folder).files if (path := folder / name).stat().st_size > SMALLEST_BYTES]
        for file in with_progress(_chosen(files, settings.most), folder.name):
            row = _answers(file, folder.name, analyzer)
            if row is not None:
                rows.append(row)
    table = pl.DataFrame(rows)
    table.write_csv(settings.answers, float_precision=5)
    names = [name for name in table.columns if name not in ("collection", "file")]
    usual = table.group_by("collection").agg(pl.col(names).mean()).select(pl.col(names).mean()).row(0, named=True)
    written: dict[str, dict[str, float]] = {}
    for name, value in usual.items():
        head, tag = name.split(":")
        written.setdefault(head, {})[tag] = round(value / 2 if tag in WITHOUT_VOCALS else value, 4)
    print(f"{len(table)} tracks of {table['collection'].n_unique()} collections")
    settings.out.write_text(COMMENT + yaml.safe_dump(written, sort_keys=False), encoding="utf-8")


def _chosen(files: list[Path], most: int) -> list[Path]:
    return [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(most, len(files))).astype(int))]


def _answers(file: Path, collection: str, analyzer: musicrec.TrackAnalyzer) -> dict[str, object] | None:
    """Return the row of a track, or None if it is too short or cannot be decoded."""
    rate = analyzer.sample_rate
    try:
        waveform = decode_track(file, sample_rate=rate).waveform
    except AudioError:
        return None
    if len(waveform) < EXCERPT_S * rate:
        return None
    begin = max(0, (len(waveform) - EXCERPT_S * rate) // 2)
    answer = analyzer.analyze(waveform[begin : begin + EXCERPT_S * rate])
    return {"collection": collection, "file": file.name} | {
        f"{name}:{tag}": float(value)
        for name, head in analyzer.heads.items()
        for tag, value in zip(head.classes, answer.probabilities[name], strict=True)
    }


if __name__ == "__main__":
    main()
