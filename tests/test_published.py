"""The recipes of the published tables: their settings, commands and figures, what they cost, and that they train."""

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
FOLDER = ROOT / "experiments" / "published"
README = (FOLDER / "README.md").read_text()
TAGGING = [
    f"{data}_{network}" for data in ("magnatagatune", "mtg_jamendo") for network in ("crnn", "short_chunk_resnet")
]


def settings(program: str, name: str, *overrides: str) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        return compose(program, overrides=[f"+experiment/published={name}", "data.root=FOLDER", *overrides])


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading of the document, bold or not."""
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", README.split(f"## {heading}\n")[1], re.M)[1]
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows.splitlines()]


def test_every_overlay_has_its_command():
    """tests/test_configs.py composes both."""
    overlays = {path.stem for path in FOLDER.glob("*.yaml")} - {"won2020"}
    commands = re.findall(
        r"^python \w+\.py \+experiment/published=(\w+) (?:export=\S+ )?data.root=FOLDER$", README, re.M
    )
    assert sorted(commands) == sorted(overlays)


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


def test_figures_are_those_of_the_reference(shared: Path):
    text = (shared / "anchors.md").read_text()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("| ")]
    published = {name.lower(): figures for name, *figures in rows if re.search(r"\.\d", "".join(figures))}
    named = {name.split(" (")[0].lower(): figures for name, *figures in table("Tagging: Won et al. 2020")}
    assert len(named) == 9
    for name, figures in named.items():
        (expected,) = (
            of for other, of in published.items() if other.startswith(name) and other[len(name) :][:1] in " ("
        )
        assert figures == expected, name
    expected = {name: figures for name, figures, _ in table("At a glance")}
    for overlay in TAGGING:
        row = published["crnn" if overlay.endswith("_crnn") else "short-chunk resnet"]
        figures = row[0 if overlay.startswith("magna") else 2].split(" / ")
        assert expected[overlay] == "ROC-AUC {}, PR-AUC {}".format(*figures)

    pairs = dict(re.findall(r"(clean|time stretch|pitch shift|compression|noise 0\.\d) (\.\d+/\.\d+)", text))
    robustness = {name: f"{roc}/{pr}" for name, _, roc, pr in table("Robustness of tagging")}
    assert robustness == pairs and len(pairs) == 6
    others = " ".join(text.split()) + " ".join(" ".join(row) for row in rows)
    for heading, count in (("Tempo and key: GiantSteps", 5), ("FMA small", 1), ("The original features of Spotify", 4)):
        figures = re.findall(
            r"\d\d\.\d|(?<=to )\d\d(?= %)|\d\d(?= %)", README.split(f"## {heading}\n")[1].split("\n## ")[0]
        )
        assert len(figures) >= count and not [figure for figure in figures if figure not in others], heading


@pytest.fixture(scope="module")
def cells(program) -> list[str]:
    """The row of FMA small, without its name."""
    printed = program("benchmarks/recipes.py", "--recipes", "fma_small").stdout
    return printed.splitlines()[-1].strip("| ").split(" | ")[1:]


def test_cost_is_that_of_the_document(cells):
    assert f"| fma_small | {' | '.join(cells)} |" in README


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


def test_hours_follow_from_the_operations():
    measured = pl.read_csv(ROOT / "benchmarks" / "throughput.csv").filter(pl.col("side") == "musicrec")
    rows = table("Hours")
    assert len(rows) == 7
    at_a_glance = {name: hours for name, _, hours in table("At a glance") if name in {row[0] for row in rows}}
    for name, costs, counts, total, measured_h, *gpu_h in rows:
        network = "CRNN" if name.endswith("_crnn") else "ShortChunkResNet"
        of = {row["pass"]: row for row in measured.filter(pl.col("network") == network).to_dicts()}
        parts = dict(
            zip(
                ("training", "evaluation"),
                zip(map(float, costs.split(" / ")), map(float, counts.removesuffix(" M").split(" / ")), strict=True),
                strict=True,
            )
        )
        assert float(total) == pytest.approx(sum(cost * chunks for cost, chunks in parts.values()), rel=0.02)
        seconds = sum(chunks * 1e6 / of[which]["clips_per_s"] for which, (_, chunks) in parts.items())
        assert float(measured_h) == pytest.approx(seconds / 3600, rel=0.02)
        for rate, hours in zip((19.5, 156, 312), gpu_h, strict=True):
            seconds = sum(cost * chunks / (rate / 1e3 * of[which]["share"]) for which, (cost, chunks) in parts.items())
            assert float(hours) == pytest.approx(seconds / 3600, rel=0.02, abs=0.06)
        assert at_a_glance[name] == gpu_h[0]
    for row in measured.to_dicts():
        assert row["share"] == pytest.approx(row["gflop_per_s"] / row["peak_gflop_per_s"], abs=0.001)


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
