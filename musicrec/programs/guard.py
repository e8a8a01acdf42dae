"""Run the task of a program: one message per mistake, and a failed job does not stop the others."""

import functools
import logging
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

import musicrec
from musicrec.config.explain import explain, one_message
from musicrec.config.targets import TARGETS
from musicrec.config.validation import check_settings
from musicrec.errors import JobFailed
from musicrec.programs import startup
from musicrec.system.console import print_error

# Warnings that do not apply here: the store is memory-mapped, so a CPU needs no workers; short epochs are intended;
# Hydra writes to the run folder before the CSV logger does; a continued job finds its own checkpoints; the sampler can
# continue within an epoch; frozen parts are in eval mode on purpose; the trainer that tests the best checkpoint writes
# none; and the scores of tracks are already those of all processes.
NOISE = (
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*logs directory .* exists and is not empty.*",
    ".*LeafSpec.*is deprecated.*",
    ".*your dataloader is not resumable.*",
    ".*callbacks used to create the checkpoint need to be provided.*",
    r".*module\(s\) in eval mode at the start of training.*",
    r".*recommended to use `self.log\('(val|test).*sync_dist=True.*",
)


def program(task: Callable[[DictConfig], object]) -> Callable[[DictConfig], object]:
    """Wrap a program, so that a mistake of the user ends it with one message and status 1 instead of a traceback.

    Args:
        task: The program.

    Returns:
        The wrapped program. In a job of a multirun it raises JobFailed instead, so that the later jobs still run.
    """

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> object:
        for pattern in NOISE:
            warnings.filterwarnings("ignore", pattern)
        warnings.formatwarning = _in_one_line
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        startup.finish()
        if not in_multirun():
            with one_message():
                return task(cfg)  # SettingsCheck has checked the settings
        job = HydraConfig.get()
        print(f"\njob {job.sweep.subdir}: {' '.join(job.overrides.task)}", flush=True)
        try:
            check_settings(cfg, allowed=TARGETS)
            return task(cfg)
        except Exception as error:
            message = explain(error)
            if message is None:
                traceback.print_exc()
                message = f"{type(error).__name__}: {error}"
        # Not in the handler, where the traceback would keep the memory of the failed job alive.
        print_error(message)
        raise JobFailed(message)

    return guarded


def in_multirun() -> bool:
    """Return whether this is a job of a multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _in_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Format a warning: one of musicrec without its place in the code, any other as Python does."""
    if category is UserWarning and Path(filename).is_relative_to(Path(musicrec.__file__).parent):
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"
