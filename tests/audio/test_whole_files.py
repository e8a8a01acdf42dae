"""All the audio in a file is decoded, whatever its header states and whichever decoder stops early."""

import io
import struct
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.flac_end import flac_end, flac_streams
from musicrec.audio.mp3_frames import mp3_frames_s
from musicrec.audio.ogg_links import ogg_links
from musicrec.audio.wav_chunks import wav_chunks
from musicrec.errors import AudioError

pytestmark = pytest.mark.slow

STEPS = [300, 500, 700, 900, 1100, 1300]


@pytest.fixture(params=["with ffmpeg", "without ffmpeg"])
def with_and_without_ffmpeg(request, monkeypatch):
    if request.param == "without ffmpeg":
        monkeypatch.setattr("musicrec.audio.decode.ffmpeg_program", lambda: None)


@pytest.fixture(scope="module")
def mp3(tmp_path_factory, encode, steps):
    """Encode steps as MP3 and return the bytes."""

    def make(*options: str, frequencies_hz=STEPS, **kwargs) -> bytes:
        path = tmp_path_factory.mktemp("mp3") / "a.mp3"
        return encode(path, steps(frequencies_hz), "-id3v2_version", "0", *options, **kwargs).read_bytes()

    return make


def loud_end(steps) -> np.ndarray:
    """Steps whose second half is noisy: a VBR encoder uses many more bits for it."""
    samples = steps(STEPS)
    samples[: len(samples) // 2] += 0.1 * np.random.default_rng(0).standard_normal((len(samples) // 2, 2))
    return samples


def test_vbr_mp3_without_a_xing_header(tmp_path, encode, steps, heard):
    options = ("-q:a", "4", "-write_xing", "0", "-id3v2_version", "0")
    path = encode(tmp_path / "a.mp3", loud_end(steps), *options)
    with soundfile.SoundFile(path) as file:
        assert file.frames / file.samplerate < 11.0  # what libsndfile would decode
    assert len(decode(path)) / 16_000 == pytest.approx(12.0, abs=0.08)  # the encoder adds two frames or three
    assert heard(decode(path)) == STEPS
    assert duration_of(path) == pytest.approx(12.0, abs=0.08)
    assert len(decode(path, offset_s=9.0, duration_s=2.0)) == 32_000


def test_a_vbr_mp3_that_libsndfile_would_not_decode_to_its_end_is_refused_without_ffmpeg(
    tmp_path, encode, steps, monkeypatch
):
    monkeypatch.setattr("musicrec.audio.decode.ffmpeg_program", lambda: None)
    path = encode(tmp_path / "a.mp3", loud_end(steps), "-q:a", "4", "-write_xing", "0")
    with pytest.raises(AudioError, match=r"libsndfile would decode \d+\.\d s of the 12\.\d s in it.*imageio-ffmpeg"):
        decode(path)


def test_cbr_mp3_without_a_xing_header(tmp_path, mp3, heard, with_and_without_ffmpeg):
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3("-b:a", "128k", "-write_xing", "0"))
    assert heard(decode(path)) == STEPS
    assert duration_of(path) == pytest.approx(12.0, abs=0.08)
    for offset_s in (12.1, 13.0, 1000.0):
        with pytest.raises(AudioError, match=f"no audio after {offset_s:g} s"):
            decode(path, offset_s=offset_s)


def test_mp3_whose_xing_header_states_too_few_frames(tmp_path, mp3, heard):
    data = bytearray(mp3("-q:a", "4"))
    at = data.index(b"Xing") + 8
    frames = int.from_bytes(data[at : at + 4], "big")
    assert frames in (460, 461, 462)  # 12 s of 1,152 samples at 44.1 kHz, and delays
    data[at : at + 4] = (frames // 3).to_bytes(4, "big")
    (tmp_path / "a.mp3").write_bytes(data)
    assert heard(decode(tmp_path / "a.mp3")) == STEPS


def test_mp3_files_joined_end_to_end(tmp_path, mp3, heard):
    """Each has a Xing header for its own part; the second part has another sample rate."""
    one, other = mp3("-q:a", "4"), mp3("-b:a", "96k", "-ar", "48000", frequencies_hz=[2000, 2200])
    (tmp_path / "a.mp3").write_bytes(one + other)
    waveform = decode(tmp_path / "a.mp3")
    assert len(waveform) / 16_000 == pytest.approx(16.0, abs=0.15)
    assert heard(waveform) == [*STEPS, 2000, 2200]


@pytest.mark.parametrize("junk", [b"\0" * 300_000, np.random.default_rng(0).bytes(100_000), b"TAG" + b" " * 125])
def test_mp3_with_junk_in_its_middle(tmp_path, mp3, heard, junk):
    data = mp3("-b:a", "128k", "-write_xing", "0")
    (tmp_path / "a.mp3").write_bytes(data[: len(data) // 2] + junk + data[len(data) // 2 :])
    waveform = decode(tmp_path / "a.mp3")
    assert len(waveform) / 16_000 == pytest.approx(12.0, abs=0.15)
    assert heard(waveform) == STEPS


@pytest.mark.parametrize(
    ("options", "frame_s"),
    [
        (("-b:a", "128k"), 1152 / 44_100),
        (("-q:a", "2", "-write_xing", "0"), 1152 / 44_100),
        (("-b:a", "320k", "-ar", "48000"), 1152 / 48_000),
        (("-b:a", "64k", "-ar", "22050"), 576 / 22_050),
        (("-b:a", "8k", "-ar", "8000", "-ac", "1"), 576 / 8_000),
    ],
)
def test_length_of_the_frames_of_an_mp3(tmp_path, mp3, options, frame_s):
    """Frames hold 1,152 samples, or 576 at up to 24 kHz; the encoder adds up to three and the Xing header."""
    data = mp3(*options)
    (tmp_path / "a.mp3").write_bytes(b"ID3\x04\0\0\0\0\x01\0" + bytes(128) + data + b"TAG" + bytes(125))
    length_s = mp3_frames_s(tmp_path / "a.mp3")
    assert round(length_s / frame_s, 6) == round(length_s / frame_s)
    assert 12.0 <= length_s <= 12.0 + 4 * frame_s
    assert mp3_frames_s(tmp_path / "a.mp3") is not None
    (tmp_path / "a.mp3").write_bytes(b"no frame in it " * 1000)
    assert mp3_frames_s(tmp_path / "a.mp3") is None


@pytest.fixture
def ogg(tmp_path, encode, steps):
    """Encode steps as OGG and return the bytes."""

    def make(frequencies_hz: list[float], *options: str) -> bytes:
        return encode(tmp_path / "part.ogg", steps(frequencies_hz), *options).read_bytes()

    return make


@pytest.mark.parametrize(
    "other", [(), ("-ar", "22050", "-ac", "1"), ("-c:a", "libopus")], ids=lambda options: str(options)
)
def test_chained_ogg(tmp_path, ogg, heard, other, with_and_without_ffmpeg):
    path = tmp_path / "a.ogg"
    one, two = ogg(STEPS[:3]), ogg(STEPS[3:], *other)
    path.write_bytes(one + two + one)
    assert ogg_links(path) == [(0, len(one)), (len(one), len(one + two)), (len(one + two), len(one + two + one))]
    waveform = decode(path)
    assert len(waveform) / 16_000 == pytest.approx(18.0, abs=0.01) and heard(waveform) == [*STEPS, *STEPS[:3]]
    assert duration_of(path) == pytest.approx(18.0, abs=0.01)
    np.testing.assert_array_equal(decode(path, offset_s=5.0, duration_s=3.0), waveform[80_000:128_000])


def test_ogg_with_a_video_beside_the_audio(tmp_path, ogg, steps, heard):
    """Both streams begin together, so that they are one link."""
    (tmp_path / "sound.ogg").write_bytes(ogg(STEPS))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc=d=12:s=32x32:r=5"]
    command += ["-i", tmp_path / "sound.ogg", "-c:a", "copy", "-c:v", "libtheora", tmp_path / "a.ogv"]
    subprocess.run(command, check=True)
    assert len(ogg_links(tmp_path / "a.ogv")) == 1
    assert heard(decode(tmp_path / "a.ogv")) == STEPS


def flac_with(data: bytes, frames: int) -> bytes:
    """Return a FLAC file with another number of frames in its header; 0 states none."""
    field = int.from_bytes(data[18:26], "big") >> 36 << 36
    return data[:18] + (field | frames).to_bytes(8, "big") + data[26:]


@pytest.fixture
def flac(steps) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, steps(STEPS), 44_100, format="FLAC")
    return out.getvalue()


def test_flac_of_unstated_length(tmp_path, flac, heard, with_and_without_ffmpeg):
    path = tmp_path / "a.flac"
    path.write_bytes(flac_with(flac, 0))
    waveform = decode(path)
    assert len(waveform) == 192_000 and heard(waveform) == STEPS and duration_of(path) == 12.0
    np.testing.assert_allclose(decode(path, offset_s=7.5, duration_s=2.0), waveform[120_000:152_000], atol=1e-5)
    np.testing.assert_allclose(decode(path, offset_s=7.5), waveform[120_000:], atol=1e-5)
    with pytest.raises(AudioError, match="no audio after 13 s"):
        decode(path, offset_s=13.0)


def test_flac_from_a_pipe(tmp_path, encode, steps, heard, with_and_without_ffmpeg):
    path = encode(tmp_path / "a.wav", steps(STEPS))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "flac", "-"]
    (tmp_path / "a.flac").write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    assert heard(decode(tmp_path / "a.flac")) == STEPS


def test_flac_whose_header_states_less(tmp_path, flac, heard):
    path = tmp_path / "a.flac"
    path.write_bytes(flac_with(flac, 100_000))
    assert flac_end(path) == 12 * 44_100
    assert heard(decode(path)) == STEPS and duration_of(path) == 12.0


def test_flac_whose_header_states_more_is_cut_off(tmp_path, flac):
    (tmp_path / "a.flac").write_bytes(flac_with(flac, 24 * 44_100))
    with pytest.raises(AudioError, match=r"cut off: 12\.0 s of the 24\.0 s that its header promises"):
        decode(tmp_path / "a.flac")


def test_flac_files_joined_end_to_end(tmp_path, flac, heard):
    (tmp_path / "a.flac").write_bytes(flac * 2)
    assert flac_streams(tmp_path / "a.flac") == 2
    assert heard(decode(tmp_path / "a.flac")) == STEPS * 2


def test_flac_with_tags_around_it(tmp_path, flac, heard, with_and_without_ffmpeg):
    (tmp_path / "a.flac").write_bytes(b"ID3\x04\0\0\0\0\x01\0" + bytes(128) + flac + b"TAG" + bytes(125))
    assert heard(decode(tmp_path / "a.flac")) == STEPS


@pytest.mark.parametrize(("subtype", "block"), [("PCM_16", 4096), ("PCM_24", 4096)])
@pytest.mark.parametrize("frames", [1, 100, 4096, 70_000])
def test_end_of_a_flac(tmp_path, subtype, block, frames):
    noise = 0.1 * np.random.default_rng(frames).standard_normal((frames, 2))
    soundfile.write(tmp_path / "a.flac", noise, 44_100, subtype=subtype)
    assert flac_end(tmp_path / "a.flac") == frames and flac_streams(tmp_path / "a.flac") == 1


@pytest.fixture
def wav(steps) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, steps(STEPS), 44_100, format="WAV")
    return out.getvalue()


@pytest.mark.parametrize("riff_bytes", [0, 36])
def test_wav_whose_header_says_0_bytes(tmp_path, wav, heard, riff_bytes, with_and_without_ffmpeg):
    """As recorders leave it that lose power."""
    at = wav.index(b"data") + 4
    data = wav[:4] + struct.pack("<I", riff_bytes) + wav[8:at] + bytes(4) + wav[at + 4 :]
    (tmp_path / "a.wav").write_bytes(data)
    waveform = decode(tmp_path / "a.wav")
    assert len(waveform) == 192_000 and heard(waveform) == STEPS and duration_of(tmp_path / "a.wav") == 12.0
    np.testing.assert_allclose(decode(tmp_path / "a.wav", offset_s=7.5), waveform[120_000:], atol=1e-5)


def test_wav_without_samples_but_with_tags_has_no_audio(tmp_path, wav):
    at = wav.index(b"data") + 8
    (tmp_path / "a.wav").write_bytes(wav[: at - 4] + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(AudioError, match="0 samples"):
        decode(tmp_path / "a.wav")


def test_wav_of_more_than_4_gb(tmp_path, wav):
    """Its 32-bit size has wrapped; the file is sparse. The whole of it is read: 2^32 bytes more than stated."""
    path = tmp_path / "a.wav"
    path.write_bytes(wav)
    assert wav_chunks(path).unstated is None
    with open(path, "r+b") as file:
        file.truncate(len(wav) + (1 << 32))
    assert "4 GB" in wav_chunks(path).unstated
    waveform = decode(path, offset_s=11.0, duration_s=2.0)
    assert len(waveform) == 32_000 and np.abs(waveform[:15_000]).max() > 0.2 and not waveform[17_000:].any()


def test_rf64(tmp_path, steps, heard):
    soundfile.write(tmp_path / "a.rf64", steps(STEPS), 44_100, format="RF64")
    assert heard(decode(tmp_path / "a.rf64")) == STEPS


def test_wav_with_two_chunks_of_samples(tmp_path, wav):
    """Players play the first one."""
    (tmp_path / "a.wav").write_bytes(wav + wav[wav.index(b"data") :])
    assert len(decode(tmp_path / "a.wav")) == 192_000


def test_aiff_whose_header_states_another_number_of_frames(tmp_path, steps, heard):
    soundfile.write(tmp_path / "a.aiff", steps(STEPS), 44_100)
    data = bytearray((tmp_path / "a.aiff").read_bytes())
    at = data.index(b"COMM") + 10
    assert int.from_bytes(data[at : at + 4], "big") == 12 * 44_100
    for frames in (0, 1000, 24 * 44_100):
        data[at : at + 4] = frames.to_bytes(4, "big")
        (tmp_path / "a.aiff").write_bytes(data)
        assert heard(decode(tmp_path / "a.aiff")) == STEPS


def test_decoding_goes_on_with_ffmpeg_where_libsndfile_fails(tmp_path, flac, heard):
    """A frame in the middle of a FLAC is damaged: libsndfile gives up, ffmpeg leaves it out."""
    data = bytearray(flac)
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    (tmp_path / "a.flac").write_bytes(data)
    waveform = decode(tmp_path / "a.flac")
    assert len(waveform) / 16_000 == pytest.approx(12.0, abs=0.3)
    assert heard(waveform)[:2] == STEPS[:2]
