"""Packed tags against the matrix that they were packed from."""

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.tag_bits import TagBits

NAMES = [f"tag{number}" for number in range(19)]


@pytest.fixture(scope="module")
def matrix() -> np.ndarray:
    return np.random.default_rng(0).random((200, len(NAMES))) < 0.3


@pytest.fixture(scope="module")
def tags(matrix: np.ndarray) -> TagBits:
    return TagBits.pack(NAMES, matrix)


def test_it_is_small(tags: TagBits):
    assert tags.bits.shape == (200, 3) and tags.bits.dtype == np.uint8 and len(tags) == 200


@pytest.mark.parametrize("number", range(19))
def test_each_column(tags: TagBits, matrix: np.ndarray, number: int):
    np.testing.assert_array_equal(tags.column(NAMES[number]), matrix[:, number])


@pytest.mark.parametrize("numbers", [[0], [3, 4], [0, 7, 8, 18], list(range(19)), []])
def test_any_and_all(tags: TagBits, matrix: np.ndarray, numbers: list[int]):
    names = [NAMES[number] for number in numbers]
    np.testing.assert_array_equal(tags.any(names), matrix[:, numbers].any(axis=1))
    np.testing.assert_array_equal(tags.all(names), matrix[:, numbers].all(axis=1))


def test_counts_and_names(tags: TagBits, matrix: np.ndarray):
    np.testing.assert_array_equal(tags.counts(), matrix.sum(axis=0))
    assert tags.of_track(5) == tuple(np.array(NAMES)[matrix[5]])


@pytest.mark.parametrize("rows", [[3, 1, 1], slice(10, 20), np.arange(200) % 2 == 0], ids=["rows", "slice", "mask"])
def test_some_tracks(tags: TagBits, matrix: np.ndarray, rows):
    taken = tags.take(rows)
    np.testing.assert_array_equal(taken.column("tag9"), matrix[rows, 9])
    assert taken.names == tags.names


def test_without_tags_or_tracks():
    assert TagBits((), np.zeros((4, 0))).counts().size == 0
    assert TagBits.pack(["a"], np.zeros((0, 1))).counts().tolist() == [0]


def test_a_tag_that_does_not_exist():
    tags = TagBits.pack(["piano", "Flute"], np.zeros((1, 2)))
    with pytest.raises(ConfigError, match="tag pianoo: no track of this library has it; did you mean: piano"):
        tags.column("pianoo")
    with pytest.raises(ConfigError, match="tag zither: no track of this library has it; choose from: Flute, piano"):
        tags.any(["piano", "zither"])
    with pytest.raises(ConfigError, match="tag piano: the tracks of this library have no tags"):
        TagBits((), np.zeros((1, 0))).column("piano")


def test_what_is_refused():
    with pytest.raises(ValueError, match="name each tag once"):
        TagBits(("a", "a"), np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"bits have the shape \(1, 1\); give \(tracks, 2\) for 9 tags"):
        TagBits(tuple("abcdefghi"), np.zeros((1, 1)))
    with pytest.raises(ValueError, match=r"matrix has the shape \(1, 2\); give \(tracks, 1\), one column per tag"):
        TagBits.pack(["a"], np.zeros((1, 2)))
