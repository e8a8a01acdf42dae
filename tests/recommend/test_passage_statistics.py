"""How the passages of a library are distributed."""

import numpy as np
import pytest

from musicrec.export.passages import Passages
from musicrec.recommend.passage_statistics import PassageStatistics
from musicrec.recommend.stored_passages import projected


def passages(values: np.ndarray) -> Passages:
    starts = np.arange(len(values), dtype=np.float32)
    return Passages(values=np.asarray(values, np.float32), start_s=starts, end_s=starts + 1)


def test_passages_are_centred_and_whitened():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4000, 3)) @ [[1, 0.9, 0], [0, 0.1, 0], [0, 0, 50]] + [1, 2, 3]
    found = PassageStatistics.fit([passages(part) for part in np.split(mixed, 40)], least=20)
    np.testing.assert_allclose(found.mean, mixed.mean(axis=0), rtol=1e-4)
    whitened = (mixed - found.mean) @ found.whitening
    variance = np.linalg.eigvalsh(np.cov(mixed.T, ddof=0))
    share = variance / (variance + 0.2 * variance.mean())  # 1 without the ridge
    np.testing.assert_allclose(np.cov(whitened.T, ddof=0), np.diag(share), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.vectors(mixed), axis=1), 1, rtol=1e-5)
    assert found.vectors(found.mean[None]).tolist() == [[0, 0, 0]], "it has no direction"


def test_passages_of_few_tracks_are_compared_as_they_are():
    few = [passages(np.eye(3) * 5) for _ in range(3)]
    found = PassageStatistics.fit([*few, Passages.none()], least=4)
    np.testing.assert_allclose(found.vectors(np.float32([[0, 3, 4]])), [[0, 0.6, 0.8]])
    assert PassageStatistics.fit([Passages.none()], least=1) is None


def test_dimensions_that_never_change_and_single_dimensions():
    constant = PassageStatistics.fit([passages(np.ones((2, 3)))] * 30, least=20)
    assert np.isfinite(constant.vectors(np.ones((1, 3)))).all()
    single = PassageStatistics.fit([passages([[1], [2]])] * 30, least=20)
    assert single.vectors(np.float32([[1], [2]])).tolist() == [[-1], [1]]


def test_passages_of_other_models_are_passed_over():
    found = PassageStatistics.fit([passages(np.eye(3))] * 25 + [passages(np.eye(2))] * 10, least=20)
    assert len(found.mean) == 3


@pytest.mark.parametrize("size", [3, 300])
def test_statistics_of_older_formats(size: int):
    rng = np.random.default_rng(1)
    mean, deviation = rng.normal(size=size), rng.uniform(0.5, 2, size)
    values = projected(passages(rng.normal(mean, deviation, (20_000, size)))).values
    found = PassageStatistics.from_ends(mean, deviation)
    assert found.share_of_ends == 1
    scaled = (values - found.mean) @ found.whitening
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(scaled.std(axis=0), 1, rtol=0.05)
