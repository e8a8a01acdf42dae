"""Add the column `beats` to the manifest of a corpus that was rendered by the script make_corpus.py in its folder.

    python experiments/beats/label_corpus.py CORPUS --seed 2026 --out beats.csv

Such a corpus is older than `musicrec render-corpus`, which writes the column itself. Its clips begin at a random time
of a piece, which is not in the manifest. This replays the random numbers of the script: first the plan of all clips,
which has to agree with the manifest in every tempo, key, mode and sound font, then those of each clip up to its start.
Beats follow from the start, the tempo, and the beats per bar, as the tempo is constant and a piece begins with a
downbeat. The groove of a clip is drawn from the styles of MMA, so MMA has to be the version that the corpus was made
with (21.09).
"""

import argparse
import math
import os
import random
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from musicrec.data.rendering.clip_renderer import beats_of
from musicrec.errors import ManifestError
from musicrec.system.atomic_write import write_text


def plan(script: dict[str, Any], *, seed: int, clips_per_genre: int, fonts: list[str], shift: str) -> dict[str, dict]:
    """Return {track_id: clip} as the script planned them, with the random numbers in its order."""
    rng, clips = random.Random(seed), {}
    for genre, (tempo, styles) in script["G"].items():
        order = styles.split()
        random.Random(1234).shuffle(order)
        valid, test = max(1, round(len(order) * 0.15)), max(2, round(len(order) * 0.2))
        parts = {"valid": order[:valid], "test": order[valid : valid + test], "train": order[valid + test :]}
        for number in range(clips_per_genre):
            share = number / clips_per_genre
            split = "train" if share < 0.7 else "valid" if share < 0.82 else "test"
            grooves = script["grooves"](parts[split][number % len(parts[split])])
            if not grooves:
                continue
            font = rng.choice(fonts)
            font = shift if split == "test" and share >= 0.91 else font
            rng.choice(grooves)
            tonic, mode = rng.randrange(12), rng.choice(["major", "major", "minor"])
            facts = {"bpm": rng.randint(*tempo), "key": script["NOTE"][tonic], "mode": mode, "soundfont": font}
            clips[f"{genre}_{number:03d}"] = {"facts": facts, "tonic": tonic, "seed": rng.randrange(2**31)}
    return clips


def start_of(script: dict[str, Any], clip: dict, *, metre: int) -> float:
    """Return where a clip begins in its piece, in seconds, as the script rounded it."""
    rng, bpm, mode = random.Random(clip["seed"]), clip["facts"]["bpm"], clip["facts"]["mode"]
    chords = rng.choice(script["MAJOR" if mode == "major" else "MINOR"])
    if rng.random() < 0.7:
        bars, program = math.ceil(42 * bpm / 60 / 2.5), rng.choice(script["LEADS"])
        script["melody"](rng, clip["tonic"], mode, chords, bars, metre, 192, program, 0)
    return round(rng.uniform(0, 6), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--clips-per-genre", type=int, default=100)
    parser.add_argument("--fonts", nargs="+", default=["FluidR3_GM", "TimGM6mb"])
    parser.add_argument("--shift-font", default="MuseScore_General_Lite")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    script = runpy.run_path(str(_without_main(options.corpus / "make_corpus.py", options.out)))
    clips = plan(script, seed=options.seed, clips_per_genre=options.clips_per_genre, fonts=options.fonts,
                 shift=options.shift_font)  # fmt: skip
    frame = pl.read_csv(options.corpus / "manifest.csv")
    beats = []
    for row in frame.to_dicts():
        clip = clips.get(row["track_id"])
        if clip is None or any(row[name] != value for name, value in clip["facts"].items()):
            raise ManifestError(f"{row['track_id']}: not what seed {options.seed} plans; give the seed of the corpus")
        metre = int(str(row["time_signature"]).partition("/")[0])
        before_s = start_of(script, clip, metre=metre)
        labels = {"bpm": row["bpm"], "time_signature": metre}
        beats.append(beats_of(labels, before_s=before_s, duration_s=row["duration_s"]))
    paths = [os.path.abspath(options.corpus / path) for path in frame["path"]]
    frame = frame.with_columns(pl.Series("path", paths), pl.Series("beats", beats))
    frame = frame.rename({"soundfont": "sound_font"})
    write_text(options.out, frame.write_csv())
    print(f"{options.out}: {len(frame)} tracks, {np.mean([len(text.split()) for text in beats]):.0f} beats each")


def _without_main(script: Path, out: Path) -> Path:
    """Write the script without the call that renders, beside `out`, and return its path."""
    copy = out.with_suffix(".plan.py")
    write_text(copy, script.read_text().replace("\nmain()\n", "\n"))
    return copy


if __name__ == "__main__":
    main()
