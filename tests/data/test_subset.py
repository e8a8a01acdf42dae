"""Selecting tracks: shares of the training tracks, and conditions."""

import itertools

import polars as pl
import pytest

from musicrec.data.subset import keep_fraction, keep_where
from musicrec.errors import ConfigError

# 40 artists of 10 tracks, each in one of four genres, sorted as a manifest often is.
FRAME = pl.DataFrame(
    {
        "track_id": [f"t{row}" for row in range(400)],
        "artist": [f"artist {row // 10}" for row in range(400)],
        "genre": [f"genre {row // 100}" for row in range(400)],
    }
)


def ids(fraction: float, *, seed: int = 0, frame: pl.DataFrame = FRAME) -> list[str]:
    return keep_fraction(frame, fraction, seed=seed)["track_id"].to_list()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 1.0])
def test_every_artist_keeps_its_share(fraction: float):
    kept = keep_fraction(FRAME, fraction, seed=3)
    assert len(kept) == 400 * fraction
    counts = kept["artist"].value_counts()["count"]
    assert len(counts) == 40 and counts.max() - counts.min() <= 1
    assert kept["track_id"].to_list() == [track for track in FRAME["track_id"] if track in set(kept["track_id"])]


def test_a_smaller_share_is_part_of_a_larger_one():
    shares = [set(ids(fraction)) for fraction in (0.01, 0.1, 0.3, 0.7, 1.0)]
    assert [len(share) for share in shares] == [4, 40, 120, 280, 400]
    assert all(small < large for small, large in itertools.pairwise(shares))


def test_the_choice_follows_from_the_seed():
    assert ids(0.3) == ids(0.3)
    common = len(set(ids(0.3)) & set(ids(0.3, seed=1)))
    assert common < 80, "of 120; two independent choices share 36"


def test_without_artists_every_genre_keeps_its_share_and_without_either_the_number_holds():
    kept = keep_fraction(FRAME.drop("artist"), 0.2, seed=0)
    assert kept["genre"].value_counts()["count"].to_list() == [20] * 4
    nameless = FRAME.with_columns(artist=pl.lit(None, pl.String))
    assert keep_fraction(nameless, 0.2, seed=0)["genre"].value_counts()["count"].to_list() == [20] * 4
    assert len(keep_fraction(FRAME.select("track_id"), 0.2, seed=0)) == 80


def test_at_least_one_track_stays():
    assert len(ids(0.001)) == 1


@pytest.mark.parametrize("fraction", [0, -0.1, 1.5, 30, True, "ten"])
def test_an_invalid_share_is_named(fraction: object):
    with pytest.raises(ConfigError, match=rf"data.fraction={fraction}: give a share of the training tracks"):
        keep_fraction(FRAME, fraction, seed=0)


TRAINED_ON = pl.col("split") != "test"
SPLIT = pl.DataFrame(
    {"track_id": list("abcdef"), "split": ["train", "train", "valid", "valid", "test", "train"],
     "bpm": [120.0, 90.5, None, 110.0, 80.0, 130.0], "key": [0, 1, 7, 4, 5, None], "genre": ["jazz", *5 * ["rock"]]}
)  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("bpm BETWEEN 110 AND 130", "adef"),
        ("key IN (0, 7)", "ace"),
        ("genre <> 'jazz' AND bpm > 100", "def"),
        ("bpm IS NULL", "ce"),
    ],
)
def test_training_tracks_meet_the_condition(condition: str, kept: str):
    """A track without a label does not meet a condition on it; the test tracks stay."""
    assert "".join(keep_where(SPLIT, condition, splits=TRAINED_ON)["track_id"]) == kept


@pytest.mark.parametrize("condition", ["tempo > 100", "bpm >", "bpm", "1 = 1; DROP TABLE x", "genre + 1", ""])
def test_an_invalid_condition_is_named(condition: str):
    with pytest.raises(ConfigError, match=r"data\.train_where=.*give an SQL condition on columns of the manifest"):
        keep_where(SPLIT, condition, splits=TRAINED_ON)
