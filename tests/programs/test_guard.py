"""The decorator around every program: messages for mistakes, tracebacks for faults, and the answer."""

import warnings
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from musicrec.errors import AudioError
from musicrec.programs.guard import program

ROOT = Path(__file__).parents[2]


def test_a_mistake_is_one_message_without_a_traceback(capsys: pytest.CaptureFixture):
    @program
    def main(cfg: object) -> None:
        raise AudioError("a.mp3: not audio")

    with pytest.raises(SystemExit) as end:
        main(OmegaConf.create())
    assert end.value.code == 1 and capsys.readouterr() == ("", "error: a.mp3: not audio\n")


def test_ctrl_c_is_one_word(capsys: pytest.CaptureFixture):
    @program
    def main(cfg: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        main(OmegaConf.create())
    assert (end.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_a_fault_of_the_program_keeps_its_traceback():
    @program
    def main(cfg: object) -> None:
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        main(OmegaConf.create())


def test_the_answer_is_returned():
    assert program(lambda cfg: cfg.score)(OmegaConf.create({"score": 0.5})) == 0.5


def test_a_warning_of_this_project_is_one_line():
    @program
    def main(cfg: object) -> None:
        pass

    main(OmegaConf.create())
    ours = warnings.formatwarning("much padding", UserWarning, str(ROOT / "musicrec" / "module.py"), 7)
    assert ours == "warning: much padding\n"
    assert "torch/x.py:7: UserWarning: odd" in warnings.formatwarning("odd", UserWarning, "torch/x.py", 7)
