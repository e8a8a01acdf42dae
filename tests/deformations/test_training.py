"""The deformations of conf/augment, as training draws them."""

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.config.targets import TARGETS
from musicrec.programs.build import build_all

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
NAMES = sorted(path.stem for path in (CONF / "augment" / "waveform").glob("*.yaml"))
SAMPLES = 6000
# Deformations that move labels: (lowest, highest, whole numbers only) of the change of pitch in semitones, and (lowest,
# highest) of the ratio of tempi. None: the ratio follows from the pitch, as on a tape.
LABELS_MOVE = {
    "pitch_shift": ((-2, 2, True), (1, 1)),
    "time_stretch": ((0, 0, True), (0.9, 1.1)),
    "resample": ((-4, 4, True), None),
}


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        yield


@functools.cache
def composed(preset: str, *overrides: str) -> DictConfig:
    """The group alone, which is quicker than all of train.py's config."""
    return compose(overrides=[f"+augment={preset}", *overrides]).augment


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> DictConfig:
    """Each deformation of conf/augment/waveform, added on the command line."""
    folder = tmp_path_factory.mktemp("noises")
    soundfile.write(folder / "noise.wav", torch.randn(9000, generator=torch.Generator().manual_seed(0)).numpy(), 16_000)
    noise = f"augment.waveform.folder_noise.deformation.folder={folder}"
    return composed("none", f"+augment/waveform=[{','.join(NAMES)}]", noise).waveform


def built(config: DictConfig, *, probability: float):
    config = config.copy()
    config.probability = probability
    return instantiate(config, _execution_whitelist_=TARGETS)


def music(count: int, ratio: float) -> torch.Tensor:
    """(count, samples × ratio): brown noise, quiet enough that nothing clips by itself."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, math.ceil(SAMPLES * ratio) + 1, generator=generator).cumsum(dim=1) / 800


def test_every_deformation_of_a_report_trains(every: DictConfig):
    reported = {path.stem for path in (CONF / "deformation").glob("*.yaml")} - {"all"}
    missing = [f"add conf/augment/waveform/{name}.yaml" for name in sorted(reported - set(NAMES))]
    missing += [f"add conf/deformation/{name}.yaml" for name in sorted(set(NAMES) - reported)]
    assert not missing, "\n".join(missing)
    assert set(every) == set(NAMES) and len(NAMES) >= 22


@pytest.mark.parametrize("name", NAMES)
def test_draws_follow_from_the_seed_and_from_nothing_else(name: str, every: DictConfig, deform: Callable):
    deformation = built(every[name], probability=1.0)
    batch, seeds = music(4, deformation.input_ratio), [11, 22, 33, 44]
    once = deform(deformation, batch, SAMPLES, seeds)
    assert once.waveform.shape == (4, SAMPLES) and once.waveform.isfinite().all()
    again = deform(deformation, batch, SAMPLES, seeds)
    assert torch.equal(once.waveform, again.waveform) and torch.equal(once.tempo_ratio, again.tempo_ratio)
    some = deform(deformation, batch[[2, 0]], SAMPLES, [33, 11])
    torch.testing.assert_close(some.waveform, once.waveform[[2, 0]], rtol=1e-4, atol=1e-5)
    assert torch.equal(some.shift_semitones, once.shift_semitones[[2, 0]])
    if name != "polarity":  # which has nothing to draw
        same = batch[:1].expand(6, -1)
        results = deform(deformation, same, SAMPLES, range(6)).waveform
        assert len({tuple(result.tolist()) for result in results}) > 1, "one example, six seeds"


@pytest.mark.parametrize("name", NAMES)
def test_probability_0_leaves_audio_and_labels(name: str, every: DictConfig, deform: Callable):
    deformation = built(every[name], probability=0.0)
    batch = music(3, deformation.input_ratio)
    result = deform(deformation, batch, SAMPLES)
    assert torch.equal(result.waveform, batch[:, :SAMPLES])
    assert not result.shift_semitones.any() and (result.tempo_ratio == 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_told_what_was_drawn(name: str, every: DictConfig, deform: Callable):
    deformation = built(every[name], probability=0.5)
    count = 24
    samples = 300 if name in LABELS_MOVE else 2000
    result = deform(deformation, torch.zeros(count, math.ceil(samples * deformation.input_ratio) + 1), samples)
    shift, ratio = result.shift_semitones, result.tempo_ratio
    if name not in LABELS_MOVE:
        still = not shift.any() and (ratio == 1).all()
        assert still, (
            f"{name} moves labels: add it, and by how much, to tests/deformations/test_training.py (in LABELS_MOVE)"
        )
        return
    (lowest, highest, whole), tempo = LABELS_MOVE[name]
    assert lowest <= shift.min() <= shift.max() <= highest and not (whole and (shift % 1).any())
    if tempo is None:
        torch.testing.assert_close(ratio, 2 ** (shift / 12), rtol=2e-3, atol=0)
    else:
        assert tempo[0] <= ratio.min() <= ratio.max() <= tempo[1]
        assert tempo[0] == tempo[1] or (ratio != 1).any()
    moved = (shift != 0) | (ratio != 1)
    assert 4 < moved.sum() < 20, "about half of them"


def test_presets(every: DictConfig):
    on_cpu = {name for name in NAMES if getattr(built(every[name], probability=1.0).deformation, "on_cpu", False)}
    assert {"pitch_shift", "mp3", "folder_noise"} <= on_cpu
    assert composed("none").waveform == {}
    assert set(composed("resample").waveform) == set(composed("mixup").waveform) == {"resample"}
    robust, full, dj = (set(composed(name).waveform) for name in ("robust", "full", "dj"))
    assert not robust & on_cpu, f"conf/augment/robust.yaml: remove {sorted(robust & on_cpu)}, which work on the CPU"
    assert robust < full <= set(NAMES) and len(robust) >= 15 and len(full) >= 20
    assert not full & {"crop", "folder_noise"}, "chunks begin anywhere without crop; folder_noise needs a folder"
    assert {"pitch_shift", "time_stretch", "resample"} < dj < full
    for preset in ("robust", "full", "dj"):
        cfg = composed(preset)
        labels_alone = [entry.probability for name, entry in cfg.waveform.items() if name not in LABELS_MOVE]
        assert sum(labels_alone) < 2, f"{preset}: so much at once that little is left of the music"


@pytest.mark.parametrize(
    ("overrides", "gone"),
    [
        (["~augment.waveform.white_noise"], {"white_noise"}),
        (["augment.waveform.white_noise=null", "augment.waveform.mp3=null"], {"white_noise", "mp3"}),
    ],
)
def test_one_may_be_left_out(overrides: list[str], gone: set[str]):
    whole = composed("full").waveform
    left = composed("full", *overrides).waveform
    assert {name for name, entry in left.items() if entry is not None} == set(whole) - gone
    assert len(build_all(left)) == len(whole) - len(gone)


def test_one_probability_for_all_and_one_for_each():
    cfg = composed("full", "augment.probability=0", "augment.waveform.gain.probability=0.7")
    probabilities = {name: entry.probability for name, entry in cfg.waveform.items()}
    assert probabilities.pop("gain") == 0.7
    assert {name for name, value in probabilities.items() if value} == {"resample", "mp3", "vorbis", "opus"}
    one = composed("none", "+augment/waveform=[mp3,white_noise]", "+augment/mixup=mixup")
    assert list(one.waveform) == ["mp3", "white_noise"], "in this order"
    assert one.waveform.mp3.probability == 0.3 and one.mixup.alpha == 1.0 and one.spectrogram is None
    assert composed("full", "augment.mixup=null", "augment.spectrogram=null").mixup is None
    assert composed("none", "+augment/spectrogram=spec_augment").spectrogram.time_masks == 1


@pytest.mark.slow
def test_full_preset_trains(program: Callable, tiny_music: Path, tmp_path: Path):
    """With every deformation, mixup and SpecAugment; each so often that a batch of eight has some of it."""
    arguments = ["debug=fast", "augment=full", "augment.probability=0.5", "augment.waveform.opus.probability=0.3",
                 "task=[genre,features]", "data=manifest", f"data.manifest={tiny_music}",
                 "model=short_chunk_resnet", "model.chunk_samples=32000", "model.n_mels=64", "frontend.n_mels=64",
                 f"paths.cache={tmp_path}/cache"]  # fmt: skip
    done = program("train.py", *arguments, f"hydra.run.dir={tmp_path}/run")
    assert "key accuracy" in done.stdout and (tmp_path / "run" / "export" / "model.safetensors").is_file()
    assert "ambiguous" not in done.stderr
