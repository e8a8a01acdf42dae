"""The length of an MP3 file by its frames. Only this is certain: files without a Xing header make decoders estimate.

Source of the header's fields: ISO/IEC 11172-3, section 2.4.2.3, and 13818-3.
"""

import functools
import os
from collections import defaultdict

_BLOCK = 1 << 20
_LONGEST_FRAME = 2_881  # bytes; Layer II at 160 kbit/s and 8 kHz
_AHEAD = 4 * _LONGEST_FRAME  # enough to confirm a frame by the two that follow
_CONFIRMED_BY = 2
_SAMPLE_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version
_KBIT = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # by (MPEG 1 or 2, layer)
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def mp3_frames_s(path: str | os.PathLike) -> float | None:
    """Return the length in seconds of all the frames in an MP3 file, also of those between and after junk.

    A frame with the Xing header counts as audio, as its header looks like any other. Encoder delays count, too. This
    reads the file but decodes nothing: it takes a few thousandths of the time of decoding.

    Args:
        path: The MP3 file.

    Returns:
        The length; None if the file has no three frames in a row.
    """
    counts: dict[int, list[int]] = defaultdict(lambda: [0] * 256)  # by the second and the third byte of the header
    with open(path, "rb") as file:
        file.seek(_end_of_tags(file.read(10)))
        data, at, in_sync, at_end = b"", 0, False, False
        while not at_end:
            block = file.read(_BLOCK)
            at_end = not block
            data, at = data[at:] + block, max(0, at - len(data))
            last = len(data) - (4 if at_end else _AHEAD)
            while at <= last:
                second = data[at + 1]
                if not in_sync or data[at] != 0xFF or not (sizes := _sizes(second)) or not sizes[data[at + 2]]:
                    at, in_sync = _next_frame(data, at, last)
                    continue
                of_kind = counts[second]
                while at <= last and data[at] == 0xFF and data[at + 1] == second and (size := sizes[data[at + 2]]):
                    of_kind[data[at + 2]] += 1
                    at += size
    seconds = sum(
        count * _frame_samples(second) / _SAMPLE_RATES[second >> 3 & 3][third >> 2 & 3]
        for second, of_kind in counts.items()
        for third, count in enumerate(of_kind)
        if count
    )
    return seconds or None


def _end_of_tags(head: bytes) -> int:
    """Return where the ID3v2 tag at the beginning of a file ends."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def _next_frame(data: bytes, at: int, last: int) -> tuple[int, bool]:
    """Return where the next frame begins that is followed by others, and whether there is one up to `last`."""
    while (at := data.find(b"\xff", at, last + 1)) >= 0:
        end = at
        for _ in range(_CONFIRMED_BY + 1):
            sizes = _sizes(data[end + 1]) if end + 2 < len(data) and data[end] == 0xFF else None
            if not sizes or not sizes[data[end + 2]]:
                break
            end += sizes[data[end + 2]]
        else:
            return at, True
        at += 1
    return last + 1, False


def _frame_samples(second: int) -> int:
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    return {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]


@functools.cache
def _sizes(second: int) -> list[int] | None:
    """Return the size in bytes of a frame by the third byte of its header, 0 where it is not valid.

    Args:
        second: The second byte of the header. None is returned if it cannot follow the first one.
    """
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    if second & 0xE0 != 0xE0 or version == 1 or layer == 4:
        return None
    kbit, unit = _KBIT[1 if version == 3 else 2, layer], 4 if layer == 1 else 1
    sizes = [0] * 256
    for third in range(256):
        rate, of_rate = third >> 4, third >> 2 & 3
        if 1 <= rate <= 14 and of_rate < 3:
            bits = _frame_samples(second) // 8 // unit * kbit[rate - 1] * 1000
            sizes[third] = (bits // _SAMPLE_RATES[version][of_rate] + (third >> 1 & 1)) * unit
    return sizes
