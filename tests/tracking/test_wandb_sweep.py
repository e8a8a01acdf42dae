"""The W&B sweep in conf/wandb_sweep.yaml, which runs train.py."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args
from wandb.util import load_yaml

from musicrec.config.targets import TARGETS
from musicrec.programs.build import build_heads

ROOT = Path(__file__).parents[2]
SWEEP = load_yaml((ROOT / "conf" / "wandb_sweep.yaml").read_text())


def limits(parameter: dict) -> list:
    """Return the values of a parameter, or the limits of its range."""
    if "value" in parameter:
        return [parameter["value"]]
    return parameter.get("values") or [parameter["min"], parameter["max"]]


@pytest.mark.parametrize("end", [0, -1])
def test_the_command_of_the_agent_composes_and_builds(end: int):
    chosen = {name: limits(parameter)[end] for name, parameter in SWEEP["parameters"].items()}
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
