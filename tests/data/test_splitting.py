"""The tracks of an artist stay together, the shares are kept, and existing splits do not change."""

import polars as pl
import pytest

from musicrec.data.splitting import split_tracks
from musicrec.errors import ConfigError


def tracks(artists: list[str | None], **columns: list) -> pl.DataFrame:
    empty = pl.Series([None] * len(artists), dtype=pl.String)
    names = [f"t{number}" for number in range(len(artists))]
    return pl.DataFrame({"track_id": names, "artist": artists, "album": empty, "split": empty} | columns)


def counts(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame["split"].value_counts().iter_rows())


def test_an_artist_is_in_one_split_and_the_shares_are_kept():
    frame = split_tracks(tracks([f"artist {number % 100}" for number in range(1000)]))
    assert counts(frame) == {"train": 800, "valid": 100, "test": 100}
    assert frame.group_by("artist").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 100


def test_the_division_depends_only_on_the_seed_and_the_artists():
    artists = [f"artist {number}" for number in range(50)]
    first, again, other = (split_tracks(tracks(artists), seed=seed)["split"].to_list() for seed in (1, 1, 2))
    assert first == again != other
    turned = split_tracks(tracks(artists[::-1]), seed=1)["split"].to_list()
    assert turned[::-1] == first, "not the order of the tracks"


def test_an_artist_with_most_of_the_tracks_is_always_in_train():
    for seed in range(10):
        frame = split_tracks(tracks(["Big"] * 8 + ["Ada", "Bo", "Cy"]), seed=seed)
        assert set(frame.filter(pl.col("artist") == "Big")["split"]) == {"train"}
        assert counts(frame) == {"train": 9, "valid": 1, "test": 1}


def test_spellings_of_an_artist_and_albums_without_one_stay_together():
    frame = tracks(["Ada", " ADA", "ada", None, None, None, "Bo"], album=[None, None, None, "X", "X", None, "X"])
    frame = split_tracks(frame, valid_share=0.3, test_share=0.3)
    split = frame["split"].to_list()
    assert len(set(split[:3])) == 1 and split[3] == split[4]
    assert len(set(split)) == 3


def test_tracks_without_a_label_do_not_count():
    genre = ["rock"] * 4 + [None] * 96
    frame = split_tracks(tracks([f"artist {number}" for number in range(100)], genre=genre))
    assert set(frame["split"][:4]) == {"train", "valid", "test"}


def test_existing_splits_stay_and_attract_their_artist():
    split = ["test", None, None, "valid", None, None]
    frame = split_tracks(tracks(["Ada", "Ada", "Bo", "Cy", "Di", "Ed"], split=split))
    assert frame["split"].to_list() == ["test", "test", "train", "valid", "train", "train"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({}, r"by artist: 2 .* too few.*test would be empty.*data.split_by=track"),
     ({"unit": "genre"}, "data.split_by=genre"),
     ({"valid_share": 0.8, "test_share": 0.4}, "data.valid_share=0.8 data.test_share=0.4")],
)  # fmt: skip
def test_invalid_settings_and_too_few_artists_are_errors(settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        split_tracks(tracks(["Ada", "Ada", "Ada", "Bo"]), **settings)
    assert counts(split_tracks(tracks(["Ada", "Ada", "Ada", "Bo"]), unit="track")) == {
        "train": 2,
        "valid": 1,
        "test": 1,
    }
