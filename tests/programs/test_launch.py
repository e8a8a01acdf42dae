"""Starting a program: what it does before the program itself begins."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_reader_that_stops_early_is_no_error():
    """As in `train.py --cfg job | head -1`: no traceback, whatever the size of the pipe's buffer."""
    command = [sys.executable, "-u", str(ROOT / "train.py"), "--cfg", "job"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode in (0, 1)
