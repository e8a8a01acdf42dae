"""experiments/networks_all has every network, and its page says what its files say."""

import re
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "experiments" / "networks_all"
TABLE = pl.read_csv(STUDY / "leaderboard.csv")
NETWORKS = sorted({path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")} - {"probe"})
PROBES = ["probe_msd", "probe_mtt"]


def test_every_network_has_its_settings_its_costs_and_scores_of_both_splits():
    assert sorted(set(TABLE["network"])) == sorted([*NETWORKS, *PROBES]) and len(NETWORKS) >= 20
    for name in (*NETWORKS, *PROBES):
        assert (STUDY / f"{name}.yaml").is_file()
        rows = TABLE.filter(network=name)
        assert set(rows["split"]) == {"test", "test_shift"} and rows["runs"].min() >= 2, name
        for row in rows.to_dicts():
            assert row["low_artist"] <= row["mean"] <= row["high_artist"], row
            assert row["parameters"] > 0 and row["gflop"] > 0 and row["clips_per_s"] > 0, row


def test_the_page_has_every_network_with_its_scores():
    page = (STUDY / "README.md").read_text()
    lines = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M))
    assert sorted(lines) == sorted([*NETWORKS, *PROBES])
    for row in TABLE.to_dicts():
        assert f"{row['mean']:.3f}" in lines[row["network"]], row
    assert "leaderboard.png" in page and (STUDY / "leaderboard.png").stat().st_size < 200_000


@pytest.mark.parametrize("name", NETWORKS)
def test_the_command_of_the_page_trains_every_network(name):
    commands = (STUDY / "README.md").read_text().split("```")[1]
    assert re.search(rf"networks_all=(?:\w+,)*{name}\b", commands), name
