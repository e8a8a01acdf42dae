"""docs/datasets.md: its commands compose, every dataset has its section, and its figures are those of the code."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from musicrec.programs.arguments import spelled_out

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "datasets.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", TEXT, re.M | re.S) for line in block.splitlines() if line
]
PUBLIC = [
    path.stem
    for path in sorted((ROOT / "conf" / "data").glob("*.yaml"))
    if "musicrec.data.adapters." in path.read_text() and "partial" in OmegaConf.load(path)
]


@pytest.mark.parametrize("line", COMMANDS)
def test_command_composes(line: str):
    python, program, *overrides = shlex.split(line)
    assert python == "python" and program in ("train.py", "evaluate.py", "recommend.py")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        cfg = compose(program.removesuffix(".py"), overrides=spelled_out(overrides))
    for setting, value in re.findall(r"data\.(\w+)=(\S+)", line):
        assert str(cfg.data.manifest[setting]).lower() == value.lower(), f"data.{setting} does not reach the adapter"


def test_every_dataset_has_a_section():
    assert len(PUBLIC) >= 7
    sections = re.findall(r"^## (\w+)$", TEXT, re.M)
    assert not set(PUBLIC) - set(sections)
    linked = set(re.findall(r"^\| \[`(\w+)`\]\(#\1\)", TEXT, re.M))
    assert not set(PUBLIC) - linked


@pytest.mark.parametrize("name", ["magnatagatune", "gtzan", "fma"])
def test_published_numbers_are_those_of_the_checks(name: str):
    section = TEXT.split(f"## {name}\n")[1].split("\n## ")[0]
    flat = " ".join(section.split())
    for counts in import_module(f"musicrec.data.adapters.{name}").PUBLISHED.values():
        assert " / ".join(f"{counts[split]:,}" for split in ("train", "valid", "test") if split in counts) in flat
        assert "all" not in counts or f"{counts['all']:,}" in flat
