"""Styles and their splits, and the plan of a corpus."""

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from musicrec.data.rendering.plan import plan_clips
from musicrec.data.rendering.styles import SPLITS, grooves_of, read_genres
from musicrec.errors import ConfigError

FONTS = [Path("a.sf2"), Path("b.sf2")]


def plan(**settings):
    return plan_clips(read_genres(), **{"clips_per_genre": 50, "composed": 20, "seed": 0, "sound_fonts": FONTS,
                                        "shift_sound_font": None} | settings)  # fmt: skip


def test_a_style_is_in_one_split_only():
    genres = read_genres()
    assert len(genres) == 12
    where = Counter(style for genre in genres for styles in genre.styles.values() for style in styles)
    assert len(where) > 130 and set(where.values()) == {1}
    assert all(genre.styles[split] for genre in genres for split in SPLITS)
    assert all(40 <= low < high <= 250 for low, high in (genre.tempo for genre in genres))


def test_the_split_of_styles_is_that_of_the_first_corpus(shared):
    splits = {(genre.name, style): split for genre in read_genres()
              for split, styles in genre.styles.items() for style in styles}  # fmt: skip
    rows = pl.read_csv(shared / "corpus" / "manifest.csv").to_dicts()
    assert len(rows) == 1194
    for row in rows:
        assert splits[row["genre"], row["artist"]] == row["split"].removesuffix("_shift"), row["track_id"]


def test_shares_of_the_splits():
    assert Counter(clip.split for clip in plan()) == {"train": 12 * 35 + 17, "valid": 12 * 6 + 3, "test": 12 * 9}
    shifted = [clip for clip in plan(shift_sound_font=Path("c.sf2")) if clip.split == "test_shift"]
    assert len(shifted) == 12 * 4 and {clip.sound_font for clip in shifted} == {Path("c.sf2")}


def test_a_clip_is_in_a_style_of_its_split_and_has_a_font_and_a_seed_of_its_own():
    genres, clips = {genre.name: genre for genre in read_genres()}, plan()
    for clip in clips:
        assert clip.style is None or clip.style in genres[clip.genre].styles[clip.split]
    assert {clip.sound_font for clip in clips} == set(FONTS)
    assert len({clip.seed for clip in clips}) == len({clip.track_id for clip in clips}) == len(clips) == 620


def test_the_same_seed_makes_the_same_plan_and_another_one_does_not():
    assert plan() == plan()
    assert not {clip.seed for clip in plan()} & {clip.seed for clip in plan(seed=1)}
    fewer, more = ({clip.track_id: clip.seed for clip in plan(clips_per_genre=count)} for count in (40, 50))
    assert fewer.items() < more.items(), "a larger corpus keeps the seeds of a smaller one"


def test_grooves_without_those_of_a_few_bars(tmp_path):
    (tmp_path / "stdlib").mkdir()
    (tmp_path / "casio").mkdir()
    text = "DefGroove {0}  Main part\n  defgroove {0}Plus\nDefGroove {0}Intro8\nDefGroove {0}End2\nDefGroove {0}Fill\n"
    (tmp_path / "stdlib" / "bends.mma").write_text(text.format("Bends"))
    (tmp_path / "casio" / "rock.mma").write_text(text.format("Rock"))
    assert grooves_of("bends", tmp_path) == ["Bends", "BendsPlus"]
    assert grooves_of("casio/rock", tmp_path) == ["casio/rock:Rock", "casio/rock:RockPlus"]
    (tmp_path / "stdlib" / "bare.mma").write_text("// nothing")
    for style, message in (("none", "none.mma: cannot be read"), ("bare", "bare.mma: defines no groove")):
        with pytest.raises(ConfigError, match=f"{message}.*apt install mma"):
            grooves_of(style, tmp_path)
