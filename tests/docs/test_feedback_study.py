"""The tables of experiments/feedback/README.md are those of its CSV file, and docs/feedback.md has the defaults."""

import csv
import re
from pathlib import Path

import pytest

from musicrec.recommend.profiles.collaborative import CollaborativeSettings
from musicrec.recommend.profiles.records import KINDS
from musicrec.recommend.profiles.taste_settings import TasteSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments" / "feedback"


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    with (FOLDER / "simulation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_tables_are_those_of_the_file(rows: list[dict]):
    page, found = (FOLDER / "README.md").read_text(), 0
    for question in dict.fromkeys(row["question"] for row in rows):
        section = page.partition(f"<!-- {question} -->")[2].partition("<!-- end -->")[0]
        for line in section.splitlines()[2:]:
            cells = [cell.strip() for cell in line.strip("| ").split("|")]
            if len(cells) != 4 or cells[0].startswith("-") or not cells[1].replace(",", "").isdigit():
                continue
            row = next(
                row
                for row in rows
                if (row["question"], row["ranking"], row["count"]) == (question, cells[0], cells[1].replace(",", ""))
            )
            for cell, name in ((cells[2], "hit_rate"), (cells[3], "gain")):
                if cell == "–":
                    continue
                numbers = [float(number) for number in re.findall(r"[+-]?\d*\.\d+", cell)]
                expected = [float(row[f"{name}{end}"]) for end in ("", "_low", "_high")]
                assert numbers == pytest.approx(expected, abs=5.1e-4), line
            found += 1
    assert found == len(rows)


def test_three_clicks_do_not_turn_an_answer_over():
    page = (FOLDER / "README.md").read_text()
    with (FOLDER / "moves.csv").open(newline="") as file:
        moves = {row.pop("said"): [float(value) for value in row.values()] for row in csv.DictReader(file)}
    for said, (move, first, five) in moves.items():
        assert f"| {said} | {move:.1f} | {first:.2f} | {five:.2f} |" in page, said
    assert moves["2 likes, 1 skip"][0] < 2 and moves["2 likes, 1 skip"][2] > 0.8
    assert moves["1 like"][0] < moves["5 likes"][0] < moves["10 likes"][0] < moves["30 likes"][0]


def test_ten_likes_raise_the_hit_rate(rows: list[dict]):
    ten = next(row for row in rows if (row["question"], row["ranking"], row["count"]) == ("likes", "likes", "10"))
    assert float(ten["gain_low"]) > 0


def test_others_are_asked_from_the_measured_number_of_listeners_on(rows: list[dict]):
    settings = CollaborativeSettings()
    gains = {
        int(row["count"]): float(row["gain_low"])
        for row in rows
        if row["question"] == "crowd" and row["ranking"].startswith("both")
    }
    assert settings.least_listeners == min(
        size for size in gains if all(gains[other] > 0 for other in gains if other >= size)
    )


def test_the_page_has_the_weights_of_the_defaults():
    page, settings = (ROOT / "docs" / "feedback.md").read_text(), TasteSettings()
    table = dict(re.findall(r"^\| `(\w+)` \| .+ \| ([^|]+) \|$", page, re.M))
    assert tuple(sorted(KINDS)) == tuple(sorted(table))
    assert (float(table["played"]), float(table["skipped"])) == (settings.played, -settings.skipped)
    for words in (
        f"at most {settings.behaviour_most:g} in all",
        f"every {settings.half_life_days:g} days",
        f"strength · n / (n + {settings.evidence_half:g})",
        f"`strength` is {settings.strength:g}",
        f"strength · m / (m + {settings.pairs_half:g})",
        f"gets {settings.pair_bonus:g} more",
    ):
        assert words in page.replace("\n", " "), words
