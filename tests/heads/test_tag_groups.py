import numpy as np
import pytest

from musicrec.export import catalogue
from musicrec.heads.tag_groups import TagGroups, joined_heads, tag_table
from musicrec.heads.tags import FACTOR, LOWEST, TagHead

# The 50 tags of the taggers trained on the Million Song Dataset, as Choi et al. 2016 chose them.
MSD = """
    rock|pop|alternative|indie|electronic|female vocalists|dance|00s|alternative rock|jazz|beautiful|metal|chillout|
    male vocalists|classic rock|soul|indie rock|Mellow|electronica|80s|folk|90s|chill|instrumental|punk|oldies|blues|
    hard rock|ambient|acoustic|experimental|female vocalist|guitar|Hip-Hop|70s|party|country|easy listening|sexy|catchy|
    funk|electro|heavy metal|Progressive rock|60s|rnb|indie pop|sad|House|happy
"""


def public_tags() -> dict[str, tuple[str, ...]]:
    mtt = catalogue.entries()["mtat_crnn"].settings["classes"]
    return {"tags_mtt": tuple(mtt), "tags_msd": tuple(tag.strip() for tag in MSD.split("|"))}


def test_every_public_tag_is_joined_and_nothing_else():
    assert joined_heads() == set(public_tags())
    for head, tags in public_tags().items():
        assert len(tags) == 50
        used = {tag for joined in tag_table().tags for tag in joined.sources.get(head, ())}
        assert used == set(tags), f"tag_groups.yaml: join these tags of {head}, or remove them"
        against = {tag for joined in tag_table().tags for tag in joined.against.get(head, ())}
        assert against <= set(tags)


def test_names_are_unique_and_measures_name_joined_tags():
    names = [tag.name for tag in tag_table().tags]
    assert len(names) == len(set(names)) and list(dict.fromkeys(tag.group for tag in tag_table().tags)) == [
        "genre", "instruments", "voice", "mood", "era"
    ]  # fmt: skip
    for measure, sides in tag_table().from_tags.items():
        assert all(sides) and not set(sides[0]) & set(sides[1]), measure
        assert {name for side in sides for name in side} <= set(names), measure
    assert set(tag_table().from_tags) == {
        "danceability", "acousticness", "instrumentalness", "valence", "vocals"
    }  # fmt: skip


@pytest.fixture
def taggers() -> list[TagHead]:
    return [
        TagHead(name="tags_mtt", classes=("rock", "female", "woman", "no vocals", "vocals")),
        TagHead(name="tags_msd", classes=("rock", "female vocalists"), usual=(0.3, 0.05)),
        TagHead(name="mine", classes=("rock",)),
    ]


def odds(value: float) -> float:
    return value / (1 - value)


def test_the_limit_follows_from_the_usual_probability():
    usual = (0.01, 0.15, 0.4)
    assert TagHead(classes=("a", "b", "c"), usual=usual).limits.tolist() == [
        LOWEST, pytest.approx(FACTOR * 0.15), 0.5
    ]  # fmt: skip
    tuned = TagHead(classes=("a", "b", "c"), usual=usual, thresholds=(0.3, 0.4, 0.9))
    assert tuned.limits.tolist() == [0.3, 0.4, 0.9], "a tuned threshold wins"


def test_strengths(taggers):
    groups = TagGroups(taggers)
    assert [tag.name for tag in groups.tags] == ["rock", "vocals", "female voice", "instrumental"]
    assert groups.sources == ["tags_mtt", "tags_msd"]
    values = {
        "tags_mtt": np.float32([[0.8, 0.1, 0.6, 0.2, 0.9], [0.8, 0.1, 0.6, 0.75, 0.9]]),
        "tags_msd": np.float32([[0.5, 0.1], [0.5, 0.1]]),
        "mine": np.float32([[1.0], [1.0]]),
    }
    sure = groups.strengths(values)
    limit_rock, limit_female = np.clip(FACTOR * np.array([0.3, 0.05]), LOWEST, 0.5)
    # Odds multiply: two taggers give the geometric mean of their odds over those of their limits.
    rock = np.sqrt(odds(0.8) * odds(0.5) / odds(limit_rock))
    female = np.sqrt(odds(0.6) * odds(0.1) / odds(limit_female))
    np.testing.assert_allclose(sure[0, 0], rock / (1 + rock), rtol=1e-5)
    np.testing.assert_allclose(sure[0, 1], 0.9, rtol=1e-5)
    np.testing.assert_allclose(sure[0, 2], female / (1 + female), rtol=1e-5)
    # What speaks against a tag divides its odds; "no vocals" at 0.2 says nothing, as it is below its limit.
    np.testing.assert_allclose(sure[1, 1], odds(0.9) / odds(0.75) / (1 + odds(0.9) / odds(0.75)), rtol=1e-5)
    np.testing.assert_allclose(sure[0, 3], odds(0.2) / odds(0.9) / (1 + odds(0.2) / odds(0.9)), rtol=1e-5)
    np.testing.assert_allclose(groups.strengths({name: rows[1] for name, rows in values.items()}), sure[1])


def test_probabilities_of_0_and_1_have_a_strength(taggers):
    values = {"tags_mtt": np.float32([0, 0, 0, 1, 1]), "tags_msd": np.float32([1, 0]), "mine": np.float32([0])}
    assert np.isfinite(TagGroups(taggers).strengths(values)).all()


def test_tags_are_described_by_group_and_measures_are_read_off(taggers):
    groups = TagGroups(taggers)
    said = groups.describe(np.float32([0.9, 0.7, 0.4, 0.2]))
    assert list(said) == ["genre", "voice"]
    assert [(tag["tag"], tag["present"]) for tag in said["voice"]] == [
        ("vocals", True), ("female voice", False), ("instrumental", False)
    ]  # fmt: skip
    measured = groups.measures(np.float32([0.9, 0.7, 0.4, 0.2]))
    # For vocals speaks the strongest of its tags, 0.7; against it "instrumental", 0.2; each side has a doubt of 0.1.
    assert measured == {
        "instrumentalness": pytest.approx(0.3 / 1.1, rel=1e-5),
        "vocals": pytest.approx(0.8 / 1.1, rel=1e-5),
    }


def test_heads_that_the_table_does_not_name_have_no_joined_tags():
    groups = TagGroups([TagHead(name="mine", classes=("rock",))])
    assert groups.tags == [] and groups.sources == [] and groups.describe(np.zeros(0)) == {}
    assert groups.measures(np.zeros(0)) == {}


def test_the_filter_knows_the_tags_of_some_groups_only(taggers):
    mood = TagHead(name="tags_mtt", classes=("slow", "fast", "guitar"))
    head, strengths = TagGroups([mood]).filtered({"tags_mtt": np.float32([[0.9, 0.1, 0.7]])})
    assert head.classes == ("guitar",) and strengths.shape == (1, 1)
    np.testing.assert_allclose(strengths, 0.7, rtol=1e-5)
