"""Formats that ffmpeg decodes, and what a hostile file cannot make it do."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.ffmpeg_source import FfmpegSource, ffmpeg_program
from musicrec.audio.suffixes import AUDIO_SUFFIXES, UNDECODABLE_SUFFIXES
from musicrec.errors import AudioError

pytestmark = pytest.mark.slow

PROGRAM = imageio_ffmpeg.get_ffmpeg_exe()
STEPS = [300, 500, 700]


def message_of(path: Path) -> str:
    with pytest.raises(AudioError) as caught:
        decode(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


def processes_below(parent: int) -> list[str]:
    """Return the names of the processes that a process has started and that still run."""
    running = []
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if fields["PPid"] == str(parent):
            running.append(fields["Name"])
    return running


def test_the_program_on_the_path_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert ffmpeg_program() == PROGRAM
    own = tmp_path / "ffmpeg"
    own.write_text("")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_program() == str(own)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert ffmpeg_program() is None


def test_reading_a_wav_does_not_import_imageio_ffmpeg(tmp_path, encode, steps):
    path = encode(tmp_path / "a.wav", steps(STEPS))
    program = "import sys; from musicrec.audio.decode import decode; decode(sys.argv[1]);"
    program += "assert 'imageio_ffmpeg' not in sys.modules"
    subprocess.run([sys.executable, "-c", program, path], check=True)


FORMATS = {
    ".m4a": ("-c:a", "aac"), ".m4b": ("-c:a", "aac", "-f", "ipod"), ".alac.m4a": ("-c:a", "alac"),
    ".mp4": ("-c:a", "aac"), ".mov": ("-c:a", "pcm_s16le"), ".aac": (), ".wma": (), ".wv": (), ".tta": (),
    ".ac3": ("-b:a", "448k"), ".mka": (), ".webm": ("-c:a", "libopus"), ".3gp": ("-c:a", "aac"),
    ".flv": ("-c:a", "aac"), ".avi": ("-c:a", "pcm_s16le"), ".mpg": ("-f", "mpeg"),
    ".dts": ("-strict", "-2", "-b:a", "1000k"), ".eac3": (), ".caf": (), ".mp2": (),
    ".opus": (), ".oga": ("-c:a", "flac"), ".w64": (), ".aiff": (), ".au": (),
}  # fmt: skip


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(tmp_path, encode, steps, heard, suffix):
    path = encode(tmp_path / f"a{suffix}", steps(STEPS), *FORMATS[suffix])
    waveform = decode(path)
    assert len(waveform) / 16_000 == pytest.approx(6.0, abs=0.1)
    assert heard(np.pad(waveform, (0, 1_600))) == STEPS
    assert duration_of(path) == pytest.approx(6.0, abs=0.1)
    expected = 0.3 / 2**0.5  # the mean of the amplitudes 0.4 and 0.2
    assert np.sqrt(np.mean(waveform[8_000:24_000] ** 2)) == pytest.approx(expected, rel=0.03)
    np.testing.assert_allclose(decode(path, offset_s=3.0, duration_s=2.0), waveform[48_000:80_000], atol=1e-5)
    assert Path(suffix).suffix in AUDIO_SUFFIXES or suffix in AUDIO_SUFFIXES


def test_the_audio_of_videos(tmp_path, encode, steps, heard):
    """The picture lasts longer than the audio, which is therefore not cut off."""
    sound = encode(tmp_path / "a.m4a", steps(STEPS))
    for name, codec in {"a.mp4": "mpeg4", "a.mkv": "mpeg4", "a.webm": "libvpx"}.items():
        audio = ["-c:a", "libopus"] if name == "a.webm" else ["-c:a", "copy"]
        command = [PROGRAM, "-v", "error", "-f", "lavfi", "-i", "testsrc=d=12:s=32x32:r=5", "-i", sound]
        subprocess.run([*command, "-c:v", codec, *audio, tmp_path / name], check=True)
        assert heard(decode(tmp_path / name)) == STEPS


def test_a_video_without_audio_says_so(tmp_path):
    source = ["-f", "lavfi", "-i", "testsrc=d=1:s=32x32:r=5"]
    subprocess.run([PROGRAM, "-v", "error", *source, "-c:v", "mpeg4", tmp_path / "a.mp4"], check=True)
    assert message_of(tmp_path / "a.mp4").endswith(": holds no audio, only video")


@pytest.mark.parametrize("suffix", [".m4a", ".wma", ".wv", ".tta", ".mka"])
def test_refuses_truncated_files(tmp_path, encode, steps, suffix):
    options = ("-movflags", "+faststart") if suffix == ".m4a" else ()
    path = encode(tmp_path / f"a{suffix}", steps([*STEPS, *STEPS]), *options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut off" in message_of(path)
    with pytest.raises(AudioError, match="cut off"):
        duration_of(path)


def test_refuses_an_m4a_without_its_end(tmp_path, encode, steps):
    path = encode(tmp_path / "a.m4a", steps(STEPS))
    path.write_bytes(path.read_bytes()[:-2_000])
    message_of(path)
    path.write_text("text")
    assert "not audio that libsndfile or ffmpeg can decode" in message_of(path)


@pytest.mark.parametrize(("suffix", "said"), [(".m4p", "copy-protected"), (".mid", "notes"), (".wpl", "playlist")])
def test_files_of_a_type_that_cannot_be_decoded_say_why(tmp_path, suffix, said):
    (tmp_path / f"a{suffix}").write_bytes(b"MThd" + bytes(range(256)))
    assert said in message_of(tmp_path / f"a{suffix}")
    assert not AUDIO_SUFFIXES & set(UNDECODABLE_SUFFIXES)


def test_copy_protected_music_is_refused(tmp_path, encode, steps):
    path = encode(tmp_path / "a.m4a", steps(STEPS))
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"drms"))
    assert "copy-protected" in message_of(path)


def test_apple_double_files_are_not_read_as_audio(tmp_path):
    path = tmp_path / "._x.mp3"
    path.write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(4000))
    expected = "holds what macOS stores beside a file (AppleDouble), not audio; the audio is in x.mp3"
    assert message_of(path).endswith(expected)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "b.wav"))
        begin = time.monotonic()
        assert "is a pipe, not an audio file" in message_of(tmp_path / "a.wav")
        assert "is a socket, not an audio file" in message_of(tmp_path / "b.wav")
        assert "is a device, not an audio file" in message_of(Path("/dev/zero"))
        assert "is a folder, not an audio file" in message_of(tmp_path)
        with pytest.raises(AudioError, match="is a pipe"):
            duration_of(tmp_path / "a.wav")
    assert time.monotonic() - begin < 1.0


@pytest.fixture
def server():
    """A web server that counts what is asked of it."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        web.asked, web.address = asked, f"http://127.0.0.1:{web.server_port}"
        yield web
        web.shutdown()
        thread.join()


@pytest.mark.parametrize("suffix", [".m4a", ".mp4", ".wma", ".mka"])
def test_a_playlist_in_disguise_opens_nothing_else(tmp_path, encode, steps, server, suffix):
    secret = encode(tmp_path / "secret.wav", steps(STEPS))
    contents = {
        "concat": f"ffconcat version 1.0\nfile {secret.name}\n",
        "concat with options": f"ffconcat version 1.0\nfile '{secret}'\nduration 5\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{server.address}/a.ts\n#EXT-X-ENDLIST\n",
        "local hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "dash": f"<?xml version='1.0'?><MPD type='static'><Period><BaseURL>{server.address}/</BaseURL></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        "asx": f"<asx version='3.0'><entry><ref href='{server.address}/a.wma'/></entry></asx>",
        "reference": f"[Reference]\nRef1={server.address}/a.asf\n",
    }
    for name, text in contents.items():
        path = tmp_path / f"{name.replace(' ', '_')}{suffix}"
        path.write_text(text)
        assert "not audio" in message_of(path)
    assert server.asked == []


def test_a_name_that_looks_like_an_option_or_an_address(tmp_path, encode, steps, heard, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = encode(tmp_path / "a.m4a", steps(STEPS))
    for name in ("-i.m4a", "http:a.m4a", "concat:a|b.m4a", "%03d.m4a", "a b'\"$(x).m4a"):
        Path(name).write_bytes(path.read_bytes())
        assert heard(decode(name)) == STEPS


def test_no_process_is_left(tmp_path, encode, steps):
    path = encode(tmp_path / "a.m4a", steps(STEPS * 20))
    decode(path)
    decode(path, duration_s=0.5)  # the program is still decoding
    (tmp_path / "bad.m4a").write_bytes(path.read_bytes()[:30_000])
    message_of(tmp_path / "bad.m4a")
    source = FfmpegSource(path, PROGRAM)
    with pytest.raises(KeyboardInterrupt), source:
        next(source.blocks(0, None))
        raise KeyboardInterrupt
    assert not [name for name in processes_below(os.getpid()) if "ffmpeg" in name]


def test_a_program_that_stops_answering_is_ended(tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("musicrec.audio.ffmpeg_source._STALLED_S", 0.2)
    (tmp_path / "a.m4a").write_bytes(b"anything")
    assert "ffmpeg does not finish reading it" in message_of(tmp_path / "a.m4a")
    assert not [name for name in processes_below(os.getpid()) if name == "sleep"]


def test_messages_without_end_take_little_memory(tmp_path, monkeypatch):
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' 'x' >&2\necho '[error] the end' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(Exception, match="end"):
        FfmpegSource(tmp_path / "a.m4a", str(program))


def test_ctrl_c_that_is_ignored_cuts_nothing_off(tmp_path, encode, steps):
    """A shell script makes its background jobs ignore Ctrl-C, but ffmpeg would heed it."""
    path = encode(tmp_path / "a.m4a", np.tile(steps(STEPS), (60, 1)))
    script = "import os, signal, sys, threading\nfrom musicrec.audio.decode import decode\n"
    script += "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    script += "threading.Timer(0.3, os.killpg, (os.getpgid(0), signal.SIGINT)).start()\n"
    script += "print(len(decode(sys.argv[1])))"
    command = [sys.executable, "-c", script, path]
    run = subprocess.run(command, capture_output=True, text=True, start_new_session=True, timeout=60)
    # Versions of ffmpeg differ in how much of the encoder's padding they leave: less than 0.1 s.
    assert 0 <= int(run.stdout or 0) - 60 * 6 * 16_000 < 1_600, run.stderr


def test_ctrl_c_ends_the_program(tmp_path, encode, steps):
    path = encode(tmp_path / "a.m4a", steps(STEPS * 5))
    script = "import signal, sys\nfrom musicrec.audio.decode import decode\n"
    script += "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # tests in the background inherit "ignore"
    script += "print('ready', flush=True)\nwhile True: decode(sys.argv[1])"
    command = [sys.executable, "-c", script, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        run.stdout.readline()
        time.sleep(0.5)
        children = processes_below(run.pid)
        run.send_signal(signal.SIGINT)
        try:
            run.wait(10)
        finally:
            run.kill()
    assert len(children) <= 1 and not processes_below(run.pid)
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(path).encode() not in process.read_bytes() or process.parent.name == str(os.getpid())
        except OSError:
            continue
