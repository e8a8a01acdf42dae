"""What the config can ask for as ${name:…}: the folder of a run, and facts about it."""

import itertools
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import ListConfig, OmegaConf


def run_folder(new: str, ckpt_path: str | None, resume: bool, overrides: ListConfig) -> str:
    """The folder of a run: with `resume`, or the checkpoint of an earlier run, the folder of that run; else `new`.

    new: runs/NAME/TIME; another name where there is such a folder already, of a run that began in the same second. With
    `resume`, the newest folder in runs/NAME that the same overrides began and that has no export yet.
    """
    if ckpt_path is not None and Path(ckpt_path).parent.name == "checkpoints":
        return str(Path(ckpt_path).parents[1])
    if resume:
        for begun in sorted(Path(new).parent.glob("*/.hydra/overrides.yaml"), reverse=True):
            run = begun.parents[1]
            same = _substance(OmegaConf.load(begun)) == _substance(overrides)
            if same and not (run / "export").exists():
                return str(run)
    return unused(new)


def unused(folder: str) -> str:
    """The folder, or FOLDER_2, FOLDER_3 … where there is one of this name already."""
    names = itertools.chain([folder], (f"{folder}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not Path(name).exists())


def sweep_job(what: str) -> str | int | None:
    """Of a job of a multirun, the "name" of the sweep, which is that of its folder, or the job's "number"; None of a
    single run."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return None
    return {"name": Path(hydra.sweep.dir).name, "number": int(hydra.sweep.subdir)}[what]


def is_continued(resume: bool, ckpt_path: str | None) -> bool:
    """Whether a run goes on with what an earlier one began."""
    return resume or ckpt_path is not None


def _substance(overrides: ListConfig) -> list[str]:
    return sorted(override for override in overrides if not override.startswith("resume="))


def register() -> None:
    """Make the resolvers known to OmegaConf."""
    # Cached: a program asks several times where its folder is, the last ones when it is there already.
    OmegaConf.register_resolver("run_folder", run_folder, replace=True, use_cache=True)
    OmegaConf.register_resolver("unused", unused, replace=True, use_cache=True)
    OmegaConf.register_resolver("sweep_job", sweep_job, replace=True)
    OmegaConf.register_resolver("is_continued", is_continued, replace=True)
