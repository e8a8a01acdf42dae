"""Packages that are not installed: one message that names the way out."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

# Python runs this file when it starts, and then does not find the package MISSING.
FINDER = """
import os, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == os.environ["MISSING"]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run_without(package: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """Run `musicrec` in a process that does not find a package."""
    (folder / "sitecustomize.py").write_text(FINDER)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{ROOT}",
        "MISSING": package,
        "MUSICREC_CACHE": f"{folder}/cache",
    }
    command = [sys.executable, "-m", "musicrec", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@contextmanager
def as_if_missing(package: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process import musicrec anew, and find no such package."""

    def take_away() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in [*sys.modules] if name.split(".")[0] in (package, "musicrec")}

    before, on_interrupt = take_away(), signal.getsignal(signal.SIGINT)
    finder: dict = {}
    monkeypatch.setenv("MISSING", package)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    exec(FINDER, finder)
    try:
        yield
    finally:
        monkeypatch.undo()
        take_away()
        sys.modules.update(before)
        signal.signal(signal.SIGINT, on_interrupt)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "arguments", "way_out"),
    [
        ("wandb", ["train", "debug=fast", "logger=default"], "pip install wandb, or do without it: logger=csv"),
        ("wandb", ["robustness", "export=x"], "pip install wandb, or do without it: logger=csv"),
        (
            "tensorboard",
            ["train", "debug=fast", "logger=tensorboard"],
            "pip install 'musicrec[tensorboard]', or do without it: logger=csv",
        ),
        ("matplotlib", ["evaluate", "export=x"], "pip install matplotlib (docs/dependencies.md)"),
    ],
)
def test_one_message_of_a_program_names_the_way_out(
    program: Callable, package: str, arguments: list[str], way_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In this process: a new one would import PyTorch first."""
    monkeypatch.setenv("MUSICREC_CACHE", str(tmp_path))
    with as_if_missing(package, monkeypatch):
        done = program("musicrec/__main__.py", *arguments, folder=tmp_path, status=1)
    assert done.stderr == f"error: No module named '{package}'; install it with: {way_out}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "arguments", "way_out"),
    [
        ("optuna", ["train", "-m", "sweep=optuna", "logger=csv"], "pip install optuna (docs/dependencies.md)"),
        ("mido", ["render-midi", ".", "--sound-font", "x.sf2", "--out", "out"], "pip install 'musicrec[midi]'"),
    ],
)
def test_one_message_names_the_way_out(package: str, arguments: list[str], way_out: str, tmp_path: Path):
    done = run_without(package, *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"error: No module named '{package}'; install it with: {way_out}\n"


@pytest.mark.slow
def test_a_launcher(tmp_path: Path):
    done = run_without("hydra_plugins", "train", "-m", "hydra/launcher=joblib", "seed=0,1", folder=tmp_path)
    message = "error: hydra/launcher=joblib: choose basic, or install it with: pip install 'musicrec[sweep]'\n"
    assert done.returncode == 1 and done.stderr.endswith(message)
