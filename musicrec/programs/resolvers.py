"""Resolvers of the config, ${name:…}: the folder of a run, and facts about it."""

import itertools
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import ListConfig, OmegaConf

from musicrec.runs.overrides import normalise_quotes


def run_folder(new: str, ckpt_path: str | None, resume: bool, overrides: ListConfig) -> str:
    """Return the folder of a run.

    Args:
        new: The folder of a new run, runs/NAME/TIME.
        ckpt_path: The checkpoint to continue from, or None.
        resume: Whether to continue the newest unfinished run of the same command.
        overrides: The overrides of the command line.

    Returns:
        The folder of the run that `ckpt_path` is of. Else, with `resume`, the newest folder beside `new` that has the
        same overrides and no export yet. Else `new`, or if it exists, an unused name like it.
    """
    if ckpt_path is not None and Path(ckpt_path).parent.name == "checkpoints":
        return str(Path(ckpt_path).parents[1])
    if resume:
        for begun in sorted(Path(new).parent.glob("*/.hydra/overrides.yaml"), reverse=True):
            run = begun.parents[1]
            same = _without_resume(OmegaConf.load(begun)) == _without_resume(overrides)
            if same and not (run / "export").exists():
                return str(run)
    return unused(new)


def unused(folder: str) -> str:
    """Return the folder, or if it exists, the first of FOLDER_2, FOLDER_3 … that does not."""
    names = itertools.chain([folder], (f"{folder}_{number}" for number in itertools.count(2)))
    return next(name for name in names if not Path(name).exists())


def sweep_job(what: str) -> str | int | None:
    """Return a fact about the job of a multirun.

    Args:
        what: "name", the name of the sweep's folder, or "number", that of the job.

    Returns:
        The fact; None for a single run.
    """
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return None
    return {"name": Path(hydra.sweep.dir).name, "number": int(hydra.sweep.subdir)}[what]


def is_continued(resume: bool, ckpt_path: str | None) -> bool:
    """Return whether a run continues an earlier one."""
    return resume or ckpt_path is not None


def _without_resume(overrides: ListConfig) -> list[str]:
    """Return the overrides that two commands must have in common to be the same run."""
    return sorted(normalise_quotes(override) for override in overrides if not override.startswith("resume="))


def register() -> None:
    """Register the resolvers with OmegaConf."""
    # Cached, as the folder is resolved several times, and exists from the second time on.
    OmegaConf.register_resolver("run_folder", run_folder, replace=True, use_cache=True)
    OmegaConf.register_resolver("unused", unused, replace=True, use_cache=True)
    OmegaConf.register_resolver("sweep_job", sweep_job, replace=True)
    OmegaConf.register_resolver("is_continued", is_continued, replace=True)
