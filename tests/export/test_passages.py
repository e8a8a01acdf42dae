"""Passages of a track, from the chunks that networks hear."""

import numpy as np
import pytest

from musicrec.export.passages import END_S, MOST_PASSAGES, PASSAGE_S, HeardChunks, passage_edges, passages_of


@pytest.mark.parametrize("duration_s", [1.0, 14.0, 40.0, 60.0, 61.0, 75.0, 100.0, 240.0, 600.0, 3600.0, 36_000.0])
def test_passages_cover_a_track_and_are_few(duration_s: float):
    edges = passage_edges(duration_s)
    assert edges[0] == 0 and edges[-1] == pytest.approx(duration_s) and (np.diff(edges) > 0).all()
    assert 1 <= len(edges) - 1 <= MOST_PASSAGES
    if duration_s > 2 * END_S:
        assert END_S in edges and duration_s - END_S in edges.tolist()
        at_ends = round(END_S / PASSAGE_S)
        np.testing.assert_allclose(np.diff(edges)[[*range(at_ends), *range(-at_ends, 0)]], END_S / at_ends)
    if 70 <= duration_s <= 240:
        assert (np.abs(np.diff(edges) - PASSAGE_S) < PASSAGE_S / 2).all()


def heard(start_s: np.ndarray, length_s: float, *, size: int = 1) -> HeardChunks:
    """Return chunks whose embedding is the time at which they begin."""
    starts = np.asarray(start_s, float)
    return HeardChunks(np.repeat(starts[:, None], size, axis=1).astype(np.float32), starts, length_s)


def test_a_passage_is_the_mean_over_the_chunks_whose_middle_it_holds():
    found = passages_of([heard(np.arange(0, 30, 3), 3.0)], 30.0)
    assert passage_edges(30.0).tolist() == [0, 10, 20, 30]
    assert found.values[:, 0].tolist() == [3, 13.5, 24], "of 3, 4 and 3 chunks"
    assert found.start_s.tolist() == [0, 9, 21] and found.end_s.tolist() == [9, 21, 30]


def test_a_passage_says_where_it_was_heard():
    """Of a track of which little was heard, and nothing between 10 and 20 s."""
    found = passages_of([heard([1, 6, 21, 27], 3.0)], 30.0)
    assert found.values[:, 0].tolist() == [3.5, 24]
    assert found.start_s.tolist() == [1, 21] and found.end_s.tolist() == [9, 30]


def test_the_values_of_several_networks_are_side_by_side():
    long = heard([0, 15], 15.0, size=2)
    found = passages_of([heard(np.arange(0, 30, 3), 3.0), long], 30.0)
    assert found.values.tolist() == [[3, 0, 0], [13.5, 0, 0], [24, 15, 15]], "of equally near chunks the first"
    assert found.start_s.tolist() == [0, 9, 15] and found.end_s.tolist() == [15, 21, 30]


def test_a_chunk_that_was_padded_ends_with_the_track():
    found = passages_of([heard([0], 3.0)], 1.0)
    assert found.start_s.tolist() == [0] and found.end_s.tolist() == [1]


def test_without_networks_there_are_no_passages():
    assert len(passages_of([], 45.0)) == 0
