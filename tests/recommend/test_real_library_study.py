"""The scripts of experiments/real_library, on little data."""

import csv
import dataclasses
import re
import runpy
from pathlib import Path

import mido
import numpy as np
import polars as pl
import pytest
import soundfile

from musicrec.recommend.exports import ExportRef
from musicrec.recommend.sqlite_library import SqliteLibrary

FOLDER = "experiments/real_library"
RATE = 8_000


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Two unpacked packages: one with a copy, one with a stem, a short track and a sound effect."""
    generator, folder = np.random.default_rng(3), tmp_path / "packages"

    def write(name: str, samples: np.ndarray) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, samples, RATE)

    def noise(seconds: float) -> np.ndarray:
        return 0.1 * np.cumsum(generator.normal(size=int(seconds * RATE))) % 1 - 0.5

    long = noise(4.0)
    write("one-1.16-music/usr/share/a.wav", long)
    write("one-1.16-music/usr/share/copy.wav", 0.4 * long[RATE // 2 :])
    write("one-1.16-music/usr/share/short.wav", noise(0.5))
    write("two-data/usr/music/song/song.wav", noise(3.0))
    write("two-data/usr/music/song/guitar.wav", noise(3.0))
    write("two-data/usr/sounds/rain.wav", noise(3.0))
    return folder


def test_the_manifest_leaves_out_copies_stems_effects_and_short_tracks(packages: Path, program):
    printed = program(f"{FOLDER}/manifest.py", str(packages), "--least-s", "1").stdout
    assert re.search(r"left out \S*copy\.wav: the same recording as a\.wav \(correlation 0\.\d+\)", printed)
    rows = pl.read_csv(packages / "manifest.csv")
    assert rows.select("track_id", "artist", "title").rows() == [
        ("one/a.wav", "one", "a"),
        ("two/song.wav", "two", "song"),
    ]
    assert rows["duration_s"].to_list() == [4.0, 3.0]


def test_excerpts_are_the_middle_of_the_tracks(packages: Path, program):
    out = packages / "excerpts"  # a second run does not take it for a package
    program(f"{FOLDER}/manifest.py", str(packages), "--least-s", "1", "--excerpts", str(out), "--excerpt-s", "2")
    program(f"{FOLDER}/manifest.py", str(packages), "--least-s", "1", "--excerpts", str(out), "--excerpt-s", "2")
    assert pl.read_csv(out / "manifest.csv")["artist"].to_list() == ["one", "two"]
    middle, rate = soundfile.read(out / pl.read_csv(out / "manifest.csv")["path"][0])
    whole, _ = soundfile.read(packages / "one-1.16-music/usr/share/a.wav")
    assert (len(middle), rate) == (32_000, 16_000)
    assert np.corrcoef(middle[::2][100:-100], whole[RATE : 3 * RATE][100:-100])[0, 1] > 0.95


@pytest.fixture
def library(heads: dict, make_track, tmp_path: Path) -> Path:
    """30 tracks of three soundtracks: the embedding of "tagger" tells them apart, tempo and key do not."""
    path, generator = tmp_path / "library.sqlite", np.random.default_rng(5)
    exports = [ExportRef(path=name, sha256=name, name=name, embedding_size=3) for name in ("tagger", "key")]
    with SqliteLibrary.create(path, exports=exports, heads=list(heads.values()), embedding_size=6) as library:
        for number in range(30):
            place = 50 + np.eye(3)[number % 3] + generator.normal(0, 0.05, 3)
            track = make_track(f"{number:02}", bpm=100 + number, key=generator.choice(heads["key"].classes))
            library.add([dataclasses.replace(
                track, artist=f"soundtrack {number % 3}", descriptors={"energy": float(generator.uniform(2, 9))},
                embedding=np.concatenate([place, generator.normal(size=3)]).astype(np.float32),
            )])  # fmt: skip
    return path


def test_rankings_are_compared(library: Path, tmp_path: Path, program):
    table, figure = tmp_path / "n.csv", tmp_path / "n.png"
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- n.csv -->\nan old table\n<!-- end of n.csv -->\nafter\n")
    options = {"--page": page, "--csv": table, "--figure": figure, "--weights": "tempo=1,embedding.tagger=2"}
    named = [str(part) for option in options.items() for part in option]
    printed = program(f"{FOLDER}/neighbours.py", str(library), "--resamples", "200", *named).stdout
    rows = {row["ranking"]: row for row in csv.DictReader(table.open())}
    assert float(rows["embedding.tagger"]["same_soundtrack"]) == 1.0
    assert float(rows["tempo"]["same_soundtrack"]) < 0.5
    assert float(rows["chance"]["same_soundtrack"]) == pytest.approx(9 / 29, abs=5e-4)
    assert {"default", "default before", "key", "energy", "embedding.tagger, plain", "embedding.tagger, centred",
            "tempo=1,embedding.tagger=2"} <= rows.keys()  # fmt: skip
    assert rows["tempo=1,embedding.tagger=2"]["weights"] == "tempo=1 embedding.tagger=2"
    assert "The best single block is embedding.tagger, plain." in printed
    assert page.read_text() == f"before\n<!-- n.csv -->\n{printed.rstrip()}\n<!-- end of n.csv -->\nafter\n"
    assert figure.stat().st_size < 200_000


def test_the_tempo_of_a_midi_file_is_the_one_it_keeps(tmp_path: Path):
    track = mido.MidiTrack()
    for bpm, ticks in ((90, 0), (170, 100), (120, 5_000)):  # 170 from tick 100 on
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=ticks))
    track.append(mido.MetaMessage("end_of_track", time=300))
    file = mido.MidiFile(tracks=[track])
    file.save(tmp_path / "notes.mid")
    written_bpm = runpy.run_path(f"{FOLDER}/tempo.py")["written_bpm"]
    assert written_bpm(tmp_path / "notes.mid") == pytest.approx(170, abs=0.01)


def test_agreement_of_keys_by_arithmetic():
    script = runpy.run_path(f"{FOLDER}/key_agreement.py")
    model, first, second = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 9]), np.array([0, 1, 8, 3])
    assert script["three_way"](model, first, second) == pytest.approx((0.75 * 0.75 / 0.5) ** 0.5)
    assert np.isnan(script["three_way"](model, first, first + 1))
    number_of, kind = script["number_of"], script["kind_of_error"]
    expected = {"C major": "same", "A minor": "relative", "C minor": "parallel", "G major": "fifth", "F major": "fifth",
                "D major": "other", "E minor": "other"}  # fmt: skip
    assert {key: kind(number_of(key), number_of("C major")) for key in expected} == expected
    assert kind(number_of("C major"), number_of("A minor")) == "relative"


def test_answers_are_listed_beside_what_publishers_say():
    script = runpy.run_path(f"{FOLDER}/recordings.py")
    heard = {
        "tag_groups": {
            "mood": [{"tag": "slow", "strength": 0.9, "present": True}],
            "instruments": [{"tag": "piano", "strength": 0.97, "present": True}],
            "genre": [{"tag": "classical", "strength": 0.681, "present": True},
                      {"tag": "jazz", "strength": 0.3, "present": False}],
        },
        "features": {"tempo": {"probability": 0.34}, "key": {"probability": 0.958}},
        "bpm": 119.96,
        "key": "C major",
        "descriptors": {"energy": 6.08, "loudness": -15.04},
    }  # fmt: skip
    stated = {
        "title": "Gold Rush",
        "genre": "film score",
        "instruments": "piano|cello",
        "bpm": "120",
        "key": "",
        "mode": "",
    }
    cells = script["row"](stated, heard)
    assert script["table"]([cells]).splitlines()[1:] == [
        "|---|---|---|---|---|---|---|---|---|",
        "| Gold Rush | film score, piano, cello | classical 0.68, piano 0.97 | 120 | 120.0 (0.34) | – | C major (0.96) "
        "| 6.1 | -15.0 LUFS |",
    ]
    nothing = {"tag_groups": {}, "descriptors": {}}
    assert script["row"]({"title": "A", "key": "F#", "mode": "minor"}, heard | nothing)[2:] == [
        "", "", "120.0 (0.34)", "F# minor", "C major (0.96)", "", ""]  # fmt: skip


def test_the_last_steps_are_measured(library: Path, tmp_path: Path, program):
    table, page = tmp_path / "r.csv", tmp_path / "page.md"
    page.write_text("before\n<!-- r.csv -->\nan old table\n<!-- end of r.csv -->\nafter\n")
    named = ["--csv", str(table), "--page", str(page), "--weights", "sound:embedding=1"]
    printed = program(f"{FOLDER}/reranking.py", str(library), "--resamples", "200", *named).stdout
    assert "| sound | strength 0.5 | " in printed
    assert page.read_text() == f"before\n<!-- r.csv -->\n{printed.rstrip()}\n\n<!-- end of r.csv -->\nafter\n"
    with table.open(newline="") as file:
        rows = {
            tuple(row[name] for name in ("weights", "part", "setting", "measure")): row for row in csv.DictReader(file)
        }
    # The embedding tells the three soundtracks apart, so that two queries have two right answers.
    assert float(rows["sound", "two queries", "soft maximum, 1.0", "of either"]["value"]) > 0.9
    assert float(rows["sound", "two queries", "soft maximum, 1.0", "both there"]["value"]) > 0.9
    steps = [float(rows["sound", "path of 6", way, "largest step"]["value"])
             for way in ("smallest largest step", "points on the line")]  # fmt: skip
    assert steps[0] < steps[1]
