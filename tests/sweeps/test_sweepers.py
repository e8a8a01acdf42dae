"""The sweepers, which every multirun imports."""

import subprocess
import sys


def test_importing_the_sweepers_imports_no_slow_package():
    code = "import sys, musicrec.sweeps.sweepers; print(sorted({'matplotlib', 'optuna', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
