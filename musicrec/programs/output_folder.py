"""Make the folder of a run before Hydra does, and remove it if the run fails at once."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from musicrec.config.explain import one_message
from musicrec.errors import ConfigError
from musicrec.programs import startup
from musicrec.runs.record_file import FILE, LOCK
from musicrec.sweeps.jobs import SWEEP_LOCK
from musicrec.system.lock import is_locked

_ROOM = 65_536  # bytes, more than Hydra writes before the program runs


class OutputFolder(Callback):
    """A Hydra callback that makes the folder of a run or sweep, and removes it if the run fails with nothing in it.

    Hydra itself would report a folder that cannot be written with a traceback.
    """

    def __init__(self) -> None:
        """Set up; no folder is made yet."""
        # The folder of the run or sweep, and those of its parents that did not exist either.
        self.run: list[Path] = []
        self.sweep: list[Path] = []

    def on_run_start(self, config: DictConfig, **settings: object) -> None:
        """Make the folder of the run."""
        HydraConfig.instance().set_config(config)  # the name of a run refers to the chosen model, which Hydra knows
        with one_message():
            self.run = _make(Path(config.hydra.run.dir), key="hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **settings: object) -> None:
        """Make the folder of the sweep."""
        HydraConfig.instance().set_config(config)
        with one_message():
            self.sweep = _make(Path(config.hydra.sweep.dir), key="hydra.sweep.dir")
        startup.finish()

    def on_multirun_end(self, config: DictConfig, **settings: object) -> None:
        """Remove the folder of a sweep that ended before it planned any job."""
        unused = self.sweep and {path.name for path in self.sweep[0].iterdir()} <= {SWEEP_LOCK}
        if unused and not is_locked(
            self.sweep[0] / SWEEP_LOCK
        ):  # locked by another sweep that began at the same moment
            _remove(self.sweep)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **settings: object) -> None:
        """Remove the folder of a failed run that holds nothing but the record of its failure."""
        if not self.run or job_return.status is JobStatus.COMPLETED:
            return
        # Files of Hydra, and the record of the failure, whose message has been printed.
        only_record = {path.name for path in self.run[0].iterdir()} <= {config.hydra.output_subdir, FILE, LOCK}
        if only_record and not is_locked(self.run[0] / LOCK):  # locked by another run that began at the same moment
            _remove(self.run)


def _make(folder: Path, *, key: str) -> list[Path]:
    """Make a folder and check that it can be written.

    Args:
        folder: The folder.
        key: The setting that names it, for the message.

    Returns:
        The folders that were made: this one and its parents, as far as they did not exist.

    Raises:
        ConfigError: The folder cannot be written.
    """
    created: list[Path] = []
    try:
        created = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(_ROOM))
    except OSError as error:
        _remove(created)
        raise ConfigError(f"{key}={folder}: cannot be written ({error.strerror}); name a folder that can be") from None
    return created


def _remove(made: Sequence[Path]) -> None:
    """Remove a folder, and the parents that were made for it."""
    for folder in made[:1]:
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another run has begun in it
        for parent in made[1:]:
            parent.rmdir()
