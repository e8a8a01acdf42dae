"""The reader of TensorFlow's checkpoints: bundles written here by the description of the format, and damaged ones."""

import struct

import numpy as np
import pytest

from musicrec.errors import ExportError
from musicrec.export.tensor_bundle import _masked_crc32c, read_tensor_bundle

TENSORS = {
    "conv2d/bias": np.array([1.5, -2.0], np.float32),
    "conv2d/kernel": np.arange(6, dtype=np.float32).reshape(3, 2),
    "conv2d/kernel/Adam": np.zeros((3, 2), np.float32),
    "step": np.array(7.0, np.float32),
}


def varint(number):
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def block(pairs):
    """A block with its trailer. Keys share prefixes with the one before, as in LevelDB; one restart point."""
    content, before = b"", b""
    for key, value in pairs:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    content += struct.pack("<II", 0, 1)
    return content + b"\0" + struct.pack("<I", _masked_crc32c(content + b"\0"))


def entry(tensor, offset, *, dtype=1, crc=None):
    dimensions = b"".join(field(2, field(1, size)) for size in tensor.shape)
    checksum = _masked_crc32c(tensor.tobytes()) if crc is None else crc
    fields = field(1, dtype) + field(2, dimensions) + (field(4, offset) if offset else b"") + field(5, tensor.nbytes)
    return fields + varint(6 << 3 | 5) + struct.pack("<I", checksum)


def bundle(tensors=TENSORS, *, header=None, change=None, blocks=1):
    """Return index and data. change: {name: keyword arguments of `entry`}."""
    pairs, data = [(b"", field(1, 1) if header is None else header)], b""
    for name, tensor in tensors.items():
        arguments = {"offset": len(data)} | (change or {}).get(name, {})
        pairs.append((name.encode(), entry(tensor, **arguments)))
        data += tensor.tobytes()
    index, handles = b"", []
    for part in np.array_split(np.arange(len(pairs)), blocks):
        written = block([pairs[number] for number in part])
        handles.append((pairs[part[-1]][0], varint(len(index)) + varint(len(written) - 5)))
        index += written
    last = block(handles)
    footer = varint(0) + varint(0) + varint(len(index)) + varint(len(last) - 5)
    return index + last + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57), data


@pytest.mark.parametrize("blocks", [1, 3])
def test_reads_what_was_written(blocks):
    found = read_tensor_bundle(*bundle(blocks=blocks), source="x", skip=lambda name: "Adam" in name)
    assert list(found) == ["conv2d/bias", "conv2d/kernel", "step"]
    for name, tensor in found.items():
        assert tensor.dtype == np.float32 and np.array_equal(tensor, TENSORS[name])


def test_checksum_is_that_of_the_rfc():
    """RFC 3720, B.4: the CRC-32C of 32 zeros is 8a9136aa; masked as in LevelDB, crc32c.h."""
    crc = 0x8A9136AA
    assert _masked_crc32c(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"header": field(1, 2)}, "not one little-endian data file"),
        ({"header": field(1, 1) + field(2, 1)}, "not one little-endian data file"),
        ({"change": {"conv2d/bias": {"dtype": 3}}}, "conv2d/bias is not a whole float32 tensor"),
        ({"change": {"conv2d/kernel": {"crc": 0}}}, "checksum of conv2d/kernel is wrong"),
        ({"change": {"step": {"offset": 2**62}}}, "step does not fit its data file"),
        ({"tensors": {"b": TENSORS["step"], "a": TENSORS["step"]}}, "names in its index are not sorted"),
        ({"tensors": {"a": np.zeros([1] * 9, np.float32)}}, "a has 9 dimensions"),
        ({"tensors": {"a" * 1001: TENSORS["step"]}}, "a name of 1,001 bytes"),
    ],
)
def test_bad_bundles_get_one_message(arguments, reason):
    with pytest.raises(ExportError, match=rf"^x\.whl: no TensorFlow checkpoint.*{reason}"):
        read_tensor_bundle(*bundle(**arguments), source="x.whl")


def test_an_index_that_is_too_large_is_refused():
    with pytest.raises(ExportError, match="its index has 1,048,577 bytes"):
        read_tensor_bundle(bytes(2**20 + 1), b"", source="x")


def test_tensors_that_overlap_are_refused():
    """A small file must not fill the memory."""
    tensors = {f"t{number}": np.zeros(100, np.float32) for number in range(3)}
    index, data = bundle(tensors, change={name: {"offset": 0} for name in tensors})
    with pytest.raises(ExportError, match="larger than its data file"):
        read_tensor_bundle(index, data[:400], source="x")


def test_every_damaged_byte_and_every_cut_of_the_index_is_found_or_harmless():
    index, data = bundle(blocks=2)
    for position in range(len(index)):
        for content in (index[:position], index[:position] + bytes([index[position] ^ 0x55]) + index[position + 1 :]):
            try:
                found = read_tensor_bundle(content, data, source="x")
            except ExportError as error:
                assert str(error).startswith("x: no TensorFlow checkpoint")
            else:  # the padding of the footer, and the position of the unused meta index
                assert position >= len(index) - 48 and len(content) == len(index)
                assert all(np.array_equal(found[name], tensor) for name, tensor in TENSORS.items())


def test_damaged_data_is_found():
    index, data = bundle()
    for position in range(len(data)):
        with pytest.raises(ExportError, match="checksum"):
            read_tensor_bundle(index, data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :], source="x")
