"""Files that users reported to other music programs; each test names the report. docs/odd_files.md has the table."""

import io
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.file_tags import read_tags
from musicrec.errors import AudioError

pytestmark = pytest.mark.slow

RATE = 44_100


def tone(duration_s: float, *, frequency_hz: float = 440.0, rate: int = RATE, channels: int = 2) -> np.ndarray:
    mono = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)
    return np.stack([mono] * channels, axis=1)


def in_format(kind: str, samples: np.ndarray, rate: int = RATE, **options) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, **options)
    return file.getvalue()


def id3(frames: bytes = b"", *, version: int = 3) -> bytes:
    size = len(frames)
    return b"ID3" + bytes([version, 0, 0, size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frames


def frame(name: str, body: bytes) -> bytes:
    return name.encode() + struct.pack(">I", len(body)) + b"\0\0" + body


def text(name: str, words: str) -> bytes:
    return frame(name, b"\0" + words.encode("latin-1"))


def chunk(name: bytes, body: bytes, *, padded: bool = True) -> bytes:
    return name + struct.pack("<I", len(body)) + body + (b"\0" if padded and len(body) % 2 else b"")


def wav(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm_format(channels: int, bits: int, *, code: int = 1) -> bytes:
    width = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, RATE, RATE * width, width, bits))


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Callable[..., Path]:
    """ffmpeg("a.m4a", *options): convert two seconds of a 440 Hz tone, input 0, and of 880 Hz, input 1."""
    for index, frequency_hz in enumerate((440.0, 880.0)):
        soundfile.write(tmp_path / f"input{index}.wav", tone(2.0, frequency_hz=frequency_hz), RATE)
    (tmp_path / "made").mkdir()

    def make(name: str, *options: str) -> Path:
        inputs = [word for index in range(2) for word in ("-i", str(tmp_path / f"input{index}.wav"))]
        pictures = ["-f", "lavfi", "-i", "color=red:size=64x64:duration=0.1"]
        path = tmp_path / "made" / name
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", *inputs, *pictures]
        subprocess.run([*command, *(options or ("-map", "0:a")), str(path)], check=True)
        return path

    return make


def written(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def loudest_hz(waveform: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(waveform)).argmax() * 16_000 / len(waveform))


def check(path: Path, duration_s: float, *, tolerance_s: float = 0.06, frequency_hz: float | None = 440.0) -> None:
    """Check the length and the pitch of what is decoded, and that `duration_of` agrees."""
    waveform = decode(path)
    assert len(waveform) / 16_000 == pytest.approx(duration_s, abs=tolerance_s)
    assert duration_of(path) == pytest.approx(duration_s, abs=tolerance_s)
    if frequency_hz is not None:
        assert loudest_hz(waveform) == pytest.approx(frequency_hz, abs=3)
    assert np.abs(waveform).max() > 0.2


def tags_of(path: Path) -> dict:
    return read_tags([str(path)]).row(0, named=True)


def test_mp3_behind_64_kb_of_another_program_s_data(tmp_path, ffmpeg):
    """beetbox/beets#3983: RealJukebox wrote 65,535 bytes of its own before the audio."""
    mp3 = ffmpeg("a.mp3", "-map", "0:a", "-id3v2_version", "0").read_bytes()
    junk = np.random.default_rng(0).integers(0, 128, 65_535).astype(np.uint8).tobytes()
    check(written(tmp_path, "a.mp3", junk + mp3), 2.0)


def test_mp3_with_a_large_cover_and_without_a_stated_length(tmp_path, ffmpeg):
    """MusicPlayerDaemon/MPD#2328: the length was estimated from the size of the file with its picture."""
    mp3 = ffmpeg("a.mp3", "-map", "0:a", "-write_xing", "0", "-id3v2_version", "0").read_bytes()
    cover = frame("APIC", b"\0image/png\0\3\0" + b"\x55" * 1_000_000)
    check(written(tmp_path, "a.mp3", id3(cover) + mp3), 2.0)


def test_two_mp3_files_joined(tmp_path, ffmpeg):
    """MusicPlayerDaemon/MPD#1200: only the first of the joined files was played."""
    mp3 = ffmpeg("a.mp3").read_bytes()
    check(written(tmp_path, "a.mp3", mp3 + mp3), 4.0, tolerance_s=0.12)


def test_mp3_whose_sample_rate_changes(tmp_path, ffmpeg):
    """Vanilagy/mediabunny#382, JamesHeinrich/getID3#272: 44.1 kHz, then 22.05 kHz or 32 kHz."""
    for rate in ("22050", "32000"):
        bare = ("-map", "0:a", "-write_xing", "0", "-id3v2_version", "0")
        first, second = ffmpeg(f"{rate}a.mp3", *bare), ffmpeg(f"{rate}b.mp3", *bare, "-ar", rate)
        path = written(tmp_path, f"{rate}.mp3", first.read_bytes() + second.read_bytes())
        check(path, 4.0, tolerance_s=0.2)
        assert loudest_hz(decode(path, offset_s=2.5, duration_s=1.0)) == pytest.approx(440, abs=3)


def test_mp3_behind_a_frame_that_looks_like_aac(tmp_path, ffmpeg):
    """Borewit/music-metadata#430: the length was searched for without end."""
    mp3 = ffmpeg("a.mp3", "-map", "0:a", "-id3v2_version", "0").read_bytes()
    check(written(tmp_path, "a.mp3", b"\xff\xf9\x4c\x80\x01\x3f\xfc" + b"\0" * 3 + mp3), 2.0)


def test_mp3_whose_xing_frame_is_cut_off(tmp_path, ffmpeg):
    """tinytag/tinytag#153: the length raised a struct.error."""
    mp3 = ffmpeg("a.mp3", "-map", "0:a", "-id3v2_version", "0").read_bytes()
    path = written(tmp_path, "a.mp3", mp3[: max(mp3.find(b"Xing"), mp3.find(b"Info")) + 10])
    with pytest.raises(AudioError):
        decode(path)
    assert tags_of(path)["bpm"] is None


@pytest.mark.parametrize("suffix", ["mp3", "wav"])
def test_mp3_inside_a_wav(tmp_path, ffmpeg, suffix):
    """libsndfile/libsndfile#779: a file x.mp3 with the header of a WAV."""
    content = ffmpeg("a.wav", "-map", "0:a", "-c:a", "mp3").read_bytes()
    check(written(tmp_path, f"b.{suffix}", content), 2.0)


def test_wav_named_mp3(tmp_path):
    """quodlibet/mutagen#562: programs write PCM into x.mp3."""
    path = written(tmp_path, "a.mp3", in_format("WAV", tone(2.0)))
    check(path, 2.0)
    assert tags_of(path)["title"] is None


@pytest.mark.parametrize("version", [3, 4])
def test_flac_behind_an_id3_tag(tmp_path, ffmpeg, version):
    """tinytag/tinytag#46: "Invalid flac header"; the comments of the FLAC count."""
    flac = ffmpeg("a.flac", "-map", "0:a", "-metadata", "title=Inside").read_bytes()
    path = written(tmp_path, "a.flac", id3(text("TPE1", "Before"), version=version) + flac)
    check(path, 2.0)
    assert tags_of(path)["title"] == "Inside"


def test_flac_with_an_id3v1_tag_at_its_end(tmp_path):
    """xiph/flac#523: Exact Audio Copy adds it, and the decoder loses its sync."""
    check(written(tmp_path, "a.flac", in_format("FLAC", tone(2.0)) + b"TAG" + b"\0" * 125), 2.0)


def test_flac_damaged_in_its_middle(tmp_path):
    """mixxxdj/mixxx#14640, #446: 26 s of 340 s were played. All but the damaged part is read."""
    samples = tone(4.0) + 0.05 * np.random.default_rng(0).standard_normal((4 * RATE, 2))
    flac = bytearray(in_format("FLAC", samples))
    middle = len(flac) // 2
    flac[middle : middle + 3_000] = b"\0" * 3_000
    path = written(tmp_path, "a.flac", bytes(flac))
    assert len(decode(path)) == pytest.approx(64_000, abs=4_000)


def test_flac_of_three_channels(tmp_path):
    """audacity/audacity#6381: of 2.1, one channel was kept."""
    samples = np.stack([tone(2.0, frequency_hz=hz, channels=1)[:, 0] for hz in (440, 880, 220)], axis=1)
    path = written(tmp_path, "a.flac", in_format("FLAC", samples))
    check(path, 2.0, frequency_hz=None)
    spectrum = np.abs(np.fft.rfft(decode(path)))
    assert spectrum[2 * 440] > 1_000 and spectrum[2 * 880] > 1_000


def test_wav_with_a_list_of_zeros(tmp_path):
    """libsndfile/libsndfile#370, #542: recorders write a LIST of 393,164 zeros before the samples."""
    data = chunk(b"data", (tone(2.0) * 32_767).astype("<i2").tobytes())
    check(written(tmp_path, "a.wav", wav(pcm_format(2, 16), chunk(b"LIST", bytes(393_164)), data)), 2.0)


def test_wav_of_odd_size_without_padding(tmp_path):
    """MediaArea/BWFMetaEdit#155, libsndfile/libsndfile#331: an odd number of bytes, then LIST without the padding."""
    samples = (tone(2.0, channels=1)[:-1, 0] * 8_388_607).astype("<i4")
    packed = samples.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    data = chunk(b"data", packed, padded=False)
    title = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Title\0"))
    path = written(tmp_path, "a.wav", wav(pcm_format(1, 24), data, title))
    assert len(packed) % 2
    check(path, 2.0)
    assert tags_of(path)["problem"] is None


def test_wav_whose_data_ends_inside_a_frame(tmp_path):
    """librosa/librosa#749: "cannot reshape array of size 16394065 into shape (2)"."""
    data = chunk(b"data", tone(2.0).astype("<f4").tobytes() + b"\0" * 4)
    check(written(tmp_path, "a.wav", wav(pcm_format(2, 32, code=3), data)), 2.0)


def test_wav_with_tags_of_two_kinds(tmp_path):
    """beetbox/beets#5679, Borewit/music-metadata#90: LIST and ID3 behind the samples were unreadable."""
    data = chunk(b"data", (tone(2.0) * 32_767).astype("<i2").tobytes())
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Title\0") + chunk(b"IART", b"Artist\0"))
    tag = chunk(b"id3 ", id3(text("TIT2", "Title") + text("TPE1", "Artist") + text("TBPM", "128")))
    path = written(tmp_path, "a.wav", wav(pcm_format(2, 16), data, info, tag))
    check(path, 2.0)
    tags = tags_of(path)
    assert (tags["title"], tags["artist"], tags["bpm"]) == ("Title", "Artist", 128.0)


def test_wav_with_chunks_of_size_zero_at_its_end(tmp_path):
    """tinytag/tinytag#65: reading the tags never ended."""
    data = chunk(b"data", (tone(2.0) * 32_767).astype("<i2").tobytes())
    path = written(tmp_path, "a.wav", wav(pcm_format(2, 16), data, b"\0" * 4_000))
    check(path, 2.0)
    assert tags_of(path)["title"] is None


def test_wav_without_channels(tmp_path):
    """beetbox/beets#5163: 0 channels ended the program."""
    path = written(tmp_path, "a.wav", wav(pcm_format(0, 16), chunk(b"data", bytes(40_000))))
    with pytest.raises(AudioError):
        decode(path)


def test_m4a_with_a_broken_atom_of_its_own(tmp_path, ffmpeg):
    """beetbox/beets#4966: a tag of iTunes with a length beyond its end made the file unreadable."""
    m4a = ffmpeg("a.m4a", "-map", "0:a", "-metadata", "title=Title").read_bytes()
    broken = struct.pack(">I", 30) + b"----" + struct.pack(">I", 22) + b"mean" + b"\0" * 14
    at = m4a.find(b"ilst") + 4
    grown = bytearray(m4a[:at] + broken + m4a[at:])
    for atom in (b"moov", b"udta", b"meta", b"ilst"):
        start = grown.find(atom) - 4
        grown[start : start + 4] = struct.pack(">I", struct.unpack(">I", grown[start : start + 4])[0] + len(broken))
    path = written(tmp_path, "b.m4a", bytes(grown))
    check(path, 2.0)
    tags = tags_of(path)
    assert tags["title"] == "Title" or tags["problem"]


@pytest.mark.parametrize("name", ["a.mka", "a.stem.m4a"])
def test_several_audio_streams(ffmpeg, name):
    """MTG/essentia#552, mixxxdj/mixxx#13558: "expecting only one audio stream". The first is the mix of all stems."""
    codec = "flac" if name.endswith("mka") else "aac"
    check(ffmpeg(name, "-map", "0:a", "-map", "1:a", "-map", "1:a", "-map", "2:v", "-c:v", "mpeg4", "-c:a", codec), 2.0)


def test_ogg_with_a_cover_as_a_video_stream(ffmpeg):
    """navidrome/navidrome#2445, fmang/opustags#53: a Theora stream before the Opus stream."""
    check(ffmpeg("a.ogg", "-map", "2:v", "-map", "0:a", "-c:v", "libtheora", "-c:a", "libopus"), 2.0)


def test_wavpack_with_a_tag_behind_it(tmp_path, ffmpeg):
    """ID3v1, as old taggers write it, is not a block of WavPack."""
    wavpack = ffmpeg("a.wv").read_bytes()
    path = written(tmp_path, "a.wv", wavpack + b"TAG" + b"Title".ljust(125, b"\0"))
    check(path, 2.0)
    cut = written(tmp_path, "b.wv", wavpack[: len(wavpack) * 3 // 4] + b"TAG" + b"\0" * 125)
    with pytest.raises(AudioError, match="cut off"):
        decode(cut)


def test_wavpack_with_a_block_of_no_size(tmp_path, ffmpeg):
    """taglib/taglib#1304: a block whose size overflows was read for ever."""
    wavpack = bytearray(ffmpeg("a.wv").read_bytes())
    wavpack[4:8], wavpack[20:24] = struct.pack("<I", 0xFFFFFFF8), bytes(4)
    path = written(tmp_path, "a.wv", bytes(wavpack))
    with pytest.raises(AudioError):
        decode(path)
    assert tags_of(path)["path"] == str(path)


def tagged(tmp_path: Path, frames: bytes, *, version: int = 3) -> dict:
    return tags_of(written(tmp_path, "a.mp3", id3(frames, version=version) + in_format("MP3", tone(1.0))))


def test_tempo_with_its_point_lost(tmp_path):
    """mixxxdj/mixxx#1173: 125.93 BPM as 12593."""
    assert tagged(tmp_path, text("TBPM", "12593"))["bpm"] == 125.93


def test_key_and_genre_of_a_shop(tmp_path):
    """koel/koel#660: TKEY "G#maj", TCON "Drum & Bass (127)"."""
    tags = tagged(tmp_path, text("TKEY", "G#maj") + text("TCON", "Drum & Bass (127)") + text("TBPM", "86"))
    assert (tags["key"], tags["mode"], tags["bpm"], tags["problem"]) == (8, "major", 86.0, None)
    assert tags["genre"].startswith("Drum & Bass")


def test_artists_separated_by_zero_bytes(tmp_path):
    """Borewit/music-metadata#432: "2 UnlimitedRayAnita" was one artist."""
    assert tagged(tmp_path, text("TPE1", "2 Unlimited\0Ray\0Anita"))["artist"] == "2 Unlimited"


def test_a_slash_in_the_name_of_an_artist(tmp_path):
    """Borewit/music-metadata#1073: AC/DC became AC."""
    assert tagged(tmp_path, text("TPE1", "AC/DC"))["artist"] == "AC/DC"


@pytest.mark.parametrize(("encoding", "mark"), [("utf-16", b"\1"), ("utf-16-be", b"\2")])
def test_tags_in_utf_16(tmp_path, encoding, mark):
    """navidrome/navidrome#5037: files with such tags were left out without a message."""
    assert tagged(tmp_path, frame("TIT2", mark + "Beyoncé".encode(encoding)), version=4)["title"] == "Beyoncé"
