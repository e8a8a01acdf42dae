import fcntl
import logging
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
import torch

from musicrec.data import store_build
from musicrec.data.journal import read_finished
from musicrec.data.store import WaveformStore, build_store
from musicrec.errors import StoreError

SAMPLE_RATE = 8_000


def samples_of(track: int) -> np.ndarray:
    """Return the samples of a track: noise, with a different length for each track."""
    return np.random.default_rng(track).integers(-32_768, 32_768, 1_000 + 100 * track).astype(np.int16)


@pytest.fixture
def tracks(tmp_path: Path) -> pl.DataFrame:
    """Twelve tracks at the sample rate of the store, which must therefore keep them bit for bit."""
    (tmp_path / "audio").mkdir()
    paths = [tmp_path / "audio" / f"é{i}.{('wav', 'flac')[i % 2]}" for i in range(12)]
    for i, path in enumerate(paths):
        soundfile.write(path, samples_of(i), SAMPLE_RATE)
    return pl.DataFrame({"track_id": [f"t{i}" for i in range(12)], "path": [str(path) for path in paths]})


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of all files that are decoded from now on."""
    names = []
    decode = store_build.decode_track

    def recording(path, **kwargs):
        names.append(os.path.basename(path))
        return decode(path, **kwargs)

    monkeypatch.setattr(store_build, "decode_track", recording)
    return names


def built(tracks: pl.DataFrame, folder: Path, **kwargs) -> WaveformStore:
    return build_store(tracks, folder, **{"sample_rate": SAMPLE_RATE, "workers": 2, "progress": False, **kwargs})


def assert_holds(store: WaveformStore, numbers: list[int]) -> None:
    assert store.track_ids == [f"t{i}" for i in numbers]
    assert store.index == {f"t{i}": row for row, i in enumerate(numbers)}
    assert store.lengths.dtype == np.int64
    for row, i in enumerate(numbers):
        expected = samples_of(i)
        assert store.lengths[row] == len(expected)
        np.testing.assert_array_equal(store.read([row], [0], len(expected))[0], expected)
    store.verify()


def test_remarks_on_the_audio_are_logged(tmp_path, caplog):
    tone = 0.5 * np.sin(np.arange(SAMPLE_RATE) / 5)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, -tone], axis=1), SAMPLE_RATE)
    store = built(pl.DataFrame({"track_id": ["a"], "path": [str(tmp_path / "a.wav")]}), tmp_path / "store")
    assert np.abs(store.read([0], [0], SAMPLE_RATE)).max() > 16_000
    assert "1 remark on the audio" in caplog.text and "one channel is the inverse of the other" in caplog.text


def test_build_and_open(tracks, tmp_path, decoded):
    store = built(tracks, tmp_path / "a [x]" / "store")  # no pattern, but a name
    assert_holds(store, list(range(12)))
    assert store.sample_rate == SAMPLE_RATE and store.unreadable == [] and len(store) == 12
    assert len(decoded) == 12
    assert_holds(WaveformStore.open(tmp_path / "a [x]" / "store"), list(range(12)))
    built(tracks, tmp_path / "a [x]" / "store")
    assert len(decoded) == 12
    assert not (tmp_path / "a [x]" / "store" / "unreadable.csv").exists()


def test_samples_are_rounded_and_clipped(tmp_path):
    values = np.array([0.0, 0.4, 0.6, 100.5, -0.6, 32_767, 32_767.4, 32_768, 40_000, -32_768, -40_000]) / 32_768
    soundfile.write(tmp_path / "a.wav", values, SAMPLE_RATE, subtype="DOUBLE")
    store = built(pl.DataFrame({"track_id": ["a"], "path": [str(tmp_path / "a.wav")]}), tmp_path / "store")
    expected = [0, 0, 1, 100, -1, 32_767, 32_767, 32_767, 32_767, -32_768, -32_768]
    assert store.read([0], [0], 11)[0].tolist() == expected


def test_read_pads_with_zeros_past_the_end(tracks, tmp_path):
    store = built(tracks, tmp_path / "store")
    rng = np.random.default_rng(0)
    rows, starts = rng.integers(0, 12, 200), rng.integers(0, 3_000, 200)
    chunks = store.read(rows, starts, 700)
    assert chunks.dtype == np.int16 and chunks.shape == (200, 700)
    for chunk, row, start in zip(chunks, rows, starts, strict=True):
        padded = np.concatenate([samples_of(row), np.zeros(4_000, np.int16)])
        np.testing.assert_array_equal(chunk, padded[start : start + 700])
    assert (starts + 700 > store.lengths[rows]).any() and (starts > store.lengths[rows]).any()
    assert store.read(np.zeros(0, np.int64), np.zeros(0, np.int64), 5).shape == (0, 5)
    for row, start in [(0, -1), (-1, 0), (12, 0)]:
        with pytest.raises(IndexError):
            store.read([row], [start], 5)


def test_only_a_changed_file_is_decoded_again(tracks, tmp_path, decoded):
    built(tracks, tmp_path / "store")
    decoded.clear()
    soundfile.write(tracks["path"][3], samples_of(3)[::-1], SAMPLE_RATE)
    store = built(tracks, tmp_path / "store")
    assert decoded == ["é3.flac"]
    np.testing.assert_array_equal(store.read([3], [0], 1_300)[0], samples_of(3)[::-1])
    soundfile.write(tracks["path"][3], samples_of(3), SAMPLE_RATE)
    assert_holds(built(tracks, tmp_path / "store"), list(range(12)))


def test_a_changed_sample_rate_decodes_everything_again(tracks, tmp_path, decoded):
    old = built(tracks, tmp_path / "store")
    held = old.read([5], [0], 500)
    decoded.clear()
    store = built(tracks, tmp_path / "store", sample_rate=2 * SAMPLE_RATE)
    assert sorted(decoded) == sorted(os.path.basename(path) for path in tracks["path"])
    assert store.sample_rate == 2 * SAMPLE_RATE and store.lengths[0] == 2_000
    np.testing.assert_array_equal(old.read([5], [0], 500), held)  # a reader keeps the file it has mapped
    store.verify()
    assert (tmp_path / "store" / "waveforms.i16").stat().st_size == 2 * store.lengths.sum()


def test_another_manifest_of_the_same_files(tracks, tmp_path, decoded):
    """Tracks are removed, added again, renamed, reordered and listed twice, and none is decoded again."""
    built(tracks, tmp_path / "store")
    decoded.clear()
    fewer = [7, 2, 9]
    assert_holds(built(tracks[fewer], tmp_path / "store"), fewer)
    renamed = tracks.with_columns(track_id=pl.Series([f"t{i}" for i in range(12)]))
    assert_holds(built(renamed, tmp_path / "store"), list(range(12)))
    twice = pl.concat([tracks, tracks.with_columns(track_id="again " + pl.col("track_id"))])
    store = built(twice, tmp_path / "store")
    assert len(store) == 24 and decoded == []
    np.testing.assert_array_equal(store.read([0], [0], 1_000), store.read([12], [0], 1_000))


def test_unreadable_files_do_not_stop_the_others(tracks, tmp_path, decoded, caplog):
    Path(tracks["path"][1]).write_text("no audio")
    Path(tracks["path"][4]).unlink()
    Path(tracks["path"][8]).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        store = built(tracks, tmp_path / "store")
    rest = [0, 2, 3, 5, 6, 7, 9, 10, 11]
    assert_holds(store, rest)
    assert "3 of 12 files cannot be decoded" in caplog.text and "é4.wav: cannot be opened: No such file" in caplog.text
    assert [item["track_id"] for item in store.unreadable] == ["t1", "t4", "t8"]
    assert [item["path"] for item in store.unreadable] == [tracks["path"][i] for i in (1, 4, 8)]
    assert "empty" in store.unreadable[2]["reason"]
    assert WaveformStore.open(tmp_path / "store").unreadable == store.unreadable
    assert pl.read_csv(tmp_path / "store" / "unreadable.csv").to_dicts() == store.unreadable

    decoded.clear()
    before = (tmp_path / "store" / "store.json").stat().st_mtime_ns
    assert_holds(built(tracks, tmp_path / "store"), rest)
    assert sorted(decoded) == ["é1.flac", "é4.wav", "é8.wav"]  # tried again
    assert (tmp_path / "store" / "store.json").stat().st_mtime_ns == before

    for i in (1, 4, 8):
        soundfile.write(tracks["path"][i], samples_of(i), SAMPLE_RATE)
    store = built(tracks, tmp_path / "store")
    assert_holds(store, list(range(12)))
    assert store.unreadable == [] and not (tmp_path / "store" / "unreadable.csv").exists()


def test_a_store_without_any_readable_file_is_an_error(tracks, tmp_path):
    for path in tracks["path"]:
        Path(path).write_text("no audio")
    with pytest.raises(StoreError, match="12 of 12 files cannot be decoded"):
        built(tracks, tmp_path / "store")
    with pytest.raises(StoreError, match="its build has not ended"):
        WaveformStore.open(tmp_path / "store")
    assert pl.read_csv(tmp_path / "store" / "unreadable.csv").height == 12


STUCK_BUILD = """
import sys, threading
import polars as pl
from musicrec.data import store_build
from musicrec.data.store import build_store

begun, decode = [], store_build.decode_track
def stuck(path, **kwargs):
    begun.append(path)
    if len(begun) > 5:
        threading.Event().wait()
    return decode(path, **kwargs)

store_build.decode_track = stuck
tracks = pl.read_csv(sys.argv[1])
build_store(tracks, sys.argv[2], sample_rate=8000, workers=2, progress=False)
"""


def finished_in(folder: Path) -> list[str]:
    journal = folder / "journal.jsonl"
    return read_finished(folder)["path"].to_list() if journal.is_file() and journal.stat().st_size else []


@pytest.mark.slow
def test_killed_in_mid_build(tracks, tmp_path, decoded):
    tracks.write_csv(tmp_path / "tracks.csv")
    command = [sys.executable, "-c", STUCK_BUILD, str(tmp_path / "tracks.csv"), str(tmp_path / "killed")]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    while len(finished_in(tmp_path / "killed")) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = [os.path.basename(path) for path in finished_in(tmp_path / "killed")]
    assert 3 <= len(finished) <= 5
    with pytest.raises(StoreError, match="its build has not ended"):
        WaveformStore.open(tmp_path / "killed")

    for number, torn in enumerate([b"", b'{"path": "/a/half', b"\0" * 5_000 + b"\n", b"\0" * 5_000]):
        folder = shutil.copytree(tmp_path / "killed", tmp_path / f"torn{number}")
        with open(folder / "journal.jsonl", "ab") as file:
            file.write(torn)
        with open(folder / "waveforms.i16", "ab") as file:
            file.write(b"\1" * 777)  # samples that no line speaks of
        decoded.clear()
        assert_holds(built(tracks, folder), list(range(12)))
        assert not set(decoded) & set(finished)
        assert len(decoded) == 12 - len(finished)
        assert (folder / "waveforms.i16").stat().st_size == 2 * sum(len(samples_of(i)) for i in range(12))
        decoded.clear()
        assert_holds(built(tracks, folder), list(range(12)))
        assert decoded == []


def test_killed_while_tracks_are_added(tracks, tmp_path, decoded, monkeypatch):
    """A finished store counts as unfinished as soon as tracks are requested that it lacks."""
    built(tracks.head(6), tmp_path / "store")
    recording = store_build.decode_track

    def interrupted(path, **kwargs):
        if "é9" in path:
            raise KeyboardInterrupt
        return recording(path, **kwargs)

    monkeypatch.setattr(store_build, "decode_track", interrupted)
    with pytest.raises(KeyboardInterrupt):
        built(tracks, tmp_path / "store", workers=1)
    with pytest.raises(StoreError, match="its build has not ended"):
        WaveformStore.open(tmp_path / "store")
    monkeypatch.setattr(store_build, "decode_track", recording)
    decoded.clear()
    assert_holds(built(tracks, tmp_path / "store"), list(range(12)))
    assert "é9.flac" in decoded and not set(decoded) & {os.path.basename(path) for path in tracks["path"][:6]}


@pytest.mark.parametrize("name", ["index.parquet", "store.json"])
def test_killed_between_the_last_writes(tracks, tmp_path, decoded, monkeypatch, name):
    replace = os.replace

    def fail(source, target):
        if Path(target).name == name:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        built(tracks, tmp_path / "store")
    with pytest.raises(StoreError, match="its build has not ended"):
        WaveformStore.open(tmp_path / "store")
    monkeypatch.undo()
    assert_holds(built(tracks, tmp_path / "store"), list(range(12)))


def test_verify_finds_corruption_and_a_build_repairs_it(tracks, tmp_path, decoded):
    store = built(tracks, tmp_path / "store")
    place = int(store._offsets[7]) * 2 + 11
    with open(tmp_path / "store" / "waveforms.i16", "r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(StoreError, match=r"samples of 1 tracks are damaged \(t7\)"):
        WaveformStore.open(tmp_path / "store").verify()
    (tmp_path / "store" / "store.json").unlink()  # the way out that the message names
    decoded.clear()
    assert_holds(built(tracks, tmp_path / "store"), list(range(12)))
    assert decoded == ["é7.flac"]


def test_damaged_folders(tracks, tmp_path):
    folder = tmp_path / "store"
    with pytest.raises(StoreError, match="no such folder"):
        WaveformStore.open(folder)
    built(tracks, folder)
    os.truncate(folder / "waveforms.i16", 5_000)
    with pytest.raises(StoreError, match="cut short"):
        WaveformStore.open(folder)
    assert_holds(built(tracks, folder), list(range(12)))
    (folder / "index.parquet").write_bytes(b"not parquet")
    with pytest.raises(StoreError, match="damaged store"):
        WaveformStore.open(folder)
    (folder / "store.json").write_text('{"format": 99}')
    with pytest.raises(StoreError, match="format 99, expected 1"):
        WaveformStore.open(folder)
    assert_holds(built(tracks, folder), list(range(12)))


_OTHER_BUILDER = """
import sys
import polars as pl
from musicrec.data import store_build
from musicrec.data.store import build_store
decode = store_build.decode_track
def held_up(path, **kwargs):
    if path.endswith("0.wav"):
        print(path, flush=True)
        sys.stdin.readline()
    if {stops} and path.endswith("4.wav"):
        raise KeyboardInterrupt
    return decode(path, **kwargs)
store_build.decode_track = held_up
build_store(pl.read_parquet({manifest!r}), {folder!r}, sample_rate={rate}, workers=1, progress=False)
"""


# Of the fifth that stops it, the one before may not be written yet, and the one behind may be.
@pytest.mark.slow
@pytest.mark.parametrize(("stops", "left"), [(False, {0}), (True, {7, 8, 9})])
def test_a_second_builder_waits_for_the_first(tracks, tmp_path, decoded, capfd, monkeypatch, stops, left):
    """It then finds everything done, or continues where the other one stopped."""
    folder, manifest = tmp_path / "store", tmp_path / "tracks.parquet"
    tracks.write_parquet(manifest)
    program = _OTHER_BUILDER.format(stops=stops, manifest=str(manifest), folder=str(folder), rate=SAMPLE_RATE)
    lockf = fcntl.lockf
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as other:
        other.stdout.readline()  # it has begun to decode

        def waiting(file, how):
            if how == fcntl.LOCK_EX:
                other.stdin.close()  # now it may go on
            lockf(file, how)

        monkeypatch.setattr(fcntl, "lockf", waiting)
        store = built(tracks, folder)
        assert bool(other.wait()) == stops
    assert_holds(store, list(range(12)))
    assert f"another process is building {folder}; waiting" in capfd.readouterr().err
    assert len(decoded) in left


def test_a_finished_store_needs_no_lock(tracks, tmp_path):
    folder = tmp_path / "store"
    built(tracks, folder)
    hold = "import sys; from pathlib import Path; from musicrec.system.lock import try_lock\n"
    hold += "with try_lock(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    program = [sys.executable, "-c", hold, str(folder / ".lock")]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert_holds(built(tracks, folder), list(range(12)))


def test_a_full_disk(tracks, tmp_path, decoded):
    """A limit on the size of files simulates it: a write also fails halfway, with an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_001, hard))
    try:
        with pytest.raises(StoreError, match="cannot be written") as caught:
            built(tracks, tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path / "store") in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="its build has not ended"):
        WaveformStore.open(tmp_path / "store")
    finished = len(finished_in(tmp_path / "store"))
    assert 0 < finished < 12
    decoded.clear()
    assert_holds(built(tracks, tmp_path / "store"), list(range(12)))
    assert len(decoded) == 12 - finished


def test_a_folder_below_a_file_is_an_error(tracks, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"file/store: cannot be written \(Not a directory\)"):
        built(tracks, tmp_path / "file" / "store")


class Chunks(torch.utils.data.Dataset):
    def __init__(self, store: WaveformStore) -> None:
        self.store = store

    def __len__(self) -> int:
        return 600

    def __getitems__(self, numbers: list[int]) -> np.ndarray:
        return self.store.read([n % 12 for n in numbers], [n // 12 for n in numbers], 400)


def test_read_by_many_workers(tracks, tmp_path):
    store = built(tracks, tmp_path / "store")
    expected = store.read(np.arange(600) % 12, np.arange(600) // 12, 400)  # and so the parent has mapped the file too
    loader = torch.utils.data.DataLoader(Chunks(store), batch_size=50, num_workers=3, collate_fn=torch.from_numpy)
    np.testing.assert_array_equal(torch.cat(list(loader)), expected)


def test_pickles_without_its_samples(tracks, tmp_path):
    store = built(tracks, tmp_path / "store")
    store.read([0], [0], 10)
    assert_holds(store, list(range(12)))
    data = pickle.dumps(store)
    assert len(data) < 10_000 < (tmp_path / "store" / "waveforms.i16").stat().st_size
    assert_holds(pickle.loads(data), list(range(12)))


def test_progress_goes_to_standard_error(tracks, tmp_path, capsys):
    built(tracks, tmp_path / "store", progress=True)
    printed = capsys.readouterr()
    assert "12/12" in printed.err and printed.out == ""
    built(tracks, tmp_path / "store", progress=True)
    assert capsys.readouterr() == ("", "")


def test_memory_holds_few_waveforms(tracks, tmp_path, monkeypatch):
    """With a slow disk, at most twice as many files as workers are decoded ahead."""
    started, ahead = [], []
    decode, append = store_build.decode_track, store_build.Journal.append

    def recording(path, **kwargs):
        started.append(path)
        return decode(path, **kwargs)

    def slow(self, source, samples, checksum):
        time.sleep(0.02)
        ahead.append(len(started) - len(ahead))
        append(self, source, samples, checksum)

    monkeypatch.setattr(store_build, "decode_track", recording)
    monkeypatch.setattr(store_build.Journal, "append", slow)
    built(tracks, tmp_path / "store", workers=2)
    assert len(ahead) == 12 and max(ahead) <= 4
