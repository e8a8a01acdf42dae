"""The rooms of the package: imports point downwards, and nothing is imported in a circle."""

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A room may import the rooms above it in this list, and never one below it.
ROOMS = [
    "errors",
    "system",
    "config",
    "heads",
    "audio",
    "descriptors",
    "interchange",
    "deformations",
    "models.frontends",
    "models.encoders",
    "models",
    "export",
    "data",
    "data.adapters",
    "data.midi",
    "data.rendering",
    "data.synthetic",
    "training",
    "evaluation",
    "figures",
    "recommend",
    "runs",
    "sweeps",
    "robustness",
    "tracking",
    "web",
    "programs",
    "",  # musicrec/__init__.py and __main__.py
]

# What takes a second or more to import.
HEAVY = {"hydra", "matplotlib", "optuna", "pytorch_lightning", "scipy", "torch"}


def room_of(module: str) -> str:
    """The room of "musicrec.data.store" is "data"."""
    inside = module.removeprefix("musicrec").removeprefix(".")
    return next(
        room for room in sorted(ROOMS, key=len, reverse=True) if f"{inside}.".startswith(f"{room}.") or not room
    )


@pytest.fixture(scope="module")
def modules() -> dict[str, Path]:
    """{module: file} of the package."""
    found = {}
    for file in sorted((ROOT / "musicrec").rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


@pytest.fixture(scope="module")
def imports(modules) -> list[tuple[str, str, str]]:
    """(importing module, imported module, "file:line") of every import within the package, wherever it stands."""
    found = []
    for module, file in modules.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                targets = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            for target in targets:
                while target and target not in modules:
                    target = target.rpartition(".")[0]
                if target and target != module:
                    found.append((module, target, f"{file.relative_to(ROOT)}:{node.lineno}"))
    return found


def test_every_module_is_in_a_room(modules):
    assert len(modules) > 150
    homeless = [module for module in modules if not room_of(module) and module not in ("musicrec", "musicrec.__main__")]
    assert not homeless, (
        f"{homeless}: add the name of the folder to tests/test_imports.py (in ROOMS), below what it imports"
    )


def test_the_architecture_page_lists_the_rooms():
    page = (ROOT / "docs" / "architecture.md").read_text().partition("## Rooms")[2].partition("## ")[0]
    listed = re.findall(r"^\| `([\w.]+)` \|", page, re.M)
    assert listed == [room for room in reversed(ROOMS) if room], (
        "docs/architecture.md: list the rooms of ROOMS, top first"
    )


def test_imports_point_downwards(imports):
    up = [
        f"{place}: {importing} imports {imported}; move what it needs down, or the import up"
        for importing, imported, place in imports
        if imported != "musicrec" and ROOMS.index(room_of(imported)) > ROOMS.index(room_of(importing))
    ]
    assert not up, "\n".join(up)


def test_no_circle_between_modules(imports):
    graph: dict[str, dict[str, str]] = {}
    for importing, imported, place in imports:
        graph.setdefault(importing, {})[imported] = place
    done: set[str] = set()

    def walk(module: str, path: list[str]) -> None:
        if module in path:
            circle = [*path[path.index(module) :], module]
            places = [graph[one][other] for one, other in itertools.pairwise(circle)]
            pytest.fail(f"a circle: {' -> '.join(circle)} ({', '.join(places)})")
        if module not in done:
            for imported in graph.get(module, ()):
                walk(imported, [*path, module])
            done.add(module)

    for module in sorted(graph):
        walk(module, [])


def test_the_recommender_knows_neither_lightning_nor_hydra(modules):
    for module, file in modules.items():
        if room_of(module) in ("recommend", "descriptors", "audio", "heads", "system"):
            for node in ast.walk(ast.parse(file.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for name in names:
                    assert name.split(".")[0] not in ("hydra", "pytorch_lightning"), f"{file}:{node.lineno}: {name}"


def test_importing_the_recommender_loads_neither_lightning_nor_hydra_nor_torch(modules):
    """Also not through other packages. A query by a track of the library starts quickly because of this."""
    recommender = [module for module in modules if room_of(module) == "recommend"]
    assert len(recommender) > 5
    code = f"import sys, {', '.join(recommender)}; print(*({HEAVY} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == ([], ""), "python -X importtime tells which import loads it"
