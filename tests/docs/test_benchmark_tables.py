"""The tables of benchmarks/README.md agree with each other and with the deformations that exist."""

import re
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
FORWARD = "forward pass of the Short-Chunk ResNet"


def test_shares_of_the_table_of_deformations():
    """A deformation that is newer than the measurement has no row yet."""
    text = (ROOT / "benchmarks" / "README.md").read_text()
    section = text.split("\n## Deformations\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (.+?) \| (.*?) ?\| ([\d.]+) \| ([\d.]+) \|$", section, re.M)
    rows = {name: (float(cost), float(share)) for name, _, cost, share in cells}
    forward, _ = rows.pop(FORWARD)
    unknown = rows.keys() - {path.stem for path in (ROOT / "conf" / "deformation").glob("*.yaml")}
    assert len(rows) >= 20 and not unknown, f"benchmarks/README.md measures {sorted(unknown)}, which do not exist"
    for name, (cost, share) in rows.items():
        assert share == pytest.approx(cost / forward, abs=0.011), name
    expensive = [name for name, (_, share) in rows.items() if share > 1]
    assert expensive == ["opus"] and "Only Opus costs more than the network: " in section


def test_shares_of_the_peak_in_throughput_csv():
    for row in pl.read_csv(ROOT / "benchmarks" / "throughput.csv").filter(side="musicrec").to_dicts():
        assert row["share"] == pytest.approx(row["gflop_per_s"] / row["peak_gflop_per_s"], abs=0.001)
