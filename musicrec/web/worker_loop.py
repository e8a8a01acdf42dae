"""The loop of a worker process: one task at a time, asked and answering by lines of JSON.

Files from outside are decoded here and nowhere else, so that a crash, a hang or a lack of memory ends this process and
not the server. It ends with the server, whatever ended that: Linux kills it, and elsewhere its input ends.

Requests: {"number", "task", "arguments", "cpu_s"} and {"cancel": number}. Answers: {"number", "progress": {…}}, and at
last {"number", "done": result} or {"number", "failed": message, "kind": name of the error, "expected": bool}.
"""

import contextlib
import ctypes
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from musicrec.errors import MusicrecError
from musicrec.web import messages

_PR_SET_PDEATHSIG = 1
_FILE_BYTES = 1 << 30  # no task writes a larger file; a library in SQLite may be larger, so indexing has no limit


class Cancelled(Exception):
    """The task is no longer wanted."""


class Report:
    """What a task tells about itself while it works.

    Args:
        send: Sends a message.
        number: Of the request.
        cancelled: Is set when the task is no longer wanted.
    """

    def __init__(self, send: Callable[[Any], None], number: int, cancelled: threading.Event) -> None:
        self._send, self._number, self.cancelled = send, number, cancelled

    def __call__(self, **progress: Any) -> None:
        """Tell the server how far the task has come: done, total, message, result.

        Raises:
            Cancelled: The task is no longer wanted.
        """
        self.check()
        self.tell(**progress)

    def tell(self, **progress: Any) -> None:
        """Do the same, also if the task is no longer wanted."""
        self._send({"number": self._number, "progress": progress})

    def check(self) -> None:
        """Raise Cancelled if the task is no longer wanted."""
        if self.cancelled.is_set():
            raise Cancelled


Task = Callable[[Mapping[str, Any], Report], Any]


def serve(tasks: Mapping[str, Task], *, parent: int | None = None) -> None:
    """Do tasks until the input ends.

    Args:
        tasks: {name: task}; a task gets its arguments and a `Report`, and returns what a message can hold.
        parent: The process that started this one; None if that does not matter.
    """
    if parent is not None:
        die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.dup(1)
    os.set_inheritable(answers, False)
    os.dup2(2, 1)  # libraries in C print to standard output
    lock = threading.Lock()

    def send(message: Any) -> None:
        line = memoryview(messages.encode(message))
        with lock:
            while line:
                line = line[os.write(answers, line) :]

    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    cancelled: dict[int, threading.Event] = {}
    threading.Thread(target=_read, args=(requests, cancelled), daemon=True).start()
    while True:
        request = requests.get()
        number = request["number"]
        send(_answer(tasks, request, Report(send, number, cancelled[number])))
        cancelled.pop(number, None)


def die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends. Only Linux can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def limit_cpu(seconds: float | None) -> None:
    """Let the kernel end this process when it has used so much more processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.RLIM_INFINITY if seconds is None else int(used.ru_utime + used.ru_stime + seconds) + 1
    _set_soft(resource.RLIMIT_CPU, most)


def limit_memory(more_bytes: int) -> None:
    """Let this process and those that it starts ask for so much more memory than it has now, and no more."""
    try:
        with open("/proc/self/statm") as file:
            now = int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no Linux
        return
    _set_soft(resource.RLIMIT_AS, now + more_bytes)


def limit_files() -> None:
    """Let no file that this process writes grow without end."""
    _set_soft(resource.RLIMIT_FSIZE, _FILE_BYTES)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead


def _set_soft(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    if hard != resource.RLIM_INFINITY and (value == resource.RLIM_INFINITY or value > hard):
        value = hard
    resource.setrlimit(limit, (value, hard))


def _read(requests: "queue.SimpleQueue[dict[str, Any]]", cancelled: dict[int, threading.Event]) -> None:
    """Pass requests on. When the input ends, so does this process with all that it has started."""
    with contextlib.suppress(ValueError, OSError):
        while line := sys.stdin.buffer.readline():
            message = messages.decode(line)
            if "cancel" in message:
                if event := cancelled.get(message["cancel"]):
                    event.set()
            else:
                cancelled[message["number"]] = threading.Event()
                requests.put(message)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def _answer(tasks: Mapping[str, Task], request: dict[str, Any], report: Report) -> dict[str, Any]:
    number = request["number"]
    try:
        limit_cpu(request.get("cpu_s"))
        return {"number": number, "done": tasks[request["task"]](request["arguments"], report)}
    except Cancelled:
        return {"number": number, "failed": "it was cancelled", "expected": True}
    except MusicrecError as error:
        return {"number": number, "failed": str(error), "kind": type(error).__name__, "expected": True}
    except MemoryError:
        return {"number": number, "failed": "it needs more memory than it may have", "expected": False}
    except Exception as error:
        traceback.print_exc()
        return {"number": number, "failed": f"{type(error).__name__}: {error}", "expected": False}
