"""experiments/beats/label_corpus.py finds where clips begin, on a corpus whose script tells the truth."""

import runpy
import sys
from pathlib import Path

import polars as pl
import pytest

from musicrec.errors import ManifestError
from musicrec.heads.beat_times import parse_beats

STUDY = Path(__file__).parents[3] / "experiments" / "beats" / "label_corpus.py"
# As the script of the corpus draws: the plan with one generator, then each clip with its own.
SCRIPT = """
import csv, math, random
from pathlib import Path
G = {"jazz": ((100, 220), "a b c d e"), "waltz": ((85, 190), "f g h i j")}
NOTE, MAJOR, MINOR, LEADS = "C Db D Eb E F Gb G Ab A Bb B".split(), [[0], [5], [7]], [[0], [3]], [4, 11, 40]
def grooves(style):
    return [] if style == "b" else [style + "1", style + "2"]
def melody(rng, tonic, mode, chords, bars, beats, ticks, program, channel):
    return [rng.random() for _ in range(bars * beats)]
def main():
    rng, rows = random.Random(7), []
    for genre, (tempo, styles) in G.items():
        order = styles.split(); random.Random(1234).shuffle(order)
        part = {s: "valid" if i < 1 else "test" if i < 3 else "train" for i, s in enumerate(order)}
        by = {p: [s for s in order if part[s] == p] for p in ("train", "valid", "test")}
        for i in range(20):
            u = i / 20; split = "train" if u < .7 else "valid" if u < .82 else "test"
            gs = grooves(by[split][i % len(by[split])])
            if not gs: continue
            font = rng.choice(["one", "two"])
            if split == "test" and u >= .91: font = "shift"
            rng.choice(gs)
            tonic, mode, bpm = rng.randrange(12), rng.choice(["major", "major", "minor"]), rng.randint(*tempo)
            clip, beats = random.Random(rng.randrange(2**31)), 3 if genre == "waltz" else 4
            chords = clip.choice(MAJOR if mode == "major" else MINOR)
            if clip.random() < .7:
                melody(clip, tonic, mode, chords, math.ceil(42*bpm/60/2.5), beats, 480, clip.choice(LEADS), 1)
            rows.append(dict(track_id=f"{genre}_{i:03d}", path="x.ogg", bpm=bpm, key=NOTE[tonic], mode=mode,
                             time_signature=f"{beats}/4", soundfont=font, duration_s=30.0, start=clip.uniform(0, 6)))
    with open(Path(__file__).with_name("manifest.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys()); writer.writeheader(); writer.writerows(rows)
main()
"""


def test_the_starts_of_clips_are_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "make_corpus.py").write_text(SCRIPT)
    runpy.run_path(str(tmp_path / "make_corpus.py"))
    main = runpy.run_path(str(STUDY))["main"]
    words = [str(STUDY), str(tmp_path), "--clips-per-genre", "20", "--fonts", "one", "two", "--shift-font", "shift"]
    monkeypatch.setattr(sys, "argv", [*words, "--seed", "7", "--out", str(tmp_path / "beats.csv")])
    main()
    rows = pl.read_csv(tmp_path / "beats.csv").to_dicts()
    assert len(rows) > 30 and {row["sound_font"] for row in rows} == {"one", "two", "shift"}
    for row in rows:
        period, metre = 60 / row["bpm"], int(row["time_signature"][0])
        for time_s, downbeat in parse_beats(row["beats"]):
            number = (time_s + round(row["start"], 3)) / period
            assert number == pytest.approx(round(number), abs=0.01)
            assert downbeat == (round(number) % metre == 0)
    monkeypatch.setattr(sys, "argv", [*words, "--seed", "8", "--out", str(tmp_path / "other.csv")])
    with pytest.raises(ManifestError, match="not what seed 8 plans"):
        main()
