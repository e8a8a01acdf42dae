"""What every program does around its task: one message for a mistake, and jobs that do not stop each other."""

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

# Advice that does not apply: with the store in memory the CPU needs no workers, a short epoch is no mistake, Hydra
# has written into the run folder before the CSV logger does, a job that runs again has checkpoints there, the sampler
# does go on within an epoch, frozen parts are in eval mode, the trainer that tests the best checkpoint writes none,
# and the scores of tracks are those of all processes already.
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
    """Let a mistake of the user end a program with one message and status 1 instead of a traceback.

    A job of a multirun raises JobFailed instead, so that the jobs behind it run.
    """

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> object:
        for pattern in NOISE:
            warnings.filterwarnings("ignore", pattern)
        warnings.formatwarning = _in_one_line
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        startup.over()
        if not in_multirun():
            with one_message():
                check_settings(cfg, allowed=TARGETS)
                return task(cfg)
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
        # Outside of the handler, where no traceback keeps the memory of the failed job alive.
        print_error(message)
        raise JobFailed(message)

    return guarded


def in_multirun() -> bool:
    """Whether this is a job of a multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _in_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of ours without the place in the code that gave it; others, which ask for a look at it, as usual."""
    if category is UserWarning and Path(filename).is_relative_to(Path(musicrec.__file__).parent):
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"
