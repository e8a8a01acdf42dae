"""Networks over deformed audio: the same answers in any batch, deformed once for all, kept and found again."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from musicrec.data.manifest import read_manifest
from musicrec.data.store import WaveformStore, build_store
from musicrec.deformations.base import Deformed, unmoved
from musicrec.deformations.noise import Noise
from musicrec.deformations.time_stretch import TimeStretch
from musicrec.errors import ConfigError
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model
from musicrec.heads.classes import ClassHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.robustness import measurement
from musicrec.robustness.conditions import CLEAN, Condition, deformed_ahead
from musicrec.robustness.excerpts import choose_tracks, cut
from musicrec.robustness.inference import Listener
from musicrec.robustness.measurement import Measured, Measurement
from musicrec.robustness.subjects import Subject

RATE = 16_000


class Bands(nn.Module):
    """Tells the mean level in each quarter of the bands, of chunks of one second."""

    embedding_size, chunk_samples = 4, RATE

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        bands = decibels.mean(dim=(1, 3)).unflatten(1, (4, -1)).mean(dim=2) / 10
        return bands, {"band": bands}


class Counted:
    """Turns the sign, and counts how many examples it was given."""

    input_ratio = 1.0

    def __init__(self) -> None:
        self.examples = 0

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        self.examples += len(waveform)
        return unmoved(-waveform[:, :samples])


def condition(name: str, deformation: object) -> Condition:
    return Condition(name=name, title=name, deformation=deformation, described=name)


def subject(name: str = "bands") -> Subject:
    head = ClassHead(name="band", column="genre", classes=("a", "b", "c", "d"))
    model = Model(network=Bands(), frontend=MelSpectrogram(n_mels=16), heads=[head], config={})
    return Subject(name=name, model=model, fingerprint=name)


@pytest.fixture(scope="module")
def store(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> WaveformStore:
    """Of six tracks of six seconds."""
    return build_store(read_manifest(tiny_music).head(6), tmp_path_factory.mktemp("store"), progress=False)


@pytest.fixture
def measure(store: WaveformStore, tmp_path: Path) -> Callable[..., Measured]:
    def run(*conditions: Condition, subjects: Sequence[Subject] = (), folder: str = "kept", **settings) -> Measured:
        settings = {"folder": tmp_path / folder, "excerpt_s": 4.0, "workers": 0, "device": "cpu"} | settings
        chosen, measurement = subjects or [subject()], Measurement(**settings)
        return measurement.run(chosen, conditions, store, store.track_ids, title="test", progress=False)

    return run


def same(one: Measured, other: Measured) -> None:
    for of_one, of_other in zip(one.answers, other.answers, strict=True):
        for mine, theirs in zip(of_one, of_other, strict=True):
            torch.testing.assert_close(mine.probabilities, theirs.probabilities, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(mine.embedding, theirs.embedding, rtol=1e-4, atol=1e-4)


CONDITIONS = [condition("noise", Noise(colour="white", snr_db=0)), condition("faster", TimeStretch(rate=1.25))]


def test_batches_and_workers_change_nothing(measure: Callable[..., Measured]):
    alone = measure(*CONDITIONS, batch_size=1, folder="a", excerpts=2, excerpt_s=2.0)
    same(alone, measure(*CONDITIONS, batch_size=5, folder="b", excerpts=2, excerpt_s=2.0))
    same(alone, measure(*CONDITIONS, batch_size=4, workers=1, folder="c", excerpts=2, excerpt_s=2.0))
    clean, noisy, faster = alone.answers[0]
    assert not torch.allclose(clean.embedding, noisy.embedding, atol=0.1)
    assert (faster.tempo_ratio == 1.25).all() and (faster.shift_semitones == 0).all()
    assert (clean.tempo_ratio == 1).all() and clean.audio_s == pytest.approx(6 * 2 * 2.0)


def test_what_the_device_can_do_is_done_there(measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch):
    """Beside a GPU, workers deform what only the CPU can, and read the rest. Here the device is the CPU, too."""
    counted = Counted()
    conditions = [condition("sign", counted), *CONDITIONS]
    here, gpu = torch.device("cpu"), torch.device("cuda")
    assert deformed_ahead([CLEAN, *conditions], here) == [0, 1, 2, 3]
    assert deformed_ahead([CLEAN, *conditions], gpu) == [3], "time stretch"
    by_workers = measure(*conditions, batch_size=4, workers=1, folder="a")
    assert counted.examples == 0, "in another process"
    monkeypatch.setattr(measurement, "deformed_ahead", lambda conditions, _: deformed_ahead(conditions, gpu))
    on_the_device = measure(*conditions, batch_size=5, workers=1, folder="b")
    assert counted.examples == 6, "in this one"
    same(by_workers, on_the_device)
    assert (on_the_device.answers[0][3].tempo_ratio == 1.25).all()
    assert all(one.seconds["deforming"] > 0 for one in on_the_device.answers[0])


def test_clean_answers_are_those_of_the_analyzer(measure: Callable[..., Measured], store: WaveformStore):
    """An excerpt that is longer than a track is all of it."""
    (clean, _), analyzer = measure(CONDITIONS[0], excerpt_s=60.0).answers[0], TrackAnalyzer([subject().model])
    for row in range(2):
        waveform = store.read(np.array([row]), np.array([0]), int(store.lengths[row]))[0].astype(np.float32) / 32768
        told = analyzer.analyze(waveform)
        np.testing.assert_allclose(clean.probabilities["band"][row], told.probabilities["band"], atol=1e-5)
        np.testing.assert_allclose(clean.embedding[row], told.embedding, atol=1e-4)


def test_audio_is_deformed_once_for_all_models(measure: Callable[..., Measured]):
    counted = Counted()
    found = measure(condition("sign", counted), subjects=[subject("one"), subject("two")])
    assert counted.examples == 6, "of six tracks"
    torch.testing.assert_close(*(of[1].embedding for of in found.answers))
    counted.examples = 0
    assert measure(condition("sign", counted), subjects=[subject("one"), subject("two")]).fresh == []
    assert counted.examples == 0, "all is kept"
    third = measure(condition("sign", counted), subjects=[subject("one"), subject("three")])
    assert third.fresh == [0, 1] and counted.examples == 6, "for the one model that has not heard it"


def test_an_interrupted_run_goes_on(measure: Callable[..., Measured], monkeypatch: pytest.MonkeyPatch):
    whole = measure(*CONDITIONS, batch_size=2, folder="whole")
    hear, heard = Listener.hear, []

    def until_ctrl_c(self: Listener, batch: object) -> None:
        heard.append(batch)
        if len(heard) == 5:  # three batches of the clean audio, and two of the first deformation
            raise KeyboardInterrupt
        hear(self, batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Listener, "hear", until_ctrl_c)
        measure(*CONDITIONS, batch_size=2)
    rest = measure(*CONDITIONS, batch_size=2)
    assert rest.fresh == [1, 2], "the clean audio was finished"
    same(rest, whole)
    assert measure(*CONDITIONS, batch_size=3).fresh == [], "how many at once does not matter"


def test_what_changes_the_answers_is_noticed(measure: Callable[..., Measured], tmp_path: Path):
    assert measure(CONDITIONS[0]).fresh == [0, 1]
    assert measure(CONDITIONS[0], seed=1).fresh == [0, 1]
    assert measure(CONDITIONS[0], excerpt_s=3.0).fresh == [0, 1]
    assert measure(CONDITIONS[0], chunks=1).fresh == [0, 1]
    assert measure(*CONDITIONS).fresh == [2]
    files = sorted((tmp_path / "kept").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for file in files[:2]:
        file.write_bytes(file.read_bytes()[:-7])
    assert measure(*CONDITIONS).fresh == [0, 1], "files cut short count as none"
    assert measure(*CONDITIONS).fresh == []


def test_chunks_are_spread_over_the_excerpt():
    listener = Listener(subject().model, tracks=1, chunks=2, device=torch.device("cpu"))
    seconds = torch.arange(5.0).repeat_interleave(RATE)[None]
    assert [chunk.unique().tolist() for chunk in listener._cut(seconds)] == [[0.0], [4.0]]
    listener.chunks = 1
    assert [chunk.unique().tolist() for chunk in listener._cut(seconds)] == [[2.0]]
    listener.chunks = 9
    assert [chunk.unique().tolist() for chunk in listener._cut(seconds)[:3]] == [[0.0], [0.0, 1.0], [1.0]]
    listener.chunks = None
    assert [chunk.unique().tolist() for chunk in listener._cut(seconds)] == [[0.0], [1.0], [2.0], [3.0], [4.0]]


def test_excerpts(store: WaveformStore):
    names, length = store.track_ids[:2], int(store.lengths[0])
    middle = cut(store, names, samples=RATE, count=1)
    assert middle.start.tolist() == [(length - RATE) // 2] * 2 and middle.length.tolist() == [RATE] * 2
    spread = cut(store, names, samples=RATE, count=3)
    assert spread.start.tolist() == [0, (length - RATE) // 2, length - RATE] * 2
    assert spread.track.tolist() == [0, 0, 0, 1, 1, 1] and len(set(spread.name)) == 6
    assert [batch.tolist() for batch in spread.batches(4)] == [[0, 1, 2, 3], [4, 5]]


def test_tracks_are_drawn_in_the_shares_of_all():
    frame = pl.DataFrame({"track_id": [str(i) for i in range(60)], "genre": ["a"] * 30 + ["b"] * 20 + [None] * 10})
    chosen = choose_tracks(frame, 12, stratify="genre", seed=0)
    assert chosen["genre"].to_list() == ["a"] * 6 + ["b"] * 4 + [None] * 2
    assert chosen["track_id"].cast(pl.Int64).is_sorted()
    assert chosen.equals(choose_tracks(frame, 12, stratify="genre", seed=0))
    assert not chosen.equals(choose_tracks(frame, 12, stratify="genre", seed=1))
    assert choose_tracks(frame, 100, stratify=None, seed=0).equals(frame)
    with pytest.raises(ConfigError, match="tracks=0: give a whole number"):
        choose_tracks(frame, 0, stratify=None, seed=0)
    with pytest.raises(ConfigError, match="stratify=mood: the manifest has no such column"):
        choose_tracks(frame, 5, stratify="mood", seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"excerpt_s": 0.5}, "excerpt_s=0.5: bands hears 1.0 s at once"),
        ({"excerpt_s": 0}, "excerpt_s=0: give seconds"),
        ({"batch_size": 0}, "batch_size=0: give a whole number, 1 or more"),
        ({"excerpts": None}, "excerpts=None: give a whole number, 1 or more"),
        ({"workers": -1}, "workers=-1: give a whole number or null, 0 or more"),
        ({"device": "gpu"}, "measurement.device=gpu: choose auto, cpu, cuda, or one of several GPUs"),
    ],
)
def test_settings_that_cannot_work(measure: Callable[..., Measured], settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        measure(CONDITIONS[0], **settings)
