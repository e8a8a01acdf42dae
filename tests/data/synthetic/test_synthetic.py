"""Synthetic music: independent estimators measure tempo, key and energy in the sound."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import soundfile

from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.data.synthetic.composition import compose
from musicrec.data.synthetic.plan import plan_tracks
from musicrec.data.synthetic.styles import INSTRUMENTS, STYLES
from musicrec.errors import ConfigError
from musicrec.heads.beat_times import parse_beats

SAMPLE_RATE = 16000
DURATION_S = 12.0
# Temperley's profiles (The Cognition of Basic Musical Structures, 2001): how well each degree fits a key.
MAJOR_PROFILE = (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0)
MINOR_PROFILE = (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A small set on disk and its sound: (folder, rows of the manifest, (tracks, samples) float32)."""
    folder = tmp_path_factory.mktemp("synthetic")
    manifest = make_synthetic(folder, tracks=40, duration_s=DURATION_S, seed=3, workers=2, progress=False)
    rows = read_manifest(manifest).to_dicts()
    return folder, rows, np.stack([soundfile.read(row["path"], dtype="float32")[0] for row in rows])


def magnitudes(sound, size, hop):
    frames = np.lib.stride_tricks.sliding_window_view(sound, size)[::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(size).astype(np.float32), axis=1))


def measured_key(sound):
    """Estimate (pitch class, mode) by correlating a chroma vector with 24 key profiles."""
    hz = np.fft.rfftfreq(4096, 1 / SAMPLE_RATE)
    audible = (hz > 100) & (hz < 2000)
    pitch_class = np.round(12 * np.log2(hz[audible] / 440) + 69).astype(int) % 12
    chroma = np.bincount(pitch_class, magnitudes(sound, 4096, 2048)[:, audible].mean(0), minlength=12)
    keys = [(key, mode) for mode in ("major", "minor") for key in range(12)]
    profiles = {"major": MAJOR_PROFILE, "minor": MINOR_PROFILE}
    return max(keys, key=lambda name: np.corrcoef(np.roll(profiles[name[1]], name[0]), chroma)[0, 1])


def measured_tempo_bpm(sound):
    """Estimate the tempo whose first four multiples fit the autocorrelation of the onset envelope best."""
    loudness = np.log1p(magnitudes(sound, 512, 160) / np.abs(sound).max())
    onsets = np.maximum(np.diff(loudness, axis=0), 0).sum(1)
    onsets -= np.convolve(onsets, np.full(101, 1 / 101), "same")
    similarity = np.correlate(onsets, onsets, "full")[len(onsets) - 1 :]
    tempi = np.arange(55, 200, 0.5)
    lags = 60 / tempi * SAMPLE_RATE / 160 * np.arange(1, 5)[:, None]
    usual = np.exp(-0.5 * (np.log2(tempi / 110) / 0.8) ** 2)
    return tempi[np.argmax(np.interp(lags, np.arange(len(similarity)), similarity).sum(0) * usual)]


@pytest.mark.slow
def test_labelled_key_is_the_one_in_the_sound(rendered):
    _, rows, sounds = rendered
    agree = [measured_key(sound) == (row["key"], row["mode"]) for row, sound in zip(rows, sounds, strict=True)]
    assert np.mean(agree) >= 0.8  # chance is 0.04


def test_labelled_tempo_is_the_one_in_the_sound(rendered):
    _, rows, sounds = rendered
    ratios = np.array([
        measured_tempo_bpm(sound) / row["bpm"]
        for row, sound in zip(rows, sounds, strict=True) if "drums" in row["instruments"]
    ])  # fmt: skip
    assert len(ratios) >= 20
    exact = np.abs(ratios - 1) < 0.04
    any_level = (np.abs(ratios[:, None] / [0.5, 1, 2, 1 / 3, 3] - 1) < 0.04).any(1)
    assert exact.mean() >= 0.75
    assert any_level.mean() >= 0.9


def test_labelled_beats_are_those_in_the_sound(rendered):
    """The sound begins more strongly at beats than between them, and most strongly where the labels say."""
    _, rows, sounds = rendered
    hop = 80
    strongest, sharper = [], []
    for row, sound in zip(rows, sounds, strict=True):
        times_s, downbeats = np.array(parse_beats(row["beats"])).T
        assert times_s == pytest.approx(np.arange(len(times_s)) * 60 / row["bpm"], abs=6e-4)
        assert DURATION_S - 60 / row["bpm"] <= times_s[-1] < DURATION_S
        assert np.flatnonzero(downbeats).tolist() == list(range(0, len(times_s), row["time_signature"]))
        loudness = np.log1p(1000 * magnitudes(sound, 512, hop) / np.abs(sound).max())
        onsets = np.maximum(np.diff(loudness, axis=0), 0).sum(1)
        onset_s = (np.arange(len(onsets)) * hop + 256 + hop) / SAMPLE_RATE  # the middle of the later frame
        shifts_s = np.arange(-0.12, 0.121, 0.01)
        curve = [np.interp(times_s[1:-1] + shift, onset_s, onsets).mean() for shift in shifts_s]
        strongest.append(abs(shifts_s[np.argmax(curve)]))
        sharper.append(max(curve[11:14]) > 1.5 * np.median(curve))
    assert np.mean(np.array(strongest) < 0.025) >= 0.8
    assert np.mean(sharper) >= 0.8


def test_energy_sets_level_and_brightness(rendered):
    _, rows, sounds = rendered
    energy = [row["energy"] for row in rows]
    level_db = 10 * np.log10((sounds**2).mean(1))
    spectra = (magnitudes(sound, 1024, 1024).mean(0) for sound in sounds)
    centroid = [np.average(np.arange(len(spectrum)), weights=spectrum) for spectrum in spectra]
    assert np.corrcoef(energy, level_db)[0, 1] > 0.8
    assert np.corrcoef(energy, centroid)[0, 1] > 0.4


def test_no_clipping_and_no_silence(rendered):
    _, _, sounds = rendered
    assert np.abs(sounds).max() < 0.99
    seconds = sounds.reshape(len(sounds), int(DURATION_S), SAMPLE_RATE)
    loudness_db = 10 * np.log10((seconds**2).mean(2) + 1e-12)
    assert loudness_db.min() > -60
    assert (np.median(loudness_db, axis=1) > -40).all()


def test_the_manifest_matches_the_files(rendered):
    folder, rows, sounds = rendered
    assert sounds.shape == (40, DURATION_S * SAMPLE_RATE)
    assert {row["duration_s"] for row in rows} == {DURATION_S}
    assert (folder / "manifest.csv").read_text().splitlines()[0] == (
        "track_id,path,split,artist,title,genre,instruments,bpm,key,mode,time_signature,beats,energy,duration_s"
    )
    assert {name for row in rows for name in row["instruments"]} == set(INSTRUMENTS)
    for row in rows:
        low_bpm, high_bpm = STYLES[row["genre"]].tempo_bpm
        assert low_bpm <= row["bpm"] <= high_bpm


@pytest.mark.parametrize("seed", [0, 1])
def test_splits_are_disjoint_by_artist_and_labels_balanced(seed):
    planned = plan_tracks(tracks=240, seed=seed)
    frame = pl.DataFrame(
        [
            {name: getattr(track, name) for name in ("split", "artist", "genre", "key", "mode", "time_signature")}
            for track in planned
        ]
    )
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].max() == 1
    assert dict(frame.group_by("split").len().iter_rows()) == {"train": 168, "valid": 36, "test": 36}
    for split in ("train", "valid", "test"):
        part = frame.filter(split=split)
        assert part["genre"].n_unique() == len(STYLES)
        assert part["key"].n_unique() == 12
        assert set(part["time_signature"]) == {3, 4}
        assert 0.35 < (part["mode"] == "minor").mean() < 0.65
    assert set(frame.filter(split="train").group_by("key", "mode").len()["len"]) == {7}
    assert (frame.filter(genre="waltz")["time_signature"] == 3).all()


@pytest.mark.parametrize("tracks", [16, 24, 40, 100])
def test_small_sets_have_every_split_and_train_on_every_genre(tracks):
    planned = plan_tracks(tracks=tracks, seed=0)
    assert len({track.track_id for track in planned}) == tracks
    assert {track.split for track in planned} == {"train", "valid", "test"}
    assert {track.genre for track in planned if track.split == "train"} == set(STYLES)


def test_music_starts_and_ends_on_the_tonic():
    for track in plan_tracks(tracks=48, seed=5):
        score = compose(track, duration_s=15.0)
        bass = next(notes for (role, _), notes in score.parts.items() if role == "bass")
        assert bass[0].pitch % 12 == track.key
        last = [note for note in bass if note.start_s < 15.0 and (note.pitch - track.key) % 12 in (0, 7)]
        assert last[-1] is [note for note in bass if note.start_s < 15.0][-1]  # the root, or the fifth above it
        third = (track.key + (3 if track.mode == "minor" else 4)) % 12
        chord = [n.pitch % 12 for (role, _), notes in score.parts.items() if role == "chords" for n in notes[-3:]]
        assert set(chord) <= {track.key, third, (track.key + 7) % 12}


def test_beats_fall_on_the_labelled_tempo_and_metre():
    for track in (track for track in plan_tracks(tracks=48, seed=5) if track.genre in ("techno", "waltz")):
        kicks = compose(track, duration_s=15.0).drums.get("kick")
        if kicks is None:
            continue
        beats = np.array([start_s for start_s, _ in kicks]) * track.bpm / 60
        expected = np.round(beats / (1 if track.genre == "techno" else 3)) * (1 if track.genre == "techno" else 3)
        assert np.abs(beats - expected).max() < 0.05


def test_same_music_whatever_the_number_of_workers(tmp_path):
    sets = {}
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        make_synthetic(folder, tracks=16, duration_s=4.0, workers=workers, progress=False)
        files = [path for path in folder.rglob("*") if path.suffix in (".flac", ".csv")]
        sets[workers] = {str(path.relative_to(folder)): path.read_bytes() for path in files}
    assert len(sets[1]) == 17
    assert sets[1] == sets[3]


def test_a_set_is_made_once_per_settings(tmp_path):
    arguments = {"tracks": 16, "duration_s": 4.0, "sample_rate": 8000, "progress": False}
    manifest = make_synthetic(tmp_path, **arguments)
    first = (tmp_path / "audio" / "rock_0000.flac").stat()
    make_synthetic(tmp_path, **arguments)
    assert (tmp_path / "audio" / "rock_0000.flac").stat().st_mtime_ns == first.st_mtime_ns

    (tmp_path / "audio" / "disco_0001.flac").unlink()
    make_synthetic(tmp_path, **arguments)
    assert (tmp_path / "audio" / "disco_0001.flac").is_file()

    before = (tmp_path / "audio" / "rock_0000.flac").read_bytes()
    (tmp_path / "audio" / "my own.flac").write_bytes(b"kept")
    (tmp_path / "audio" / "techno_0099.flac").write_bytes(b"of a larger set")
    make_synthetic(tmp_path, **arguments, seed=1)
    assert (tmp_path / "audio" / "rock_0000.flac").read_bytes() != before
    assert len(read_manifest(manifest)) == 16
    assert (tmp_path / "audio" / "my own.flac").read_bytes() == b"kept"
    assert not (tmp_path / "audio" / "techno_0099.flac").exists()


@pytest.mark.slow
def test_an_interrupted_set_is_not_taken_for_complete(tmp_path):
    folder = tmp_path / "set"
    code = f"from musicrec.data.synthetic import make_synthetic; make_synthetic({str(folder)!r}, workers=1)"
    maker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    while len(list((folder / "audio").glob("*.flac"))) < 2 and maker.poll() is None:
        time.sleep(0.02)
    maker.send_signal(signal.SIGKILL)
    assert maker.wait() == -signal.SIGKILL
    assert not (folder / "manifest.csv").exists()
    assert json.loads((folder / "synthetic.json").read_text())["complete"] is False

    manifest = make_synthetic(folder, tracks=16, duration_s=4.0, sample_rate=8000, progress=False)
    assert sorted(row["path"] for row in read_manifest(manifest).to_dicts()) == sorted(
        str(path) for path in (folder / "audio").iterdir()
    )


def test_a_folder_with_other_music_is_refused(tmp_path):
    (tmp_path / "manifest.csv").write_text("track_id,path\na,a.wav\n")
    with pytest.raises(ConfigError, match=r"holds other music .* choose an empty folder"):
        make_synthetic(tmp_path, tracks=16, duration_s=4.0, progress=False)
    assert (tmp_path / "manifest.csv").read_text() == "track_id,path\na,a.wav\n"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"tracks": 15}, "tracks=15: give a whole number, 16 or more"),
        ({"duration_s": 1.0}, r"duration_s=1\.0: give a number, 4 or more"),
        ({"sample_rate": 4000}, "sample_rate=4000: give a whole number, 8000 or more"),
        ({"seed": -1}, "seed=-1: give a whole number, 0 or more"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, setting, message):
    with pytest.raises(ConfigError, match=message):
        make_synthetic(tmp_path / "set", **setting)
    assert not (tmp_path / "set").exists()


def test_a_file_in_place_of_the_folder_is_reported(tmp_path):
    (tmp_path / "set").write_text("")
    with pytest.raises(ConfigError, match=r"set: synthetic music cannot be written .* choose another folder"):
        make_synthetic(tmp_path / "set", tracks=16, progress=False)
