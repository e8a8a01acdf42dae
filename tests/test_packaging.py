"""The package: declared dependencies match the imports, every pin fits, and the wheel holds what it needs."""

import ast
import configparser
import functools
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import musicrec
from tests import extras

ROOT = Path(__file__).parents[1]
PROGRAMS = [ROOT / "train.py", ROOT / "evaluate.py", ROOT / "recommend.py", ROOT / "robustness.py"]


@pytest.fixture(scope="module")
def declared() -> dict[str, list[Requirement]]:
    """Requirements by extra: {"": of the package itself, "dev": what the extra adds}."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    groups = {"": config["options"]["install_requires"], **config["options.extras_require"]}
    return {name: [Requirement(line) for line in text.split("\n") if line] for name, text in groups.items()}


def names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


def imported(files: list[Path]) -> set[str]:
    """Return the distributions that the files import, at the top or within functions."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {top_level(alias.name) for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.add(top_level(node.module))
    ours = {
        "musicrec",
        "tests",
        *(file.stem for file in [*PROGRAMS, *files]),
    }  # a folder of tests has modules of its own
    return {owners().get(module, module) for module in modules - ours - set(sys.stdlib_module_names)}


def top_level(module: str) -> str:
    """Return the part of a module name that one distribution owns (Hydra's plugins share `hydra_plugins`)."""
    parts = module.removesuffix(".py").split(".")
    return ".".join(parts[: 2 if parts[0] == "hydra_plugins" else 1])


@functools.cache
def owners() -> dict[str, str]:
    """Return {top-level module: installed distribution}. (packages_distributions of Python 3.10 misses many.)"""
    found = {}
    for distribution in distributions():
        modules = {top_level(".".join(file.parts)) for file in distribution.files or []}
        found |= dict.fromkeys(modules, canonicalize_name(distribution.metadata["Name"]))
    return found


@pytest.mark.slow
def test_the_package_needs_what_it_imports(declared):
    files = [*PROGRAMS, *(ROOT / "musicrec").rglob("*.py")]
    optional = [
        line
        for extra in ("hf", "implicit", "lance", "listen", "midi", "onnx", "openvino", "tensorboard", "timm")
        for line in declared[extra]
    ]
    needed, installed = imported(files), names([*declared[""], *optional])
    missing = [f'add "{name}>=…" to setup.cfg (in install_requires) and its version to constraints.txt'
               for name in sorted(needed - installed)]  # fmt: skip
    assert not missing, "\n".join(missing)
    unused = installed - needed - {"torchvision"}  # which timm imports
    assert not unused, f"setup.cfg: remove {sorted(unused)}, which nothing imports"


@pytest.mark.slow
def test_the_tests_need_what_they_import(declared):
    more = imported(list((ROOT / "tests").rglob("*.py"))) - names(declared[""])
    # pytest itself needs packaging; tests of other extras have an environment of their own.
    apart = [line for extra in extras.MODULES for line in declared[extra]]
    assert more - {"packaging"} <= names([*declared["dev"], *apart])


def test_extras_that_are_not_in_dev_are_tested_apart(declared):
    outside = {extra for extra, lines in declared.items() if extra and not names(lines) <= names(declared["dev"])}
    # Of ray, 250 MB, only the config is tested.
    assert outside - {"dev", "docs", "ray"} == set(extras.MODULES)
    (installed,) = re.findall(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert set(installed.split(",")) == set(extras.MODULES)
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    marked = {name for names in re.findall(r"mark\.extra\((.*?)\)", tests) for name in re.findall(r'"(\w+)"', names)}
    assert marked >= set(extras.MODULES)
    modules = "|".join(module for modules in extras.MODULES.values() for module in modules)
    # Imported when a file of tests is collected, they would be in every process that runs tests.
    early = re.findall(rf"^import (?:{modules})\b|importorskip\(\W(?:{modules})\b", tests, re.M)
    assert not early, "use pytest.mark.extra, and import within the test"


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
        if requirement.marker is not None and not requirement.marker.evaluate({"python_version": python}):
            continue
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}, pinned to {version}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the files that belong to it."""
    source = tmp_path_factory.mktemp("source")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, source)
    for name in ("musicrec", "conf", "experiments"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(source / "dist"),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the unpacked wheel, as site-packages would."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run_installed(installed: Path, *arguments: str, folder: Path) -> subprocess.CompletedProcess:
    """Run the command of the unpacked wheel in a folder."""
    code = "import musicrec; from musicrec.programs.command import main; print(musicrec.__file__); main()"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith(str(installed)), "another musicrec was imported"
    return done


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_configs_and_nothing_else(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        files = {entry.filename: entry.file_size for entry in archive.infolist() if not entry.is_dir()}
    assert {name.split("/")[0] for name in files} == {"musicrec", f"musicrec-{musicrec.__version__}.dist-info"}
    code = {str(file.relative_to(ROOT)) for file in (ROOT / "musicrec").rglob("*.py")}
    configs = {f"musicrec/{file.relative_to(ROOT)}" for file in (ROOT / "conf").rglob("*.yaml")}
    configs |= {f"musicrec/conf/experiment/{file.relative_to(ROOT / 'experiments')}"
                for file in (ROOT / "experiments").rglob("*.yaml")}  # fmt: skip
    assert len(configs) > 100
    shipped = {str(file.relative_to(ROOT)) for file in (ROOT / "musicrec" / "export" / "pretrained").glob("*/*")}
    tables = {str(file.relative_to(ROOT)) for file in (ROOT / "musicrec").glob("[!c]*/**/*.yaml")}
    package = {name for name in files if name.startswith("musicrec/")}
    pages = {str(file.relative_to(ROOT)) for file in (ROOT / "musicrec").rglob("*.html")}
    pages |= {str(file.relative_to(ROOT)) for file in (ROOT / "musicrec/web/static").rglob("*") if file.is_file()}
    assert package == code | configs | shipped | tables | pages | {"musicrec/py.typed"}
    assert {name.split("/")[3] for name in shipped} == {"tempo", "key", "beats"}
    assert sum(files[name] for name in shipped) < 800_000, "the weights that ship, with their cards"
    assert wheel.stat().st_size < 2_200_000, "weights of 0.6 MB, and 840 files"


def test_weights_are_in_the_repository_only_where_they_ship():
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git repository")
    suffixes = (".safetensors", ".ckpt", ".pth", ".pt", ".onnx", ".npz", ".pkl")
    weights = [name for name in tracked.stdout.split("\0") if name.endswith(suffixes)]
    elsewhere = [name for name in weights if not name.startswith("musicrec/export/pretrained/")]
    assert not elsewhere, (
        f"{elsewhere}: only musicrec/export/pretrained/ holds weights; give others a name (docs/models.md)"
    )
    ships = ("beats", "key", "tempo")
    assert sorted(weights) == [f"musicrec/export/pretrained/{name}/model.safetensors" for name in ships]


@pytest.mark.slow
def test_the_wheel_says_what_it_is(installed: Path):
    (information,) = installed.glob("*.dist-info")
    metadata = (information / "METADATA").read_text()
    assert f"\nVersion: {musicrec.__version__}\n" in metadata and "\nLicense-Expression: MIT\n" in metadata
    assert (information / "licenses" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert "musicrec = musicrec.programs.command:main" in (information / "entry_points.txt").read_text()


@pytest.mark.slow
def test_the_command_of_the_wheel_has_its_configs_and_those_of_the_user(installed: Path, tmp_path: Path):
    asked = ["train", "+experiment/demo=crnn", "--cfg", "job"]
    assert "max_epochs" in run_installed(installed, *asked, folder=tmp_path).stdout
    for folder, more in (("elsewhere", [f"--config-dir={tmp_path / 'elsewhere'}"]), ("conf", [])):
        (tmp_path / folder / "experiment").mkdir(parents=True)
        (tmp_path / folder / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 4321\n")
        mine = ["train", "+experiment=mine", "+experiment/demo=crnn", "--cfg", "job", *more]
        assert "seed: 4321" in run_installed(installed, *mine, folder=tmp_path).stdout


def test_the_citation_names_the_version():
    assert f"\nversion: {musicrec.__version__}\n" in (ROOT / "CITATION.cff").read_text()
