"""Which files browsers play as they are, and what the others are converted to."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.audio import preview
from musicrec.audio.decode import decode, duration_of
from musicrec.audio.preview import write_preview
from musicrec.audio.stream_kind import browser_type
from musicrec.errors import AudioError

RATE = 44_100
PLAYED = {
    "a.mp3": ("audio/mpeg", ["-c:a", "mp3"]),
    "without_tag.mp3": ("audio/mpeg", ["-c:a", "mp3", "-id3v2_version", "0", "-write_xing", "0"]),
    "a.flac": ("audio/flac", ["-c:a", "flac"]),
    "a.ogg": ("audio/ogg", ["-c:a", "libvorbis"]),
    "a.opus": ("audio/ogg", ["-c:a", "libopus"]),
    "a.wav": ("audio/wav", ["-c:a", "pcm_s24le"]),
    "float.wav": ("audio/wav", ["-c:a", "pcm_f32le"]),
    "aac.m4a": ("audio/mp4", ["-c:a", "aac"]),
    "fast_start.m4a": ("audio/mp4", ["-c:a", "aac", "-movflags", "+faststart"]),
    "book.m4b": ("audio/mp4", ["-c:a", "aac", "-f", "ipod"]),
}
CONVERTED = {
    "alac.m4a": ["-c:a", "alac"],
    "a.aiff": ["-c:a", "pcm_s16be"],
    "a.wma": ["-c:a", "wmav2"],
    "a.wv": ["-c:a", "wavpack"],
    "a.mp2": ["-c:a", "mp2"],
    "a.ac3": ["-c:a", "ac3"],
    "a.aac": ["-c:a", "aac", "-f", "adts"],
    "flac.oga": ["-c:a", "flac", "-f", "ogg"],
    "a.mka": ["-c:a", "libvorbis"],
    "law.wav": ["-c:a", "pcm_mulaw"],
}


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    return np.stack([0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE * 2) / RATE)] * 2, axis=1)


@pytest.mark.parametrize("name", PLAYED)
def test_played_as_it_is(name: str, tone: np.ndarray, encode, tmp_path: Path):
    media_type, options = PLAYED[name]
    path = encode(tmp_path / name, tone, *options)
    assert browser_type(path) == media_type
    assert browser_type(path.rename(tmp_path / "any.xyz")) == media_type, "the suffix does not count"


@pytest.mark.parametrize("name", CONVERTED)
def test_converted(name: str, tone: np.ndarray, encode, tmp_path: Path):
    path = encode(tmp_path / name, tone, *CONVERTED[name])
    assert browser_type(path) is None
    write_preview(path, tmp_path / "preview.mp3", most_bytes=1 << 20)
    assert browser_type(tmp_path / "preview.mp3") == "audio/mpeg"
    assert duration_of(tmp_path / "preview.mp3") == pytest.approx(2.0, abs=0.1)
    heard = np.abs(np.fft.rfft(decode(tmp_path / "preview.mp3")[8000:24000])).argmax()
    assert heard == pytest.approx(440, abs=1)


@pytest.mark.parametrize(
    "content", [b"", b"ID3", b"OggS", b"\0\0\0\1ftyp" + bytes(50), b"\0\0\0\0ftypmoov", b"RIFF1234WAVE"]
)
def test_odd_beginnings_are_not_played(content: bytes, tmp_path: Path):
    (tmp_path / "a").write_bytes(content)
    assert browser_type(tmp_path / "a") is None


def test_boxes_without_end_are_not_followed(tmp_path: Path):
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\x08free" * 2_000_000)
    begin = time.monotonic()
    assert browser_type(tmp_path / "a.m4a") is None
    assert time.monotonic() - begin < 2


def test_what_is_no_audio_leaves_no_preview(tmp_path: Path):
    (tmp_path / "a.wma").write_bytes(b"\x30\x26\xb2\x75" + bytes(1000))
    with pytest.raises(AudioError, match=r"a\.wma: ffmpeg cannot convert it"):
        write_preview(tmp_path / "a.wma", tmp_path / "preview.mp3", most_bytes=1 << 20)
    assert [file.name for file in tmp_path.iterdir()] == ["a.wma"]


def test_a_preview_is_bounded_in_bytes_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    soundfile.write(tmp_path / "long.aiff", np.zeros((RATE * 60, 2)), RATE)
    write_preview(tmp_path / "long.aiff", tmp_path / "preview.mp3", most_bytes=100_000)
    assert 50_000 < (tmp_path / "preview.mp3").stat().st_size < 110_000
    monkeypatch.setattr(preview, "WALL_S", 0.0)
    with pytest.raises(AudioError, match="does not finish"):
        write_preview(tmp_path / "long.aiff", tmp_path / "second.mp3", most_bytes=1 << 30)
    assert not (tmp_path / "second.mp3").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a program with its parent")
def test_converting_ends_with_the_process_that_wants_it(tmp_path: Path):
    """Killed, it can end nothing itself."""
    soundfile.write(tmp_path / "long.aiff", np.zeros((RATE * 1200, 2)), RATE)
    code = "from musicrec.audio.preview import *; write_preview(*map(Path, sys.argv[1:]), most_bytes=1 << 30)"
    made = tmp_path / "preview.mp3"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "long.aiff"), str(made)]) as parent:
        until = time.monotonic() + 30
        while not (made.exists() and made.stat().st_size) and time.monotonic() < until:
            time.sleep(0.02)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    (converting,) = children
    while Path(f"/proc/{converting}/stat").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{converting}").exists() and made.stat().st_size < 20_000_000, "not all of it"


def test_without_ffmpeg_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preview, "ffmpeg_program", lambda: None)
    with pytest.raises(AudioError, match="pip install imageio-ffmpeg"):
        write_preview(tmp_path / "a.wma", tmp_path / "preview.mp3", most_bytes=1)
