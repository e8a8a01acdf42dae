"""Commands of programs that end with the process that starts them, however it ends."""

import os
import sys
from collections.abc import Sequence

_KILLED_WITH_PARENT = (  # 1: PR_SET_PDEATHSIG, which lasts beyond exec; 9: SIGKILL
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n"
    "if os.getppid() == int(sys.argv[1]): os.execv(sys.argv[2], sys.argv[2:])\n"
)


def bound_command(command: Sequence[str]) -> list[str]:
    """Return a command that runs a program which the kernel kills as soon as this process has ended, even by SIGKILL.

    The process that it starts is the program itself, after about 10 ms. It ends as well with the thread that started
    it. Only Linux can do this; elsewhere the command stays as it is.

    Args:
        command: The path of the program, and its arguments.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _KILLED_WITH_PARENT, str(os.getpid()), *command]
