"""Reverberation, noise, level and genres of synthetic music, measured in the sound."""

import numpy as np
import pytest
import soundfile

from musicrec.data.manifest import read_manifest
from musicrec.data.synthetic import make_synthetic
from musicrec.data.synthetic.plan import plan_tracks
from musicrec.data.synthetic.recording_conditions import RecordingConditions
from musicrec.errors import ConfigError

SAMPLE_RATE = 8000
SETTINGS = {"tracks": 9, "duration_s": 4.0, "sample_rate": SAMPLE_RATE, "genres": ["bossa"], "progress": False}


def power_db(sound):
    return 10 * np.log10(np.mean(np.square(sound.astype(float) / 32768)))


@pytest.fixture
def music():
    """Return (samples,) int16 at -40 dB, below the range that the soft limiter changes."""
    return np.round(328 * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)).astype(np.int16)


def test_no_settings_leave_the_sound_unchanged(music):
    assert RecordingConditions()(music, sample_rate=SAMPLE_RATE, seed=(1,)) is music


def test_level(music):
    for level_db in (-50, -20):
        mixed = RecordingConditions(level_db=level_db)(music, sample_rate=SAMPLE_RATE, seed=(1,))
        assert power_db(mixed) == pytest.approx(level_db, abs=0.2)
    levels = [
        power_db(RecordingConditions(level_db=(-50, -30))(music, sample_rate=SAMPLE_RATE, seed=(n,))) for n in range(40)
    ]
    assert -50.1 < min(levels) < -47 and -33 < max(levels) < -29.9
    loud = RecordingConditions(level_db=-6)(music, sample_rate=SAMPLE_RATE, seed=(1,))
    assert np.abs(loud.astype(int)).max() < 0.98 * 32768


def test_noise(music):
    for snr_db in (20, 0):
        mixed = RecordingConditions(noise_snr_db=snr_db)(music, sample_rate=SAMPLE_RATE, seed=(1,))
        assert power_db(music) - power_db(mixed - music) == pytest.approx(snr_db, abs=0.3)


def test_reverberation_falls_by_60_db_in_its_time():
    click = np.zeros(3 * SAMPLE_RATE, np.int16)
    click[0] = 32767
    mixed = RecordingConditions(reverberation_s=1.0)(click, sample_rate=SAMPLE_RATE, seed=(1,)).astype(float)
    assert np.abs(mixed[1:]).max() > 0
    left_db = 10 * np.log10(np.cumsum(mixed[:0:-1] ** 2)[::-1] + 1e-9)  # Schroeder's integral
    at = [np.flatnonzero(left_db < left_db[0] - fall)[0] for fall in (5, 25)]
    assert 3 * (at[1] - at[0]) / SAMPLE_RATE == pytest.approx(1.0, rel=0.1)


def test_the_result_depends_on_the_seed_only(music):
    conditions = RecordingConditions(reverberation_s=(0.3, 2), noise_snr_db=(10, 30), level_db=(-50, -30))
    first, again, other = (conditions(music, sample_rate=SAMPLE_RATE, seed=(seed,)) for seed in (1, 1, 2))
    assert (first == again).all() and not (first == other).all()


def test_labels_stay_and_the_sound_changes(tmp_path):
    made = {}
    for name, conditions in (
        ("clean", {}),
        ("mixed", {"reverberation_s": [0.3, 2.0], "noise_snr_db": [10, 30], "level_db": [-35, -10]}),
    ):
        made[name] = read_manifest(make_synthetic(tmp_path / name, **SETTINGS, **conditions)).drop("path")
    assert made["clean"].equals(made["mixed"])
    for track in made["clean"]["track_id"]:
        clean, mixed = (soundfile.read(tmp_path / name / "audio" / f"{track}.flac")[0] for name in made)
        assert len(clean) == len(mixed) and abs(np.corrcoef(clean, mixed)[0, 1]) < 0.99


def test_changed_conditions_make_the_set_again(tmp_path):
    make_synthetic(tmp_path, **SETTINGS, level_db=-20)
    file = tmp_path / "audio" / "bossa_0000.flac"
    first, stat = file.read_bytes(), file.stat()
    make_synthetic(tmp_path, **SETTINGS, level_db=-20)
    assert file.stat().st_mtime_ns == stat.st_mtime_ns
    make_synthetic(tmp_path, **SETTINGS, level_db=(-20, -10))
    assert file.read_bytes() != first


@pytest.mark.parametrize(
    ("genres", "tracks"), [(["techno", "rock"], 4), (["waltz"], 9), (["disco", "rock", "march"], 6)]
)
def test_some_genres(genres, tracks):
    planned = plan_tracks(tracks=tracks, seed=0, genres=genres)
    assert {track.genre for track in planned} == set(genres)
    assert {track.split for track in planned} == {"train", "valid", "test"}
    assert {track.genre for track in planned if track.split == "train"} == set(genres)
    every = {track.track_id: track for track in plan_tracks(tracks=160, seed=0)}
    assert all(every[track.track_id].artist_seed == track.artist_seed for track in planned), "artists are the same ones"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"genres": ["polka"]}, r"genres=\['polka'\]; choose some of techno, disco"),
        ({"genres": []}, r"genres=\[\]"),
        ({"genres": ["rock", "rock"]}, "each once"),
        ({"genres": ["rock"], "tracks": 8}, "tracks=8: give a whole number, 9 or more"),
        ({"reverberation_s": 20}, "reverberation_s=20: give a number from 0.05 to 10"),
        ({"noise_snr_db": [30, 10]}, r"noise_snr_db=\[30, 10\]: .* or a range"),
        ({"level_db": 3}, "level_db=3: give a number from -60 to -6"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, setting, message):
    with pytest.raises(ConfigError, match=message):
        make_synthetic(tmp_path / "set", **setting)
    assert not (tmp_path / "set").exists()
