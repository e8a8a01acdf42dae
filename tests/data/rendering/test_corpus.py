"""A rendered corpus, through the command line: with replacements of the programs, and with the programs."""

import os
import re
import shlex
import shutil
from pathlib import Path

import mido
import numpy as np
import polars as pl
import pytest
import soundfile

from musicrec.data.manifest import read_manifest
from musicrec.data.midi.workplace import Rendering
from musicrec.data.rendering import clip_renderer, corpus
from musicrec.data.rendering.arrange import arrange
from musicrec.data.rendering.styles import LIBRARY, read_genres
from musicrec.errors import MidiError
from musicrec.heads.beat_times import parse_beats
from musicrec.programs.command import main

ROOT = Path(__file__).parents[3]


def render(*arguments: object, status: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render-corpus", *map(str, arguments)])
    assert end.value.code == status


@pytest.fixture
def fake_mma(fake_fluidsynth: Path, tmp_path: Path, monkeypatch, write_midi, tones) -> Path:
    """Install a program mma that always writes the same piece of 80 s, in four.

    Returns:
        The file to which it appends what it was asked to arrange.
    """
    calls, piece = tmp_path / "arranged.txt", tmp_path / "piece.mid"
    write_midi(piece, tones([60, 62, 64, 65] * 40, program=32), tones([36] * 160, channel=9))
    script = fake_fluidsynth.with_name("bin") / "mma"
    script.write_text(
        f'#!/bin/sh\ncat "$3" >> "{calls}"\ngrep -q "^Groove Bad" "$3" && {{ echo "Error: bad"; exit 1; }}\n'
        f'grep -q "^Groove Six" "$3" && echo "METRE 6" || echo "METRE 4"\ncp "{piece}" "$2"\n'
    )
    script.chmod(0o755)
    calls.touch()
    monkeypatch.setattr(corpus, "grooves_of", lambda style: [style])
    monkeypatch.setattr(clip_renderer, "grooves_of", lambda style: ["Bad", "Six", f"{style}:Good"])
    return calls


def test_corpus(fake_mma, fake_fluidsynth, sound_font, tmp_path, capsys):
    shift = tmp_path / "shift.sf2"
    shift.write_bytes(sound_font.read_bytes())
    arguments = ("--out", tmp_path / "out", "--clips-per-genre", 10, "--sound-font", sound_font)
    render(*arguments, "--shift-sound-font", shift)
    assert f"{tmp_path / 'out' / 'manifest.csv'}: 120 tracks (train 84, " in capsys.readouterr().out
    tracks = read_manifest(tmp_path / "out" / "manifest.csv")
    counts = dict(tracks["split"].value_counts().iter_rows())
    assert counts == {"train": 84, "valid": 12, "test": 12, "test_shift": 12}
    assert set(tracks.filter(split="test_shift")["sound_font"]) == {"shift"}
    genres = {genre.name: genre for genre in read_genres()}
    for row in tracks.to_dicts():
        genre = genres[row["genre"]]
        assert row["artist"] in genre.styles[row["split"].removesuffix("_shift")]
        assert genre.tempo[0] <= row["bpm"] <= genre.tempo[1]
        assert (row["time_signature"], row["duration_s"], row["mode"] in ("major", "minor")) == (4, 30.0, True)
        assert {"bass", "drums"} <= set(row["instruments"])
        times, downbeats = np.array(parse_beats(row["beats"])).T
        assert np.diff(times) == pytest.approx(np.full(len(times) - 1, 60 / row["bpm"]), abs=0.0011)
        assert times[0] < 60 / row["bpm"] and 30 - 60 / row["bpm"] <= times[-1] < 30
        assert np.diff(np.flatnonzero(downbeats)).tolist() == [4] * (int(downbeats.sum()) - 1)
    assert tracks["key"].n_unique() == 12
    arranged = fake_mma.read_text()
    assert set(line for line in arranged.splitlines() if line.startswith("Tempo")) >= {
        f"Tempo {round(bpm)}" for bpm in tracks["bpm"]
    }
    sound, sample_rate = soundfile.read(tracks["path"][0])
    assert (sample_rate, len(sound)) == (16_000, 480_000) and 0.02 < np.std(sound) < 0.5
    text = (tmp_path / "out" / "manifest.csv").read_text()
    assert "path,split,genre,instruments,bpm,key,mode,time_signature,beats,artist,title,sound_font,duration_s" in text
    assert str(tmp_path) not in text, "the folder can be moved"


def test_an_interrupted_rendering_continues(fake_mma, fake_fluidsynth, sound_font, tmp_path):
    arguments = ("--out", tmp_path / "out", "--clips-per-genre", 1, "--sound-font", sound_font)

    def rendered() -> int:
        return len(fake_fluidsynth.read_text().splitlines())

    render(*arguments)
    manifest = (tmp_path / "out" / "manifest.csv").read_bytes()
    assert rendered() == 12
    journal = tmp_path / "out" / "rendered.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])  # as a kill leaves it
    (tmp_path / "out" / "manifest.csv").unlink()
    render(*arguments)
    assert rendered() == 13 and (tmp_path / "out" / "manifest.csv").read_bytes() == manifest
    (tmp_path / "out" / "audio" / "jazz_0000.flac").unlink()
    render(*arguments)
    assert rendered() == 14
    render(*arguments, "--seed", 1)
    assert rendered() == 26


class Composition:
    """A stand-in for a piece of the composer."""

    def __init__(self, seed: int, seconds: float):
        track = mido.MidiTrack([mido.Message("program_change", program=seed % 8)])
        for beat in range(round(2 * seconds)):
            track.append(mido.Message("note_on", note=60 + beat % 12, velocity=90))
            track.append(mido.Message("note_off", note=60 + beat % 12, time=480))
        self.midi = mido.MidiFile(ticks_per_beat=480, tracks=[track])
        self.labels = {"bpm": 120.0, "key": 9, "mode": "minor", "time_signature": 4}


def test_composed_clips(fake_mma, sound_font, tmp_path, monkeypatch, capsys):
    asked = []

    def compose(seed: int) -> Composition:
        asked.append(seed)
        return Composition(seed, 12 if len(asked) == 1 else 60)

    monkeypatch.setattr(clip_renderer, "compose", compose)
    render("--out", tmp_path / "out", "--clips-per-genre", 0, "--composed", 20, "--sound-font", sound_font,
           "--workers", 1)  # fmt: skip
    tracks = read_manifest(tmp_path / "out" / "manifest.csv")
    assert len(set(asked)) == 20 and tracks.height == 19
    assert dict(tracks["split"].value_counts().iter_rows()) == {"train": 16, "valid": 3}
    assert set(tracks["key"]) == {9} and tracks["genre"].null_count() == tracks["artist"].null_count() == 19
    printed = capsys.readouterr().out
    assert "left out: 1 clips\n  composed_0000: the piece ends after 12.0 s; " in printed


def test_commands_of_the_documents(monkeypatch, tmp_path):
    asked = []
    done = Rendering(manifest=tmp_path / "manifest.csv", tracks=pl.DataFrame({"split": ["train"]}), left_out=[])
    monkeypatch.setattr(corpus, "render_corpus", lambda out, **settings: asked.append(settings | {"out": out}) or done)
    for name in ("docs/corpus.md", "experiments/pretrained/README.md"):
        for line in re.findall(r"^musicrec render-corpus (.*)$", (ROOT / name).read_text(), re.M):
            render(*shlex.split(line))
    assert [(settings["clips_per_genre"], settings["composed"]) for settings in asked] == [
        (100, 0),
        (100, 300),
        (110, 560),
    ]
    assert asked[1]["sound_fonts"] == [Path("A.sf2"), Path("B.sf3")]
    assert [settings["shift_sound_font"].name for settings in asked[1:]] == ["C.sf2", "MuseScore_General_Lite.sf3"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--sound-font", "nowhere.sf2"], "--sound-font nowhere.sf2: cannot be read: No such file"),
        (["--shift-sound-font", "nowhere.sf2"], "--shift-sound-font nowhere.sf2: cannot be read: No such file"),
        (["--shift-sound-font", "font.sf2"], "two sound fonts have the same name"),
        (["--clips-per-genre", "0"], "clips_per_genre + composed=0: give a whole number, 1 or more"),
        (["--workers", "0"], "workers=0: give a whole number or null, 1 or more"),
        (["--out", "note.txt"], "note.txt: cannot be written"),
    ],
)
def test_a_mistake_gets_one_message(fake_mma, sound_font, tmp_path, monkeypatch, capsys, given, message):
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text("no folder")
    settings = {"--out": "out", "--sound-font": "font.sf2", "--clips-per-genre": "1"}
    settings |= dict(zip(given[::2], given[1::2], strict=True))
    render(*(word for pair in settings.items() for word in pair), status=1)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert not Path("out", "manifest.csv").exists()


@pytest.mark.parametrize(("program", "package"), [("mma", "mma"), ("fluidsynth", "fluidsynth")])
def test_a_missing_program_is_reported(fake_mma, fake_fluidsynth, sound_font, tmp_path, monkeypatch, capsys,
                                       program, package):  # fmt: skip
    folder = fake_fluidsynth.with_name("bin")
    (folder / program).unlink()
    monkeypatch.setenv("PATH", str(folder))
    render("--out", tmp_path / "out", "--sound-font", sound_font, status=1)
    assert f"apt install {package})" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_sound_fonts_of_the_default_are_reported(fake_mma, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(corpus, "SOUND_FONTS", (str(tmp_path / "none.sf2"),))
    render("--out", tmp_path / "out", status=1)
    assert "apt install fluid-soundfont-gm timgm6mb-soundfont), or name others" in capsys.readouterr().err


@pytest.fixture(scope="session")
def mma() -> str:
    """The program MMA; skips the test if it is not installed."""
    if shutil.which("mma") is None or not LIBRARY.is_dir():
        pytest.skip(f"no mma on the PATH, or no {LIBRARY}")
    return shutil.which("mma")


@pytest.mark.slow
def test_an_arrangement_has_the_tempo_metre_and_chords_that_were_asked_for(mma, tmp_path):
    asked = {"program": mma, "genre": "waltz", "groove": "Waltz", "bpm": 150, "tonic": 3, "mode": "minor", "seed": 5,
             "duration_s": 20.0, "scratch": tmp_path}  # fmt: skip
    arrangement = arrange(**asked)
    assert arrangement.labels == {"genre": "waltz", "bpm": 150.0, "key": 3, "mode": "minor", "time_signature": 3}
    tempi = {message.tempo for track in arrangement.midi.tracks for message in track if message.type == "set_tempo"}
    assert tempi == {400_000}  # microseconds per beat
    assert arrangement.midi.length >= 20
    first, same, other = ([message for message in midi if not message.is_meta] for midi in (
        arrangement.midi, arrange(**asked).midi, arrange(**asked | {"seed": 6}).midi))  # fmt: skip
    assert first == same != other
    with pytest.raises(MidiError, match="MMA made no arrangement"):
        arrange(**asked | {"groove": "NoSuchGroove"})


@pytest.mark.slow
def test_the_same_command_gives_the_same_samples(mma, general_midi, tmp_path, monkeypatch):
    genres = [genre for genre in read_genres() if genre.name in ("waltz", "jazz")]
    monkeypatch.setattr(corpus, "read_genres", lambda: genres)
    for folder, workers in (("one", 1), ("two", 2)):
        render("--out", tmp_path / folder, "--clips-per-genre", 1, "--composed", 1, "--sound-font", general_midi,
               "--workers", workers)  # fmt: skip
    one, two = ((tmp_path / folder / "manifest.csv").read_text() for folder in ("one", "two"))
    assert one == two
    for row in pl.read_csv(tmp_path / "one" / "manifest.csv").to_dicts():
        a, b = (soundfile.read(tmp_path / folder / row["path"], dtype="int16")[0] for folder in ("one", "two"))
        assert np.array_equal(a, b) and np.std(a) > 500
    assert os.listdir(tmp_path / "one" / "audio") and not (tmp_path / "one" / ".scratch").exists()
