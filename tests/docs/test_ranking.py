"""The tables of docs/ranking.md are those of the files, and its example runs."""

import re
from pathlib import Path

import pytest
import yaml

from musicrec.recommend.musical_filters import KEY_WORDS, setting_names
from musicrec.recommend.presets import key_table_names, preset_from, preset_names, read_key_table, read_preset

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ranking.md").read_text()


def table(first_cell: str) -> list[list[str]]:
    """The rows of the table whose heading begins with a cell."""
    lines = PAGE[PAGE.index(f"| {first_cell} |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if not line.startswith("|---")]


def test_the_weights_are_those_of_the_presets():
    heading, *rows = table("block")
    names = [name.strip("`") for name in heading[1:]]
    assert set(names) == set(preset_names())
    for place, name in enumerate(names, 1):
        shown = {block: row[place] for row in rows for block in re.findall(r"`(\w+)`", row[0]) if row[place]}
        assert {block: float(weight) for block, weight in shown.items()} == read_preset(name).weights


def test_the_balance_is_that_of_the_presets():
    row = next(line for line in PAGE.splitlines() if line.startswith("| `balance`"))
    shown = [float(cell) for cell in row.strip("| ").split("|")[1:]]
    assert shown == [read_preset(name).reranking.balance for name in ("mix", "inspire", "explore")]


def test_the_scores_are_those_of_the_tables():
    heading, *rows = table("relation")
    names = [name.strip("`") for name in heading[2:]]
    assert set(names) == set(key_table_names())
    for relation, _, *scores in rows:
        field = "other" if relation == "other keys" else relation.strip("`")
        assert [getattr(read_key_table(name), field) for name in names] == [float(score) for score in scores]
    assert all(read_key_table(name).whole_tone_up == read_key_table(name).two_steps for name in names)


def test_every_setting_has_a_row():
    rows = table("setting")[1:]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == set(setting_names())


def test_every_word_for_keys_is_explained():
    assert all(f"`{word}`" in PAGE or f"{word},neighbour" in PAGE for word in KEY_WORDS)


def test_the_preset_of_the_page_is_one():
    text = PAGE.partition("```yaml\n")[2].partition("```")[0]
    assert preset_from(yaml.safe_load(text), name="own").passage == "outro_to_intro"


def test_the_example_runs(capsys: pytest.CaptureFixture):
    code = PAGE.partition("```python\n")[2].partition("```")[0]
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"# (\[.*\])$", code, re.M)
