"""The tables of experiments/passages/README.md are those of the CSV files beside it, and the settings those chosen."""

import csv
import importlib.util
from pathlib import Path

import pytest

from musicrec.export.passages import MOST_PASSAGES, PASSAGE_S
from musicrec.recommend.passage_statistics import _RIDGE
from musicrec.recommend.stored_passages import SIZE

FOLDER = Path(__file__).parents[2] / "experiments" / "passages"


@pytest.mark.parametrize("name", ["passages.csv", "choosing.csv"])
def test_the_table_is_that_of_the_file(name: str):
    spec = importlib.util.spec_from_file_location("passages_study", FOLDER / "measure.py")
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    section = (FOLDER / "README.md").read_text().partition(f"<!-- {name} -->\n")[2].partition("<!-- end -->")[0]
    with (FOLDER / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 10 and section.strip().splitlines() == study.table_of(rows)


def test_the_settings_are_those_that_were_chosen():
    page = (FOLDER / "README.md").read_text()
    chosen = f"{PASSAGE_S:g} s, {MOST_PASSAGES} at most, in {SIZE} dimensions, with a ridge of {_RIDGE:g}"
    assert chosen in page.replace("\n", " ")
