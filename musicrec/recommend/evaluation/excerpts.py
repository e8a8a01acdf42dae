"""Short excerpts of tracks for a listening test, equally loud, as MP3 that every browser plays."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.recommend.track import Track

SAMPLE_RATE = 44_100
LOUDNESS_LUFS = -18.0  # quieter than most music, so that excerpts are turned down rather than up
_PEAK = 10 ** (-1 / 20)  # -1 dBFS: MP3 can overshoot
_FADE_S = 0.05
_COMPRESSION = 0.78  # libsndfile maps 0 to 1 to the bit rates of LAME, 320 to 32 kbit/s: about 96
_ENCODED_AT_ONCE = 16_384  # samples; libsndfile encodes a longer block on the stack


@dataclass(frozen=True, kw_only=True, eq=False)
class Excerpt:
    """A part of a track.

    Attributes:
        waveform: (samples,) float32 in [-1, 1], mono at `SAMPLE_RATE`.
        loudness: Integrated loudness in LUFS.
        start_s: Where it begins in the track, in seconds.
    """

    waveform: np.ndarray
    loudness: float
    start_s: float

    @property
    def loudest(self) -> float:
        """The loudness at which its peak reaches -1 dBFS, in LUFS."""
        peak = float(np.abs(self.waveform).max())
        return self.loudness + 20 * np.log10(_PEAK / peak) if peak else np.inf


def read_excerpt(track: Track, *, length_s: float) -> Excerpt:
    """Read the middle of a track, with a short fade at both ends.

    Args:
        track: The track.
        length_s: Length in seconds; shorter for a shorter track.

    Raises:
        AudioError: The file cannot be decoded.
    """
    from musicrec.audio.decode import decode
    from musicrec.descriptors.loudness import integrated_loudness
    from musicrec.descriptors.loudness_meter import LoudnessMeter

    start_s = max(0.0, (track.duration_s - length_s) / 2)
    waveform = decode(track.path, sample_rate=SAMPLE_RATE, offset_s=start_s, duration_s=length_s).copy()
    fade = min(round(_FADE_S * SAMPLE_RATE), len(waveform) // 2)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    waveform[:fade] *= ramp
    waveform[len(waveform) - fade :] *= ramp[::-1]
    meter = LoudnessMeter(SAMPLE_RATE)
    meter(waveform[:, None])
    return Excerpt(waveform=waveform, loudness=integrated_loudness(meter.powers), start_s=start_s)


def equally_loud(excerpts: Sequence[Excerpt]) -> list[np.ndarray]:
    """Return excerpts at one loudness: -18 LUFS, or less if one of them would be clipped.

    Args:
        excerpts: The excerpts that are compared with each other. A silent one stays silent.

    Returns:
        (samples,) float32 of each.
    """
    target = min(LOUDNESS_LUFS, *(excerpt.loudest for excerpt in excerpts))
    return [excerpt.waveform * np.float32(10 ** ((target - excerpt.loudness) / 20)) for excerpt in excerpts]


def as_mp3(waveform: np.ndarray) -> bytes:
    """Encode a waveform as the bytes of an MP3 file, without tags, at about 96 kbit/s."""
    import soundfile

    file = io.BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        SAMPLE_RATE,
        1,
        subtype="MPEG_LAYER_III",
        format="MP3",
        compression_level=_COMPRESSION,
        bitrate_mode="CONSTANT",
    ) as encoder:
        for begin in range(0, len(waveform), _ENCODED_AT_ONCE):
            encoder.write(waveform[begin : begin + _ENCODED_AT_ONCE])
    return file.getvalue()


def as_data_address(waveform: np.ndarray) -> str:
    """Return a waveform as an address that holds the audio itself."""
    return "data:audio/mpeg;base64," + base64.b64encode(as_mp3(waveform)).decode("ascii")
