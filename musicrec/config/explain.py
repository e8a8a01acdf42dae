"""One message for a mistake of the user, in place of a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import yaml

from musicrec.config.value_check import join_alternatives
from musicrec.errors import MusicrecError
from musicrec.system.console import print_error

if TYPE_CHECKING:
    from hydra.errors import InstantiationException, MissingConfigException

# How to do without a missing package, or which extra holds it, where `pip install PACKAGE` is not the answer.
_WAYS_OUT = {
    "wandb": "pip install wandb, or do without it: logger=csv",
    "tensorboard": "pip install 'musicrec[tensorboard]', or do without it: logger=csv",
    "transformers": "pip install 'musicrec[hf]'",
    "mido": "pip install 'musicrec[midi]'",
    "hydra_plugins": "pip install hydra-optuna-sweeper",
    "sklearn": "pip install scikit-learn",
}
_LAUNCHERS = {
    "joblib": "sweep",
    "ray": "ray",
    "submitit_local": "sweep",
    "submitit_slurm": "sweep",
}  # {launcher: extra}


@contextmanager
def one_message() -> Iterator[None]:
    """Report a mistake of the user in one message and exit with status 1; on Ctrl-C, exit with status 130."""
    try:
        yield
        return
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
    print_error(message)
    sys.exit(1)


def explain(error: Exception) -> str | None:
    """Return the message for a mistake of the user.

    Args:
        error: What was raised.

    Returns:
        The message; None if the error needs a traceback.
    """
    # Hydra notes which part of the config it was building. Python 3.10 has no notes.
    keys = [note.removeprefix("full_key: ") for note in getattr(error, "__notes__", ()) if "full_key: " in note]
    built = f" (config key: {keys[0]})" if keys else ""
    if isinstance(error, MusicrecError):
        return f"{error}{built}"
    missing = missing_package(error)
    if missing:
        return f"{missing}{built}"

    from hydra.errors import InstantiationException, MissingConfigException  # takes a third of a second
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException):
        return _explain_missing_option(error)
    if isinstance(error, yaml.YAMLError):  # its lines name the file, the place and what is wrong there
        return f"config: {' '.join(line.strip() for line in str(error).splitlines())}"
    if isinstance(error, InstantiationException):
        # The text of the error has the key; its cause has the reason.
        text = " ".join(line for line in str(error).splitlines() if not line.startswith("full_key:"))
        return f"{error.__cause__ or text} (config key: {_full_key(error)})"
    if isinstance(error, OmegaConfBaseException):
        return f"config: {str(error).splitlines()[0]} (key: {error.full_key})"
    if "HYDRA_FULL_ERROR" in os.environ:
        return None
    if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):
        # PyTorch raises it from a signal handler, so the traceback shows an unrelated place.
        return f"{str(error).splitlines()[0]}: most likely out of memory; use fewer workers, or none (data.workers=0)"
    if isinstance(error, OSError):
        file = error.filename or "a file (or the disk that it is on)"
        return f"{file}: {error.strerror or error} (HYDRA_FULL_ERROR=1 shows where)"
    if isinstance(error, (RuntimeError, TypeError, ValueError, *_lightning_errors())):
        return f"{type(error).__name__}: {error}{built} (HYDRA_FULL_ERROR=1 shows where)"
    return None


def missing_package(error: BaseException) -> str | None:
    """Return how to get a package that could not be imported.

    Args:
        error: What was raised; it, or what caused it, may be a ModuleNotFoundError.

    Returns:
        The message; None if no other package is missing.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModuleNotFoundError):
        cause = cause.__cause__
    package = str(cause.name or "").partition(".")[0] if isinstance(cause, ModuleNotFoundError) else "musicrec"
    if package == "musicrec":  # a mistake in a config, or in the code
        return None
    way_out = _WAYS_OUT.get(package, f"pip install {package or 'PACKAGE'} (docs/dependencies.md)")
    return f"{cause}; install it with: {way_out}"


def _explain_missing_option(error: "MissingConfigException") -> str:
    """Name the config group, the unknown option, and the options that the group has."""
    from hydra.core.global_hydra import GlobalHydra

    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    options = error.options
    if group and not options and GlobalHydra().is_initialized():  # Hydra lists no options for an item of a list
        options = GlobalHydra.instance().config_loader().get_group_options(group)
    if not group or not options:
        return f"config: {str(error).splitlines()[0]}"
    extra = _LAUNCHERS.get(option) if group == "hydra/launcher" else None
    install = f", or install it with: pip install 'musicrec[{extra}]'" if extra else ""
    return f"{group}={option}: choose {join_alternatives(options)}{install}"


def _lightning_errors() -> tuple[type[Exception], ...]:
    """Return Lightning's error for contradictory settings; () if Lightning is not imported, which takes seconds."""
    module = sys.modules.get("pytorch_lightning.utilities.exceptions")
    return (module.MisconfigurationException,) if module else ()


def _full_key(error: "InstantiationException") -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("full_key:")]
    return lines[-1].removeprefix("full_key:").strip() if lines else "?"
