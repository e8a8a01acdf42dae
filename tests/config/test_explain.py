"""A mistake of the user becomes one message."""

import errno

import pytest
from hydra.errors import InstantiationException, MissingConfigException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from musicrec.config.explain import explain, one_message
from musicrec.config.targets import TARGETS
from musicrec.errors import AudioError, ConfigError


def test_a_mistake_is_one_message_and_status_1(capsys: pytest.CaptureFixture):
    message = "songs/[live] a.mp3: not audio; " + "convert it. " * 30
    with pytest.raises(SystemExit) as end, one_message():
        raise AudioError(message)
    printed = capsys.readouterr()
    assert end.value.code == 1 and printed.out == ""
    assert printed.err == f"error: {message}\n", "brackets are not markup, and lines are not wrapped"


def test_ctrl_c_is_one_word_and_status_130(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as end, one_message():
        raise KeyboardInterrupt
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(AssertionError, match="a bug"), one_message():
        raise AssertionError("a bug")
    assert explain(AssertionError("a bug")) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RandomResample", "max_semitones=99: give a whole number from 0 to 12"),
        ("Resampler", "config key: augment.resample"),
    ],
    ids=["value", "class"],
)
def test_a_mistake_in_a_setting_is_named(name: str, message: str):
    entry = {"_target_": f"musicrec.deformations.resample.{name}", "max_semitones": 99}
    cfg = OmegaConf.create({"augment": {"resample": entry}})
    with pytest.raises((ConfigError, InstantiationException)) as raised:
        instantiate(cfg.augment, _execution_whitelist_=TARGETS)
    assert message in explain(raised.value)


def test_a_missing_extra_is_named():
    assert "No module named 'essentia'" in explain(ModuleNotFoundError("No module named 'essentia'"))


def test_a_dead_worker_and_a_full_disk_are_explained():
    dead = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    assert "(pid 7) is killed by signal: Killed. : most likely out of memory" in explain(dead)
    full = OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.csv")
    assert explain(full).startswith("runs/a/metrics.csv: No space left on device (")


def test_an_unknown_option_is_named_with_the_options_of_its_group():
    error = MissingConfigException("In 'train': Could not find 'optim/adamm'", "optim/adamm", ["adam_sgd", "adamw"])
    assert explain(error) == "optim=adamm: choose adam_sgd or adamw"
    nested = MissingConfigException("…", "hydra/sweeper/x", ["grid", "optuna", "basic"])
    assert explain(nested) == "hydra/sweeper=x: choose grid, optuna or basic"
    assert (
        explain(MissingConfigException("Could not load 'x'.\nConfig search path: …", "x"))
        == "config: Could not load 'x'."
    )
