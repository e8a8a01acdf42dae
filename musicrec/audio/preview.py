"""Copies of audio files that every browser plays, made by ffmpeg in a process of its own."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from musicrec.audio.ffmpeg_source import ffmpeg_program, input_options
from musicrec.errors import AudioError
from musicrec.system.bound_command import bound_command

MEDIA_TYPE = "audio/mpeg"
BITS_PER_S = 160_000
WALL_S = 600.0
"""Time in which a preview must be finished: some seconds for a track, a minute or two for two hours."""
_CPU_S, _MEMORY_BYTES = 600, 2 << 30


def preview_command(source: str | os.PathLike, target: Path, *, most_bytes: int) -> list[str]:
    """Return the command that writes a preview: MP3, of a constant bit rate, so that players can seek.

    It ends with this process, so that nobody converts for a server that was killed.

    Args:
        source: The audio file.
        target: The new file.
        most_bytes: Where the preview ends at the latest.

    Raises:
        AudioError: There is no ffmpeg.
    """
    program = ffmpeg_program()
    if program is None:
        raise AudioError(
            f"{source}: browsers do not play this format, and there is no ffmpeg to convert it; pip install "
            "imageio-ffmpeg, or put ffmpeg on the PATH"
        )
    output = ["-map", "0:a:0", "-map_metadata", "-1", "-ac", "2", "-c:a", "libmp3lame", "-b:a", str(BITS_PER_S)]
    output += ["-fs", str(most_bytes), "-f", "mp3", "-y", f"file:{target}"]
    options = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", *input_options(source), *output]
    return bound_command([program, *options])


def limit_program(pid: int) -> None:
    """Limit the processor time and the memory of a program that was started. Only Linux can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError):
            resource.prlimit(pid, resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
            resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def write_preview(
    source: str | os.PathLike, target: Path, *, most_bytes: int, check: Callable[[], None] = lambda: None
) -> None:
    """Write a preview, and wait for it.

    Args:
        source: The audio file.
        target: The new file.
        most_bytes: Where the preview ends at the latest.
        check: Called several times a second; what it raises ends the program.

    Raises:
        AudioError: ffmpeg cannot read the file, or takes too long.
    """
    command = preview_command(source, target, most_bytes=most_bytes)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        limit_program(run.pid)
        until = time.monotonic() + WALL_S
        try:
            while (status := run.poll()) is None:
                check()
                if time.monotonic() > until:
                    raise AudioError(f"{source}: ffmpeg does not finish reading it")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    run.wait(0.2)
        except BaseException:
            run.kill()
            target.unlink(missing_ok=True)
            raise
    if status:
        target.unlink(missing_ok=True)
        raise AudioError(f"{source}: ffmpeg cannot convert it for browsers")
