"""Beginning and end of a run, whatever it is logged with."""

import functools
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

if TYPE_CHECKING:
    import wandb


def closing_wandb(task: Callable[[DictConfig], object]) -> Callable[[DictConfig], object]:
    """However a program ends, its W&B run ends with it, as failed where the program failed: else the next job of a
    multirun would write into it. Does nothing where W&B is not in use."""

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> object:
        failed = True
        try:
            answer = task(cfg)
            failed = False
            return answer
        finally:
            if "wandb" in sys.modules:
                sys.modules["wandb"].finish(exit_code=int(failed))

    return guarded


def wandb_runs(loggers: Sequence[Logger]) -> list["wandb.Run"]:
    """The W&B runs among the loggers; none in processes other than the first, of several that train together."""
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger) and rank_zero_only.rank == 0]


@contextmanager
def forgiving(what: str) -> Iterator[None]:
    """Make a warning of whatever goes wrong: what a run has learned is worth more than the log of it."""
    try:
        yield
    except Exception as error:
        warnings.warn(f"W&B has no {what} of this run: {type(error).__name__}: {error}", stacklevel=3)


@contextmanager
def finishing(trainer: Trainer) -> Iterator[None]:
    """Tell somebody whose training ended early how to go on."""
    try:
        yield
    except BaseException as error:
        early = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"  # Lightning exits, too
        last = Path(trainer.checkpoint_callback.dirpath) / "last.ckpt"
        refused = early == "failed" and not trainer.global_step  # a checkpoint of other settings, say
        if not last.is_file():
            print(f"{early} before the first checkpoint")
        elif not refused:
            print(f"{early}; continue with the same command and resume=true, or ckpt_path={last}")
        raise


def keep_earlier_metrics(run: str | Path) -> None:
    """Rename the metrics.csv of an interrupted run that is continued: the CSV logger begins with an empty file."""
    metrics = Path(run) / "metrics.csv"
    if metrics.exists():
        earlier = len(list(metrics.parent.glob("metrics_*.csv")))
        metrics.rename(metrics.with_name(f"metrics_{earlier + 1}.csv"))
