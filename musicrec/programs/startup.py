"""Handling of Ctrl-C while a program starts. Import this module first, because the imports after it take seconds.

A KeyboardInterrupt during an import ends in a traceback, or is lost in a callback. Therefore Ctrl-C ends the process at
once, with a short message, until the program calls `finish`. Nothing can be lost at that stage.
"""

import os
import signal
import threading
from types import FrameType


def _exit(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(130)  # 128 + SIGINT


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def finish() -> None:
    """Restore the usual behaviour of Ctrl-C, a KeyboardInterrupt, at the end of the start-up."""
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Otherwise the signal is ignored, as in a job that a shell started in the background, and has to stay ignored.
    signal.signal(signal.SIGINT, _exit)
