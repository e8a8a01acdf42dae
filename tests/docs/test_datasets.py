"""docs/datasets.md has a section for every dataset, with the figures that the code checks."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "datasets.md").read_text()
DATASETS = [
    path.stem
    for path in sorted((ROOT / "conf" / "data").glob("*.yaml"))
    if "musicrec.data.adapters." in path.read_text()
]


def test_every_dataset_has_a_section():
    assert len(DATASETS) >= 7
    sections = set(re.findall(r"^## (\w+)$", TEXT, re.M))
    linked = set(re.findall(r"^\| \[`(\w+)`\]\(#\1\)", TEXT, re.M))
    missing = [f'add "## {name}" to docs/datasets.md' for name in DATASETS if name not in sections]
    missing += [
        f'add "| [`{name}`](#{name}) | …" to docs/datasets.md (in the first table)'
        for name in DATASETS
        if name not in linked and name != "folder"  # which is the user's own music
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("name", ["magnatagatune", "gtzan", "fma"])
def test_published_numbers_are_those_of_the_checks(name: str):
    section = TEXT.split(f"## {name}\n")[1].split("\n## ")[0]
    flat = " ".join(section.split())
    for counts in import_module(f"musicrec.data.adapters.{name}").PUBLISHED.values():
        assert " / ".join(f"{counts[split]:,}" for split in ("train", "valid", "test") if split in counts) in flat
        assert "all" not in counts or f"{counts['all']:,}" in flat
