"""Passages as a library stores them."""

import math

import numpy as np
import pytest

from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.recommend.stored_passages import (
    SIZE,
    from_bytes,
    projected,
    projection,
    stored_form,
    to_bytes,
)


def passages(values: np.ndarray) -> Passages:
    starts = np.arange(len(values), dtype=np.float32) * 12.5
    return Passages(values=values.astype(np.float32), start_s=starts, end_s=starts + 12)


def test_few_dimensions_are_kept_as_they_are():
    values = np.float32([[0, 127, -64], [1, -127, 0]])
    found = from_bytes(to_bytes(passages(values)))
    np.testing.assert_array_equal(found.values, values)
    assert found.start_s.tolist() == [0, 12.5] and found.end_s.tolist() == [12, 24.5]


def test_what_is_stored_is_small_and_near_what_it_was():
    rng = np.random.default_rng(0)
    many = passages(rng.normal(size=(24, 400)))
    stored = to_bytes(many)
    assert len(stored) <= 24 * (SIZE + 8) + 8 == 1736
    found, kept = from_bytes(stored).values, projected(many).values
    assert np.abs(found - kept).max() <= np.abs(kept).max() / 127 / 2 + 1e-6, "half of a step"


@pytest.mark.parametrize("size", [65, 200, 400, 1506])
def test_the_projection_keeps_distances(size: int):
    matrix = projection(size)
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(SIZE), atol=1e-5)
    pairs = np.random.default_rng(size).normal(size=(2, 500, size)).astype(np.float32)
    before = np.linalg.norm(pairs[0] - pairs[1], axis=1)
    after = np.linalg.norm((pairs[0] - pairs[1]) @ matrix, axis=1) * np.sqrt(size / SIZE)
    assert np.abs(after / before - 1).mean() < 0.12


def test_the_projection_is_the_same_in_every_library():
    """Otherwise, the passages of a library could not be compared with those of a later version of musicrec."""
    assert projection(64) is None
    length = math.sqrt(2 / 400)
    expected = [  # of the terms 1, 33 and 399 of the cosine transform, with the signs of these dimensions
        -length * math.cos(math.pi / 400 * 0.5 * 1),
        length * math.cos(math.pi / 400 * 1.5 * 33),
        length * math.cos(math.pi / 400 * 399.5 * 399) * -1,
    ]
    np.testing.assert_allclose(projection(400)[[0, 1, 399], [0, 5, 63]], expected, atol=1e-6)


def test_no_passages():
    found = from_bytes(to_bytes(Passages.none()))
    assert len(found) == 0
    assert len(stored_form(None, None, 60.0)) == len(stored_form(None, b"", 60.0)) == 0


def test_the_ends_of_older_formats_are_two_passages():
    ends = np.float16([[1, 2, 3], [4, 5, 6]])
    found = stored_form(None, ends.tobytes(), 100.0)
    assert found.values.tolist() == ends.tolist()
    assert found.start_s.tolist() == [0, 70] and found.end_s.tolist() == [30, 100]
    short = stored_form(None, ends.tobytes(), 20.0)
    assert short.start_s.tolist() == [0, 0] and short.end_s.tolist() == [20, 20]
    assert len(stored_form(to_bytes(passages(np.ones((3, 2)))), ends.tobytes(), 100.0)) == 3
    assert len(stored_form(None, np.full((2, 3), np.nan, np.float16).tobytes(), 100.0)) == 0


@pytest.mark.parametrize("length", [0, 5, 20, 1735])
def test_damage_is_reported(length: int):
    whole = to_bytes(passages(np.ones((24, 400))))
    with pytest.raises(LibraryError, match="passages of a track are damaged"):
        from_bytes(whole[:length])
