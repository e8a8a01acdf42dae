"""What the server and its worker processes say to each other."""

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.recommend.track import Track
from musicrec.web.messages import decode, encode, track_fields, track_of


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8", "bool", ">f4"])
def test_arrays(dtype: str):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    found = decode(encode({"a": [array]}))["a"][0]
    assert found.shape == (2, 3) and found.tolist() == array.tolist()
    assert found.dtype == array.dtype.newbyteorder("<")


def test_a_track_comes_back_as_it_was():
    passages = Passages(values=np.ones((2, 3), np.float32), start_s=np.float32([0, 1]), end_s=np.float32([1, 2]))
    track = Track(
        path="a\udcff.mp3",
        track_id="a",
        source="",
        year=1999,
        size=0,
        mtime_ns=0,
        audio_hash="f",
        duration_s=1.5,
        probabilities={"tempo": np.float32([0.25, 0.75])},
        embedding=np.float32([np.nan, 1]),
        passages=passages,
        descriptors={"energy": 7.5},
        remarks=(Remark("silent", unreliable=True),),
        version_of="e",
    )
    found = track_of(decode(encode(track_fields(track))))
    for name in ("path", "year", "duration_s", "descriptors", "remarks", "version_of", "title", "unreliable"):
        assert getattr(found, name) == getattr(track, name)
    assert found.probabilities["tempo"].tolist() == [0.25, 0.75] and np.isnan(found.embedding[0])
    assert found.passages.values.tolist() == [[1] * 3] * 2 and found.passages.end_s.tolist() == [1, 2]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b'{"__array__": 3}',
        b'{"__array__": ["|O", [1], "AAAAAAAAAAA="]}',
        b'{"__array__": ["<f4", [1000000], "AAAA"]}',
        b'{"__array__": ["<f4", [-5], "AAAAAA=="]}',
        b'{"__bytes__": "?"}',
        b'{"__bytes__": 3}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_no_message(line: bytes):
    with pytest.raises(ValueError):
        decode(line)


@pytest.mark.parametrize(
    "values", [{}, {"remarks": 3}, {"remarks": [], "passages": {}}, {"remarks": [], "passages": None}]
)
def test_what_is_no_track(values: dict):
    with pytest.raises(ValueError, match="not a track"):
        track_of(values)


@pytest.mark.parametrize("message", [{"a": float("nan")}, "x" * (1 << 26)])
def test_what_cannot_be_sent(message: object):
    with pytest.raises(ValueError, match=r"JSON|too long"):
        encode(message)
