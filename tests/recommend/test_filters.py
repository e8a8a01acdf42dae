import dataclasses

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.heads.tags import TagHead
from musicrec.recommend.conditions import Condition
from musicrec.recommend.filters import TagFilter, possible_tag_key, tag_key, tag_values
from musicrec.recommend.tag_bits import TagBits


def values(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


def test_a_track_has_one_genre_and_the_query_a_close_second(heads: dict):
    probabilities = values([0.1, 0.5, 0.4], [0.6, 0.3, 0.1], [0.3, 0.45, 0.25])
    has = TagFilter().has_tag(heads["genre"], probabilities)
    assert has.tolist() == [[False, True, False], [True, False, False], [False, True, False]]
    close = TagFilter().has_tag(heads["genre"], probabilities, close=0.12)
    assert close.tolist() == [[False, True, True], [True, False, False], [False, True, False]]


def test_a_track_has_sure_tags_or_else_its_first(heads: dict):
    probabilities = values([0.9, 0.2, 0.5, 0.4], [0.1, 0.4, 0.3, 0.2])
    has = TagFilter(at_least=2).has_tag(heads["instruments"], probabilities)
    assert has.tolist() == [[True, False, True, False], [False, True, True, False]]


def test_a_track_has_a_tag_from_the_threshold_of_the_export_on(heads: dict):
    head = dataclasses.replace(heads["instruments"], thresholds=(0.95, 0.2, 0.5, 0.9))
    probabilities = values([0.9, 0.2, 0.4, 0.4])
    assert TagFilter().has_tag(head, probabilities).tolist() == [[False, True, False, False]]
    assert TagFilter(threshold=0.5).has_tag(head, probabilities).tolist() == [[True, False, False, False]]


def test_a_track_may_have_a_tag_down_to_a_quarter_of_the_odds(heads: dict):
    head = dataclasses.replace(heads["instruments"], thresholds=(0.5, 0.2, 0.8, 0.5))
    # The odds at the limits are 1, 1/4, 4 and 1; a quarter of them is reached at 0.2, 1/17, 0.5 and 0.2.
    limits = np.array([0.2, 1 / 17, 0.5, 0.2])
    either_side = np.stack([limits - 0.001, limits + 0.001]).astype(np.float32)
    assert TagFilter(at_least=1).may_have_tag(head, either_side).tolist() == [[False] * 2 + [True, False], [True] * 4]
    assert TagFilter(at_least=1).may_have_tag(head, either_side)[0, 2], "the first is had if none is sure"
    equal = TagFilter(at_least=1, threshold=0.8).may_have_tag(head, values([0.9, 0.501, 0.499, 0.0]))
    assert equal.tolist() == [[True, True, False, False]]
    genre = TagFilter().may_have_tag(heads["genre"], values([0.8, 0.2, 0.1], [0.4, 0.3, 0.3]))
    assert genre.tolist() == [[True, True, False], [True, True, True]]


def test_tracks_that_may_have_a_tag_stay_unless_only_sure_ones_are_wanted(world):
    tags, bits, everyone = world
    possible = np.zeros((5, 4), dtype=bool)
    possible[2, 0] = True  # the third track may have drums
    has = np.stack([bits.column(name) for name in bits.names[:4]], axis=1)
    lenient = tags, TagBits.pack(bits.names, np.hstack([has, has | possible])), everyone
    assert pooled(lenient, TagFilter(top=1), min_pool=1)[0] == [0, 1, 2]
    assert pooled(lenient, TagFilter(top=1, possible=False), min_pool=1)[0] == [0, 1]
    assert pooled(lenient, TagFilter(any=["drums"]), min_pool=1)[0] == [0, 1], "chosen tags are had"
    assert pooled(lenient, TagFilter(top=1, none=["drums"]), min_pool=1)[0] == [2]


def test_the_tags_of_tracks_are_those_they_have_and_those_they_may_have(heads: dict):
    chosen = [heads["genre"], heads["instruments"]]
    probabilities = {"genre": values([0.1, 0.5, 0.4]), "instruments": values([0.9, 0.3, 0.1, 0.6])}
    found = TagFilter().tags_of_tracks(chosen, probabilities).of_track(0)
    assert found == (
        "genre: jazz", "instruments: drums", "instruments: sax",
        "may have genre: jazz", "may have genre: rock", "may have instruments: drums",
        "may have instruments: flute", "may have instruments: sax",
    )  # fmt: skip
    assert TagFilter().tags_of_tracks([], {}).names == ()


def test_tags_that_say_most_come_first(heads: dict):
    query = {"genre": values([0.1, 0.7, 0.2])[0], "instruments": values([0.95, 0.6, 0.1, 0.0])[0]}
    usual = {"genre": values([0.3, 0.3, 0.4])[0], "instruments": values([0.9, 0.05, 0.4, 0.4])[0]}
    tags = TagFilter().tags_of(query, [heads["genre"], heads["instruments"]], usual)
    # flute .60 - .05, jazz .70 - .30, drums .95 - .90
    assert [tag.name for tag in tags] == ["flute", "jazz", "drums"]
    assert (tags[0].head, tags[0].probability, tags[0].usual_probability) == (
        "instruments",
        pytest.approx(0.6),
        pytest.approx(0.05),
    )


@pytest.fixture
def world(heads: dict):
    """Four tags of a query and who has them: one row per track, columns drums, flute, piano, sax."""
    has_tag = {"instruments": np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], bool)}
    query = {"instruments": values([0.9, 0.8, 0.7, 0.6])[0]}
    tags = TagFilter().tags_of(query, [heads["instruments"]], {"instruments": np.zeros(4, np.float32)})
    names = [key("instruments", name) for key in (tag_key, possible_tag_key) for name in heads["instruments"].classes]
    return tags, TagBits.pack(names, np.tile(has_tag["instruments"], 2)), np.ones(5, dtype=bool)


def pooled(world, tag_filter: TagFilter, *, min_pool: int, tags: list | None = None) -> tuple[list[int], list[tuple]]:
    """Return the rows that a filter leaves, and how many tags it asked for and how many tracks that left."""
    of_query, bits, everyone = world

    def left(condition: Condition) -> np.ndarray:
        found = everyone.copy()
        for group in condition.tags_any:
            found &= bits.any(group)
        return found & bits.all(condition.tags_all) & ~bits.any(condition.tags_none)

    condition, tried = tag_filter.pool(
        of_query if tags is None else tags, bits, lambda one: int(left(one).sum()), min_pool=min_pool
    )
    return np.flatnonzero(left(condition)).tolist(), [(len(step.tags), step.tracks) for step in tried]


@pytest.mark.parametrize(
    ("match", "min_pool", "kept", "steps"),
    [
        ("any", 2, [0, 1], [(2, 2)]),
        ("any", 3, [0, 1, 2], [(2, 2), (3, 3)]),
        ("any", 5, [0, 1, 2, 3, 4], [(2, 2), (3, 3), (4, 4), (0, 5)]),
        ("all", 1, [0], [(2, 1)]),
        ("all", 2, [0, 1], [(2, 1), (1, 2)]),
        ("all", 3, [0, 1, 2, 3, 4], [(2, 1), (1, 2), (0, 5)]),
    ],
)
def test_the_filter_is_relaxed_step_by_step(world, match: str, min_pool: int, kept: list, steps: list):
    assert pooled(world, TagFilter(match=match, top=2), min_pool=min_pool) == (kept, steps)


def test_tracks_that_may_not_stay_do_not_count(world):
    world[2][0] = False
    kept, tried = pooled(world, TagFilter(top=2), min_pool=1)
    assert kept == [1] and tried[-1][1] == 1


@pytest.mark.parametrize("match", ["any", "all"])
def test_fewer_tags_than_asked_for_and_none(world, match: str):
    _, tried = pooled(world, TagFilter(match=match, top=3), min_pool=1, tags=world[0][:1])
    assert tried == [(1, 2)]
    assert pooled(world, TagFilter(match=match), min_pool=1, tags=[]) == ([0, 1, 2, 3, 4], [(0, 5)])


def test_chosen_tags_are_not_relaxed(world):
    assert pooled(world, TagFilter(any=["Flute", "piano"]), min_pool=5) == ([0, 2], [(0, 2)])
    assert pooled(world, TagFilter(all=["drums", "flute"]), min_pool=5) == ([0], [(0, 1)])
    assert pooled(world, TagFilter(top=1, none=["flute"]), min_pool=1) == ([1], [(1, 1)])
    assert pooled(world, TagFilter(top=2, required=True), min_pool=5) == ([0, 1], [(2, 2)])
    with pytest.raises(ConfigError, match="tag flut: no track of this library has it; did you mean: flute"):
        pooled(world, TagFilter(none=["flut"]), min_pool=1)


@pytest.mark.parametrize(
    "settings", [{"match": "some"}, {"top": 0}, {"at_least": 1.5}, {"threshold": 2}, {"close": "near"}, {"possible": 2}]
)
def test_settings_that_cannot_work_are_named(settings: dict):
    with pytest.raises(ConfigError, match=rf"filter\.{next(iter(settings))}="):
        TagFilter(**settings)


def test_the_tags_of_the_public_taggers_are_joined_and_other_heads_stay(heads: dict):
    public = TagHead(name="tags_mtt", classes=("female", "woman", "rock", "slow"))
    given = {"genre": values([0.1, 0.7, 0.2]), "tags_mtt": values([0.2, 0.8, 0.3, 0.9])}
    chosen, found = tag_values([heads["genre"], public, heads["tempo"]], given)
    assert [head.name for head in chosen] == ["genre", "joined_tags"] and found.keys() == {"genre", "joined_tags"}
    assert chosen[1].classes == ("rock", "female voice"), "the filter asks for no mood"
    np.testing.assert_allclose(found["joined_tags"], [[0.3, 0.8]], rtol=1e-5)
