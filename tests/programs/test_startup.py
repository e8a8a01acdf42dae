"""Ctrl-C while a program starts: one message, status 130, no traceback."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from musicrec.programs import startup

ROOT = Path(__file__).parents[2]

# Sends SIGINT when the first third-party package is imported.
INTERRUPTED_IMPORT = """
import importlib.abc, os, runpy, signal, sys

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ("hydra", "typer"):
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Finder())
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    "program", ["train.py", "evaluate.py", "recommend.py", "robustness.py", "musicrec/__main__.py"]
)
def test_ctrl_c_during_imports_ends_the_program(program: str):
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, str(ROOT / program)]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_raises_keyboard_interrupt_after_startup():
    before = signal.signal(signal.SIGINT, startup._exit)
    try:
        startup.finish()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job of a shell
        startup.finish()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
