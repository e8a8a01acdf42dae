"""docs/dependencies.md explains every package that setup.cfg asks for."""

import configparser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def test_every_dependency_is_explained():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    groups = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    declared = {canonicalize_name(Requirement(line).name) for group in groups for line in group.split("\n") if line}

    lines = (ROOT / "docs" / "dependencies.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| ")]
    explained = {canonicalize_name(name): purpose for _, name, purpose, *_ in rows if name != "package"}

    missing = [f'add "| {name} | what it is for |" to docs/dependencies.md' for name in declared - explained.keys()]
    assert not missing, "\n".join(missing)
    unused = explained.keys() - declared
    assert not unused, f"docs/dependencies.md explains {sorted(unused)}, which setup.cfg does not ask for"
    assert all(explained.values()), "docs/dependencies.md has a row without an explanation"
