"""From a folder of MIDI files to a manifest, through the command line."""

import re
import shlex
from pathlib import Path

import mido
import numpy as np
import polars as pl
import pytest
import soundfile
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from musicrec.data.manifest import read_manifest
from musicrec.data.midi.names import find_midi_files
from musicrec.heads.beat_times import parse_beats
from musicrec.programs.command import main

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


@pytest.fixture
def source(tmp_path: Path, write_midi, tones) -> Path:
    """MIDI files of three artists, a copy, and two files that cannot be rendered."""
    folder = tmp_path / "midi"
    header = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("key_signature", key="Am"),
              mido.MetaMessage("time_signature", numerator=3, denominator=4)]  # fmt: skip
    drums = tones([36] * 16, channel=9)
    write_midi(folder / "jazz" / "Ada" / "One_more.mid", tones(SCALE * 2, program=73), drums, header=header)
    write_midi(folder / "jazz" / "Bo - Two.kar", tones(SCALE, program=32))
    write_midi(folder / "rock" / "Cy" / "Three.midi", tones(SCALE[::-1], program=29))
    (folder / "rock" / "copy.mid").write_bytes((folder / "jazz" / "Ada" / "One_more.mid").read_bytes())
    (folder / "rock" / "bad.mid").write_bytes(b"MThd")
    write_midi(folder / "rock" / "none.mid")
    (folder / ".hidden.mid").write_bytes(b"")
    return folder


def render(*arguments: object, status: int = 0) -> None:
    with pytest.raises(SystemExit) as end:
        main(["render-midi", *map(str, arguments)])
    assert end.value.code == status


def test_folder_to_manifest(source, fake_fluidsynth, sound_font, tmp_path, capsys):
    out = tmp_path / "out"
    render(source, "--sound-font", sound_font, "--out", out, "--genre-folders")
    rows = {row["track_id"]: row for row in read_manifest(out / "manifest.csv").to_dicts()}
    assert sorted(rows) == ["jazz/Ada/One_more", "jazz/Bo - Two", "rock/Cy/Three"]
    ada, bo = rows["jazz/Ada/One_more"], rows["jazz/Bo - Two"]
    expected = {"artist": "Ada", "title": "One more", "genre": "jazz", "instruments": ["drums", "flute"], "bpm": 120,
                "key": 9, "mode": "minor", "time_signature": 3, "duration_s": 9.0, "sound_font": "font",
                "midi_file": "jazz/Ada/One_more.mid"}  # fmt: skip
    expected["beats"] = " ".join(f"{number / 2:.3f}/{number % 3 + 1}" for number in range(16))  # 120 BPM for 8 s
    assert {name: ada[name] for name in expected} == expected
    assert (bo["artist"], bo["title"], bo["instruments"]) == ("Bo", "Two", ["bass"])
    assert [bo[name] for name in ("bpm", "key", "time_signature", "beats")] == [None] * 4
    assert {row["split"] for row in rows.values()} == {"train", "valid", "test"}
    sound, sample_rate = soundfile.read(ada["path"])
    assert (sample_rate, len(sound)) == (16_000, 9 * 16_000)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert not (out / ".scratch").exists()
    left_out = dict(pl.read_csv(out / "left_out.csv").iter_rows())
    assert left_out == {
        "rock/copy.mid": "the same file as jazz/Ada/One_more.mid",
        "rock/bad.mid": "cannot be read as MIDI (it ends too early)",
        "rock/none.mid": "contains no notes",
    }
    printed = capsys.readouterr().out
    assert "3 tracks; known: bpm 1, beats 1, time_signature 1, key 1, artist 3\nsplit by artist: " in printed
    assert "rock/bad.mid: cannot be read as MIDI" in printed


def test_an_interrupted_rendering_continues(source, fake_fluidsynth, sound_font, tmp_path):
    arguments = (source, "--sound-font", sound_font, "--out", tmp_path / "out", "--duration-s", "4")
    render(*arguments)
    before = (tmp_path / "out" / "manifest.csv").read_bytes()
    assert len(fake_fluidsynth.read_text().splitlines()) == 3

    render(*arguments)
    assert len(fake_fluidsynth.read_text().splitlines()) == 3

    journal = tmp_path / "out" / "rendered.jsonl"
    journal.write_bytes(journal.read_bytes()[:-10])  # as a kill leaves it
    (tmp_path / "out" / "manifest.csv").unlink()
    render(*arguments)
    assert len(fake_fluidsynth.read_text().splitlines()) == 4
    assert (tmp_path / "out" / "manifest.csv").read_bytes() == before
    render(*arguments)
    assert len(fake_fluidsynth.read_text().splitlines()) == 4

    (tmp_path / "out" / "audio" / "font" / "rock" / "Cy" / "Three.flac").unlink()
    render(*arguments)
    assert len(fake_fluidsynth.read_text().splitlines()) == 5

    first = source / "jazz" / "Bo - Two.kar"
    a, b = first.read_bytes(), (source / "rock" / "Cy" / "Three.midi").read_bytes()
    for content in (b, a):  # what is back again is rendered again: the audio is that of the other one
        first.write_bytes(content)
        render(*arguments)
    assert len(fake_fluidsynth.read_text().splitlines()) == 7

    render(*arguments[:-1], "5")  # another setting renders everything again
    assert len(fake_fluidsynth.read_text().splitlines()) == 10


def test_every_sound_font_makes_a_variant(source, fake_fluidsynth, sound_font, tmp_path):
    other = tmp_path / "other.sf2"
    other.write_bytes(sound_font.read_bytes())
    render(source, "--sound-font", sound_font, other, "--out", tmp_path / "out")
    tracks = read_manifest(tmp_path / "out" / "manifest.csv")
    assert len(tracks) == 6
    assert {"rock/Cy/Three@font", "rock/Cy/Three@other"} < set(tracks["track_id"])
    assert tracks.group_by("midi_file").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "nowhere"}, "nowhere: no such folder"),
        ({"source": "bare"}, "bare: no MIDI file below it"),
        ({"--sound-font": "nowhere.sf2"}, "--sound-font nowhere.sf2: cannot be read: No such file"),
        ({"--sound-font": "note.txt"}, "note.txt: is not a sound font"),
        ({"--sound-font": "font.sf2 more/font.sf2"}, "two sound fonts have the same name"),
        ({"--out": "note.txt"}, "note.txt: cannot be written"),
        ({"--duration-s": "3"}, "duration_s=3.0: give a number from 4 to 600"),
        ({"--sample-rate": "44"}, "sample_rate=44: give a whole number, 8000 or more"),
        ({"--workers": "0"}, "workers=0: give a whole number or null, 1 or more"),
        ({"--sound-font": "empty.sf2"}, "none of its 6 MIDI files could be rendered"),
    ],
)
def test_a_mistake_gets_one_message(
    source, fake_fluidsynth, sound_font, tmp_path, monkeypatch, capsys, change, message
):
    monkeypatch.chdir(tmp_path)
    for name in ("bare", "more"):
        Path(name).mkdir()
    for name in ("empty.sf2", "more/font.sf2"):
        Path(name).write_bytes(sound_font.read_bytes())
    Path("note.txt").write_text("no folder, no sound font")
    given = {"source": "midi", "--sound-font": "font.sf2", "--out": "out"} | change
    render(given.pop("source"), *shlex.split(" ".join(f"{name} {value}" for name, value in given.items())), status=1)
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and message in errors[0]
    assert not Path("out", "manifest.csv").exists()


def test_a_missing_fluidsynth_is_reported(source, sound_font, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    render(source, "--sound-font", sound_font, "--out", tmp_path / "out", status=1)
    assert "apt install fluidsynth" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_commands_of_the_document(source, fake_fluidsynth, sound_font, tmp_path, monkeypatch):
    document = (Path(__file__).parents[3] / "docs" / "midi.md").read_text()
    lines = [line for block in re.findall(r"^```bash\n(.*?)^```", document, re.M | re.S) for line in block.splitlines()]
    GlobalHydra.instance().clear()
    monkeypatch.chdir(tmp_path)
    source.rename("MIDI_FOLDER")
    for name in ("A.sf2", "B.sf3"):
        sound_font.with_name(name).write_bytes(sound_font.read_bytes())
    rendered = 0
    for line in lines:
        match shlex.split(line.replace("/usr/share/sounds/sf2/FluidR3_GM.sf2", "A.sf2")):
            case ["musicrec", "render-midi", *arguments]:
                render(*arguments)
                rendered += 1
            case ["musicrec", "train", *overrides]:
                with initialize_config_dir(str(Path(__file__).parents[3] / "conf")):
                    manifest = compose("train", overrides=overrides).data.manifest
                assert len(read_manifest(manifest)) == 3
            case words:
                assert words[0] in ("apt", "pip")
    assert rendered == 2


def test_names_of_files(source):
    named = {file.name: (file.artist, file.title, file.genre) for file in find_midi_files(source, genre_folders=True)}
    assert named["jazz/Bo - Two.kar"] == ("Bo", "Two", "jazz")
    assert named["rock/Cy/Three.midi"] == ("Cy", "Three", "rock")
    assert named["rock/bad.mid"] == (None, "bad", "rock")
    assert ".hidden.mid" not in named
    without = {file.name: (file.artist, file.genre) for file in find_midi_files(source, genre_folders=False)}
    assert without["rock/bad.mid"] == ("rock", None)


def test_names_that_differ_in_the_suffix_alone(tmp_path):
    for name in ("x.mid", "x.kar", "x.mid.mid", "y.mid"):
        (tmp_path / name).write_bytes(b"MThd")
    found = [file.track_id for file in find_midi_files(tmp_path, genre_folders=False)]
    assert found == ["x.kar", "x.mid", "x.mid.mid", "y"]


def test_too_few_artists_are_not_split(tmp_path, fake_fluidsynth, sound_font, write_midi, tones, capsys):
    for name in ("a", "b"):
        write_midi(tmp_path / "midi" / "Ada" / f"{name}.mid", tones(SCALE, program=ord(name) - 97))
    render(tmp_path / "midi", "--sound-font", sound_font, "--out", tmp_path / "out")
    assert read_manifest(tmp_path / "out" / "manifest.csv")["split"].to_list() == [None, None]
    assert "too few artists to split: add a column split to the manifest yourself" in capsys.readouterr().out


def test_the_audio_has_the_notes_of_the_file(general_midi, tmp_path, write_midi, tones):
    """Eight quarter notes of a flute at 90 BPM, A4 and C#5 in turn."""
    header = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)), mido.MetaMessage("key_signature", key="A")]
    write_midi(tmp_path / "midi" / "a.mid", tones([69, 73] * 4, program=73), header=header)
    render(tmp_path / "midi", "--sound-font", general_midi, "--out", tmp_path / "out")
    (row,) = read_manifest(tmp_path / "out" / "manifest.csv").to_dicts()
    assert (row["bpm"], row["key"], row["mode"]) == (90, 9, "major")
    sound, sample_rate = soundfile.read(row["path"])
    assert len(sound) / sample_rate == pytest.approx(8 * 60 / 90 + 1, abs=0.001)
    for beat in range(8):
        start = round((beat + 0.2) * 60 / 90 * sample_rate)
        spectrum = np.abs(np.fft.rfft(sound[start : start + 4096] * np.hanning(4096), 65536))
        peak_hz = spectrum.argmax() * sample_rate / 65536
        octaves = np.log2(peak_hz / (440.0 if beat % 2 == 0 else 554.37))
        assert abs(octaves - round(octaves)) < 0.02, beat
    assert np.abs(sound[-800:]).max() < 0.05


def test_the_audio_has_a_hit_at_each_labelled_beat(general_midi, tmp_path, write_midi, tones):
    """Sixteen rim shots, eight at 120 BPM and eight at 80 BPM, after a bar of silence."""
    header = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120)),
              mido.MetaMessage("time_signature", numerator=3, denominator=4),
              mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(80), time=480 * (3 + 8))]  # fmt: skip
    hits = tones([37] * 16, channel=9)
    hits[1].time = 480 * 3
    write_midi(tmp_path / "midi" / "a.mid", hits, header=header)
    render(tmp_path / "midi", "--sound-font", general_midi, "--out", tmp_path / "out")
    (row,) = read_manifest(tmp_path / "out" / "manifest.csv").to_dicts()
    times_s, downbeats = np.array(parse_beats(row["beats"])).T
    assert times_s == pytest.approx([*np.arange(8) * 0.5, *(4 + np.arange(8) * 0.75)], abs=6e-4)
    assert np.flatnonzero(downbeats).tolist() == [0, 3, 6, 9, 12, 15]
    sound, sample_rate = soundfile.read(row["path"])
    for time_s in times_s:
        first = max(0, round((time_s - 0.1) * sample_rate))
        loud = np.flatnonzero(np.abs(sound[first : round((time_s + 0.1) * sample_rate)]) > 0.3)
        assert (first + loud[0]) / sample_rate == pytest.approx(time_s, abs=0.01)


def test_notes_end_at_the_end_of_the_rendering(general_midi, tmp_path, write_midi, tones):
    """FluidSynth renders for as long as anything sounds."""
    write_midi(tmp_path / "midi" / "a.mid", tones([57] * 2, program=19, ticks=480 * 100))
    render(tmp_path / "midi", "--sound-font", general_midi, "--out", tmp_path / "out", "--duration-s", "4")
    (row,) = read_manifest(tmp_path / "out" / "manifest.csv").to_dicts()
    assert soundfile.info(row["path"]).frames == 4 * 16_000


def test_a_silent_sound_font_is_reported(sound_font, tmp_path, write_midi, tones, monkeypatch, capsys, fake_fluidsynth):
    soundfile.write(fake_fluidsynth.parent / "bin" / "tone.wav", np.zeros(80_000, np.float32), 8000, subtype="FLOAT")
    write_midi(tmp_path / "midi" / "a.mid", tones(SCALE))
    render(tmp_path / "midi", "--sound-font", sound_font, "--out", tmp_path / "out", status=1)
    assert "a.mid, silent: font.sf2 has no sound" in capsys.readouterr().err.replace(": silent", ", silent")
