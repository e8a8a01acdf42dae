"""The commands of the documents compose: their overrides exist. Those of README.md are run by tests/test_readme.py."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from wandb.cli.cli import cli

from musicrec.programs.arguments import spelled_out

ROOT = Path(__file__).parents[2]
LAUNCHERS = {"joblib": "joblib", "ray": "ray"}  # the package of every other launcher is that of submitit


def bash_lines(document: Path) -> list[str]:
    """The lines of the bash blocks of a document."""
    blocks = re.findall(r"^```bash\n(.*?)^```", document.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def document(name: str) -> list[str]:
    return bash_lines(ROOT / "docs" / f"{name}.md")


AUGMENTATION = document("augmentation")
SWEEPS = [line for line in document("sweeps") if line.startswith("python train.py")]
WANDB = [*document("wandb"), *document("figures")]
STUDIES = sorted(
    {
        (path.parent.name, line)
        for path in (ROOT / "conf" / "experiment").glob("*/README.md")
        for line in re.findall(r"^python (?:train|evaluate|robustness)\.py .*$", path.read_text(), re.M)
    }
)


@pytest.fixture(autouse=True)
def hydra():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        yield


def one_job(words: list[str], *, end: int) -> list[str]:
    """The overrides of the first (end=0) or the last job (end=-1) of a command, which may be a sweep."""
    given = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    assert ("-m" in words) == any(override.is_sweep_override() for override in given), "-m goes with a sweep"
    return [
        f"{override.get_key_element()}={list(override.sweep_string_iterator())[end]}"
        if override.is_sweep_override()
        else override.input_line
        for override in given
    ]


def test_the_documents_have_commands():
    assert len(AUGMENTATION) >= 8 and len(SWEEPS) >= 8 and len(STUDIES) >= 8


@pytest.mark.parametrize("line", document("datasets"))
def test_command_of_a_dataset(line: str):
    python, program, *overrides = shlex.split(line)
    assert python == "python" and program in ("train.py", "evaluate.py", "recommend.py")
    cfg = compose(program.removesuffix(".py"), overrides=spelled_out(overrides))
    for setting, value in re.findall(r"data\.(\w+)=(\S+)", line):
        assert str(cfg.data.manifest[setting]).lower() == value.lower(), f"data.{setting} does not reach the adapter"


@pytest.mark.parametrize("line", AUGMENTATION)
def test_command_of_augmentation(line: str):
    python, program, *words = shlex.split(line)
    assert (python, program) == ("python", "train.py")
    cfg = compose("train", overrides=one_job(words, end=-1))
    assert set(cfg.augment) == set(compose("train").augment)


@pytest.mark.parametrize("line", SWEEPS)
def test_command_of_a_sweep(line: str, program):
    """The launchers are chosen and not started: Slurm and Ray are not everywhere."""
    _, name, *words = shlex.split(line)
    launcher = next((word.split("=")[1] for word in words if word.startswith("hydra/launcher=")), "")
    plugin = LAUNCHERS.get(launcher, "submitit" if launcher else "")
    if plugin and find_spec(f"hydra_plugins.hydra_{plugin}_launcher") is None:
        pytest.skip(f"hydra/launcher={launcher} is not installed (docs/dependencies.md)")
    given = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    single = [override.input_line for override in given if not override.is_sweep_override()]
    swept = {override.key_or_group for override in given if override.is_sweep_override()}
    assert swept <= {"model", "optim.lr", "seed"}
    printed = program(name, *single, "--cfg", "hydra").stdout
    assert launcher in printed and f"musicrec.sweeps.sweepers.{'Study' if 'sweep=' in line else 'Grid'}" in printed


@pytest.mark.parametrize("line", [line for line in WANDB if line.startswith("wandb ")])
def test_command_of_wandb(line: str):
    _, command, *words = shlex.split(line)
    options = {option for parameter in cli.commands[command].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_other_commands_beside_those_of_wandb_are_in_the_readme():
    others = [line for line in WANDB if not line.startswith("wandb ")]
    assert len(others) >= 2
    assert set(others) <= set(bash_lines(ROOT / "README.md"))


@pytest.mark.parametrize(("study", "line"), STUDIES, ids=[f"{study}-{n}" for n, (study, _) in enumerate(STUDIES)])
@pytest.mark.parametrize("end", [0, -1], ids=["first job", "last job"])
def test_command_of_a_study(study: str, line: str, end: int):
    _, program, *words = shlex.split(line)
    assert compose(program.removesuffix(".py"), overrides=one_job(words, end=end))


def test_every_study_has_the_command_that_trains_it():
    trained = {study for study, line in STUDIES if f"+experiment/{study}=" in line}
    assert trained >= {"label_efficiency", "moving_labels", "networks", "recipes", "sweep"}


def test_no_command_of_a_study_names_a_path_of_one_machine():
    assert not [line for _, line in STUDIES if re.search(r"data\.manifest=(?![A-Z])", line)], "CORPUS or MANIFEST"
