"""A worker process whose tasks do what real ones must not: hang, crash, grow, and lie."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.errors import AudioError
from musicrec.recommend.track import Track
from musicrec.web.messages import track_fields
from musicrec.web.worker_loop import Report, limit_memory, serve


def echo(arguments: dict, report: Report) -> Any:
    """Return what was given, and the process that did it."""
    return {"given": arguments, "pid": os.getpid()}


def count(arguments: dict, report: Report) -> Any:
    """Count to a number, slowly; end when cancelled, with what was counted."""
    for number in range(arguments["to"]):
        if report.cancelled.is_set():
            return {"counted": number}
        report.tell(done=number, total=arguments["to"], message=f"at {number}")
        time.sleep(arguments.get("pause_s", 0.01))
    return {"counted": arguments["to"]}


def hang(arguments: dict, report: Report) -> Any:
    """Do not answer, and do not listen."""
    time.sleep(1000)


def fail(arguments: dict, report: Report) -> Any:
    """Fail as a bad file does."""
    raise AudioError(f"{arguments['path']}: damaged")


def mistake(arguments: dict, report: Report) -> Any:
    """Fail as a mistake in the program does."""
    raise RuntimeError("unexpected")


def crash(arguments: dict, report: Report) -> Any:
    """End in the middle; only the first time if a file is given to remember it by."""
    if "once" not in arguments or not os.path.exists(arguments["once"]):
        if "once" in arguments:
            Path(arguments["once"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def grow(arguments: dict, report: Report) -> Any:
    """Take memory; of the kernel's limit if one is given."""
    if "limit" in arguments:
        limit_memory(arguments["limit"])
    taken = []
    while True:
        taken.append(np.ones(1 << 21))  # 16 MB
        time.sleep(0.01)


def burn(arguments: dict, report: Report) -> Any:
    """Take processor time."""
    while True:
        pass


def garbage(arguments: dict, report: Report) -> Any:
    """Write what is no message."""
    number = report._number
    texts = {
        "text": b"hello\n",
        "list": b"[1]\n",
        "pickle": b'{"number": %d, "done": {"__array__": ["|O", [1], "gASVAAAAAA=="]}}\n' % number,
        "deep": b"[" * 100_000 + b"\n",
    }
    for descriptor in range(3, 20):  # the one that answers go to
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:"):
                os.write(descriptor, texts[arguments["kind"]])
        except OSError:
            continue
    time.sleep(1000)


def child(arguments: dict, report: Report) -> Any:
    """Start a program and hang."""
    import subprocess

    program = subprocess.Popen(["sleep", "1000"])
    report(message=str(program.pid))
    time.sleep(1000)


def analyse(arguments: dict, report: Report) -> Any:
    """Answer as the analysis of an upload does; what the file holds says how."""
    content = Path(arguments["path"]).read_bytes()
    report(done=0, total=4, message="decoding")
    if content.startswith(b"bad"):
        raise AudioError(f"{arguments['path']}: damaged or cut off")
    if content.startswith(b"slow"):
        count({"to": 10_000}, report)
        report.check()
    track = Track(
        path=arguments["name"],
        track_id=Path(arguments["name"]).stem,
        source="",
        title="A title",
        size=0,
        mtime_ns=0,
        audio_hash="f" * 32,
        duration_s=12.5,
        probabilities={"tempo": np.arange(3, dtype=np.float32)},
        embedding=np.full(4, np.nan, np.float32),
        descriptors={"loudness": -9.5},
    )
    return {
        "track": track_fields(track),
        "peaks": np.arange(1500, dtype=np.int64).astype(np.uint8),
        "details": {
            "hop_s": 1.0,
            "roll_off_hz": [None, 100.0],
            "zero_crossings_per_s": [1.0, 2.0],
            "predictions": {"times_s": [1.0], "tags": {"rock": [0.5]}, "bpm": [120.0], "key": ["8A"]},
        },
        "spectrogram": b"\x89PNG...",
        "playable": "audio/ogg" if content.startswith(b"ogg") else None,
    }


def part(arguments: dict, report: Report) -> Any:
    """Answer as the analysis of a part does; the remark says of what."""
    if arguments["at_s"] > 100:
        raise AudioError(f"{arguments['path']}: it ends at 0:12")
    from musicrec.heads.key import KeyHead
    from musicrec.heads.tempo import TempoHead

    sizes = {"genre": 3, "instruments": 4, "tempo": len(TempoHead().centres_bpm), "key": len(KeyHead().classes)}
    track = Track(
        path=arguments["path"],
        track_id=Path(arguments["path"]).stem,
        source="",
        size=0,
        mtime_ns=0,
        audio_hash="e" * 32,
        duration_s=30.0,
        probabilities={head: np.full(size, 1 / size, np.float32) for head, size in sizes.items()},
        embedding=np.ones(4, np.float32),
        descriptors={},
        remarks=(Remark(f"{Path(arguments['path']).name}: {os.getpid()}", unreliable=False),),
        from_s=arguments["at_s"],
    )
    return {"track": track_fields(track)}


def preview(arguments: dict, report: Report) -> Any:
    """Answer as the converting of an upload does."""
    content = Path(arguments["path"]).read_bytes()
    if content.startswith(b"long"):
        time.sleep(1000)
    if not content.startswith(b"play"):
        raise AudioError(f"{arguments['path']}: ffmpeg cannot convert it")
    Path(arguments["preview"]).write_bytes(b"an mp3")
    return {}


def peaks(arguments: dict, report: Report) -> Any:
    """Answer as the drawing of a waveform does, with the process in the length."""
    return {"duration_s": float(os.getpid()), "peaks": np.full(1500, 255, np.uint8)}


def details(arguments: dict, report: Report) -> Any:
    """Answer as looking into a track does."""
    report(done=1, total=3, message="decoding")
    return {"details": {"hop_s": 1.0}, "spectrogram": b"\x89PNG of " + arguments["path"].encode()}


TASKS = {
    task.__name__: task
    for task in (
        echo,
        count,
        hang,
        fail,
        mistake,
        crash,
        grow,
        burn,
        garbage,
        child,
        analyse,
        part,
        preview,
        peaks,
        details,
    )
}

if __name__ == "__main__":
    serve(TASKS, parent=int(sys.argv[1]))
