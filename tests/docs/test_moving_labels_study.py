"""The figures of experiments/moving_labels/README.md are those of the CSV files beside it."""

import re
from pathlib import Path

import polars as pl
import pytest

FOLDER = Path(__file__).parents[2] / "experiments" / "moving_labels"


@pytest.mark.parametrize("split", ["test", "test_shift"])
@pytest.mark.parametrize(("head", "metric", "kinds"), [("key", "accuracy", 5), ("tempo", "acc1", 4)])
def test_figures_are_those_of_the_table(head: str, metric: str, kinds: int, split: str):
    text = (FOLDER / "README.md").read_text()
    assert f"({head}/{split}_models.png)" in text and (FOLDER / head / f"{split}_models.png").stat().st_size < 200_000
    (section,) = re.findall(rf"^## {head.title()}(.+?)^## ", text, re.M | re.S)
    lines = [line for line in section.splitlines() if line.startswith(f"| {split} |")]
    rows = pl.read_csv(FOLDER / head / f"{split}_models.csv").filter(metric=metric).to_dicts()
    assert [row["export"] for row in rows] == ["clean", "unmoved", "moved"] * kinds and len(lines) == kinds
    for line, clean, unmoved, moved in zip(lines, rows[::3], rows[1::3], rows[2::3], strict=True):
        values = [
            f"{row['value']:.2f} ({row['value_low']:.2f}–{row['value_high']:.2f})" for row in (clean, unmoved, moved)
        ]
        gap = f"{moved['ahead']:+.2f} ({moved['ahead_low']:+.2f} to {moved['ahead_high']:+.2f})"
        assert line.endswith(f"| {values[0]} | {values[1]} | **{values[2]}** | {gap} |")
        if head == "key":  # "the intervals of the three do not overlap in any row"
            assert unmoved["value_high"] < clean["value_low"] and clean["value_high"] < moved["value_low"]
