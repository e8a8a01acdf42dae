"""Messages between the server and its worker processes: one line of JSON each.

The server reads what a process wrote that may have been taken over by a hostile file, so nothing here can run code:
arrays and bytes travel as base64 in objects of a fixed form, and everything else is plain JSON.
"""

import base64
import binascii
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.recommend.track import Track

MOST_BYTES = 1 << 26
"""The longest message."""
_ARRAY, _BYTES = "__array__", "__bytes__"
_DTYPES = ("<f4", "<f8", "<f2", "<i4", "<i8", "|u1", "|b1")


def encode(message: Any) -> bytes:
    """Return a message as one line, with its end of line.

    Args:
        message: Plain JSON types, NumPy arrays and bytes.

    Raises:
        ValueError: It is too long, or holds NaN outside of arrays.
        TypeError: It holds something else.
    """
    line = json.dumps(message, default=_as_json, allow_nan=False).encode() + b"\n"
    if len(line) > MOST_BYTES:
        raise ValueError(f"a message of {len(line):,} bytes is too long")
    return line


def decode(line: bytes) -> Any:
    """Return the message of a line.

    Raises:
        ValueError: It is none.
    """
    try:
        return json.loads(line, object_hook=_from_json)
    except (TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a message: {error}") from None


def track_fields(track: Track) -> dict[str, Any]:
    """Return a track in the types of a message."""
    return {**asdict(track), "remarks": [[remark.text, remark.unreliable] for remark in track.remarks]}


def track_of(values: dict[str, Any]) -> Track:
    """Return the track that `track_fields` described.

    Raises:
        ValueError: It is none.
    """
    known = {field.name for field in fields(Track)}
    try:
        remarks = tuple(Remark(str(text), unreliable=bool(unreliable)) for text, unreliable in values["remarks"])
        passages = None if values["passages"] is None else Passages(**values["passages"])
        kept = {name: value for name, value in values.items() if name in known}
        return Track(**kept | {"remarks": remarks, "passages": passages})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a track: {error}") from None


def _as_json(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return {_ARRAY: [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]}
    if isinstance(value, bytes):
        return {_BYTES: base64.b64encode(value).decode()}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a message cannot hold a {type(value).__name__}")


def _from_json(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    try:
        if _BYTES in found:
            return base64.b64decode(found[_BYTES], validate=True)
        if _ARRAY in found:
            dtype, shape, content = found[_ARRAY]
            if dtype not in _DTYPES or any(int(size) < 0 for size in shape):
                raise ValueError(f"no array of {dtype} and {shape}")
            return np.frombuffer(base64.b64decode(content, validate=True), dtype).reshape([int(n) for n in shape])
    except (binascii.Error, TypeError) as error:
        raise ValueError(f"not an array: {error}") from None
    return found
