"""The sweep file drives train.py, and docs/wandb.md names commands that there are."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from wandb.cli.cli import cli
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb.util import load_yaml

from musicrec.config.targets import TARGETS
from musicrec.programs.build import build_heads

ROOT = Path(__file__).parents[2]
SWEEP = load_yaml((ROOT / "conf" / "wandb_sweep.yaml").read_text())
BASH = [
    line
    for name in ("wandb", "figures")
    for block in re.findall(r"^```bash\n(.*?)^```", (ROOT / "docs" / f"{name}.md").read_text(), re.M | re.S)
    for line in block.splitlines()
]


def ends(parameter: dict) -> list:
    """The values of a parameter, or the ends of its range."""
    if "value" in parameter:
        return [parameter["value"]]
    return parameter.get("values") or [parameter["min"], parameter["max"]]


@pytest.mark.parametrize("end", [0, -1])
def test_what_the_agent_runs_is_a_training_that_can_be_built(end: int):
    chosen = {name: ends(parameter)[end] for name, parameter in SWEEP["parameters"].items()}
    overrides = create_sweep_command_args({"args": {name: {"value": value} for name, value in chosen.items()}})
    assert create_sweep_command(SWEEP["command"]) == ["python", "train.py", "${args_no_hyphens}"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        cfg = compose("train", overrides=overrides["args_no_hyphens"])
    heads = build_heads(cfg.task)
    instantiate(cfg.model, width=8, _execution_whitelist_=TARGETS)({head.name: 3 for head in heads})
    instantiate(cfg.optim, _execution_whitelist_=TARGETS)
    for name in ("optim.lr", "optim.weight_decay", "model.dropout"):
        group, key = name.split(".")
        assert isinstance(chosen[name], float) and cfg[group][key] == chosen[name]
    assert cfg.callbacks.checkpoint.monitor == SWEEP["metric"]["name"].removeprefix("best/")
    assert cfg.callbacks.checkpoint.mode + "imize" == SWEEP["metric"]["goal"]


@pytest.mark.parametrize("line", [line for line in BASH if line.startswith("wandb ")])
def test_commands_and_options_of_wandb_are_there(line: str):
    _, command, *words = shlex.split(line)
    options = {option for parameter in cli.commands[command].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


def test_other_commands_are_run_with_those_of_the_readme():
    others = [line for line in BASH if not line.startswith("wandb ")]
    assert len(others) >= 2
    assert set(others) <= set((ROOT / "README.md").read_text().splitlines())
