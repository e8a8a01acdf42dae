"""Fingerprints: recordings are recognised by sound, whatever the encoding and the mastering."""

import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from musicrec.audio.decode import decode_track
from musicrec.data.synthetic.composition import Score, compose
from musicrec.data.synthetic.instruments import TIMBRES, render, synthesise
from musicrec.data.synthetic.plan import plan_tracks
from musicrec.recommend.fingerprint import (
    BITS,
    PASSAGES,
    SIZE_BYTES,
    WORDS_PER_S,
    fingerprint,
    similarities,
    similarity,
    words,
)
from musicrec.recommend.versions import SameRecording

RATE, DURATION_S = 16_000, 40.0
SAME_RECORDING = SameRecording().similarity
SAME, DIFFERENT = 0.7, 0.4
OTHER = dict(zip(TIMBRES, [*list(TIMBRES)[1:], *list(TIMBRES)[:1]], strict=True))  # another instrument for each


@pytest.fixture(scope="module")
def music() -> list[np.ndarray]:
    """Four composed tracks."""
    plans = plan_tracks(tracks=80, seed=3)[::20]
    return [render(plan, duration_s=DURATION_S, sample_rate=RATE)[0] / np.float32(32768) for plan in plans]


@pytest.fixture(scope="module")
def track(music) -> np.ndarray:
    return music[0]


def tones(frequencies_hz: np.ndarray) -> np.ndarray:
    """A sine of each frequency in turn, one second each, with no jumps in phase."""
    return 0.5 * np.sin(2 * np.pi * np.cumsum(np.repeat(frequencies_hz, RATE)) / RATE).astype(np.float32)


def bits_of(code: bytes) -> np.ndarray:
    """(passages, words, bits)."""
    return np.unpackbits(np.frombuffer(code, np.uint8)).reshape(PASSAGES, -1, BITS)


def changed(waveform: np.ndarray, how: str) -> np.ndarray:
    match how:
        case "gain":
            return waveform * np.float32(0.05)
        case "clipped":
            return np.clip(waveform * 3, -0.9, 0.9)
        case "dull":
            return np.convolve(waveform, np.full(4, 0.25, np.float32), "same")
        case "delayed by an encoder":
            return np.pad(waveform, (1105, 300))
        case "3 s of the start cut":
            return waveform[3 * RATE :]
        case "3 s of the end cut":
            return waveform[: -3 * RATE]
        case "silence at the start":
            return np.pad(waveform, (2 * RATE, 0))
        case "0.1 % faster":
            return np.interp(np.arange(0, len(waveform), 1.001), np.arange(len(waveform)), waveform).astype(np.float32)
        case "noise":
            noise = np.random.default_rng(0).normal(size=len(waveform)) * waveform.std() / 100
            return (waveform + noise).astype(np.float32)
    raise ValueError(how)


@pytest.mark.parametrize(
    "how",
    [
        "gain",
        "clipped",
        "dull",
        "delayed by an encoder",
        "3 s of the start cut",
        "3 s of the end cut",
        "silence at the start",
        "0.1 % faster",
        "noise",
    ],
)
def test_a_recording_is_recognised(track, how):
    one, other = fingerprint(track, RATE), fingerprint(changed(track, how), RATE)
    assert similarity(one, other) > SAME
    assert similarity(other, one) > SAME


def test_other_music_is_not(music):
    codes = [fingerprint(waveform, RATE) for waveform in music]
    alike = np.array([similarities(code, words(codes)) for code in codes])
    assert np.allclose(np.diag(alike), 1)
    assert (alike[~np.eye(len(codes), dtype=bool)] < DIFFERENT).all()


def test_the_same_notes_on_other_instruments_are_not():
    plan = plan_tracks(tracks=80, seed=3)[0]
    score = compose(plan, duration_s=DURATION_S)
    swapped = Score({(role, OTHER[name]): notes for (role, name), notes in score.parts.items()}, score.drums)
    one, other = (
        synthesise(notes, plan, duration_s=DURATION_S, sample_rate=RATE) / np.float32(32768)
        for notes in (score, swapped)
    )
    assert similarity(fingerprint(one, RATE), fingerprint(other, RATE)) < SAME_RECORDING


def test_a_track_that_shares_only_its_first_half_is_not(music):
    half = len(music[0]) // 2
    mixed = np.concatenate([music[0][:half], music[1][half:]])
    assert similarity(fingerprint(music[0], RATE), fingerprint(mixed, RATE)) < DIFFERENT


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ("-b:a", "64k")),
        ("a.m4a", ("-c:a", "aac", "-b:a", "96k")),
        ("a.opus", ("-c:a", "libopus", "-b:a", "48k")),
        ("a.ogg", ("-c:a", "libvorbis", "-q:a", "1")),
        ("a.flac", ("-ar", "44100")),
    ],
)
def test_encodings_of_a_file_are_recognised(tmp_path, track, name, options):
    source, encoded = tmp_path / "source.wav", tmp_path / name
    soundfile.write(source, track, RATE)
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, *options, encoded], check=True)
    decoded = decode_track(encoded, sample_rate=RATE).waveform
    assert similarity(fingerprint(track, RATE), fingerprint(decoded, RATE)) > SAME


def test_a_tone_that_rises_and_one_that_falls_set_the_bits_of_their_bands():
    """A bit is set where the lower of two neighbouring bands has gained on the upper one within two seconds."""
    centres = 110 * (4000 / 110) ** (np.arange(1, BITS + 2) / (BITS + 2))  # of the 17 bands, in Hz
    low, high = 4, 11
    code = bits_of(fingerprint(tones(np.tile(np.repeat(centres[[low, high]], 2), 10)), RATE))
    changes = code[:, :, [low - 1, low, high - 1, high]]
    to_high, to_low = [1, 0, 0, 1], [0, 1, 1, 0]
    either = (changes == to_high).all(axis=2) | (changes == to_low).all(axis=2)
    assert either.mean() > 0.9  # all but where both tones are within the smoothing
    assert 0.4 < (changes == to_high).all(axis=2).mean() < 0.6


def test_size(track):
    assert len(fingerprint(track, RATE)) == len(fingerprint(np.tile(track, 6), RATE)) == SIZE_BYTES == 2048


def test_another_sample_rate_gives_nearly_the_same(track):
    doubled = np.interp(np.arange(0, len(track), 0.5), np.arange(len(track)), track).astype(np.float32)
    assert similarity(fingerprint(track, RATE), fingerprint(doubled, 2 * RATE)) > 0.9
    with pytest.raises(ValueError, match="at least 8000 Hz"):
        fingerprint(track, 6000)


@pytest.mark.parametrize("seconds", [0, 0.01, 15])
def test_short_tracks_have_none(track, seconds):
    assert fingerprint(track[: int(seconds * RATE)], RATE) == b""


def test_silent_tracks_have_none(track):
    assert fingerprint(np.zeros(40 * RATE, np.float32), RATE) == b""
    assert fingerprint(np.pad(track, (0, 2 * len(track))), RATE) == b""
    assert similarity(b"", fingerprint(track, RATE)) == similarity(b"", b"") == 0


def test_noise_in_silence_does_not_count(track):
    """Of three minutes one is silent, with the noise of one codec or another."""
    generator = np.random.default_rng(1)
    padded = np.concatenate([track, track[::-1], np.zeros(len(track), np.float32)])
    noisy = (padded + generator.normal(size=len(padded)) * 1e-5).astype(np.float32)
    assert similarity(fingerprint(padded, RATE), fingerprint(noisy, RATE)) > 0.9


class TestArithmetic:
    """Of random bits, with a known share of them flipped."""

    @pytest.fixture
    def bits(self) -> np.ndarray:
        return np.random.default_rng(5).integers(0, 2, (PASSAGES, SIZE_BYTES // PASSAGES * 8), dtype=np.uint8)

    @staticmethod
    def code(bits: np.ndarray) -> bytes:
        return np.packbits(bits).tobytes()

    def test_one_minus_twice_the_share_of_bits_that_differ(self, bits):
        other = bits.copy()
        other[:, ::8] ^= 1
        assert similarity(self.code(bits), self.code(other)) == pytest.approx(1 - 2 / 8)

    def test_the_half_of_the_passages_that_agree_least_counts(self, bits):
        other = bits.copy()
        other[3:5, ::4] ^= 1
        other[5, ::8] ^= 1
        assert similarity(self.code(bits), self.code(other)) == pytest.approx(np.mean([0.5, 0.5, 0.75, 1]))

    @pytest.mark.parametrize(("first_s", "last_s"), [(3, 0), (0, -3), (2, -2), (-5, -5), (0, 5)])
    def test_the_passages_may_be_shifted_evenly(self, first_s, last_s):
        passage_words, most = SIZE_BYTES // PASSAGES // 2, 5 * WORDS_PER_S
        long = np.random.default_rng(6).integers(0, 1 << 16, (PASSAGES, passage_words + 2 * most), dtype=np.uint16)
        shifts = np.rint(np.linspace(first_s, last_s, PASSAGES) * WORDS_PER_S).astype(int)
        cuts = [long[passage, most + shift :][:passage_words] for passage, shift in enumerate(shifts)]
        one = long[:, most : most + passage_words].tobytes()
        assert similarity(one, np.array(cuts).tobytes()) == pytest.approx(1)

    def test_a_coarse_limit_leaves_out_what_is_different(self, bits):
        others = np.random.default_rng(7).integers(0, 1 << 63, (100, *words([self.code(bits)]).shape[1:]), np.uint64)
        others[70] = words([self.code(bits)])[0]
        alike = similarities(self.code(bits), others, coarse_limit=0.25)
        assert alike[70] == 1
        assert (np.delete(alike, 70) == -1).all()
        assert similarities(self.code(bits), others).min() > -0.2

    def test_without_the_function_of_numpy_2(self, bits, monkeypatch):
        other = bits.copy()
        other[:, ::8] ^= 1
        monkeypatch.delattr(np, "bitwise_count", raising=False)
        assert similarity(self.code(bits), self.code(other)) == pytest.approx(0.75)
