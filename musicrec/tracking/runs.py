"""What happens at the start and at the end of a run, for every logger."""

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
    """Decorate a program so that its W&B run ends with it, as failed if the program failed.

    Without this, the next job of a multirun would write into the same W&B run. The decorator does nothing if W&B is not
    in use.
    """

    @functools.wraps(task)
    def wrapped(cfg: DictConfig) -> object:
        failed = True
        try:
            result = task(cfg)
            failed = False
            return result
        finally:
            if "wandb" in sys.modules:
                sys.modules["wandb"].finish(exit_code=int(failed))

    return wrapped


def wandb_runs(loggers: Sequence[Logger]) -> list["wandb.Run"]:
    """Return the W&B runs among the loggers.

    If several processes train together, all but the first one get an empty list.
    """
    return [logger.experiment for logger in loggers if isinstance(logger, WandbLogger) and rank_zero_only.rank == 0]


@contextmanager
def warn_on_failure(content: str) -> Iterator[None]:
    """Turn any error in the block into a warning, because a run must not fail for the sake of its log.

    Args:
        content: What the block logs to W&B, for the warning.
    """
    try:
        yield
    except Exception as error:
        warnings.warn(f"cannot log the {content} of this run to W&B: {type(error).__name__}: {error}", stacklevel=3)


@contextmanager
def resume_hint(trainer: Trainer) -> Iterator[None]:
    """If the training in the block fails or is interrupted, print how to continue it.

    Args:
        trainer: The trainer, whose checkpoint callback writes last.ckpt.
    """
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit)  # on Ctrl-C, Lightning raises SystemExit
        reason = "interrupted" if interrupted else "failed"
        last = Path(trainer.checkpoint_callback.dirpath) / "last.ckpt"
        failed_at_start = not interrupted and not trainer.global_step  # resuming would fail in the same way
        if not last.is_file():
            print(f"{reason} before the first checkpoint")
        elif not failed_at_start:
            print(f"{reason}; continue with the same command and resume=true, or ckpt_path={last}")
        raise


def keep_earlier_metrics(run: str | Path) -> None:
    """Rename the metrics.csv of a run that is resumed, because the CSV logger starts with an empty file.

    Args:
        run: The run folder.
    """
    metrics = Path(run) / "metrics.csv"
    if metrics.exists():
        earlier = len(list(metrics.parent.glob("metrics_*.csv")))
        metrics.rename(metrics.with_name(f"metrics_{earlier + 1}.csv"))
