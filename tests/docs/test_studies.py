"""Every study that compares settings keeps its table, with intervals, and its figure."""

from pathlib import Path

import polars as pl
import pytest

EXPERIMENTS = Path(__file__).parents[2] / "conf" / "experiment"


@pytest.mark.parametrize("study", ["label_efficiency", "networks", "probes", "recipes", "sweep"])
def test_a_study_has_its_table_with_intervals_and_its_figure(study: str):
    table = pl.read_csv(EXPERIMENTS / study / "settings.csv")
    primary = table.filter(pl.col("metric").is_in(["accuracy", "roc_auc"]))
    assert set(primary["split"]) == {"test", "test_shift"} and set(primary["head"]) == {"genre", "instruments"}
    for row in primary.to_dicts():
        assert row["low_artist"] < row["mean"] < row["high_artist"], row
    assert primary["runs"].min() >= 2 and len(primary) >= 8
    assert "settings.png" in (EXPERIMENTS / study / "README.md").read_text()
    assert (EXPERIMENTS / study / "settings.png").stat().st_size < 200_000
