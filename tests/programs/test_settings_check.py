"""Settings are checked once in a run, before its folder is made, and in each job of a multirun."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from musicrec.programs import guard, launch, settings_check
from musicrec.programs.launch import PROGRAMS

pytestmark = pytest.mark.slow


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The check of each config, as the module that asked for it. The programs do nothing."""
    found = []
    check = guard.check_settings
    for module in (guard, settings_check):
        name = module.__name__.rpartition(".")[2]
        monkeypatch.setattr(
            module, "check_settings", lambda cfg, *, allowed, by=name: (found.append(by), check(cfg, allowed=allowed))
        )
    monkeypatch.setattr(launch, "import_module", lambda name: SimpleNamespace(main=lambda cfg: None))
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_checks_them_once(program: Callable, checks: list[str], name: str, tmp_path: Path):
    program(f"{name}.py", f"hydra.run.dir={tmp_path}/run")
    assert checks == ["settings_check"]


def test_each_job_of_a_multirun_checks_them(program: Callable, checks: list[str], tmp_path: Path):
    program("evaluate.py", "-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}", "hydra/sweeper=basic")
    assert checks == ["guard", "guard"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_mistake_is_one_message_and_leaves_no_folder(program: Callable, name: str, tmp_path: Path):
    wrong = {"train": "channels_last", "evaluate": "plots", "robustness": "figures", "recommend": "include_unreliable"}
    done = program(f"{name}.py", f"{wrong[name]}=maybe", f"hydra.run.dir={tmp_path}/new/run", status=1)
    assert done.stderr == f"error: {wrong[name]}=maybe: give true or false\n" and done.stdout == ""
    assert not (tmp_path / "new").exists()
