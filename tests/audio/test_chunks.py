"""Chunk positions."""

import numpy as np
import pytest

from musicrec.audio.chunks import all_chunk_starts, chunk_starts


def test_chunks_cover_a_track_evenly():
    assert chunk_starts(100, 40).tolist() == [0, 30, 60]
    assert chunk_starts(30, 40).tolist() == [0]
    assert chunk_starts(100, 40, count=4).tolist() == [0, 15, 30, 45], "the published rule: a quarter of the room apart"


@pytest.mark.parametrize("count", [None, 1, 3, 16])
def test_many_tracks_at_once_have_the_chunks_of_single_tracks(count: int | None):
    lengths = np.random.default_rng(0).integers(1, 300, 500)
    tracks, starts = all_chunk_starts(lengths, 23, count)
    for track, length in enumerate(lengths):
        assert starts[tracks == track].tolist() == chunk_starts(int(length), 23, count).tolist()
    assert (np.diff(tracks) >= 0).all()
