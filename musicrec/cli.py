"""What the command-line programs share: one message for a mistake, and building objects from the config."""

import functools
import inspect
import logging
import os
import re
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console
from rich.markup import escape

from musicrec import startup
from musicrec.arguments import quote_paths
from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError, JobFailed, MusicrecError
from musicrec.locks import is_held
from musicrec.resume import run_folder, unused
from musicrec.settings import check_settings

# All that a config may build: it cannot call anything else. Not all of Lightning, whose modules can also be loaded from
# pickles.
TARGETS = [
    "musicrec.*",
    "pytorch_lightning.Trainer",
    "pytorch_lightning.callbacks.*",
    "pytorch_lightning.loggers.*",
    "pytorch_lightning.plugins.*",
    "pytorch_lightning.profilers.*",
    "pytorch_lightning.strategies.*",
    "optuna.pruners.*",
]

_ROOM = 65_536  # bytes, more than Hydra writes before anything of ours runs

_OF_MIXTURES = {"weight", "columns"}  # settings of a dataset that count within a mixture only

# Of these, values that Hydra's grammar might take for something else: a folder "My music (2020)", or one called 2020.
_PATHS = re.compile(r"(data\.(sets\.[^.=]+\.)?(root|labels|manifest|csv)|paths\.\w+)=(?![\w.-]*/[\w./-]*$)", re.ASCII)

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
        from musicrec.runs.record import FILE, LOCK  # which needs this module

        # What Hydra wrote, and the record of the failure, whose message has been printed.
        little = {path.name for path in self.made[0].iterdir()} <= {config.hydra.output_subdir, FILE, LOCK}
        if little and not is_held(self.made[0] / LOCK):  # by another run, which made the folder in the same moment
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


@contextmanager
def one_message() -> Iterator[None]:
    """Turn a mistake of the user into one message and exit status 1, and Ctrl-C into a word and 130."""
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


def print_error(message: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}")


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
    if isinstance(error, MisconfigurationException | RuntimeError | TypeError | ValueError):
        return f"{type(error).__name__}: {error}{built} (HYDRA_FULL_ERROR=1 shows where)"
    return None


def _in_one_line(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of ours without the place in the code that gave it; others, which ask for a look at it, as usual."""
    if category is UserWarning and Path(filename).is_relative_to(Path(__file__).parent):
        return f"warning: {message}\n"
    return f"{filename}:{lineno}: {category.__name__}: {message}\n"


def _full_key(error: InstantiationException) -> str:
    lines = [line for line in str(error).splitlines() if line.startswith("full_key:")]
    return lines[-1].removeprefix("full_key:").strip() if lines else "?"


# Cached: a program asks several times where its folder is, the last ones when it is there already.
OmegaConf.register_resolver("run_folder", run_folder, replace=True, use_cache=True)
OmegaConf.register_resolver("unused", unused, replace=True, use_cache=True)


def build_all(group: DictConfig | None) -> list:
    """The objects of a config group whose every entry is a target; an entry set to null is left out."""
    return [instantiate(entry, _execution_whitelist_=TARGETS) for entry in (group or {}).values() if entry is not None]


def build_heads(task: DictConfig | None) -> list:
    """The heads of a task. List settings become tuples, as the heads' fields are."""
    if not task or not task.get("heads"):
        raise ConfigError("the task has no heads; choose some, as in task=[tags] or task=[genre,features]")
    heads = []
    for name, entry in task.heads.items():
        if entry is None:
            continue
        head = instantiate(entry, name=name, _convert_="all", _execution_whitelist_=TARGETS)
        fields = {key: tuple(value) for key, value in vars(head).items() if isinstance(value, list)}
        heads.append(type(head)(**{**vars(head), **fields}))
    return heads


def module_settings(data: DictConfig) -> dict:
    """What of a data group is the DataModule's. A dataset's own settings, such as data.root, stand beside them, and
    data.manifest refers to them. The datasets of a mixture are data groups themselves."""
    if "sets" in data:
        own = [name for name in data if name not in ("sets", "manifest", *_OF_MIXTURES)]
        return {name: _resolved(data, name) for name in own} | {"manifest": _mixture(data)}
    settings = OmegaConf.to_container(data, resolve=True, throw_on_missing=True)
    manifest = settings.get("manifest")
    own = inspect.signature(MusicDataModule).parameters
    read = {name for name in manifest if name not in own} if isinstance(manifest, dict) else set()
    read |= _OF_MIXTURES
    return {name: value for name, value in settings.items() if name not in read or name.startswith("_")}


def _mixture(data: DictConfig) -> dict:
    """What builds the mixture of data.sets. Of each dataset only what says which tracks it has is read."""
    parts = {}
    for name, dataset in data.sets.items():
        fields = ("manifest", "stores", "share_store", "train_split", "valid_split", *sorted(_OF_MIXTURES))
        shares = {"valid_share": "valid_share", "test_share": "test_share", "unit": "split_by", "seed": "split_seed"}
        parts[name] = {
            "_target_": "musicrec.data.mixture.Part",
            "_convert_": "all",
            **{field: _resolved(dataset, field) for field in fields},
            "splitting": {setting: _resolved(dataset, field) for setting, field in shares.items()},
        }
    return {"_target_": "musicrec.data.mixture.Mixture", "folder": _resolved(data, "stores"), "parts": parts}


def _resolved(group: DictConfig, name: str) -> object:
    value = group[name]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def spelled_out(arguments: list[str]) -> list[str]:
    """The command line as Hydra takes it: for data=[a,b] a mixture, and each dataset in a group of its own; names of
    files and folders in quotation marks."""
    out = []
    for argument in arguments:
        several = re.fullmatch(r"data=\[(.*)\]", argument)
        names = [name.strip() for name in several[1].split(",") if name.strip()] if several else []
        for name in names:
            if names.count(name) > 1:
                with one_message():
                    raise ConfigError(
                        f"{argument}: {name} is named twice; give each a name of its own, as in "
                        f"data=mixture +data@data.sets.MINE={name} +data@data.sets.OTHER={name}"
                    )
        out += ["data=mixture", *(f"+data@data.sets.{name}={name}" for name in names)] if several else [argument]
    return quote_paths(out, keys=[named[1] for named in map(_PATHS.match, out) if named])


def listed(value: str | ListConfig | None) -> list[str]:
    """key=ONE or key=[ONE,TWO]."""
    return [value] if isinstance(value, str) else list(value or [])


def plain(cfg: DictConfig) -> dict:
    """The resolved config in plain types."""
    return OmegaConf.to_container(cfg, resolve=True)
