"""The length that an MP3 file states. libsndfile does not tell whether its own answer is only an estimate."""

import os
import re
from typing import NamedTuple

_ITUNES_LENGTH = re.compile(rb"iTunSMPB.{0,4}?(?: [0-9A-F]{8}){3} ([0-9A-F]{16})", re.DOTALL)
_SAMPLE_RATES = (44_100, 48_000, 32_000)
_TAG_BYTES = 1 << 20  # only the beginning of a longer tag (cover art) is searched


class Mp3Promise(NamedTuple):
    """The length that an MP3 file states.

    Attributes:
        duration_s: The stated length in seconds.
        share: Share of the stated bytes that the file holds, 0 to 1.
        heeded: Whether libsndfile uses the statement.
    """

    duration_s: float
    share: float
    heeded: bool


def mp3_promise(path: str | os.PathLike) -> Mp3Promise | None:
    """Read the length from the Xing, Info or VBRI frame, or from the comment of iTunes.

    Without these, a player estimates the length from the bit rate and the file size, including tags and cover art.
    Source: http://gabriel.mp3-tech.org/mp3infotag.html

    Args:
        path: The MP3 file.

    Returns:
        What the file states, or None if it states nothing.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(10)
        tag, audio_start = b"", 0
        if head[:3] == b"ID3" and len(head) == 10:
            audio_start = 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])
            tag = file.read(min(audio_start - 10, _TAG_BYTES))
        file.seek(audio_start)
        frame = file.read(256)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0 or frame[2] >> 2 & 3 == 3:
        return None
    version = frame[1] >> 3 & 3  # 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    sample_rate = _SAMPLE_RATES[frame[2] >> 2 & 3] // {3: 1, 2: 2, 0: 4}.get(version, 1)
    frame_samples = 1152 if version == 3 else 576
    frames = stated_bytes = 0
    place = max(frame.find(b"Xing", 4, 48), frame.find(b"Info", 4, 48))
    if place >= 0:
        flags, at = frame[place + 7], place + 8
        if flags & 1:
            frames, at = int.from_bytes(frame[at : at + 4], "big"), at + 4
        if flags & 2:
            stated_bytes = int.from_bytes(frame[at : at + 4], "big")
    elif frame[36:40] == b"VBRI":
        stated_bytes, frames = int.from_bytes(frame[46:50], "big"), int.from_bytes(frame[50:54], "big")
    share = min(1.0, (size - audio_start) / stated_bytes) if stated_bytes else 1.0
    if frames:
        return Mp3Promise(frames * frame_samples / sample_rate, share, True)
    itunes = _ITUNES_LENGTH.search(tag)
    return Mp3Promise(int(itunes[1], 16) / sample_rate, share, False) if itunes else None
