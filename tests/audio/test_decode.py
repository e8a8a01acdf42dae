import errno
import re
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.mp3_length import mp3_promise
from musicrec.errors import AudioError

FORMATS = {
    "wav": {},
    "flac": {},
    "ogg": {},
    "mp3": {},
    "aiff": {},
    "au": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}
LOSSLESS = ("wav", "flac", "aiff", "au")


def tone(sample_rate: int, duration_s: float = 1.0, *, frequency_hz: float = 440.0, channels: int = 1) -> np.ndarray:
    """Return a tone of amplitude 0.5, (frames, channels); each further channel has half the level of the one before."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    mono = 0.5 * np.sin(2 * np.pi * frequency_hz * time_s)
    return np.stack([mono / 2**channel for channel in range(channels)], axis=1)


def written(path: Path, samples: np.ndarray, sample_rate: int, **options) -> Path:
    soundfile.write(path, samples, sample_rate, **options)
    return path


def message_of(path: Path, **kwargs) -> str:
    with pytest.raises(AudioError) as caught:
        decode(path, **kwargs)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message


@pytest.fixture
def without_ffmpeg(monkeypatch):
    """No program ffmpeg is on the PATH, and imageio-ffmpeg is not installed."""
    monkeypatch.setattr("musicrec.audio.decode.ffmpeg_program", lambda: None)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_formats(tmp_path, suffix, channels):
    sample_rate = 48_000 if suffix == "opus" else 44_100
    path = written(tmp_path / f"a.{suffix}", tone(sample_rate, channels=channels), sample_rate, **FORMATS[suffix])
    waveform = decode(path, sample_rate=16_000)
    assert waveform.dtype == np.float32 and waveform.shape == (16_000,)
    expected = tone(16_000)[:, 0] * (1.0 if channels == 1 else 0.75)  # the mean of 1 and 1/2
    inner = slice(2_000, 14_000)  # codecs change the sound at both ends
    error = np.abs(waveform[inner] - expected[inner]).max()
    assert error < (2e-4 if suffix in LOSSLESS else 0.03)
    assert duration_of(path) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("source_rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("sample_rate", [16_000, 22_050])
def test_sample_rates(tmp_path, source_rate, sample_rate):
    path = written(tmp_path / "a.wav", tone(source_rate, 0.4), source_rate, subtype="FLOAT")
    waveform = decode(path, sample_rate=sample_rate)
    assert len(waveform) == sample_rate * 2 // 5
    inner = slice(500, -500)
    np.testing.assert_allclose(waveform[inner], tone(sample_rate, 0.4)[inner, 0], atol=1e-4)


def test_frequencies_above_half_the_sample_rate_are_removed(tmp_path):
    path = written(tmp_path / "a.wav", tone(44_100, frequency_hz=10_000), 44_100)
    assert np.abs(decode(path, sample_rate=16_000)[500:-500]).max() < 1e-3


def test_the_same_sample_rate_keeps_every_bit(tmp_path):
    samples = np.random.default_rng(0).integers(-32_768, 32_768, 300_000).astype(np.int16)
    path = written(tmp_path / "a.flac", samples, 16_000)
    np.testing.assert_array_equal(decode(path), samples.astype(np.float32) / 32_768)


@pytest.mark.parametrize(
    ("suffix", "source_rate"), [("wav", 44_100), ("flac", 16_000), ("ogg", 22_050), ("mp3", 44_100)]
)
def test_a_span_equals_that_span_of_the_whole_file(tmp_path, suffix, source_rate):
    noise = 0.2 * np.random.default_rng(0).standard_normal((5 * source_rate, 2))
    path = written(tmp_path / f"a.{suffix}", noise, source_rate)
    whole = decode(path)
    for offset_s, duration_s in [(0.0, 1.0), (0.01, 0.5), (1.23456, 2.0), (3.0, None), (4.5, 3.0)]:
        span = decode(path, offset_s=offset_s, duration_s=duration_s)
        start = round(offset_s * 16_000)
        expected = whole[start:] if duration_s is None else whole[start : start + round(duration_s * 16_000)]
        assert span.shape == expected.shape
        np.testing.assert_allclose(span, expected, atol=1e-5)


def test_long_files_are_read_in_blocks(tmp_path, monkeypatch):
    """The samples do not depend on the size of the blocks, and no block is longer than requested."""
    path = written(tmp_path / "a.wav", tone(44_100, 3.0), 44_100)
    whole = decode(path)
    asked = []
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, **kw: asked.append(n) or read(self, n, **kw))
    monkeypatch.setattr("musicrec.audio.sndfile_source.BLOCK_FRAMES", 1_000)
    np.testing.assert_allclose(decode(path), whole, atol=1e-6)
    assert len(asked) > 130 and max(asked) == 1_000


def test_loud_float_samples_are_clipped(tmp_path):
    path = written(tmp_path / "a.wav", 3 * tone(16_000), 16_000, subtype="FLOAT")
    waveform = decode(path)
    assert waveform.max() == 1.0 and waveform.min() == -1.0


def test_the_name_may_have_any_letters_and_another_suffix(tmp_path):
    path = written(tmp_path / "a.flac", tone(16_000), 16_000).rename(tmp_path / "ø 東 #1.mp3")
    assert len(decode(path)) == 16_000


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 250_000])
def test_refuses_samples_that_are_not_finite(tmp_path, bad, place):
    samples = np.zeros((300_000, 2), np.float32)
    samples[place, 1] = bad
    path = written(tmp_path / "a.wav", samples, 44_100, subtype="FLOAT")
    assert "NaN or infinite" in message_of(path)


def test_refuses_empty_missing_and_text_files_and_folders(tmp_path, without_ffmpeg):
    (tmp_path / "empty.wav").touch()
    assert "is empty (0 bytes)" in message_of(tmp_path / "empty.wav")
    assert "No such file" in message_of(tmp_path / "absent.wav")
    assert "is a folder" in message_of(tmp_path)
    for name in ("text.wav", "text.mp3", "text.raw", "text.m4a"):
        (tmp_path / name).write_text("no audio at all\n" * 1000)
        assert "not audio that libsndfile can decode" in message_of(tmp_path / name)
        assert "does not exist" not in message_of(tmp_path / name)
        assert "ffmpeg" in message_of(tmp_path / name)
    with pytest.raises(AudioError, match="is empty"):
        duration_of(tmp_path / "empty.wav")


def test_refuses_a_file_without_samples(tmp_path):
    path = written(tmp_path / "a.wav", np.zeros((0, 1)), 16_000)
    assert "0 samples" in message_of(path)
    with pytest.raises(AudioError, match="0 samples"):
        duration_of(path)


@pytest.mark.parametrize("suffix", ["wav", "ogg", "mp3"])
def test_refuses_a_span_after_the_end(tmp_path, suffix):
    path = written(tmp_path / f"a.{suffix}", tone(16_000), 16_000)
    assert "no audio after 5 s" in message_of(path, offset_s=5.0)
    assert "no audio after 1 s" in message_of(path, offset_s=1.0, duration_s=1.0)
    with pytest.raises(ValueError, match="must be positive"):
        decode(path, duration_s=0.0)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_refuses_truncated_mp3(tmp_path, mode):
    noise = 0.1 * np.random.default_rng(0).standard_normal((441_000, 2))
    path = written(tmp_path / "a.mp3", noise, 44_100, bitrate_mode=mode, compression_level=0.5)
    assert len(decode(path)) == 160_000
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 4])
    message = message_of(path)
    assert "cut off: 2." in message and "of the 10." in message
    with pytest.raises(AudioError, match="cut off"):
        duration_of(path)
    path.write_bytes(data[:500])
    assert "cut off" in message_of(path)


def test_refuses_an_mp3_with_a_hole(tmp_path):
    """The file has the stated number of bytes, but half of them are not audio."""
    path = written(tmp_path / "a.mp3", 0.1 * np.random.default_rng(0).standard_normal(441_000), 44_100)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    assert "damaged or cut off" in message_of(path)


def test_refuses_truncated_flac(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(160_000)
    path = written(tmp_path / "a.flac", noise, 16_000)
    path.write_bytes(path.read_bytes()[:100_000])
    message_of(path)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [("wav", "PCM_16"), ("wav", "FLOAT"), ("wav", "IMA_ADPCM"), ("aiff", "PCM_16"), ("aiff", "FLOAT"), ("au", "PCM_16"),
     ("w64", "PCM_24"), ("rf64", "PCM_16")],
)  # fmt: skip
def test_refuses_truncated_uncompressed(tmp_path, suffix, subtype):
    path = written(tmp_path / f"a.{suffix}", tone(44_100, 10.0, channels=2), 44_100, subtype=subtype)
    assert len(decode(path)) == pytest.approx(160_000, abs=1_000)  # ADPCM fills its last block
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert re.search(r"cut off: (5\.0|4\.9) s of the (10\.[01]|9\.9) s that its header promises", message_of(path))
    message_of(path, duration_s=1.0)
    with pytest.raises(AudioError, match="cut off"):
        duration_of(path)


def test_accepts_a_wav_that_lacks_a_few_frames(tmp_path):
    path = written(tmp_path / "a.wav", tone(16_000, 4.0), 16_000)
    path.write_bytes(path.read_bytes()[:-2_000])
    assert len(decode(path)) == 63_000


@pytest.mark.parametrize("stated", [0xFFFFFFFF, 0xFFFFFFDB, 0x80000000, 0x7FFFF000])
@pytest.mark.parametrize(("suffix", "order", "chunk"), [("wav", "little", b"data"), ("aiff", "big", b"SSND")])
def test_accepts_a_wav_that_was_written_to_a_pipe(tmp_path, stated, suffix, order, chunk):
    path = written(tmp_path / f"a.{suffix}", tone(16_000, 4.0), 16_000)
    data = bytearray(path.read_bytes())
    size = data.index(chunk) + 4
    data[4:8] = data[size : size + 4] = stated.to_bytes(4, order)
    path.write_bytes(data)
    assert len(decode(path)) == 64_000 and duration_of(path) == 4.0


def test_an_mp3_with_a_large_tag_and_no_stated_length(tmp_path):
    """Cover art makes players overestimate the length of such a file. It is complete; decoding tells its length."""
    path = written(tmp_path / "a.mp3", tone(44_100, 3.0), 44_100)
    data = path.read_bytes()
    start = data.index(b"\xff\xfb", 100)  # without the first frame, which is the Xing header
    art = b"\xff\xfb" * 50_000
    size = len(art)
    tag = b"ID3\x03\x00\x00" + bytes((size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127))
    path.write_bytes(tag + art + data[start:])
    assert mp3_promise(path) is None
    assert duration_of(path) == pytest.approx(3.0, abs=0.1)
    assert len(decode(path)) == pytest.approx(48_000, abs=1_600)


def test_stated_lengths_of_mp3_files(tmp_path):
    path = written(tmp_path / "a.mp3", tone(44_100, 3.0), 44_100)
    assert mp3_promise(path).duration_s == pytest.approx(3.0, abs=0.1) and mp3_promise(path).share == 1.0
    low = written(tmp_path / "low.mp3", tone(22_050, 3.0), 22_050)  # MPEG 2: half the samples per frame
    assert mp3_promise(low).duration_s == pytest.approx(3.0, abs=0.15)
    header = b"\xff\xfb\x90\x44" + bytes(32) + b"VBRI" + bytes(6) + (1000).to_bytes(4, "big") + (383).to_bytes(4, "big")
    path.write_bytes(header + bytes(1000 - len(header)))
    assert mp3_promise(path) == (383 * 1152 / 44_100, 1.0, True)
    path.write_bytes(b"ID3")
    assert mp3_promise(path) is None


FAKE_FFMPEG = """#!{python}
import sys
source = next(word for word in sys.argv if word.startswith("file:"))[5:]
data = open(source, "rb").read()
if not data.startswith(b"fake"):
    sys.exit("[info] first line\\n[in#0 @ 0x5581] [error] no such codec")
sys.stdout.buffer.write(open({wav!r}, "rb").read())
sys.stdout.flush()
if data.startswith(b"fake broken"):
    sys.exit("[mov @ 0x5581] [error] moov atom not found")
"""


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """A program called ffmpeg that outputs a known stereo tone for files that begin with "fake"."""
    wav = written(tmp_path / "answer.wav", tone(48_000, 2.0, channels=2), 48_000, subtype="FLOAT")
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(FAKE_FFMPEG.format(python=sys.executable, wav=str(wav)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))


def test_ffmpeg_decodes_what_libsndfile_cannot(tmp_path, fake_ffmpeg):
    path = tmp_path / "a.m4a"
    path.write_text("fake")
    expected = 0.75 * tone(16_000, 2.0)[:, 0]
    waveform = decode(path)
    assert waveform.shape == (32_000,)
    np.testing.assert_allclose(waveform[500:-500], expected[500:-500], atol=1e-4)
    np.testing.assert_allclose(decode(path, offset_s=0.5, duration_s=1.0), waveform[8_000:24_000], atol=1e-5)
    assert duration_of(path) == 2.0


def test_a_failure_of_ffmpeg_is_reported(tmp_path, fake_ffmpeg):
    path = tmp_path / "a.m4a"
    path.write_text("something else")
    assert "not audio that libsndfile or ffmpeg can decode (no such codec)" in message_of(path)
    path.write_text("fake broken")
    assert "damaged or cut off (moov atom not found)" in message_of(path)


def test_an_ffmpeg_that_does_not_start_is_named(tmp_path, monkeypatch):
    path, program = tmp_path / "a.m4a", tmp_path / "bin" / "ffmpeg"
    path.write_text("anything")
    program.parent.mkdir()
    program.write_text("neither a program nor a script")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert f"needs ffmpeg, but {program} cannot be started (Exec format error)" in message_of(path)


def test_an_ffmpeg_that_ends_in_its_header_is_reported(tmp_path, monkeypatch):
    path, program = tmp_path / "a.m4a", tmp_path / "bin" / "ffmpeg"
    path.write_text("anything")
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'RIFF----WAVEfmt \\020\\0\\0\\0'\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert "ffmpeg ended with 3" in message_of(path)


@pytest.mark.parametrize("step", ["_facts", "SndfileSource.blocks"])
def test_a_disk_that_fails_is_an_error_of_the_file(tmp_path, monkeypatch, step):
    """Otherwise one bad file would end the indexing of a collection."""

    def fail(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    path = written(tmp_path / "a.wav", tone(8_000), 8_000)
    monkeypatch.setattr(f"musicrec.audio.sndfile_source.{step}", fail)
    assert "cannot be read: Input/output error" in message_of(path)


@pytest.mark.parametrize(("name", "duration_s"), [("gold_rush.mp3", 47.832), ("krampus_workshop.mp3", 94.720)])
def test_real_mp3s_without_a_stated_length(shared, tmp_path, name, duration_s):
    """Both files end in junk or begin with a large tag, and only the comment of iTunes states their length."""
    path = shared / "recordings" / name
    assert duration_of(path) == pytest.approx(duration_s, abs=0.01)
    assert len(decode(path)) / 16_000 == pytest.approx(duration_s, abs=0.01)
    half = tmp_path / name
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut off" in message_of(half)


@pytest.mark.parametrize("rate", [1, 999, 2**31 - 1])
def test_refuses_a_sample_rate_that_no_recording_has(tmp_path, rate):
    """At 1 Hz, this file would last for nine hours, and take gigabytes at 16 kHz."""
    path = written(tmp_path / "a.wav", np.zeros(32_000, np.int16), rate)
    assert f"sample rate of {rate:,} Hz" in message_of(path)
    with pytest.raises(AudioError, match="sample rate"):
        duration_of(path)


def test_audio_that_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    def full(*arguments):
        raise MemoryError

    path = written(tmp_path / "a.wav", tone(8_000), 8_000)
    monkeypatch.setattr("musicrec.audio.decode._resampled", full)
    assert "memory" in message_of(path)


def test_the_message_names_the_error_and_not_what_followed_from_it(tmp_path):
    """ffmpeg ends its messages with "Error opening input files: Invalid data found when processing input"."""
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x14ftypM4A \0\0\2\0isom" + b"\0\0\0\x08free" * 100)
    assert "moov atom not found" in message_of(path)


def test_a_caf_that_is_cut_off_is_refused(tmp_path):
    """libsndfile only says that it is malformed, and ffmpeg would read what is there."""
    whole = written(tmp_path / "a.caf", tone(16_000), 16_000)
    path = tmp_path / "b.caf"
    path.write_bytes(whole.read_bytes()[:-8_000])
    assert "cut off: 75% of the audio that its header promises" in message_of(path)
    size = whole.read_bytes().find(b"data") + 4
    unstated = whole.read_bytes()[:size] + b"\xff" * 8 + whole.read_bytes()[size + 8 :]
    path.write_bytes(unstated)  # as a recorder writes it until it knows the size
    assert len(decode(path)) == len(decode(whole)) == 16_000
