"""docs/networks.md has every network, with what the code says of it."""

import re
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from musicrec.config.class_lookup import find_class
from musicrec.export.public_names import ARCHITECTURES, checked_architecture
from tests.test_configs import WITH

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "networks.md").read_text()
ROWS = {
    cells[0].strip("`"): cells[1:]
    for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines())
    if cells[0].startswith("`") and cells[0] != "`model=`" and len(cells) == 7
}
NAMES = sorted({path.stem for path in (ROOT / "conf" / "model").glob("*.yaml")} - {"probe"})  # docs/probes.md


def test_the_table_has_every_network_in_order():
    assert list(ROWS) == NAMES and len(NAMES) >= 20


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.extra("timm") if name == "timm" else ()) for name in NAMES]
)
def test_a_row_says_what_the_code_says(name):
    _, _, frontend, chunk_s, parameters, imported = ROWS[name]
    config = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "model" / f"{name}.yaml"), resolve=False)
    settings = {key: value for key, value in config.items() if key[0] != "_" and "${" not in str(value)}
    cls = find_class("musicrec.models", config["_target_"].rpartition(".")[2])
    with torch.device("meta"):
        network = cls({"tags": 50}, **settings)
    assert parameters == f"{sum(parameter.numel() for parameter in network.parameters()):,}"
    assert f"frontend={frontend.strip('`')}" == WITH.get(f"model/{name}.yaml", "frontend=mel")
    rate = OmegaConf.load(ROOT / "conf" / "frontend" / f"{frontend.strip('`')}.yaml").get("sample_rate", 16_000)
    assert float(chunk_s) == pytest.approx(network.chunk_samples / rate, rel=0.005)
    assert (name in ARCHITECTURES) == imported.startswith("`")
    if name in ARCHITECTURES:
        assert checked_architecture(imported.strip("`")) == name


def test_the_networks_with_a_choice_of_pooling_are_named():
    having = {path.stem for path in (ROOT / "conf" / "model").glob("*.yaml") if "pooling" in OmegaConf.load(path)}
    (sentence,) = re.findall(r"It is a setting of (.*?)\. With", PAGE, re.S)
    assert set(re.findall(r"`(\w+)`", sentence)) == having
