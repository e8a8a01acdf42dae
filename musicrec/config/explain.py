"""One message for a mistake of the user, instead of a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import InstantiationException
from omegaconf.errors import OmegaConfBaseException

from musicrec.errors import MusicrecError
from musicrec.system.console import print_error


@contextmanager
def one_message() -> Iterator[None]:
    """Turn a mistake of the user into one message and exit status 1, and Ctrl-C into a word and status 130."""
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
    """The one message for a mistake of the user; None for an error that only a traceback explains."""
    # Where Hydra was building what raised it; before Python 3.11 an error takes no notes.
    keys = [note.removeprefix("full_key: ") for note in getattr(error, "__notes__", ()) if "full_key: " in note]
    built = f" (config key: {keys[0]})" if keys else ""
    if isinstance(error, MusicrecError):
        return f"{error}{built}"
    if isinstance(error, InstantiationException):
        # Hydra's own text tells the key; its cause tells what is wrong with it.
        text = " ".join(line for line in str(error).splitlines() if not line.startswith("full_key:"))
        return f"{error.__cause__ or text} (config key: {_full_key(error)})"
    if isinstance(error, OmegaConfBaseException):
        return f"config: {str(error).splitlines()[0]} (key: {error.full_key})"
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; install the extra that holds it (docs/dependencies.md)"
    if "HYDRA_FULL_ERROR" in os.environ:
        return None
    if isinstance(error, RuntimeError) and "DataLoader worker" in str(error):  # torch raises it wherever the program is
        return f"{str(error).splitlines()[0]}: mostly for want of memory; use fewer workers, or none (data.workers=0)"
    if isinstance(error, OSError):
        file = error.filename or "a file (or the disk that it is on)"
        return f"{file}: {error.strerror or error} (HYDRA_FULL_ERROR=1 shows where)"
    if isinstance(error, (RuntimeError, TypeError, ValueError, *_lightning_errors())):
        return f"{type(error).__name__}: {error}{built} (HYDRA_FULL_ERROR=1 shows where)"
    return None


def _lightning_errors() -> tuple[type[Exception], ...]:
    """Lightning's error for settings that do not go together. Only where Lightning is imported: that takes seconds."""
    module = sys.modules.get("pytorch_lightning.utilities.exceptions")
    return (module.MisconfigurationException,) if module else ()


def _full_key(error: InstantiationException) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("full_key:")]
    return lines[-1].removeprefix("full_key:").strip() if lines else "?"
