"""Measurement: answers do not depend on batches, audio is deformed once for all models, answers are cached."""

from collections.abc import Callable, Sequence
from dataclasses import replace
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
from musicrec.heads.beats import BeatHead
from musicrec.heads.classes import ClassHead
from musicrec.models.beat_net import BeatNet
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.robustness import measurement
from musicrec.robustness.conditions import CLEAN, AudioCondition, conditions_for_workers
from musicrec.robustness.excerpts import choose_tracks, cut_excerpts
from musicrec.robustness.inference import TrackInference
from musicrec.robustness.labelled_split import LabelledSplit, labels_of_excerpts
from musicrec.robustness.measurement import MeasuredAnswers, Measurement
from musicrec.robustness.models_under_test import ModelUnderTest, without_frames

RATE = 16_000


class Bands(nn.Module):
    """Returns the mean level of each quarter of the mel bands; its chunks last one second."""

    embedding_size, chunk_samples = 4, RATE

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        bands = decibels.mean(dim=(1, 3)).unflatten(1, (4, -1)).mean(dim=2) / 10
        return bands, {"band": bands}


class CountingInversion:
    """A deformation that inverts the sign and counts its examples."""

    input_ratio = 1.0

    def __init__(self) -> None:
        self.examples = 0

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        self.examples += len(waveform)
        return unmoved(-waveform[:, :samples])


def condition(name: str, deformation: object) -> AudioCondition:
    return AudioCondition(name=name, title=name, deformation=deformation, description=name)


def make_model(name: str = "bands") -> ModelUnderTest:
    head = ClassHead(name="band", column="genre", classes=("a", "b", "c", "d"))
    model = Model(network=Bands(), frontend=MelSpectrogram(n_mels=16), heads=[head], config={})
    return ModelUnderTest(name=name, model=model, fingerprint=name)


@pytest.fixture(scope="module")
def store(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> WaveformStore:
    """A store of six tracks of six seconds."""
    return build_store(read_manifest(tiny_music).head(6), tmp_path_factory.mktemp("store"), progress=False)


@pytest.fixture
def measure(store: WaveformStore, tmp_path: Path) -> Callable[..., MeasuredAnswers]:
    def run(
        *conditions: AudioCondition, models: Sequence[ModelUnderTest] = (), folder: str = "cache", **settings
    ) -> MeasuredAnswers:
        settings = {"folder": tmp_path / folder, "excerpt_s": 4.0, "workers": 0, "device": "cpu"} | settings
        chosen, measurement = models or [make_model()], Measurement(**settings)
        return measurement.run(chosen, conditions, store, store.track_ids, title="test", progress=False)

    return run


def assert_same(one: MeasuredAnswers, other: MeasuredAnswers) -> None:
    for of_model, of_other in zip(one.answers, other.answers, strict=True):
        for answers, others in zip(of_model, of_other, strict=True):
            torch.testing.assert_close(answers.probabilities, others.probabilities, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(answers.embedding, others.embedding, rtol=1e-4, atol=1e-4)


CONDITIONS = [condition("noise", Noise(colour="white", snr_db=0)), condition("faster", TimeStretch(rate=1.25))]


def test_answers_do_not_depend_on_batches_and_workers(measure: Callable[..., MeasuredAnswers]):
    alone = measure(*CONDITIONS, batch_size=1, folder="a", excerpts=2, excerpt_s=2.0)
    assert_same(alone, measure(*CONDITIONS, batch_size=5, folder="b", excerpts=2, excerpt_s=2.0))
    assert_same(alone, measure(*CONDITIONS, batch_size=4, workers=1, folder="c", excerpts=2, excerpt_s=2.0))
    clean, noisy, faster = alone.answers[0]
    assert not torch.allclose(clean.embedding, noisy.embedding, atol=0.1)
    assert (faster.tempo_ratio == 1.25).all() and (faster.shift_semitones == 0).all()
    assert (clean.tempo_ratio == 1).all() and clean.audio_s == pytest.approx(6 * 2 * 2.0)


def test_workers_deform_only_what_the_device_cannot(
    measure: Callable[..., MeasuredAnswers], monkeypatch: pytest.MonkeyPatch
):
    """Beside a GPU, workers deform what only a CPU can, and read the rest. In this test the device is a CPU as well."""
    inversion = CountingInversion()
    conditions = [condition("sign", inversion), *CONDITIONS]
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert conditions_for_workers([CLEAN, *conditions], cpu) == [0, 1, 2, 3]
    assert conditions_for_workers([CLEAN, *conditions], gpu) == [3], "only time stretch needs the CPU"
    by_workers = measure(*conditions, batch_size=4, workers=1, folder="a")
    assert inversion.examples == 0, "the workers inverted the sign"
    monkeypatch.setattr(
        measurement, "conditions_for_workers", lambda conditions, _: conditions_for_workers(conditions, gpu)
    )
    on_the_device = measure(*conditions, batch_size=5, workers=1, folder="b")
    assert inversion.examples == 6, "this process inverted the sign"
    assert_same(by_workers, on_the_device)
    assert (on_the_device.answers[0][3].tempo_ratio == 1.25).all()
    assert all(one.seconds["deforming"] > 0 for one in on_the_device.answers[0])


def test_clean_answers_equal_those_of_the_analyzer(measure: Callable[..., MeasuredAnswers], store: WaveformStore):
    """An excerpt longer than a track is the whole track."""
    (clean, _), analyzer = measure(CONDITIONS[0], excerpt_s=60.0).answers[0], TrackAnalyzer([make_model().model])
    for row in range(2):
        waveform = store.read(np.array([row]), np.array([0]), int(store.lengths[row]))[0].astype(np.float32) / 32768
        analysis = analyzer.analyze(waveform)
        np.testing.assert_allclose(clean.probabilities["band"][row], analysis.probabilities["band"], atol=1e-5)
        np.testing.assert_allclose(clean.embedding[row], analysis.embedding, atol=1e-4)


def make_beat_model() -> ModelUnderTest:
    """A small untrained beat network with chunks of 3 s, which also tells genres."""
    torch.manual_seed(0)
    heads = [BeatHead(), ClassHead(name="genre", column="genre", classes=("a", "b"))]
    sizes = {head.name: len(head.classes) for head in heads}
    network = BeatNet(sizes, n_mels=16, chunk_samples=3 * RATE, width=4, blocks=2).eval()
    model = Model(network=network, frontend=MelSpectrogram(n_mels=16), heads=heads, config={})
    return ModelUnderTest(name="beats", model=model, fingerprint="beats")


def test_frames_equal_those_of_the_analyzer(measure: Callable[..., MeasuredAnswers], store: WaveformStore):
    tested = make_beat_model()
    half = condition("half speed", TimeStretch(rate=0.5))
    (clean, slow) = measure(half, models=[tested], excerpt_s=60.0).answers[0]
    analyzer, seconds = TrackAnalyzer([tested.model]), int(store.lengths[0]) / RATE
    assert clean.probabilities["beats"].shape == (6, 2, int(seconds * 62.5) + 1)
    assert slow.probabilities["beats"].shape == (6, 2, int(2 * seconds * 62.5) + 1)
    assert not slow.probabilities["beats"][:, :, : int(2 * seconds * 62.5)].isnan().any()
    waveform = store.read(np.array([0]), np.array([0]), int(store.lengths[0]))[0].astype(np.float32) / 32768
    np.testing.assert_allclose(clean.probabilities["beats"][0], analyzer.analyze(waveform).frames["beats"], atol=1e-4)
    assert clean.probabilities["genre"].shape == (6, 2)


def test_frames_that_no_chunk_hears_are_not_known(measure: Callable[..., MeasuredAnswers]):
    """One chunk of 3 s in the middle of 5 s: frames of the first and the last second are not heard."""
    (clean, _) = measure(CONDITIONS[0], models=[make_beat_model()], excerpt_s=5.0, chunks=1).answers[0]
    heard = ~clean.probabilities["beats"][:, 0].isnan()
    assert heard[:, 63:249].all() and not heard[:, :62].any() and not heard[:, 252:].any()


def test_answers_without_a_head_are_measured_again(measure: Callable[..., MeasuredAnswers]):
    """As those of a version that left frame-wise heads out."""
    tested = make_beat_model()
    fewer = replace(tested, model=replace(tested.model, heads=tested.model.heads[1:]))
    assert measure(CONDITIONS[0], models=[fewer]).newly_measured == [0, 1]
    assert measure(CONDITIONS[0], models=[tested]).newly_measured == [0, 1]
    assert (
        measure(CONDITIONS[0], models=[tested]).newly_measured
        == measure(CONDITIONS[0], models=[fewer]).newly_measured
        == []
    )


def test_labels_of_an_excerpt_count_from_its_start(store: WaveformStore):
    """Four seconds from the middle of six: beats from 1 s to 5 s, and others have none."""
    tested = make_beat_model()
    labels = {"beats": torch.tensor([[[0.5, 1], [1, 0], [4.5, 1], [5.0, 0]]]).repeat(6, 1, 1), "genre": torch.zeros(6)}
    split = LabelledSplit(name="test", frame=pl.DataFrame(), labels=[labels], left_out=[])
    excerpts = cut_excerpts(store, store.track_ids, samples=4 * RATE, count=1)
    (found,) = labels_of_excerpts(split, [tested], excerpts, sample_rate=RATE)
    assert found["beats"][0].nan_to_num(-1).tolist() == [[-1, -1], [0, 0], [3.5, 1], [-1, -1]]
    assert found["genre"] is labels["genre"]


def test_several_excerpts_leave_frames_out():
    tested, bands = make_beat_model(), make_model()
    assert without_frames([tested, bands], excerpts=1) == ([tested, bands], [])
    (kept, same), remarks = without_frames([tested, bands], excerpts=2)
    assert [head.name for head in kept.model.heads] == ["genre"] and same.model.heads == bands.model.heads
    assert remarks == ["beats of beats: not scored with several excerpts per track"]
    only = replace(tested, model=replace(tested.model, heads=tested.model.heads[:1]))
    with pytest.raises(ConfigError, match=r"measurement.excerpts=2: beats of beats answers for every frame"):
        without_frames([only], excerpts=2)


def test_audio_is_deformed_once_for_all_models(measure: Callable[..., MeasuredAnswers]):
    inversion = CountingInversion()
    both = measure(condition("sign", inversion), models=[make_model("one"), make_model("two")])
    assert inversion.examples == 6, "one per track"
    torch.testing.assert_close(*(of_model[1].embedding for of_model in both.answers))
    inversion.examples = 0
    assert measure(condition("sign", inversion), models=[make_model("one"), make_model("two")]).newly_measured == []
    assert inversion.examples == 0, "all answers are cached"
    third = measure(condition("sign", inversion), models=[make_model("one"), make_model("three")])
    assert third.newly_measured == [0, 1] and inversion.examples == 6, "for the new model only"


def test_an_interrupted_run_continues(measure: Callable[..., MeasuredAnswers], monkeypatch: pytest.MonkeyPatch):
    whole = measure(*CONDITIONS, batch_size=2, folder="whole")
    update, batches = TrackInference.update, []

    def update_until_ctrl_c(self: TrackInference, batch: object) -> None:
        batches.append(batch)
        if len(batches) == 5:  # three batches of clean audio, two of the first deformation
            raise KeyboardInterrupt
        update(self, batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(TrackInference, "update", update_until_ctrl_c)
        measure(*CONDITIONS, batch_size=2)
    rest = measure(*CONDITIONS, batch_size=2)
    assert rest.newly_measured == [1, 2], "the answers to the clean audio were cached"
    assert_same(rest, whole)
    assert measure(*CONDITIONS, batch_size=3).newly_measured == [], "the batch size is not part of the cache key"


def test_a_setting_that_changes_answers_is_measured_again(measure: Callable[..., MeasuredAnswers], tmp_path: Path):
    assert measure(CONDITIONS[0]).newly_measured == [0, 1]
    assert measure(CONDITIONS[0], seed=1).newly_measured == [0, 1]
    assert measure(CONDITIONS[0], excerpt_s=3.0).newly_measured == [0, 1]
    assert measure(CONDITIONS[0], chunks=1).newly_measured == [0, 1]
    assert measure(*CONDITIONS).newly_measured == [2]
    files = sorted((tmp_path / "cache").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for file in files[:2]:
        file.write_bytes(file.read_bytes()[:-7])
    assert measure(*CONDITIONS).newly_measured == [0, 1], "truncated files are measured again"
    assert measure(*CONDITIONS).newly_measured == []


def test_chunks_are_spread_over_the_excerpt():
    inference = TrackInference(make_model().model, tracks=1, longest_s=5.0, chunks=2, device=torch.device("cpu"))
    seconds = torch.arange(5.0).repeat_interleave(RATE)[None]
    assert [chunk.unique().tolist() for chunk in inference._cut(seconds)[0]] == [[0.0], [4.0]]
    inference.chunks = 1
    assert [chunk.unique().tolist() for chunk in inference._cut(seconds)[0]] == [[2.0]]
    inference.chunks = 9
    assert [chunk.unique().tolist() for chunk in inference._cut(seconds)[0][:3]] == [[0.0], [0.0, 1.0], [1.0]]
    assert inference._cut(seconds)[1].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    inference.chunks = None
    assert [chunk.unique().tolist() for chunk in inference._cut(seconds)[0]] == [[0.0], [1.0], [2.0], [3.0], [4.0]]


def test_excerpts_are_spread_over_a_track(store: WaveformStore):
    names, length = store.track_ids[:2], int(store.lengths[0])
    middle = cut_excerpts(store, names, samples=RATE, count=1)
    assert middle.start.tolist() == [(length - RATE) // 2] * 2 and middle.length.tolist() == [RATE] * 2
    spread = cut_excerpts(store, names, samples=RATE, count=3)
    assert spread.start.tolist() == [0, (length - RATE) // 2, length - RATE] * 2
    assert spread.track.tolist() == [0, 0, 0, 1, 1, 1] and len(set(spread.name)) == 6
    assert [batch.tolist() for batch in spread.batches(4)] == [[0, 1, 2, 3], [4, 5]]


def test_drawn_tracks_keep_the_shares_of_a_column():
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
        ({"excerpt_s": 0.5}, "excerpt_s=0.5: chunks of bands are 1.0 s long; give at least that"),
        ({"excerpt_s": 0}, "excerpt_s=0: give seconds"),
        ({"batch_size": 0}, "batch_size=0: give a whole number, 1 or more"),
        ({"excerpts": None}, "excerpts=None: give a whole number, 1 or more"),
        ({"workers": -1}, "workers=-1: give a whole number or null, 0 or more"),
        ({"device": "gpu"}, "measurement.device=gpu: choose auto, cpu, cuda, or one of several GPUs"),
    ],
)
def test_settings_out_of_range(measure: Callable[..., MeasuredAnswers], settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        measure(CONDITIONS[0], **settings)
