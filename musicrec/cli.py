"""What the command-line programs share: one message for a mistake, and building objects from the config."""

import functools
import logging
import os
import sys
import warnings
from collections.abc import Callable

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.markup import escape

from musicrec.errors import ConfigError, MusicrecError
from musicrec.resume import run_folder

TARGETS = ["musicrec.*", "pytorch_lightning.*"]  # all that a config may build: it cannot call anything else

# Advice that does not apply: with the store in memory the CPU needs no workers, a short epoch is no mistake, Hydra has
# written into the run folder before the CSV logger does, the sampler does go on within an epoch, and the trainer that
# tests the best checkpoint writes none.
NOISE = (
    ".*does not have many workers.*",
    ".*is smaller than the logging interval.*",
    ".*logs directory .* exists and is not empty.*",
    ".*LeafSpec.*is deprecated.*",
    ".*your dataloader is not resumable.*",
    ".*callbacks used to create the checkpoint need to be provided.*",
)


def program(task: Callable[[DictConfig], object]) -> Callable[[DictConfig], object]:
    """Let a mistake of the user end a program with one message and status 1 instead of a traceback."""

    @functools.wraps(task)
    def guarded(cfg: DictConfig) -> object:
        for pattern in NOISE:
            warnings.filterwarnings("ignore", pattern)
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        try:
            return task(cfg)
        except MusicrecError as error:
            message = str(error)
        except InstantiationException as error:
            # Hydra's own text tells the key; its cause tells what is wrong with it.
            message = f"{error.__cause__ or str(error).splitlines()[0]} (config key: {_full_key(error)})"
        except OmegaConfBaseException as error:
            message = f"config: {str(error).splitlines()[0]} (key: {error.full_key})"
        except ModuleNotFoundError as error:
            message = f"{error}; install the extra that holds it (docs/dependencies.md)"
        except OSError as error:
            if "HYDRA_FULL_ERROR" in os.environ:
                raise
            message = f"{error.filename or 'a file'}: {error.strerror or error} (HYDRA_FULL_ERROR=1 shows where)"
        except (MisconfigurationException, RuntimeError, TypeError, ValueError) as error:
            if "HYDRA_FULL_ERROR" in os.environ:
                raise
            message = f"{type(error).__name__}: {error} (HYDRA_FULL_ERROR=1 shows where)"
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}")
        sys.exit(1)

    return guarded


def _full_key(error: InstantiationException) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("full_key:")]
    return lines[-1].removeprefix("full_key:").strip() if lines else "?"


OmegaConf.register_resolver("run_folder", run_folder, replace=True)


def build_all(group: DictConfig | None) -> list:
    """The objects of a config group whose every entry is a target; an entry set to null is left out."""
    return [instantiate(entry, _execution_whitelist_=TARGETS) for entry in (group or {}).values() if entry is not None]


def build_heads(task: DictConfig) -> list:
    """The heads of a task. List settings become tuples, as the heads' fields are."""
    if not task.get("heads"):
        raise ConfigError("the task has no heads; choose some, as in task=[tags] or task=[genre,features]")
    heads = []
    for name, entry in task.heads.items():
        if entry is None:
            continue
        head = instantiate(entry, name=name, _convert_="all", _execution_whitelist_=TARGETS)
        fields = {key: tuple(value) for key, value in vars(head).items() if isinstance(value, list)}
        heads.append(type(head)(**{**vars(head), **fields}))
    return heads


def plain(cfg: DictConfig) -> dict:
    """The resolved config in plain types."""
    return OmegaConf.to_container(cfg, resolve=True)
