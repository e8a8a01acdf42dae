"""The map of the embeddings."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from musicrec.figures.embedding import embedding_figure, principal_components

EMBEDDINGS = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32) * np.arange(1, 17)


def test_the_plane_equals_that_of_scikit_learn():
    points, shares = principal_components(EMBEDDINGS)
    reference = PCA(2, svd_solver="full").fit(EMBEDDINGS)
    np.testing.assert_allclose(np.abs(points), np.abs(reference.transform(EMBEDDINGS)), rtol=1e-3, atol=1e-3)
    assert shares == pytest.approx(reference.explained_variance_ratio_, rel=1e-4)


def test_the_order_of_the_tracks_does_not_flip_the_axes():
    points, _ = principal_components(EMBEDDINGS)
    again, _ = principal_components(EMBEDDINGS[::-1])
    np.testing.assert_allclose(again[::-1], points, atol=1e-3)


def test_the_most_frequent_labels_differ_in_colour_or_marker():
    labels = [f"genre {index % 22:02d}" if index % 3 else None for index in range(40)]
    figure = embedding_figure(EMBEDDINGS, labels, coloured_by="genre", title="a $ title")
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(names) == 21 and names[0].startswith("other or unlabelled (")
    looks = {
        (tuple(scatter.get_facecolor()[0]), scatter.get_paths()[0].vertices.tobytes())
        for scatter in figure.axes[0].collections
    }
    assert len(looks) == 21, "no two look the same"
    assert sum(len(scatter.get_offsets()) for scatter in figure.axes[0].collections) == 40


def test_two_tracks_give_no_figure():
    assert embedding_figure(EMBEDDINGS[:2], ["a", "b"], coloured_by="genre", title="t") is None


def test_equal_embeddings_are_drawn_at_one_point():
    figure = embedding_figure(np.ones((3, 4)), [None] * 3, coloured_by="genre", title="t")
    assert np.asarray(figure.axes[0].collections[0].get_offsets()).tolist() == [[0, 0]] * 3
