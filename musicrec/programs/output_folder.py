"""The folder of a run is made before Hydra does, and taken away again where the run failed at once."""

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.config.validation import check_settings
from musicrec.errors import ConfigError
from musicrec.programs import startup
from musicrec.runs.record_file import FILE, LOCK
from musicrec.system.lock import is_locked

_ROOM = 65_536  # bytes, more than Hydra writes before anything of ours runs


class OutputFolder(Callback):
    """Makes the folder of a run or a sweep before Hydra does, for which a folder that cannot be written is a fault of
    the program; and takes it away again where a run failed before it left anything there."""

    def __init__(self) -> None:
        self.made: list[Path] = []  # the folder, and those above it that were not there either

    def on_run_start(self, config: DictConfig, **settings: object) -> None:
        HydraConfig.instance().set_config(config)  # the name of a run is that of its model, which Hydra knows
        with one_message():
            own = [key for key in config if key != "hydra"]
            check_settings(OmegaConf.masked_copy(config, own), allowed=TARGETS)  # before there is anything on the disk
            self._make(Path(config.hydra.run.dir), key="hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **settings: object) -> None:
        HydraConfig.instance().set_config(config)
        with one_message():
            self._make(Path(config.hydra.sweep.dir), key="hydra.sweep.dir")
            self.made = []  # it holds the folders of the jobs
        startup.over()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **settings: object) -> None:
        if not self.made or job_return.status is JobStatus.COMPLETED:
            return
        # What Hydra wrote, and the record of the failure, whose message has been printed.
        little = {path.name for path in self.made[0].iterdir()} <= {config.hydra.output_subdir, FILE, LOCK}
        if little and not is_locked(self.made[0] / LOCK):  # by another run, which made the folder in the same moment
            self._take_away()

    def _take_away(self) -> None:
        for folder in self.made[:1]:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another run began below it
            for parent in self.made[1:]:
                parent.rmdir()

    def _make(self, folder: Path, *, key: str) -> None:
        try:
            self.made = [path for path in (folder, *folder.parents) if not path.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(bytes(_ROOM))
        except OSError as error:
            self._take_away()
            raise ConfigError(
                f"{key}={folder}: cannot be written ({error.strerror}); name a folder that can be"
            ) from None
