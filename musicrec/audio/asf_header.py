"""The length that an ASF file (WMA) states. ffmpeg replaces it by an estimate where the file is cut off."""

import os

_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SEARCHED = 1 << 16  # bytes
_LIVE = 1  # flag of a recording that was not finished, so that its fields are not valid


def asf_duration_s(path: str | os.PathLike) -> float | None:
    """Return the length that an ASF file states in its File Properties Object (ASF specification, section 3.2).

    Args:
        path: The file.

    Returns:
        Seconds; None if the file states none.
    """
    with open(path, "rb") as file:
        head = file.read(_SEARCHED)
    at = head.find(_FILE_PROPERTIES)
    if at < 0 or len(head) < at + 92 or head[at + 88] & _LIVE:
        return None
    duration_s = int.from_bytes(head[at + 64 : at + 72], "little") / 1e7
    preroll_s = int.from_bytes(head[at + 80 : at + 88], "little") / 1e3
    return duration_s - preroll_s if duration_s > preroll_s else None
