"""Analysis of whole tracks: many at a time, with shared spectrograms, in bf16, and of a part of each."""

import dataclasses
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from musicrec.errors import AudioError, ConfigError
from musicrec.export import analyzer as analyzer_module
from musicrec.export import engine_choice, precision
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.description import Model
from musicrec.export.engines import TorchEngine
from musicrec.export.track_analysis import TrackAnalysis
from musicrec.export.track_queue import TrackQueue
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet

RATE = 16_000


def make_model(name: str, *, patches: bool, seed: int = 0, chunk_samples: int = 47_616) -> Model:
    """A small untrained tagger, whose answers differ between tracks."""
    torch.manual_seed(seed)
    if patches:
        network, frontend = MusiCNN({name: 5}, width=8, middle=8), MelSpectrogram(padding="zeros", compression="log")
    else:
        network = ShortChunkResNet({name: 5}, n_mels=48, width=8, chunk_samples=chunk_samples)
        frontend = MelSpectrogram(n_mels=48)
    network.classifier.linears[name].weight.data *= 5
    head = TagHead(name=name, columns=("tags",), classes=tuple("abcde"))
    return Model(network=network.eval(), frontend=frontend, heads=[head], config={}, source=Path(name))


@pytest.fixture(scope="module")
def models() -> list[Model]:
    return [
        make_model("first", patches=True),
        make_model("second", patches=True, seed=1),
        make_model("third", patches=False, seed=2, chunk_samples=30_000),
    ]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten tracks of 1 to 20 s, and two files that are not audio."""
    folder, rng = tmp_path_factory.mktemp("music"), np.random.default_rng(0)
    paths = []
    for number, seconds in enumerate((20.0, 1.0, 7.5, 3.2, 12.0, 4.4, 9.1, 15.0, 2.0, 6.0)):
        time_s = np.arange(int(seconds * RATE)) / RATE
        wave = 0.3 * np.sin(2 * np.pi * 110 * (number + 1) * time_s) + 0.05 * rng.standard_normal(len(time_s))
        paths.append(folder / f"{number}.wav")
        soundfile.write(paths[-1], wave * np.abs(np.sin(time_s)), RATE)
    for position in (3, 8):
        paths.insert(position, folder / f"bad{position}.wav")
        paths[position].write_text("not audio")
    return paths


def assert_same(found: TrackAnalysis, expected: TrackAnalysis) -> None:
    assert list(found.probabilities) == list(expected.probabilities)
    for name, values in expected.probabilities.items():
        np.testing.assert_allclose(found.probabilities[name], values, atol=1e-5)
    np.testing.assert_allclose(found.embedding, expected.embedding, atol=1e-4)
    assert (found.duration_s, found.remarks) == (expected.duration_s, expected.remarks)
    assert found.descriptors == expected.descriptors and found.features == expected.features


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_many_tracks_get_the_answers_of_each_alone(models, files, threads):
    analyzer, before = TrackAnalyzer(models), torch.get_num_threads()
    alone = {}
    for path in files:
        try:
            alone[path] = analyzer.analyze(path)
        except AudioError as error:
            alone[path] = str(error)
    found = dict(analyzer.analyze_many(files, threads=threads))
    assert list(found) == files, "the order is that of the files"
    for path, answer in found.items():
        if path.name.startswith("bad"):
            assert isinstance(answer, AudioError) and str(answer) == alone[path]
        else:
            decoded, analysis = answer
            assert_same(analysis, alone[path])
            assert len(decoded.waveform) == round(analysis.duration_s * RATE)
    assert len({analysis.probabilities["first"][0] for _, (_, analysis) in good(found)}) == 10
    assert torch.get_num_threads() == before
    assert list(analyzer.analyze_many([], threads=threads)) == []


def good(found: dict) -> list:
    return [(path, answer) for path, answer in found.items() if not isinstance(answer, AudioError)]


def test_the_batch_size_changes_no_answer(models, files):
    for path in files[:2]:
        expected = TrackAnalyzer(models, batch_size=1).analyze(path)
        assert_same(TrackAnalyzer(models, batch_size=7).analyze(path), expected)


def test_short_tracks_share_forward_passes(files, monkeypatch):
    """The ten tracks have 7, 1, 3, 2, 5, 2, 4, 6, 1 and 3 chunks of 2.976 s."""
    model, sizes = make_model("tags", patches=False), []
    forward = model.network.forward
    monkeypatch.setattr(
        model.network, "forward", lambda spectrogram: sizes.append(len(spectrogram)) or forward(spectrogram)
    )
    assert len(list(TrackAnalyzer([model], batch_size=8, precision="float32").analyze_many(files))) == 12
    assert sizes == [8, 8, 8, 8, 2]


def test_models_with_equal_inputs_share_one_spectrogram(files, monkeypatch):
    models = [make_model(name, patches=True, seed=seed) for seed, name in enumerate(("first", "second"))]
    calls = []  # in float32: to choose bf16, each model is tried alone
    for number, model in enumerate(models):
        forward = model.frontend.forward
        monkeypatch.setattr(
            model.frontend, "forward", lambda wave, n=number, forward=forward: calls.append(n) or forward(wave)
        )
    together = TrackAnalyzer(models, precision="float32").analyze(files[0])
    assert set(calls) == {0}
    calls.clear()
    apart = [TrackAnalyzer([model], precision="float32").analyze(files[0]) for model in models]
    assert set(calls) == {0, 1}
    for alone in apart:
        for name, values in alone.probabilities.items():
            np.testing.assert_allclose(together.probabilities[name], values, atol=1e-6)
    np.testing.assert_allclose(together.embedding, np.concatenate([alone.embedding for alone in apart]), atol=1e-5)

    models[1].frontend.settings["f_min"] = 1.0  # as if it were another front end
    calls.clear()
    TrackAnalyzer(models, precision="float32").analyze(files[0])
    assert set(calls) == {0, 1}


def test_coverage_is_the_share_of_the_track_that_is_heard(monkeypatch):
    """Of 4 minutes, a coverage of 0.5 hears every second chunk: a tone that sounds only in the others is not heard."""
    model = make_model("tags", patches=False, chunk_samples=RATE)
    second = np.arange(240 * RATE, dtype=np.int64) // RATE
    noise = np.random.default_rng(0).standard_normal(240 * RATE).astype(np.float32) / 10
    even, odd = np.where(second % 2 == 0, noise, 0), np.where(second % 2 == 1, noise, 0)
    silent = TrackAnalyzer([model]).analyze(np.zeros(240 * RATE, np.float32)).embedding
    half = TrackAnalyzer([model], coverage=0.5)
    assert half.settings == {"coverage": 0.5}
    np.testing.assert_allclose(half.analyze(even).embedding, silent, atol=1e-5)
    assert np.abs(half.analyze(odd).embedding - silent).max() > 0.01
    whole = TrackAnalyzer([model])
    np.testing.assert_allclose(whole.analyze(odd).embedding, (half.analyze(odd).embedding + silent) / 2, atol=1e-4)


class Named(TagHead):
    """A head that is no tag."""

    role = "feature"

    def decode(self, probabilities: np.ndarray) -> dict:
        return {"answer": self.classes[probabilities.argmax()]}


def test_variation_is_the_deviation_over_the_chunks_of_the_models_with_tags():
    tagger, other = (make_model(name, patches=False, chunk_samples=30_000) for name in ("tags", "other"))
    other = dataclasses.replace(other, heads=[Named(name="other", columns=("tags",), classes=tuple("abcde"))])
    analyzer = TrackAnalyzer([tagger, other], precision="float32")
    time_s = np.arange(30_000, dtype=np.float32) / RATE
    chunks = [0.5 * np.sin(2 * np.pi * 220 * time_s), 0.5 * np.sin(2 * np.pi * 3000 * time_s)]
    apart = [analyzer.analyze(chunk) for chunk in chunks]
    together = analyzer.analyze(np.concatenate(chunks))
    # The deviation of two values is half of their difference.
    half = np.abs(apart[0].embedding - apart[1].embedding)[: len(apart[0].embedding) // 2] / 2  # of the tagger
    assert half.max() > 0.01
    np.testing.assert_allclose(together.variation, half, atol=1e-4)
    assert np.isnan(apart[0].variation).all() and len(apart[0].variation) == len(half)


def test_passages_are_the_means_over_parts_of_the_track_of_the_models_with_tags():
    tagger, other = (make_model(name, patches=False, chunk_samples=30_000) for name in ("tags", "other"))
    other = dataclasses.replace(other, heads=[Named(name="other", columns=("tags",), classes=tuple("abcde"))])
    analyzer = TrackAnalyzer([tagger, other], precision="float32")
    time_s = np.arange(30_000, dtype=np.float32) / RATE
    chunks = [0.5 * np.sin(2 * np.pi * hertz * time_s) for hertz in (220, 900, 3000)]
    first, _, last = (analyzer.analyze(chunk) for chunk in chunks)
    size = len(first.variation)
    parts = [chunks[0]] * 16 + [chunks[1]] * 6 + [chunks[2]] * 16  # 30, 11.25 and 30 s
    found = analyzer.analyze(np.concatenate(parts)).passages
    assert found.values.shape == (7, size)
    middle = analyzer.analyze(chunks[1]).embedding[:size]
    expected = [first.embedding[:size]] * 3 + [middle] + [last.embedding[:size]] * 3
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    edges = np.array([0, 10, 20, 30, 41.25, 51.25, 61.25, 71.25])  # chunks of 1.875 s are in one of them
    assert (np.abs(found.start_s - edges[:-1]) < 1).all() and (np.abs(found.end_s - edges[1:]) < 1).all()
    short = analyzer.analyze(np.concatenate([chunks[0], chunks[2]]))
    np.testing.assert_allclose(short.passages.values, [short.embedding[:size]], atol=1e-5)


def test_passages_are_where_the_models_listened(models):
    """With a coverage below 1 of a track of more than two minutes."""
    analyzer = TrackAnalyzer([make_model("tags", patches=False, chunk_samples=RATE * 3)], coverage=0.5)
    long = np.random.default_rng(0).normal(size=RATE * 300).astype(np.float32) / 10
    found = analyzer.analyze(long).passages
    assert len(found) == 24 and len(TrackAnalyzer(models).analyze(long[: RATE * 20]).passages) == 2
    assert (found.end_s <= 300).all() and (found.start_s[1:] >= found.end_s[:-1] - 3).all()
    assert (found.end_s - found.start_s).max() <= 18 and found.start_s[0] < 6 and found.end_s[-1] > 294


def test_what_is_said_over_time_is_what_the_mean_is_taken_of(models, files):
    analyzer = TrackAnalyzer(models, precision="float32")
    found = analyzer.analyze(files[0])  # of 20 s
    assert list(found.over_time) == list(found.probabilities)
    for name, (middles_s, of_chunks) in found.over_time.items():
        np.testing.assert_allclose(of_chunks.mean(axis=0), found.probabilities[name], atol=1e-6)
        assert (np.diff(middles_s) > 0).all() and 0 < middles_s[0] < middles_s[-1] < 20
    middles_s, _ = found.over_time["third"]
    chunk_s = 30_000 / RATE
    np.testing.assert_allclose(middles_s, np.linspace(chunk_s / 2, 20 - chunk_s / 2, 11), atol=1e-4)


@pytest.mark.parametrize("coverage", [0, -0.5, 1.5, float("nan"), True, "all"])
def test_a_coverage_outside_its_range_is_refused(models, coverage):
    with pytest.raises(ConfigError, match="coverage="):
        TrackAnalyzer(models, coverage=coverage)


def test_bf16_is_used_where_it_is_fast_and_keeps_the_answers(models, files, monkeypatch):
    expected = TrackAnalyzer(models, precision="float32").analyze(files[0])
    monkeypatch.setattr(engine_choice, "has_fast_bf16", lambda device: True)
    kept = {"first": True, "second": False, "third": True}
    keeps = lambda trial, engine: engine.precision == "bf16" and kept[trial._model.heads[0].name]  # noqa: E731
    monkeypatch.setattr(precision.EngineTrial, "keeps_answers", keeps)
    found = TrackAnalyzer(models, engine="torch").analyze(files[0])
    for name, values in expected.probabilities.items():
        change = np.abs(found.probabilities[name] - values).max()
        assert (0 < change < 0.05) if kept[name] else change < 1e-6, name
    with pytest.raises(ConfigError, match="precision=bf16: choose auto or float32"):
        TrackAnalyzer(models, precision="bf16")


def test_models_that_bf16_would_change_are_told_from_others():
    model = make_model("tags", patches=False)
    cpu = torch.device("cpu")
    in_bf16 = TorchEngine(model.network, cpu, precision="bf16")
    assert precision.EngineTrial(model, cpu).keeps_answers(in_bf16)
    model.network.classifier.linears["tags"].weight.data *= 300  # logits of several hundred, far from saturated means
    model.network.classifier.linears["tags"].bias.data.zero_()
    with torch.inference_mode():
        chunks = precision.trial_music(8 * 47_616, RATE).reshape(8, -1)
        _, logits = model.network(model.frontend(chunks))
        # Centre the logits of the trial, so that a small change of the embedding flips the answers.
        model.network.classifier.linears["tags"].bias.data -= logits["tags"].median(dim=0).values
    assert not precision.EngineTrial(model, cpu).keeps_answers(in_bf16)


def test_fast_bf16_of_a_device(monkeypatch):
    monkeypatch.setattr(precision, "cpu_has_fast_bf16", lambda: True)
    assert precision.has_fast_bf16(torch.device("cpu"))
    monkeypatch.setattr(precision, "cpu_has_fast_bf16", lambda: False)
    assert not precision.has_fast_bf16(torch.device("cpu"))
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation: not including_emulation)
    assert precision.has_fast_bf16(torch.device("cuda"))


def test_stopping_early_ends_the_threads_soon(models, files):
    analyzer, before = TrackAnalyzer(models), torch.get_num_threads()
    answers = analyzer.analyze_many(files * 50, threads=2)
    next(answers)
    answers.close()
    until = time.monotonic() + 20
    while any(thread.name.startswith("track") for thread in threading.enumerate()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert torch.get_num_threads() == before


class Loader:
    """Loads numbers, and counts how many have been loaded and not yet received."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = self.most = 0

    def load(self, number: int) -> int:
        with self._lock:
            self._waiting += 1
            self.most = max(self.most, self._waiting)
        return number

    def receive(self, queue: TrackQueue, count: int) -> list[tuple[int, int]]:
        found = []
        for item in queue.results(range(count)):
            found.append(item)
            with self._lock:
                self._waiting -= 1
        return found


def test_few_tracks_are_loaded_at_a_time():
    """With groups of three: at most the loaded ones that wait, and the groups that are worked on or wait."""
    loader = Loader()
    queue = TrackQueue(
        loader.load,
        lambda group: [10 * n for n in group],
        is_full=lambda group: len(group) == 3,
        threads=2,
        stopped=threading.Event(),
    )
    assert loader.receive(queue, 100) == [(number, 10 * number) for number in range(100)]
    assert loader.most <= 3 + 3 * 3 + 3


@pytest.mark.parametrize("size", [1, 4, 30])
def test_the_size_of_what_is_loaded_is_limited(size: int):
    """With a limit of 10: at most ten tracks of size 1, two of size 4, or one of size 30."""
    loader = Loader()
    queue = TrackQueue(
        loader.load,
        lambda group: group,
        is_full=lambda group: len(group) == 3,
        size=lambda number: size,
        most=10,
        threads=16,
        stopped=threading.Event(),
    )
    assert [number for number, _ in loader.receive(queue, 40)] == list(range(40))
    assert loader.most <= max(1, 10 // size)


def test_long_files_are_not_all_loaded_at_once(tmp_path, monkeypatch):
    """By the lengths that the files state: of 2 s each, with a limit of 5 s, two at a time."""
    model, loaded = make_model("tags", patches=False), []
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.wav", np.full(2 * RATE, 0.1), RATE)
    monkeypatch.setattr(analyzer_module, "MOST_LOADED_S", 5.0)
    decode = analyzer_module.decode_track
    monkeypatch.setattr(analyzer_module, "decode_track", lambda path, **how: loaded.append(path) or decode(path, **how))
    paths = [tmp_path / f"{number}.wav" for number in range(6)]
    for done, (path, _) in enumerate(TrackAnalyzer([model]).analyze_many(paths, threads=4)):
        assert path == paths[done] and len(loaded) - done <= 2
    assert len(loaded) == 6


def test_an_unexpected_error_is_not_swallowed():
    def fail(group: list) -> list:
        raise RuntimeError("broken")

    stopped = threading.Event()
    queue = TrackQueue(lambda number: number, fail, is_full=lambda group: True, threads=2, stopped=stopped)
    with pytest.raises(RuntimeError, match="broken"):
        list(queue.results(range(10)))
    assert stopped.is_set()


@pytest.mark.slow
def test_memory_stays_flat_over_many_tracks(tmp_path):
    """1,000 short tracks of 0.8 MB each leave less than 40 MB behind.

    How much the process has at a moment varies by 30 MB, so the least of each half is compared.
    """
    model = make_model("tags", patches=False)
    rng, paths = np.random.default_rng(0), []
    for number in range(20):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], rng.standard_normal(RATE * (3 + number)) / 10, RATE)
    sizes = []
    for number, _ in enumerate(TrackAnalyzer([model]).analyze_many(paths * 50, threads=2)):
        if number % 100 == 99:
            sizes.append(resident_mb())
    assert len(sizes) == 10 and min(sizes[5:]) - min(sizes[:5]) < 40, [round(size) for size in sizes]


def resident_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no /proc here")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS")) / 1024
