"""The facts of tracks side by side: types, and what is refused."""

import numpy as np
import pytest

from musicrec.recommend.columns import Columns

FACTS = {
    "bpm": [120, np.nan, 90],
    "key": [0, -1, 23],
    "energy": [1, np.nan, 10],
    "loudness": [-9.5, np.nan, -20],
    "year": [1999, -1, 2020],
    "duration_s": [200, np.nan, 0],
    "artist": ["b", "", "b"],
    "album": ["", "", ""],
    "genre": ["rock", "jazz", "rock"],
    "vectors": [[1, 0], [0, 0], [0.6, 0.8]],
}


def test_types_and_codes():
    columns = Columns(**FACTS)
    assert len(columns) == 3
    assert (columns.bpm.dtype, columns.key.dtype, columns.vectors.dtype) == (np.float32, np.int8, np.float32)
    assert columns.artist_codes.tolist() == [0, -1, 0] and columns.genre_codes.tolist() == [0, 1, 0]
    assert columns.has_vector.tolist() == [True, False, True]
    assert columns.recording.tolist() == [-1, -1, -1]


def test_a_library_can_be_empty():
    empty = Columns(**{name: np.zeros((0, 2) if name == "vectors" else 0) for name in FACTS})
    assert len(empty) == 0 and empty.artist_codes.size == 0


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("bpm", [120, 0, 90], "bpm of row 1 is 0; give above 0 BPM or NaN"),
        ("key", [0, 1, 24], "key of row 2 is 24; give from 0 to 23, or -1"),
        ("energy", [0.5, 1, 2], "energy of row 0 is 0.5; give from 1 to 10, or NaN"),
        ("loudness", [-9, -np.inf, -9], "loudness of row 1 is -inf; give a finite number of LUFS, or NaN"),
        ("duration_s", [1, 2, -1], "duration_s of row 2 is -1; give 0 s or more, or NaN"),
        ("vectors", [[1, 0], [2, 0], [1, 0]], "vectors of row 1 is length 2; give a vector of length 1, or zeros"),
        ("artist", ["a"], r"artist has the shape \(1,\); give 1 dimension and 3 tracks, as many as bpm has"),
        ("vectors", [1, 0, 0], r"vectors has the shape \(3,\); give 2 dimensions and 3 tracks"),
    ],
)
def test_what_is_refused(name, values, message):
    with pytest.raises(ValueError, match=message):
        Columns(**{**FACTS, name: values})
