"""Weights & Biases: offline by default, online for who is logged in. Only runs that use it import this module."""

import os
import warnings
from pathlib import Path

import wandb
from pytorch_lightning.loggers import WandbLogger

_DATA_DIR = os.environ.get("WANDB_DATA_DIR")  # of the user


def wandb_logger(
    *,
    project: str,
    name: str,
    save_dir: str | Path,
    group: str | None = None,
    job: int | None = None,
    continued: bool = False,
) -> WandbLogger:
    """Begin a W&B run that never asks. It is written below save_dir; `wandb sync` uploads an offline one later.

    WANDB_MODE decides where it is set; else a run is online when an API key is known (`wandb login`), and falls back to
    offline, with a warning, when W&B cannot be reached or refuses the key.

    group, job: of a job of a multirun, the sweep's name and the job's number, which the run's name then ends with.
    continued: go on under the id of the run that was begun in save_dir, if there is one.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    folder = Path(save_dir, "wandb").resolve()
    folder.mkdir(parents=True, exist_ok=True)  # else W&B writes below /tmp and warns
    os.environ["WANDB_DATA_DIR"] = _DATA_DIR or str(folder)  # else tables wait for the upload in the home folder
    run_name = name if job is None else f"{name}-{job}"

    earlier = sorted(path.name.split("-")[-2:] for path in folder.glob("*run-*-*"))  # (offline-)run-TIME-ID
    run_id = earlier[-1][-1] if continued and earlier else None
    config = {"run": {"folder": str(save_dir), "job": job}}

    def begin(mode: str) -> WandbLogger:
        logger = WandbLogger(
            project=project, name=run_name, group=group, id=run_id, config=config, save_dir=str(save_dir),
            mode=mode, reinit="finish_previous",
        )  # fmt: skip
        _ = logger.experiment  # now, so that what is wrong with the connection shows before hours of training
        return logger

    mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False, verify=False) else "offline")
    try:
        return begin(mode)
    except wandb.errors.CommError as error:
        warnings.warn(f"W&B cannot be reached ({error}); this run is logged offline (docs/wandb.md)", stacklevel=2)
        return begin("offline")
