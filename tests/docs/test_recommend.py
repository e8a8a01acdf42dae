"""docs/recommend.md says of the tags what the code does."""

import re
from pathlib import Path

from musicrec.heads.tag_groups import tag_table
from musicrec.heads.tags import FACTOR, LOWEST

PAGE = (Path(__file__).parents[2] / "docs" / "recommend.md").read_text()


def test_the_table_of_measures_is_that_of_the_code():
    rows = re.findall(r"^\| (\w+) \| (.*) \| (.*) \|$", PAGE.partition("| measure |")[2].partition("\n\n")[0], re.M)
    assert {name: (tuple(said.split(", ")), tuple(against.split(", "))) for name, said, against in rows} == dict(
        tag_table().from_tags
    )


def test_the_limit_of_a_tag_is_that_of_the_code():
    words = {1.5: "one and a half times", 2.0: "twice", 3.0: "three times"}
    text = " ".join(PAGE.split())
    assert f"is {words[FACTOR]} its usual probability, but at least {LOWEST:g} and at most 0.5" in text
    assert f"The filter uses {', '.join(tag_table().filtered[:-1])} and {tag_table().filtered[-1]}." in text
