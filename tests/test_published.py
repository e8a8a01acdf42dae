"""The recipes of experiments/published: their settings, their cost, and a short training."""

import re
from pathlib import Path

import polars as pl
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from musicrec.data.adapters.fma import PUBLISHED as FMA
from musicrec.data.adapters.magnatagatune import PUBLISHED as MAGNATAGATUNE
from musicrec.heads.tags import TagHead
from musicrec.programs.build import build_heads

ROOT = Path(__file__).parents[1]
TAGGING = [
    f"{data}_{network}" for data in ("magnatagatune", "mtg_jamendo") for network in ("crnn", "short_chunk_resnet")
]


def settings(program: str, name: str, *overrides: str) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        return compose(program, overrides=[f"+experiment/published={name}", "data.root=FOLDER", *overrides])


@pytest.mark.parametrize("name", TAGGING)
def test_tagging_has_the_published_settings(name: str):
    """Won et al. 2020, by their paper and code: training/main.py, solver.py, model.py and the data loaders."""
    cfg = settings("train", name)
    values = {
        "data.batch_size": 16,
        "data.chunks_per_track": 1,
        "data.eval_chunks": 16,
        "trainer.max_epochs": 200,
        "trainer.precision": "32-true",
        "trainer.gradient_clip_val": None,
        "trainer.accumulate_grad_batches": 1,
        "callbacks.checkpoint.monitor": "val/loss",
        "callbacks.checkpoint.mode": "min",
        "optim._target_": "musicrec.training.recipes.AdamSGD",
        "optim.lr": 1e-4,
        "optim.weight_decay": 1e-4,
        "optim.milestones": [80, 100, 120],
        "optim.sgd_lr": [1e-3, 1e-4, 1e-5],
        "optim.momentum": 0.9,
        "model.dropout": 0.5,
        "frontend._target_": "musicrec.models.frontends.mel.MelSpectrogram",
        "frontend.sample_rate": 16_000,
        "frontend.n_fft": 512,
        "frontend.hop_length": 256,
        "frontend.f_min": 0,
        "frontend.f_max": 8000,
    }
    if name.endswith("crnn"):
        values |= {"model.chunk_samples": 464_000, "frontend.n_mels": 96, "model.width": 64, "model.gru_size": 32}
        values |= {"model.mean_blocks": 0}
    else:
        values |= {"model.chunk_samples": 59_049, "frontend.n_mels": 128, "model.width": 128}
    values |= (
        {"data.split": "clean", "data.tags": "top50"}
        if name.startswith("magna")
        else {"data.subset": "top50", "data.fold": 0}
    )
    assert {key: OmegaConf.select(cfg, key) for key in values} == values
    assert not cfg.augment.waveform and not cfg.augment.mixup and not cfg.augment.spectrogram
    (head,) = build_heads(cfg.task)
    assert type(head) is TagHead and head.weight == 1


def test_robustness_has_the_published_settings():
    """training/robustness.py of their code names two strengths of each."""
    cfg = settings("robustness", "robustness", "export=EXPORT")
    assert {name: list(cfg.deformation[name].strengths) for name in cfg.deformation} == {
        "time_stretch": [pytest.approx(2**-0.5), pytest.approx(2**0.5)],
        "pitch_shift": [-1, 1],
        "compression": ["music_standard", "speech"],
        "published_noise": [0.1, 0.4],
    }
    assert (cfg.data.split, cfg.data.tags, cfg.splits, cfg.tracks) == ("clean", "top50", ["test"], None)
    assert cfg.measurement.chunks == 16 and cfg.measurement.excerpts == 1
    assert cfg.measurement.excerpt_s > 29.1, "the whole clip, whose maximum sets the level of the noise"


def test_giantsteps_is_tested_on_what_was_published():
    cfg = settings("evaluate", "giantsteps_tempo", "export=EXPORT")
    assert (cfg.data.version, cfg.splits) == (1, ["test"]) and [*cfg.task.heads] == ["tempo"]
    cfg = settings("evaluate", "giantsteps_key", "export=EXPORT")
    assert cfg.splits == ["test"] and [*cfg.task.heads] == ["key"]


@pytest.fixture(scope="module")
def cells(program) -> list[str]:
    """The row of FMA small, without its name."""
    printed = program("benchmarks/recipes.py", "--recipes", "fma_small").stdout
    return printed.splitlines()[-1].strip("| ").split(" | ")[1:]


def test_operations_are_those_of_the_architecture(cells):
    """Short-Chunk ResNet: in every block three 3×3 convolutions, of which two see the input of the block."""
    height, width, before, total = 128, 231, 1, 0
    for channels in (128, 128, 256, 256, 256, 256, 512):
        height, width = -(-height // 2), -(-width // 2)
        total += 2 * 9 * (2 * before * channels + channels**2) * height * width
        before = channels
    total += 2 * 512 * 512 + 2 * 512 * 8
    mel = 2 * 2 * 257 * 512 * 231 + 2 * 257 * 128 * 231
    assert float(cells[0].split(" / ")[1]) == pytest.approx((total + mel) / 1e9, abs=0.051)


def test_measured_speeds_must_be_there(program, tmp_path: Path):
    asked = ("benchmarks/recipes.py", "--recipes", "fma_small", "--throughput", str(tmp_path / "gpu.csv"))
    assert "gpu.csv: no such file" in program(*asked, status=2).stderr
    lines = (ROOT / "benchmarks" / "throughput.csv").read_text().splitlines(keepends=True)
    (tmp_path / "gpu.csv").write_text("".join(line for line in lines if "ShortChunkResNet" not in line))
    assert "no row of ShortChunkResNet training and ShortChunkResNet evaluation" in program(*asked, status=2).stderr


def test_tracks_are_those_of_the_datasets():
    for name, split in (("magnatagatune_crnn", MAGNATAGATUNE["clean"]), ("fma_small", FMA["small"])):
        source = (ROOT / "benchmarks" / "recipes.py").read_text()
        numbers = re.search(rf'"{name}": Set\(([\d_]+), ([\d_]+), ([\d_]+)', source)
        assert [int(number) for number in numbers.groups()] == [split["train"], split["valid"], split["test"]]


@pytest.mark.slow
def test_the_recipe_trains_and_keeps_the_lowest_loss(program, tiny_music, tmp_path):
    program("train.py", "debug=fast", "+experiment/published=won2020", "data=manifest", f"data.manifest={tiny_music}",
            "task=[genre]", "model=short_chunk_resnet", "model.width=2", "trainer.max_epochs=2", "data.eval_chunks=2",
            "optim.milestones=[1]", "optim.sgd_lr=[1e-3]", "data.batch_size=8",
            f"paths.cache={tmp_path}/cache", f"hydra.run.dir={tmp_path}/run")  # fmt: skip
    best = torch.load(tmp_path / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    watched = next(state for name, state in best["callbacks"].items() if name.startswith("ModelCheckpoint"))
    losses = pl.read_csv(next((tmp_path / "run").rglob("metrics.csv")))["val/loss"].drop_nulls()
    assert float(watched["best_model_score"]) == pytest.approx(losses.min(), rel=1e-5)
    assert len(losses) == 2
