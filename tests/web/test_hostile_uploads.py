"""Files that are made to harm: read by the real worker process, whose limits and messages are looked at."""

import asyncio
import functools
import io
import struct
import sys
import time
import zlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicrec.errors import MusicrecError
from musicrec.web.worker_process import TaskLimits, WorkerProcess, resident_bytes

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from damage import damaged
from originals import originals

RATE = 16_000
SECONDS = 2.0
LIMITS = TaskLimits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30)


@pytest.fixture(scope="module")
def worker() -> Any:
    """worker(use): run what `use(ask)` does; ask(path, longest_s) reads a file, and returns its length or the error."""
    loop, process = asyncio.new_event_loop(), WorkerProcess()

    async def ask(path: Path, longest_s: float = 7200.0) -> float | str:
        arguments = {"path": str(path), "longest_s": longest_s, "memory_bytes": 512 << 20}
        try:
            done = await process.run("peaks", arguments, limits=LIMITS)
        except MusicrecError as error:
            return str(error)
        assert done["peaks"].shape == (1500,) and done["peaks"].dtype == np.uint8
        return done["duration_s"]

    def run(use: Callable[..., Coroutine]) -> Any:
        return loop.run_until_complete(use(ask))

    run.process = process
    yield run
    loop.run_until_complete(process.stop())
    loop.close()


def silence(path: Path, hours: float, rate: int = 1000, kind: str = "FLAC") -> Path:
    """Write silence, of which hours take little room."""
    block = np.zeros(rate * 600, np.int16)
    with soundfile.SoundFile(path, "w", samplerate=rate, channels=1, format=kind, subtype="PCM_16") as file:
        for _ in range(round(hours * 6)):
            file.write(block)
    return path


def with_stated_length(path: Path, frames: int) -> Path:
    """Let a FLAC state another length."""
    content = bytearray(path.read_bytes())
    stated = int.from_bytes(content[18:26], "big")
    content[18:26] = (stated >> 36 << 36 | frames).to_bytes(8, "big")
    path.write_bytes(content)
    return path


@functools.cache
def png_bomb() -> bytes:
    """A PNG of 65,000 by 65,000 points in some kilobytes: 12 GB when it is decoded."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    header = struct.pack(">IIBBBBB", 65_000, 65_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def id3(frames: bytes, *, size: int | None = None) -> bytes:
    size = len(frames) if size is None else size
    return b"ID3\x03\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames


def frame(name: bytes, content: bytes, flags: bytes = b"\0\0") -> bytes:
    return name + struct.pack(">I", len(content)) + flags + content


@pytest.fixture(scope="module")
def mp3() -> bytes:
    out = io.BytesIO()
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(SECONDS * 44_100)) / 44_100)
    soundfile.write(out, tone, 44_100, format="MP3")
    return out.getvalue()


@pytest.mark.slow
def test_a_day_of_silence_is_refused_by_what_it_states(tmp_path: Path, worker: Callable):
    path = silence(tmp_path / "day.flac", 24)
    assert path.stat().st_size < 2 << 20

    async def use(ask: Callable) -> tuple:
        begin = time.monotonic()
        return await ask(path), time.monotonic() - begin

    said, took_s = worker(use)
    assert said == "it lasts longer than 2 h 0 min, which is the most that is analysed here" and took_s < 20


@pytest.mark.parametrize("stated", [0, 1000, 60_000])
def test_a_long_file_that_states_little_is_stopped_while_it_is_decoded(stated: int, tmp_path: Path, worker: Callable):
    path = with_stated_length(silence(tmp_path / "long.flac", 1.5), stated)
    said = worker(lambda ask: ask(path, 3600.0))
    assert isinstance(said, str) and ("longer than 1 h 0 min" in said or "damaged" in said), said


def test_what_states_a_day_and_is_short_is_refused_as_long(tmp_path: Path, worker: Callable):
    path = with_stated_length(silence(tmp_path / "short.flac", 1 / 6), 1000 * 86_400)
    assert "longer than" in worker(lambda ask: ask(path))


def test_a_low_sample_rate_cannot_grow_without_end(tmp_path: Path, worker: Callable):
    """A thousand samples become 16,000 in memory: what counts is how long they last."""
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000 * 620, np.int16), 1000)  # an estimated length may be that much off
    assert "longer than 10 min" in worker(lambda ask: ask(path, 600.0))


@pytest.mark.parametrize("kind", ["cover", "compressed frame", "huge frame", "endless tag", "many frames"])
def test_bombs_in_tags(kind: str, mp3: bytes, tmp_path: Path, worker: Callable):
    bomb = png_bomb()
    picture = b"\0image/png\0\x03\0" + bomb
    packed = struct.pack(">I", 200 << 20) + zlib.compress(bytes(1 << 20))
    tags = {
        "cover": id3(frame(b"APIC", picture)),
        "compressed frame": id3(frame(b"TIT2", packed, b"\0\x80")),
        "huge frame": id3(b"TIT2\x7f\xff\xff\xff\0\0\0abc"),
        "endless tag": id3(b"", size=(1 << 28) - 1),
        "many frames": id3(b"".join(frame(b"TXXX", b"\0a\0b") for _ in range(100_000))),
    }
    path = tmp_path / "a.mp3"
    path.write_bytes(tags[kind] + mp3)
    said = worker(lambda ask: ask(path))
    assert (
        said == pytest.approx(SECONDS, abs=0.2) if isinstance(said, float) else "damaged" in said or "not audio" in said
    )
    assert (resident_bytes(worker.process.pid) or 0) < 600 << 20


def test_a_cover_of_gigabytes_in_a_preview(mp3: bytes, tmp_path: Path):
    from musicrec.audio.preview import write_preview

    path = tmp_path / "a.mp3"
    path.write_bytes(id3(frame(b"APIC", b"\0image/png\0\x03\0" + png_bomb())) + mp3)
    write_preview(path, tmp_path / "preview.mp3", most_bytes=1 << 20)
    assert 20_000 < (tmp_path / "preview.mp3").stat().st_size < 100_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,a\nfile:///etc/passwd\n"),
        ("list.mp3", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        ("a.wav", b"RIFF\xff\xff\xff\x7fWAVEfmt \xff\xff\xff\xff"),
        ("a.mp3", b"PK\x03\x04" + bytes(1000)),
        ("a.flac", b"<script>alert(1)</script>"),
    ],
)
def test_what_is_no_audio(name: str, content: bytes, tmp_path: Path, worker: Callable):
    (tmp_path / name).write_bytes(content)
    said = worker(lambda ask: ask(tmp_path / name))
    assert isinstance(said, str) and said.startswith(str(tmp_path)) and "root:" not in said


@pytest.fixture(scope="module")
def fuzzed() -> Callable[[int], tuple[str, bytes]]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = originals(Path(folder))
    return functools.partial(damaged, files=files)


@pytest.mark.slow
def test_damaged_files(fuzzed: Callable, tmp_path: Path, worker: Callable, pytestconfig: pytest.Config):
    """Each is read or refused with one message; the process stays the same, and small."""

    async def use(ask: Callable) -> list:
        said = []
        for seed in range(pytestconfig.getoption("--fuzz-files")):
            name, content = fuzzed(seed)
            path = tmp_path / name
            path.write_bytes(content)
            said.append((name, await ask(path, 600.0), worker.process.pid))
            path.unlink()
        return said

    said = worker(use)
    assert len({pid for _, _, pid in said}) == 1, "none of them ends the process"
    bad = [entry for entry in said if isinstance(entry[1], str) and ("\n" in entry[1] or len(entry[1]) > 700)]
    assert not bad and any(isinstance(answer, float) for _, answer, _ in said)
    assert (resident_bytes(worker.process.pid) or 0) < 600 << 20
