"""Locks between processes, and after one was killed."""

import signal
import subprocess
import sys
from pathlib import Path

from musicrec.system.lock import held, is_held

HOLD = "import sys; from pathlib import Path; from musicrec.system.lock import held\n"
HOLD += "with held(Path(sys.argv[1])) as free: print(free, flush=True); sys.stdin.read()"


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path):
    path = tmp_path / "deep" / "x.lock"
    assert not is_held(path)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "True\n"
    assert is_held(path)
    with held(path) as free:
        assert not free
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert not is_held(path)
    with held(path) as free:
        assert free
