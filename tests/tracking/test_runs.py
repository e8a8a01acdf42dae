"""The end of a W&B run, failures in logging, and metrics of resumed runs."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from musicrec.tracking.runs import closing_wandb, keep_earlier_metrics, warn_on_failure

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("error", "exit_code"), [(None, 0), (ValueError("x"), 1), (SystemExit(1), 1)])
def test_a_wandb_run_ends_with_its_program(
    monkeypatch: pytest.MonkeyPatch, error: BaseException | None, exit_code: int
):
    import wandb

    codes = []
    monkeypatch.setattr(wandb, "finish", lambda exit_code: codes.append(exit_code))

    @closing_wandb
    def main(cfg: object) -> float:
        if error is not None:
            raise error
        return 0.5

    if error is None:
        assert main(OmegaConf.create()) == 0.5
    else:
        with pytest.raises(type(error)):
            main(OmegaConf.create())
    assert codes == [exit_code]


def test_a_failure_in_logging_is_a_warning():
    with (
        pytest.warns(UserWarning, match="cannot log the export of this run to W&B: OSError: disk full"),
        warn_on_failure("export"),
    ):
        raise OSError("disk full")
    with warnings.catch_warnings(action="error"), warn_on_failure("export"):
        pass


def test_metrics_of_all_parts_of_a_resumed_run_are_kept(tmp_path: Path):
    for part in ("a", "b"):
        (tmp_path / "metrics.csv").write_text(part)
        keep_earlier_metrics(tmp_path)
    keep_earlier_metrics(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"metrics_1.csv": "a", "metrics_2.csv": "b"}


@pytest.mark.slow
def test_wandb_is_only_imported_by_runs_that_use_it():
    """Run in a separate process, because this one has already imported W&B."""
    code = """
import sys
from musicrec.programs import train
from pathlib import Path
from pytorch_lightning.loggers import CSVLogger
train.log_data([CSVLogger("x")], None)
train.log_export([CSVLogger("x")], Path("x"), name="x")
train.log_results([CSVLogger("x")], [], {}, {}, dataset="x")
print("imported:", sorted(name for name in sys.modules if name.split(".")[0] == "wandb"))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.stdout == "imported: []\n", done.stderr
