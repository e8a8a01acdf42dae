"""The size of the audio that a CAF file states. libsndfile only calls a cut-off file malformed, and ffmpeg ignores it.

Source: Apple Core Audio Format Specification 1.0, "CAF File Layout".
"""

import os

_MOST_CHUNKS = 1_000


def caf_share(path: str | os.PathLike) -> float:
    """Return the share of the stated bytes of audio that a CAF file holds, 0 to 1; 1 if it states none.

    Args:
        path: The CAF file.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        at = 8
        for _ in range(_MOST_CHUNKS):
            file.seek(at)
            head = file.read(12)
            if len(head) < 12:
                break
            stated = int.from_bytes(head[4:], "big", signed=True)
            if head[:4] == b"data":
                return min(1.0, (size - at - 12) / stated) if stated > 0 else 1.0  # -1: up to the end of the file
            if stated < 0:
                break
            at += 12 + stated
            if at > size:
                break
    return 1.0
