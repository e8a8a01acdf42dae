"""docs/recommendation_evaluation.md has the measures of the code, and its commands compose."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from musicrec.programs.arguments import quote_paths
from musicrec.recommend.evaluation.measures import MEASURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recommendation_evaluation.md").read_text()
COMMANDS = [
    line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines() if line
]


def test_the_table_of_measures_is_that_of_the_code():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", PAGE.partition("## The measures")[2], re.M)
    assert rows == [(measure.name, measure.unit, measure.meaning) for measure in MEASURES]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_compose(command: str):
    words = shlex.split(command)
    assert words[:2] == ["musicrec", "recommend"]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        assert compose("recommend", overrides=quote_paths(words[2:])).action in ("evaluate", "listen")
