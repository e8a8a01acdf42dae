"""The tables of experiments/versions/README.md are those of the CSV files beside it, and the limit is the default."""

import csv
from pathlib import Path

import pytest

from musicrec.recommend.versions import SameRecording

FOLDER = Path(__file__).parents[2] / "experiments" / "versions"


@pytest.mark.parametrize(
    "name", [f"{part}/{kind}.csv" for part in ("choosing", "checking") for kind in ("versions", "thresholds", "pairs")]
)
def test_the_table_is_that_of_the_file(name: str):
    page = (FOLDER / "README.md").read_text()
    section = page.partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if "|" in line]
    with (FOLDER / name).open(newline="") as file:
        rows = list(csv.reader(file))
    assert lines[:1] + lines[2:] == rows


def test_the_default_is_the_limit_that_was_chosen():
    page = (FOLDER / "README.md").read_text()
    assert f"The limit is {SameRecording().similarity}" in page
