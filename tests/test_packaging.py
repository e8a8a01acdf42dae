"""What the project says it needs is what the code imports; every pin fits; every dependency is explained."""

import ast
import configparser
import functools
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROGRAMS = [ROOT / "train.py", ROOT / "evaluate.py", ROOT / "recommend.py", ROOT / "robustness.py"]


@pytest.fixture(scope="module")
def declared() -> dict[str, list[Requirement]]:
    """{"": what the package needs, extra: what it adds}."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    groups = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {name: [Requirement(line) for line in text.split("\n") if line] for name, text in groups.items()}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def imported(files: list[Path]) -> set[str]:
    """The distributions that the files import, anywhere in them."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {top_level(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(top_level(node.module))
    ours = {"musicrec", *(program.stem for program in PROGRAMS)}
    return {owners()[module] for module in modules - ours - set(sys.stdlib_module_names)}


def top_level(module: str) -> str:
    """What a distribution owns of it: Hydra's plugins share the package hydra_plugins."""
    parts = module.removesuffix(".py").split(".")
    return ".".join(parts[: 2 if parts[0] == "hydra_plugins" else 1])


@functools.cache
def owners() -> dict[str, str]:
    """{top-level module: installed distribution}. (packages_distributions of Python 3.10 misses many.)"""
    found = {}
    for distribution in distributions():
        modules = {top_level(".".join(file.parts)) for file in distribution.files or []}
        found |= dict.fromkeys(modules, canonicalize_name(distribution.metadata["Name"]))
    return found


def test_the_package_needs_what_it_imports(declared):
    files = [*PROGRAMS, *(ROOT / "musicrec").rglob("*.py")]
    assert imported(files) == names([*declared[""], *declared["midi"]])


def test_the_tests_need_what_they_import(declared):
    more = imported(list((ROOT / "tests").rglob("*.py"))) - names(declared[""])
    assert more - {"packaging"} <= names(declared["dev"])  # pytest itself needs packaging


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12"])
def test_every_dependency_is_pinned_once_for_every_python(declared, python):
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        pin = Requirement(line)
        assert pin.url is None and str(pin.specifier).startswith("=="), f"{line}: a name and a version only"
        if pin.marker is None or pin.marker.evaluate({"python_version": python}):
            assert canonicalize_name(pin.name) not in pins, f"{pin.name} is pinned twice for Python {python}"
            pins[canonicalize_name(pin.name)] = str(pin.specifier).removeprefix("==")
    for requirement in [r for group in declared.values() for r in group]:
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}, pinned to {version}"


def test_every_dependency_is_explained(declared):
    rows = [
        line.split("|") for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines() if line[:2] == "| "
    ]
    explained = {
        canonicalize_name(cells[1].strip()): cells[2].strip() for cells in rows if cells[1].strip() != "package"
    }
    assert explained.keys() == set().union(*(names(group) for group in declared.values()))
    assert all(explained.values())
