"""Read TensorFlow's checkpoint format, the tensor bundle, without TensorFlow.

A bundle has two files. The `.index` is a sorted table as in LevelDB: blocks of key-value pairs with shared prefixes,
each with a checksum, an index block with the position of every other block, and a footer with the position of the index
block. A key is the name of a tensor; its value is a protocol buffer with type, shape, position and checksum. The
`.data-00000-of-00001` holds the values, little-endian. (tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io.)
"""

import math
import struct
from collections.abc import Callable, Iterator

import numpy as np

from musicrec.errors import ExportError

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48  # bytes: two positions, padding, the magic number
_FLOAT32 = 1  # TensorFlow's number of the type
_MASK_DELTA = 0xA282EAD8  # checksums are stored rotated by 15 bits and shifted by this
_MOST_DIMENSIONS = 8
_LARGEST_INDEX = 1 << 20  # bytes; 100 tensors take about 5,000
_LONGEST_NAME = 1000  # bytes; names share prefixes, so a small index could hold many long ones


def read_tensor_bundle(
    index: bytes, data: bytes, *, source: str, skip: Callable[[str], bool] = lambda name: False
) -> dict[str, np.ndarray]:
    """Read the float32 tensors of a bundle with one data file. Checksums and positions are checked.

    Args:
        index: Content of the `.index` file.
        data: Content of the `.data-00000-of-00001` file.
        source: Name of the bundle, for error messages.
        skip: Whether to leave out the tensor with this name, such as a state of the optimiser.

    Returns:
        The tensors by name, float32.

    Raises:
        ExportError: The bundle is damaged, or has a tensor of another type.
    """
    try:
        if len(index) > _LARGEST_INDEX:
            raise ValueError(f"its index has {len(index):,} bytes")
        entries = dict(_table(index))
        header = _fields(entries.pop(b"", b""))
        if _number(header, 1) != 1 or _number(header, 2) != 0:
            raise ValueError("it is not one little-endian data file")
        tensors, used = {}, 0
        for key, entry in entries.items():
            name = key.decode()
            if skip(name):
                continue
            tensors[name] = _tensor(name, _fields(entry), data)
            used += tensors[name].nbytes
            if used > len(data):  # overlapping tensors could fill the memory
                raise ValueError("its tensors are larger than its data file")
    except (ValueError, IndexError, struct.error) as error:
        raise ExportError(f"{source}: no TensorFlow checkpoint, or a damaged one ({error}); fetch it again") from None
    return tensors


def _tensor(name: str, entry: dict[int, list[int | bytes]], data: bytes) -> np.ndarray:
    """Return the tensor that an entry of the index describes."""
    if _number(entry, 1) != _FLOAT32 or 7 in entry:
        raise ValueError(f"{name} is not a whole float32 tensor")
    dimensions = _fields(_bytes(entry, 2)).get(2, [])
    if len(dimensions) > _MOST_DIMENSIONS:
        raise ValueError(f"{name} has {len(dimensions)} dimensions")
    shape = [_number(_fields(part), 1) for part in dimensions if isinstance(part, bytes)]
    offset, size = _number(entry, 4), _number(entry, 5)
    if size != 4 * math.prod(shape) or offset + size > len(data):
        raise ValueError(f"{name} does not fit its data file")
    values = data[offset : offset + size]
    if _masked_crc32c(values) != _number(entry, 6):
        raise ValueError(f"the checksum of {name} is wrong")
    return np.frombuffer(values, "<f4").astype(np.float32).reshape(shape)


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a table, in ascending order of the keys."""
    footer = content[-_FOOTER:]
    if len(footer) < _FOOTER or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("the footer of its index is missing")
    position = 0
    for _ in range(2):  # of the position of the meta index, which is not needed
        _, position = _varint(footer, position)
    start, position = _varint(footer, position)
    size, _ = _varint(footer, position)
    previous_end, previous_key = 0, None
    for _, handle in _block(content, start, size):
        start, position = _varint(handle, 0)
        size, _ = _varint(handle, position)
        if start < previous_end:  # a block that is named many times could take hours
            raise ValueError("the blocks of its index overlap")
        previous_end = start + size
        for key, value in _block(content, start, size):
            if previous_key is not None and key <= previous_key:
                raise ValueError("the names in its index are not sorted")
            previous_key = key
            yield key, value


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of one block: size bytes, the compression (0 for none) and a checksum."""
    block, rest = content[start : start + size], content[start + size : start + size + 5]
    if len(rest) != 5 or len(block) != size:
        raise ValueError("its index is cut off")
    if struct.unpack("<I", rest[1:])[0] != _masked_crc32c(block + rest[:1]):
        raise ValueError("the checksum of its index is wrong")
    if rest[0] != 0:
        raise ValueError("its index is compressed")
    end = size - 4 - 4 * struct.unpack("<I", block[-4:])[0]  # a list of restart points follows, and its length
    key, position = b"", 0
    while position < end:
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + own + length > end:
            raise ValueError("its index is damaged")
        if shared + own > _LONGEST_NAME:
            raise ValueError(f"its index has a name of {shared + own:,} bytes")
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + length]
        position += length


def _fields(message: bytes) -> dict[int, list[int | bytes]]:
    """Parse a protocol buffer message. Returns {field number: values}; messages within it stay bytes."""
    fields: dict[int, list[int | bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        value: int | bytes
        if tag & 7 == 0:
            value, position = _varint(message, position)
        elif tag & 7 in (1, 5):  # 8 and 4 bytes
            size = 8 if tag & 7 == 1 else 4
            value, position = int.from_bytes(message[position : position + size], "little"), position + size
        elif tag & 7 == 2:
            size, position = _varint(message, position)
            value, position = message[position : position + size], position + size
        else:
            raise ValueError("an entry of its index is damaged")
        if position > len(message):
            raise ValueError("an entry of its index is cut off")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(fields: dict[int, list[int | bytes]], number: int) -> int:
    """Return a number; 0 if it is absent, as protocol buffers leave out zeros."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError("an entry of its index is damaged")
    return value


def _bytes(fields: dict[int, list[int | bytes]], number: int) -> bytes:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise ValueError("an entry of its index is damaged")
    return value


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """Read a number of 7 bits per byte, lowest first. Returns it and the position after it."""
    value = 0
    for shift in range(0, 64, 7):
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number in its index is damaged")


def _crc32c_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC32C = _crc32c_table()


def _masked_crc32c(content: bytes) -> int:
    """Return the CRC-32C (Castagnoli; another polynomial than zlib's) as TensorFlow stores it."""
    crc, table = 0xFFFFFFFF, _CRC32C
    for byte in content:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF
