"""Lossy compression: encode and decode."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import soundfile
import torch
from torch import Tensor

from musicrec.config.value_check import check_choice
from musicrec.deformations.base import Deformed, draw_log, limits, unmoved
from musicrec.errors import ConfigError

# codec: (container, encoding, lowest and highest kbit/s of one channel at 16 to 24 kHz)
CODECS = {
    "mp3": ("MP3", "MPEG_LAYER_III", 8, 160),
    "vorbis": ("OGG", "VORBIS", 22, 66),
    "opus": ("OGG", "OPUS", 6, 256),
}
MP3_DELAY = 1105  # samples added by LAME and the decoder, if the frames are too small for the tag that states them
# Vorbis is set by a quality. These are the mean bit rates of 20 pieces at 16 kHz mono, without headers. The standard
# deviation between pieces is 8 % at the lowest quality and 5 % at the highest.
VORBIS_KBPS = (22.1, 30.4, 38.7, 46.7, 56.6, 66.8)
VORBIS_QUALITY = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
BLOCK = 16_384  # libsndfile encodes a longer block on the stack


class Reencoding:
    """Encodes as MP3 (LAME, constant bit rate), Vorbis or Opus, and decodes again.

    The bit rate is that of one channel at the sample rate of the model: 16 kHz mono at 32 kbit/s sounds about like 44.1
    kHz stereo at 128 kbit/s. MP3 uses the nearest rate it has (8, 16, 24, 32, 40, 48, 56, 64, 80 … 160). LAME lowers
    the level by 0.4 dB, so that peaks are not clipped. Vorbis has a variable bit rate: bitrate_kbps is its average for
    music. libsndfile does the work in memory, on the CPU, with one thread per core. The result is aligned in time.

    Args:
        codec: "mp3", "vorbis" or "opus".
        bitrate_kbps: In kbit/s, within the limits of the codec.

    Raises:
        ConfigError: An unknown codec, or a bit rate out of range.
    """

    input_ratio = 1.0
    on_cpu = True

    def __init__(self, *, codec: str = "mp3", bitrate_kbps: float | Sequence[float] = 32.0) -> None:
        check_choice("codec", codec, CODECS)
        self.codec = codec
        _, _, least, most = CODECS[codec]
        self.bitrate_kbps = limits("bitrate_kbps", bitrate_kbps, least=least, most=most)

    def __call__(self, waveform: Tensor, *, samples: int, sample_rate: int, seeds: Sequence[int]) -> Deformed:
        if not 16_000 <= sample_rate <= 24_000 or (self.codec == "vorbis" and sample_rate != 16_000):
            raise ConfigError(f"codec={self.codec}: bit rates are known at 16000 Hz, not at {sample_rate} Hz")
        bitrates = draw_log("bitrate_kbps", self.bitrate_kbps, seeds)
        examples = waveform[:, :samples].cpu().numpy()
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            results = threads.map(
                lambda example, bitrate: reencoded(example, self.codec, bitrate, sample_rate), examples, bitrates
            )
            return unmoved(torch.from_numpy(np.stack(list(results))).to(waveform.device))


def encoded(waveform: np.ndarray, codec: str, bitrate_kbps: float, sample_rate: int) -> bytes:
    """Encode a waveform as the bytes of a file.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        codec: A name in `CODECS`.
        bitrate_kbps: In kbit/s, within the limits of the codec.
        sample_rate: Of the waveform, in Hz.

    Returns:
        The file.
    """
    container, encoding, least, most = CODECS[codec]
    if codec == "vorbis":
        compression = 1 - float(np.interp(bitrate_kbps, VORBIS_KBPS, VORBIS_QUALITY))
    else:  # libsndfile maps 0 … 1 to the bit rates, highest first; it rejects 1 itself
        compression = min((most - bitrate_kbps) / (most - least), 0.999)
    file = io.BytesIO()
    constant = {"bitrate_mode": "CONSTANT"} if codec == "mp3" else {}
    with soundfile.SoundFile(
        file, "w", sample_rate, 1, subtype=encoding, format=container, compression_level=compression, **constant
    ) as encoder:
        for start in range(0, len(waveform), BLOCK):
            encoder.write(waveform[start : start + BLOCK])
    return file.getvalue()


def reencoded(waveform: np.ndarray, codec: str, bitrate_kbps: float, sample_rate: int) -> np.ndarray:
    """Encode and decode a waveform; length and position in time stay the same.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        codec: A name in `CODECS`.
        bitrate_kbps: In kbit/s, within the limits of the codec.
        sample_rate: Of the waveform, in Hz.

    Returns:
        (samples,) float32.
    """
    decoded, _ = soundfile.read(io.BytesIO(encoded(waveform, codec, bitrate_kbps, sample_rate)), dtype="float32")
    delay = MP3_DELAY if codec == "mp3" and len(decoded) > len(waveform) else 0
    decoded = decoded[delay : delay + len(waveform)]
    return np.pad(decoded, (0, len(waveform) - len(decoded)))
