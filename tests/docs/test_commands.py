"""The commands of the documents compose: their overrides exist. Those of README.md are run by tests/test_readme.py."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from wandb.cli.cli import cli

from musicrec.data.synthetic.plan import plan_tracks
from musicrec.data.synthetic.recording_conditions import RecordingConditions
from musicrec.programs.arguments import spell_out_mixtures

ROOT = Path(__file__).parents[2]
LAUNCHERS = {"joblib": "joblib", "ray": "ray"}  # the package of every other launcher is that of submitit


def bash_lines(document: Path) -> list[str]:
    """The lines of the bash blocks of a document."""
    blocks = re.findall(r"^```bash\n(.*?)^```", document.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def document(name: str) -> list[str]:
    return bash_lines(ROOT / "docs" / f"{name}.md")


def split_command(line: str) -> tuple[str, list[str]]:
    """The program ("train") and the arguments of `python train.py …` or of `musicrec train …`, which do the same."""
    match = re.fullmatch(r"(?:python (\w+)\.py|musicrec (\w+))(.*)", line)
    assert match, f"`{line}` starts no program"
    program = match[1] or match[2]
    assert program in ("train", "evaluate", "robustness", "recommend"), line
    return program, shlex.split(match[3])


def starts(line: str, *programs: str) -> bool:
    return bool(re.match(rf"(?:python (?:{'|'.join(programs)})\.py|musicrec (?:{'|'.join(programs)})) ", line))


AUGMENTATION = document("augmentation")
SWEEPS = [line for line in document("sweeps") if starts(line, "train")]
WANDB = [*document("wandb"), *document("figures")]
STUDIES = sorted(
    {
        (path.parent.name, line)
        for path in (ROOT / "conf" / "experiment").glob("*/README.md")
        for line in path.read_text().splitlines()
        if starts(line, "train", "evaluate", "robustness")
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
    program, overrides = split_command(line)
    cfg = compose(program, overrides=spell_out_mixtures(overrides))
    for setting, value in re.findall(r"data\.(\w+)=(\S+)", line):
        assert str(cfg.data.manifest[setting]).lower() == value.lower(), f"data.{setting} does not reach the adapter"


@pytest.mark.parametrize("line", AUGMENTATION)
def test_command_of_augmentation(line: str):
    program, words = split_command(line)
    assert program == "train"
    cfg = compose("train", overrides=one_job(words, end=-1))
    assert set(cfg.augment) == set(compose("train").augment)


@pytest.mark.parametrize("line", SWEEPS)
def test_command_of_a_sweep(line: str, program):
    """The launchers are chosen and not started: Slurm and Ray are not everywhere."""
    name, words = split_command(line)
    launcher = next((word.split("=")[1] for word in words if word.startswith("hydra/launcher=")), "")
    plugin = LAUNCHERS.get(launcher, "submitit" if launcher else "")
    if plugin and find_spec(f"hydra_plugins.hydra_{plugin}_launcher") is None:
        pytest.skip(f"hydra/launcher={launcher} is not installed (docs/dependencies.md)")
    given = OverridesParser.create().parse_overrides([word for word in words if word != "-m"])
    single = [override.input_line for override in given if not override.is_sweep_override()]
    swept = {override.key_or_group for override in given if override.is_sweep_override()}
    assert swept <= {"model", "optim.lr", "seed"}
    printed = program(f"{name}.py", *single, "--cfg", "hydra").stdout
    assert launcher in printed and f"musicrec.sweeps.sweepers.{'Study' if 'sweep=' in line else 'Grid'}" in printed


@pytest.mark.parametrize("line", [line for line in WANDB if line.startswith("wandb ")])
def test_command_of_wandb(line: str):
    _, command, *words = shlex.split(line)
    options = {option for parameter in cli.commands[command].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_commands_beside_those_of_wandb_are_run_with_the_readme():
    others = [split_command(line) for line in WANDB if not line.startswith("wandb ")]
    run = [split_command(line) for line in bash_lines(ROOT / "README.md") if starts(line, "train", "evaluate")]
    assert len(others) >= 2 and not [command for command in others if command not in run]


@pytest.mark.parametrize(("study", "line"), STUDIES, ids=[f"{study}-{n}" for n, (study, _) in enumerate(STUDIES)])
@pytest.mark.parametrize("end", [0, -1], ids=["first job", "last job"])
def test_command_of_a_study(study: str, line: str, end: int):
    program, words = split_command(line)
    assert compose(program, overrides=one_job(words, end=end))


def test_every_study_has_the_command_that_trains_it():
    trained = {study for study, line in STUDIES if f"+experiment/{study}=" in line}
    assert trained >= {"label_efficiency", "moving_labels", "networks", "recipes", "sweep"}


def test_no_command_of_a_study_names_a_path_of_one_machine():
    assert not [line for _, line in STUDIES if re.search(r"data\.manifest=(?![A-Z])", line)], "CORPUS or MANIFEST"


def test_commands_of_synthetic_music():
    offered = OmegaConf.create({"data": OmegaConf.load(ROOT / "conf" / "data" / "synthetic.yaml")})
    OmegaConf.set_struct(offered, True)
    folders = set()
    for line in document("synthetic"):
        settings = [word for word in shlex.split(line) if word.startswith("data.manifest.")]
        manifest = OmegaConf.merge(offered, OmegaConf.from_dotlist(settings)).data.manifest
        RecordingConditions(**{name: manifest[name] for name in ("reverberation_s", "noise_snr_db", "level_db")})
        assert not manifest.genres or plan_tracks(tracks=manifest.tracks, seed=0, genres=manifest.genres)
        folders.add(manifest.folder)
    assert len(folders) == 3
