"""The recipe of the published tables: its commands, what it costs, and that it trains."""

import re
from pathlib import Path

import polars as pl
import pytest
import torch

from musicrec.data.adapters.fma import PUBLISHED as FMA
from musicrec.data.adapters.magnatagatune import PUBLISHED as MAGNATAGATUNE

ROOT = Path(__file__).parents[1]
README = (ROOT / "experiments" / "published" / "README.md").read_text()


def test_every_overlay_has_its_command():
    """tests/test_configs.py composes both."""
    overlays = {path.stem for path in (ROOT / "experiments" / "published").glob("*.yaml")} - {"won2020"}
    commands = re.findall(r"^python train.py \+experiment/published=(\w+) data.root=FOLDER$", README, re.M)
    assert sorted(commands) == sorted(overlays)


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
    rows = re.findall(
        r"^\| \w+ \| ([\d.]+) / ([\d.]+) \| ([\d.]+) / ([\d.]+) M \| (\d+) \| ([\d.]+) \| (\d+) \|$", README, re.M
    )
    assert len(rows) == 7
    for row in rows:
        trained, evaluated, chunks, others, total, gpu_h, cpu_h = map(float, row)
        assert total == pytest.approx(trained * chunks + evaluated * others, rel=0.02)
        assert gpu_h == pytest.approx(total * 1e15 / 15.6e12 / 3600, abs=0.06)
        measured = 7.1 if trained > 20 else 13.5
        assert cpu_h == pytest.approx(total * 1e15 / (measured * trained * 1e9) / 3600, rel=0.03)


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
