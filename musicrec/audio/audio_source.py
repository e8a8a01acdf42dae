"""What a decoder of audio files offers, and how it fails."""

import os
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from musicrec.errors import AudioError

BLOCK_FRAMES = 1 << 17
SAMPLE_RATE_RANGE = (1_000, 10_000_000)  # Hz; a damaged header may state 1 Hz, at which a small file lasts for days
LEAST_SHARE = 0.95  # of the stated length; encoder delays and junk between frames take less than the rest


class AudioSource(Protocol):
    """An opened audio file, as a context manager.

    Attributes:
        sample_rate: In Hz.
        frames: Length of the audio, or None if only decoding can tell.
        speakers: The speaker of each channel, as in `musicrec.audio.channels`; None if the file does not say.
    """

    sample_rate: int
    frames: int | None
    speakers: tuple[str, ...] | None

    def __enter__(self) -> "AudioSource": ...

    def __exit__(self, *exception: object) -> None: ...

    def blocks(self, start: int, stop: int | None) -> Iterator[np.ndarray]:
        """Yield the frames start..stop in blocks of (frames, channels) float32; without stop, all that follow."""
        ...


class DecoderError(Exception):
    """A decoder cannot read all of a file; another decoder may.

    Args:
        reason: What failed.
        promised_s: The length of the audio in seconds, if the file states it.
        recognised: Whether the decoder recognised the file, so that its audio is damaged rather than of another format.
    """

    def __init__(self, reason: str, *, promised_s: float | None = None, recognised: bool = True) -> None:
        super().__init__(reason)
        self.promised_s, self.recognised = promised_s, recognised


def is_short(decoded_s: float, promised_s: float) -> bool:
    """Return whether audio is shorter than a file states, by more than encoders round."""
    return decoded_s < promised_s * LEAST_SHARE - 0.1


def check_sample_rate(path: str | os.PathLike, sample_rate: int) -> None:
    """Raise AudioError if no recording has this sample rate in Hz."""
    lowest, highest = SAMPLE_RATE_RANGE
    if not lowest <= sample_rate <= highest:
        raise AudioError(f"{path}: damaged: its header states a sample rate of {sample_rate:,} Hz")


def cut_off(path: str | os.PathLike, decoded_s: float, promised_s: float) -> AudioError:
    """Return the error for a file that holds less audio than it states."""
    return AudioError(f"{path}: cut off: {decoded_s:.1f} s of the {promised_s:.1f} s that its header promises")
