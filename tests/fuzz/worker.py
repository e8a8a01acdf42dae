"""Read the files named on standard input, one per line, under limits; answer by lines of JSON.

A crash, a hang or a lack of memory in a C library ends or stops this process, and not the test that watches it.
"""

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.file_tags import read_tags
from musicrec.errors import AudioError

_MEMORY_BYTES = 1 << 30


def check_decode(path: str) -> str:
    waveform = decode(path)
    assert waveform.dtype == np.float32 and waveform.ndim == 1 and len(waveform), waveform
    assert np.abs(waveform).max() <= 1.0, np.abs(waveform).max()
    return f"{len(waveform)} samples"


def check_span(path: str) -> str:
    waveform = decode(path, offset_s=0.4, duration_s=0.5)
    assert 0 < len(waveform) <= 8_000, len(waveform)
    return f"{len(waveform)} samples"


def check_duration(path: str) -> str:
    duration_s = duration_of(path)
    assert 0 < duration_s < float("inf"), duration_s
    return f"{duration_s:.3f} s"


def check_tags(path: str) -> str:
    tags = read_tags([path])
    assert tags["path"].to_list() == [path]
    return str(tags["problem"].item())


CHECKS: dict[str, Callable[[str], str]] = {
    "decode": check_decode,
    "decode a span": check_span,
    "duration_of": check_duration,
    "read_tags": check_tags,
}


def main() -> None:
    with open("/proc/self/statm") as file:
        begin_bytes = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (begin_bytes + _MEMORY_BYTES, begin_bytes + _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    answers = os.dup(1)  # libsndfile itself prints to standard output
    os.dup2(2, 1)
    most_bytes = _MEMORY_BYTES
    for line in sys.stdin:
        path = json.loads(line)
        for name, check in CHECKS.items():
            begin, files = time.monotonic(), len(os.listdir("/proc/self/fd"))
            answer = answer_of(check, path)
            if has_children():
                answer = {"failed": f"left a process behind ({answer})"}
            if len(os.listdir("/proc/self/fd")) > files:
                answer = {"failed": f"left a file open ({answer})"}
            of_ffmpeg = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            if of_ffmpeg > most_bytes:  # the most of all its runs so far
                most_bytes = of_ffmpeg
                answer = {"failed": f"ffmpeg took {of_ffmpeg:,} bytes of memory ({answer})"}
            answer |= {"check": name, "seconds": time.monotonic() - begin}
            os.write(answers, json.dumps(answer).encode() + b"\n")


def answer_of(check: Callable[[str], str], path: str) -> dict:
    try:
        return {"read": check(path)}
    except AudioError as error:
        message = str(error)
        good = message.startswith(f"{path}: ") and "\n" not in message and len(message) < len(path) + 500
        return {"refused": message} if good else {"failed": f"message {message!r}"}
    except BaseException as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    main()
