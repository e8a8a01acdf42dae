"""The figures and commands of experiments/published/README.md agree with their sources."""

import re
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments" / "published"
README = (FOLDER / "README.md").read_text()
TAGGING = [
    f"{data}_{network}" for data in ("magnatagatune", "mtg_jamendo") for network in ("crnn", "short_chunk_resnet")
]


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the first table below a heading of the document, bold or not."""
    rows = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", README.split(f"## {heading}\n")[1], re.M)[1]
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows.splitlines()]


def test_every_overlay_has_its_command():
    """tests/test_configs.py composes both."""
    overlays = {path.stem for path in FOLDER.glob("*.yaml")} - {"won2020"}
    commands = re.findall(r"^musicrec \w+ \+experiment/published=(\w+) (?:export=\S+ )?data.root=FOLDER$", README, re.M)
    assert sorted(commands) == sorted(overlays)


def test_figures_are_those_of_the_reference(shared: Path):
    text = (shared / "anchors.md").read_text()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("| ")]
    published = {name.lower(): figures for name, *figures in rows if re.search(r"\.\d", "".join(figures))}
    named = {name.split(" (")[0].lower(): figures for name, *figures in table("Tagging: Won et al. 2020")}
    assert len(named) == 9
    for name, figures in named.items():
        (expected,) = (
            of for other, of in published.items() if other.startswith(name) and other[len(name) :][:1] in " ("
        )
        assert figures == expected, name
    expected = {name: figures for name, figures, _ in table("At a glance")}
    for overlay in TAGGING:
        row = published["crnn" if overlay.endswith("_crnn") else "short-chunk resnet"]
        figures = row[0 if overlay.startswith("magna") else 2].split(" / ")
        assert expected[overlay] == "ROC-AUC {}, PR-AUC {}".format(*figures)

    pairs = dict(re.findall(r"(clean|time stretch|pitch shift|compression|noise 0\.\d) (\.\d+/\.\d+)", text))
    robustness = {name: f"{roc}/{pr}" for name, _, roc, pr in table("Robustness of tagging")}
    assert robustness == pairs and len(pairs) == 6
    others = " ".join(text.split()) + " ".join(" ".join(row) for row in rows)
    for heading, count in (("Tempo and key: GiantSteps", 5), ("FMA small", 1), ("The original features of Spotify", 4)):
        figures = re.findall(
            r"\d\d\.\d|(?<=to )\d\d(?= %)|\d\d(?= %)", README.split(f"## {heading}\n")[1].split("\n## ")[0]
        )
        assert len(figures) >= count and not [figure for figure in figures if figure not in others], heading


def test_cost_is_what_the_benchmark_prints(program):
    printed = program("benchmarks/recipes.py", "--recipes", "fma_small").stdout
    cells = printed.splitlines()[-1].strip("| ").split(" | ")[1:]
    assert f"| fma_small | {' | '.join(cells)} |" in README


def test_hours_follow_from_the_operations():
    measured = pl.read_csv(ROOT / "benchmarks" / "throughput.csv").filter(pl.col("side") == "musicrec")
    rows = table("Hours")
    assert len(rows) == 7
    at_a_glance = {name: hours for name, _, hours in table("At a glance") if name in {row[0] for row in rows}}
    for name, costs, counts, total, measured_h, *gpu_h in rows:
        network = "CRNN" if name.endswith("_crnn") else "ShortChunkResNet"
        of = {row["pass"]: row for row in measured.filter(pl.col("network") == network).to_dicts()}
        parts = dict(
            zip(
                ("training", "evaluation"),
                zip(map(float, costs.split(" / ")), map(float, counts.removesuffix(" M").split(" / ")), strict=True),
                strict=True,
            )
        )
        assert float(total) == pytest.approx(sum(cost * chunks for cost, chunks in parts.values()), rel=0.02)
        seconds = sum(chunks * 1e6 / of[which]["clips_per_s"] for which, (_, chunks) in parts.items())
        assert float(measured_h) == pytest.approx(seconds / 3600, rel=0.02)
        for rate, hours in zip((19.5, 156, 312), gpu_h, strict=True):
            seconds = sum(cost * chunks / (rate / 1e3 * of[which]["share"]) for which, (cost, chunks) in parts.items())
            assert float(hours) == pytest.approx(seconds / 3600, rel=0.02, abs=0.06)
        assert at_a_glance[name] == gpu_h[0]
