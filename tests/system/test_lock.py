"""Locks between processes, and after one was killed."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from musicrec.system.lock import is_locked, try_lock, wait_for_lock

HOLD = """
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from musicrec.system.lock import try_lock
with try_lock(Path(sys.argv[1])) as acquired:
    print(acquired, flush=True)
    sys.stdin.read()
"""
COUNT = """
import sys, time
from pathlib import Path
from musicrec.system.lock import wait_for_lock
counter = Path(sys.argv[1])
for _ in range(200):
    with wait_for_lock(counter.with_suffix(".lock")):
        count = int(counter.read_text())
        time.sleep(0.0005)
        counter.write_text(str(count + 1))
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen]:
    """Let another process hold a lock."""
    program = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        yield process


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path):
    path = tmp_path / "deep" / "x.lock"
    assert not is_locked(path)
    with holder(path) as other:
        assert is_locked(path)
        with try_lock(path) as acquired:
            assert not acquired
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert not is_locked(path)
        with try_lock(path) as acquired:
            assert acquired


def test_who_waits_for_a_lock_says_so_and_gets_it(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "x.lock"
    with holder(path) as other:
        threading.Timer(0.2, other.stdin.close).start()
        with wait_for_lock(path, note="another process is at it; waiting") as acquired:
            assert acquired
            assert other.wait() == 0
    assert capsys.readouterr().err == "another process is at it; waiting\n"
    with wait_for_lock(path, note="another process is at it; waiting"):
        assert capsys.readouterr().err == ""


def test_a_lock_excludes_other_processes(tmp_path: Path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    programs = [subprocess.Popen([sys.executable, "-c", COUNT, str(counter)]) for _ in range(3)]
    assert [program.wait(timeout=120) for program in programs] == [0, 0, 0]
    assert counter.read_text() == "600"
