"""Previews of files that browsers do not play: made when they are first wanted, and kept as long as there is room."""

import asyncio
import contextlib
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from musicrec.audio.preview import WALL_S, limit_program, preview_command
from musicrec.errors import AudioError
from musicrec.web.errors import WebError
from musicrec.web.worker_process import environment

MOST_BYTES = 2 << 30
"""Of all previews together."""
_MOST_AT_ONCE, _MOST_WAITING = 2, 32
_LONGEST_BYTES = 512 << 20  # seven hours
_SHOWN = 300


class Previews:
    """Keeps previews on the disk, and removes those that were wanted least recently. It is for one event loop.

    Args:
        folder: Where they are; it belongs to this server alone.
        most_bytes: Of all of them together.
        command: Makes the command that writes one, for tests.
        wall_s: Time in which one must be finished.
    """

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int = MOST_BYTES,
        command: Callable[..., list[str]] = preview_command,
        wall_s: float = WALL_S,
    ) -> None:
        self._folder, self._most_bytes, self._command, self._wall_s = folder, most_bytes, command, wall_s
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._making: dict[str, asyncio.Task[Path]] = {}
        self._free = asyncio.Semaphore(_MOST_AT_ONCE)

    async def of(self, track_id: str, source: str) -> Path:
        """Return the preview of a file. Those who ask for the same one at the same time wait for the same program.

        Args:
            track_id: The track.
            source: Its audio file.

        Raises:
            AudioError: It cannot be made.
            WebError: Too many are being made (503).
        """
        stat = await asyncio.to_thread(Path(source).stat)
        name = hashlib.sha256(f"{track_id}\0{source}\0{stat.st_size}\0{stat.st_mtime_ns}".encode("utf-8", "replace"))
        key = name.hexdigest()[:32]
        path = self._folder / f"{key}.mp3"
        if key in self._sizes and path.is_file():
            self._sizes.move_to_end(key)
            return path
        if key not in self._making:
            if len(self._making) >= _MOST_WAITING:
                raise WebError(503, "too many previews are being made; try again", headers={"Retry-After": "5"})
            task = asyncio.ensure_future(self._make(key, path, source))
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(self._making[key])

    async def stop(self) -> None:
        """End the programs."""
        for task in list(self._making.values()):
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)

    def _made(self, key: str, task: asyncio.Task[Path]) -> None:
        self._making.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever still waits has it

    async def _make(self, key: str, path: Path, source: str) -> Path:
        part = path.with_suffix(".part")
        async with self._free:
            try:
                await self._run(source, part)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        self._sizes[key] = path.stat().st_size
        while sum(self._sizes.values()) > self._most_bytes and len(self._sizes) > 1:
            oldest, _ = self._sizes.popitem(last=False)
            (self._folder / f"{oldest}.mp3").unlink(missing_ok=True)  # whoever plays it has it open
        return path

    async def _run(self, source: str, target: Path) -> None:
        begin = time.monotonic()
        program = await asyncio.create_subprocess_exec(
            *self._command(source, target, most_bytes=_LONGEST_BYTES),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        limit_program(program.pid)
        try:
            said = await asyncio.wait_for(_last_words(program), self._wall_s)
        except asyncio.TimeoutError:
            took_s = time.monotonic() - begin
            raise AudioError(f"{source}: ffmpeg does not finish converting it ({took_s:.0f} s)") from None
        finally:
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    program.kill()
                await program.wait()
        if program.returncode:
            raise AudioError(f"{source}: ffmpeg cannot convert it for browsers ({said or program.returncode})")


async def _last_words(program: asyncio.subprocess.Process) -> str:
    """Wait for a program, and return the end of what it logged."""
    assert program.stderr is not None
    logged = b""
    while data := await program.stderr.read(4096):
        logged = (logged + data)[-4096:]
    await program.wait()
    lines = logged.decode(errors="replace").strip().splitlines()
    return lines[-1][:_SHOWN] if lines else ""
