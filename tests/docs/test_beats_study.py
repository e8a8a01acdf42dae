"""The tables of experiments/beats/README.md are those of the CSV files beside it, and the card has the same figures."""

import csv
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments" / "beats"
TABLES = ("clips", "speeds", "robustness", "songs", "recordings", "agreement")


def rows_of(name: str) -> list[list[str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("name", [f"{table}.csv" for table in TABLES])
def test_the_table_is_that_of_the_file(name: str):
    page = (FOLDER / "README.md").read_text()
    section = page.partition(f"<!-- {name} -->")[2].partition("<!-- end -->")[0]
    lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in section.splitlines() if "|" in line]
    assert lines[:1] + lines[2:] == [[cell or "–" for cell in row] for row in rows_of(name)]


def test_the_model_card_has_these_figures():
    clips, songs = json.loads((ROOT / "experiments" / "pretrained" / "beats_card.json").read_text())["measured"]
    header, *rows = rows_of("clips.csv")
    measured = {(row[0], row[2]): dict(zip(header, row, strict=True)) for row in rows}
    for name, *values in clips["rows"]:
        split, method = name.split(", ")
        assert values == [float(measured[split, method][metric]) for metric in clips["columns"][1:]], name
    assert len(clips["rows"]) == 4
    assert [[str(value) for value in row] for row in songs["rows"]] == [row[:4] for row in rows_of("songs.csv")[1:]]


def test_it_is_better_than_the_other_program_and_keeps_the_tempo_of_the_songs():
    header, *rows = rows_of("clips.csv")
    scores = {(row[0], row[2]): float(row[header.index("f_measure")]) for row in rows}
    for split in ("test", "test_shift"):
        assert scores[split, "sequence"] > scores[split, "librosa"]
    for _, written, grid, *_ in rows_of("songs.csv")[1:]:
        assert abs(float(grid) / float(written) - 1) < 0.01
