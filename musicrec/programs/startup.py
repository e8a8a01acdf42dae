"""Ctrl-C while a program starts. Imported first, because what comes after takes seconds to import.

A KeyboardInterrupt within somebody's import ends in a traceback, and now and then is lost in a callback. So until the
program takes over, Ctrl-C ends the process at once, with one word: nothing is at stake yet.
"""

import os
import signal
import threading
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def over() -> None:
    """From here on Ctrl-C is a KeyboardInterrupt again."""
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not below a shell's `&`
    signal.signal(signal.SIGINT, _leave)
