"""train.py as a user runs it: exact resuming, exports equal to their checkpoints, and one message per mistake."""

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

import musicrec
from musicrec.errors import ConfigError, ExportError
from musicrec.export import onnx_extras
from musicrec.export.checkpoint import read_checkpoint
from musicrec.export.folder import read_export
from musicrec.programs import train

ROOT = Path(__file__).parents[2]
FAST = ["debug=fast", "model=short_chunk_resnet", "task=[genre,features]"]


def command(*overrides: str) -> list[str]:
    return [sys.executable, "train.py", *FAST, *overrides]


@pytest.fixture(scope="module")
def music(tiny_music: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    cache = tmp_path_factory.mktemp("cache")
    return ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={cache}"]


@pytest.fixture(scope="module")
def run(program: Callable, music: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An uninterrupted run of three epochs with W&B (offline), and its output."""
    folder = tmp_path_factory.mktemp("run")
    settings = ["trainer.max_epochs=3", "data.chunks_per_track=4", "logger=default"]
    done = program("train.py", *FAST, *music, *settings, f"hydra.run.dir={folder}")
    return folder, done.stdout


@pytest.mark.slow
def test_run_folder_is_complete(run: tuple[Path, str]):
    folder, printed = run
    assert {p.name for p in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert {p.name for p in (folder / "export").iterdir()} == {
        "model.safetensors",
        "config.json",
        "metrics.json",
        "README.md",
    }
    assert list(folder.glob("wandb/offline-run-*/*.wandb")), "W&B writes an offline run without an account"
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert sum(bool(row.get("val/score")) for row in rows) == 3
    assert (folder / ".hydra" / "config.yaml").is_file()
    for text in ("tempo acc2", "key mirex", "genre accuracy", "chance", "export"):
        assert text in printed


@pytest.mark.slow
def test_export_holds_the_metrics_of_the_test(run: tuple[Path, str]):
    folder, _ = run
    metrics = json.loads((folder / "export" / "metrics.json").read_text())
    logged = {}
    for row in csv.DictReader((folder / "metrics.csv").open()):
        logged |= {name: float(value) for name, value in row.items() if name.startswith("test/") and value}
    assert logged
    for name, value in logged.items():
        assert metrics["test"][name.removeprefix("test/")] == pytest.approx(value, abs=1e-5)


@pytest.mark.slow
def test_export_predicts_like_the_best_checkpoint(run: tuple[Path, str]):
    folder, _ = run
    checkpoint, export = read_checkpoint(folder / "checkpoints" / "best.ckpt"), read_export(folder / "export")
    mel = torch.randn(2, 1, 128, 231)
    with torch.no_grad():
        for name, logits in checkpoint.network(mel)[1].items():
            torch.testing.assert_close(export.network(mel)[1][name], logits, atol=1e-6, rtol=0)
    assert [head.classes for head in checkpoint.heads] == [head.classes for head in export.heads]


@pytest.mark.slow
@pytest.mark.extra("onnx")
def test_a_training_writes_a_model_for_other_programs(program: Callable, music: list[str], tmp_path: Path):
    program("train.py", *FAST, *music, "export.onnx=true", "logger=csv", f"hydra.run.dir={tmp_path}")
    assert "model.onnx" in {path.name for path in (tmp_path / "export").iterdir()}


def test_without_the_extra_a_training_for_onnx_does_not_begin(monkeypatch: pytest.MonkeyPatch):
    cfg = OmegaConf.create(
        {"data": {"test_splits": ["test"]}, "trainer": {"accelerator": "cpu"}, "export": {"onnx": True}}
    )
    monkeypatch.setattr(onnx_extras, "_missing", lambda extra: ["onnxruntime"])
    with pytest.raises(ExportError, match=r"export.onnx=true needs the package onnxruntime, .*`musicrec models onnx"):
        train.check(cfg)
    cfg.export.onnx = "yes"
    with pytest.raises(ConfigError, match=r"export.onnx=yes"):
        train.check(cfg)


@pytest.mark.slow
def test_export_analyses_a_file(run: tuple[Path, str], tiny_music: Path):
    analysis = musicrec.load(run[0] / "export").analyze(next((tiny_music.parent / "audio").iterdir()))
    assert analysis.duration_s == pytest.approx(6.0, abs=0.01)
    assert 30 <= analysis.features["tempo"]["bpm"] <= 300
    assert np.isfinite(analysis.embedding).all()


KILLED = """
import os, runpy, signal, sys
from musicrec.training.resume import ResumePoint

save, saved = ResumePoint._save, []
def save_and_die(self, trainer):
    save(self, trainer)
    saved.append(trainer.global_step)
    if len(saved) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

ResumePoint._save = save_and_die
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.slow
def test_resumed_run_ends_like_an_uninterrupted_one(
    program: Callable, run: tuple[Path, str], music: list[str], tmp_path: Path
):
    """A run killed within the first epoch and started again with the same command ends with the same bits."""
    arguments = [*FAST, *music, "trainer.max_epochs=3", "data.chunks_per_track=4", f"paths.runs={tmp_path}"]
    arguments += ["name=killed", "callbacks.resume.every_s=0"]
    code = KILLED.replace("sys.argv[0]", repr(str(ROOT / "train.py")))
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (folder,) = (tmp_path / "killed").iterdir()
    before = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert (before["epoch"], before["global_step"]) == (0, 3)
    (folder / "metrics.csv").write_text("epoch,val/score\n0,0.5\n")  # the logger may not have got to it before
    done = program("train.py", *arguments, "resume=true")

    assert f"resume: from {folder}" in done.stdout
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [folder.name], "it went on in its own folder"
    assert (folder / "metrics_1.csv").read_text() == "epoch,val/score\n0,0.5\n", "what was measured before is kept"
    for name in ("last.ckpt", "best.ckpt"):
        whole = torch.load(run[0] / "checkpoints" / name, weights_only=True)
        resumed = torch.load(folder / "checkpoints" / name, weights_only=True)
        assert (whole["epoch"], whole["global_step"]) == (resumed["epoch"], resumed["global_step"])
        for key, tensor in whole["state_dict"].items():
            assert torch.equal(tensor, resumed["state_dict"][key]), f"{name}: {key}"
    for name in ("model.safetensors", "metrics.json"):
        assert (folder / "export" / name).read_bytes() == (run[0] / "export" / name).read_bytes()


@pytest.mark.slow
@pytest.mark.skipif("MUSICREC_KILLS" not in os.environ, reason="takes minutes; MUSICREC_KILLS=10 kills a run ten times")
def test_run_killed_at_random_moments_ends_like_an_uninterrupted_one(
    program: Callable, music: list[str], tmp_path: Path
):
    """It is killed several times: while it starts, trains, validates and writes checkpoints."""
    arguments = [*music, "trainer.max_epochs=4", "data.chunks_per_track=40", "callbacks.resume.every_s=0"]  # 320 steps
    program("train.py", *FAST, *arguments, f"hydra.run.dir={tmp_path / 'whole'}")
    killed, kills = tmp_path / "killed", int(os.environ["MUSICREC_KILLS"])
    last, steps, rng = killed / "checkpoints" / "last.ckpt", [], np.random.default_rng(0)
    for _ in range(kills):
        process = subprocess.Popen(
            command(*arguments, f"hydra.run.dir={killed}", "resume=true"), cwd=ROOT, stdout=subprocess.DEVNULL
        )
        written, seen = last.stat().st_mtime_ns if last.is_file() else 0, 0
        wanted = rng.integers(1, 500 // kills)
        while process.poll() is None and seen < wanted:
            time.sleep(0.002)
            now = last.stat().st_mtime_ns if last.is_file() else 0
            written, seen = now, seen + (now != written)
        time.sleep(rng.uniform(0, 0.1))
        assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait()
        steps.append(torch.load(last, weights_only=True)["global_step"])
    print(f"killed at steps {steps}")
    assert steps == sorted(steps)
    program("train.py", *FAST, *arguments, f"hydra.run.dir={killed}", "resume=true")
    for name in ("model.safetensors", "metrics.json"):
        assert (killed / "export" / name).read_bytes() == (tmp_path / "whole" / "export" / name).read_bytes()


@pytest.mark.slow
def test_interrupt_keeps_a_checkpoint_and_says_how_to_continue(music: list[str], tmp_path: Path):
    arguments = [*music, f"hydra.run.dir={tmp_path}", "data.chunks_per_track=2000", "logger=default"]
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored below a shell's `&`
    )
    while not (tmp_path / "metrics.csv").is_file() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate()
    assert process.returncode != 0
    assert "interrupted" in printed and f"ckpt_path={tmp_path}/checkpoints/last.ckpt" in printed, printed
    assert "Traceback" not in printed
    kept = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert "musicrec" in kept and kept["epoch"] == 0 and kept["global_step"] > 0, "within the first epoch"
    assert not (tmp_path / "export").exists()


@pytest.mark.slow
def test_two_processes_stop_together(music: list[str], tmp_path: Path):
    """After SIGTERM to one of two processes both stop after the same step; Lightning's own handler can hang here."""
    settings = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "data.chunks_per_track=2000"]
    arguments = [*music, *settings, f"hydra.run.dir={tmp_path / 'run'}", "callbacks.resume.every_s=1"]
    last, printed = tmp_path / "run" / "checkpoints" / "last.ckpt", tmp_path / "printed"
    with printed.open("w") as file:
        process = subprocess.Popen(
            command(*arguments), cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        while not last.is_file() and process.poll() is None:
            time.sleep(0.05)
        (second,) = (pid for pid in living(process.pid) if b"LOCAL_RANK=1" in Path(f"/proc/{pid}/environ").read_bytes())
        os.kill(second, signal.SIGTERM)
        assert process.wait(timeout=600) != 0
        waited = time.monotonic() + 300
        while left := living(process.pid):
            assert time.monotonic() < waited, f"{left} are still there"
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert f"ckpt_path={last}" in printed.read_text() and "Error" not in printed.read_text(), printed.read_text()
    assert torch.load(last, weights_only=True)["global_step"] > 0
    assert not (tmp_path / "run" / "export").exists()


def living(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    listed = subprocess.run(["ps", "-e", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, of, state in rows if int(of) == group and not state.startswith("Z")]


@pytest.mark.slow
def test_published_recipe_restarts_from_the_best_checkpoint(program: Callable, music: list[str], tmp_path: Path):
    program(
        "train.py",
        *FAST,
        *music,
        f"hydra.run.dir={tmp_path}",
        "optim=adam_sgd",
        "optim.milestones=[1,2]",
        "optim.sgd_lr=[1e-3,0.0]",
        "trainer.max_epochs=3",
        "augment=none",
    )
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert last["stage"] == 2
    assert "momentum" in last["optimizer_states"][0]["param_groups"][0]
    # The last stage learns nothing (rate 0), so its weights are those it restarted from: the best.
    for name, tensor in best["state_dict"].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(tensor, last["state_dict"][name]), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optim.learning_rate=1"], "learning_rate"),
        (["model=transformer9"], "transformer9"),
        (["ckpt_path=nowhere.ckpt"], "nowhere.ckpt: there is no such file"),
        (["data.train_split=training"], "no readable track has split 'training' (splits there: test, train, valid)"),
        (["data=manifest", "data.manifest=nowhere.csv"], "nowhere.csv"),
        (["task.heads.genre.column=style"], "style"),
        (["ckpt_path=README.md"], "README.md is not a checkpoint of train.py"),
        (["ckpt_path=docs"], "docs is a folder; name a checkpoint of train.py"),
        (["freeze=blocks.9"], "freeze: ShortChunkResNet has no blocks.9; choose from"),
        (["data.test_splits=[test,holdout]"], "no readable track has split 'holdout'"),
        (["task=spotify32"], "head 'attributes' (danceability, loudness"),
        (
            ["trainer.accelerator=gpu"],
            "trainer.accelerator=gpu: PyTorch finds no GPU here; give trainer.accelerator=cpu",
        ),
        (["optim.lr=fast"], "optim.lr=fast: give a number, above 0"),
        (["resume=maybe"], "resume=maybe: give true or false"),
        (["model.dropout=2"], "model.dropout=2: give a number from 0 to 1"),
        (["trainer.max_epochs=-5"], "trainer.max_epochs=-5: give a whole number or null, -1 or more"),
        (["model=tempo_net", "model.min_bpm=40"], "task.heads.tempo has min_bpm=30.0"),
        (["data.batch_size=1"], "a training batch has only one chunk"),
        (["frontend.n_mels=8"], "frontend.n_mels=8: the network takes 128; set model.n_mels"),
        (["data.test_splits=[]"], "data.test_splits is empty"),
        (["data.chunks_per_track=0"], "data.chunks_per_track=0: give a whole number, 1 or more"),
        (["hydra.run.dir=setup.cfg/run"], "hydra.run.dir=setup.cfg/run: cannot be written (Not a directory)"),
        (["trainer.max_epochs=0"], "the training ended before a validation"),
        (["augment.waveform.resample.max_semitones=99"], "max_semitones=99"),
    ],
)
def test_a_mistake_gets_one_message(
    program: Callable, music: list[str], tmp_path: Path, overrides: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = program("train.py", *FAST, *music, f"hydra.run.dir={tmp_path / 'run'}", *overrides, status=1)
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    left = {path.name for path in (tmp_path / "run").iterdir()} if (tmp_path / "run").exists() else set()
    assert not left & {"export", "checkpoints"} and (not left or "hparams.yaml" in left), (
        "nothing, or training had begun"
    )


@pytest.mark.slow
def test_checkpoint_of_another_architecture_is_refused(
    program: Callable, run: tuple[Path, str], music: list[str], tmp_path: Path
):
    other = f"ckpt_path={run[0] / 'checkpoints' / 'last.ckpt'}"
    done = program(
        "train.py",
        *FAST,
        *music,
        f"hydra.run.dir={tmp_path}",
        other,
        "model=crnn",
        "model.chunk_samples=48000",
        status=1,
    )
    message = " ".join(done.stderr.split())
    assert "network.class is ShortChunkResNet there and CRNN here; resume with the settings of the run" in message
    assert "Traceback" not in done.stderr and "continue with" not in done.stdout


def test_help_explains_the_program(program: Callable):
    printed = program("train.py", "--help").stdout
    assert "debug=fast" in printed and "crnn, short_chunk_resnet" in printed
