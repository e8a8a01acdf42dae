"""The tables of experiments/real_library/README.md are those of the CSV files beside it."""

import csv
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "real_library"


@pytest.mark.parametrize("name", ["neighbours.csv", "choosing.csv"])
def test_the_table_is_that_of_the_file(name: str):
    page = (FOLDER / "README.md").read_text()
    section = page.partition(f"<!-- {name} -->")[2].partition(f"<!-- end of {name} -->")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    with (FOLDER / name).open(newline="") as file:
        rows = {row["ranking"]: row for row in csv.DictReader(file)}
    assert len(lines) > 20
    for ranking, value, *more in lines:
        row = rows.pop(ranking.strip("*"))
        assert float(value.strip(" |")) == pytest.approx(float(row["same_soundtrack"]), abs=5e-4)
        if row["same_soundtrack_low"]:
            interval = f"[{float(row['same_soundtrack_low']):.3f}, {float(row['same_soundtrack_high']):.3f}]"
            assert more[0] == interval
    stated = dict(re.findall(r"^- (default − .+): ([+-]\d\.\d{3}) ", section, re.M))
    assert stated.keys() == rows.keys(), "what is left of the file are the differences"
    for ranking, value in stated.items():
        assert float(value) == pytest.approx(float(rows[ranking]["same_soundtrack"]), abs=5e-4)


@pytest.mark.parametrize("name", ["neighbours.csv", "choosing.csv"])
def test_no_single_block_is_better_than_the_default_beyond_chance(name: str):
    with (FOLDER / name).open(newline="") as file:
        (row,) = [
            row
            for row in csv.DictReader(file)
            if row["ranking"].startswith("default − ") and row["ranking"] != "default − default before"
        ]
    assert float(row["same_soundtrack_high"]) > 0


def test_the_tables_of_the_last_steps_are_those_of_the_file():
    page = (FOLDER / "README.md").read_text()
    section = page.partition("<!-- reranking.csv -->")[2].partition("<!-- end of reranking.csv -->")[0]
    with (FOLDER / "reranking.csv").open(newline="") as file:
        of = {
            (row["weights"], row["part"], row["setting"], row["measure"]): float(row["value"])
            for row in csv.DictReader(file)
        }
    compared = 0
    for table in re.findall(r"^([A-Z][^|\n]+)\n\n((?:\|.*\n)+)", section, re.M):
        header, _, *lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table[1].splitlines()]
        for weights, setting, *values in lines:
            for measure, value in zip(header[2:], values, strict=True):
                assert float(value.partition(",")[0]) == of[weights, table[0].lower(), setting, measure]
                compared += 1
    assert compared > 100
