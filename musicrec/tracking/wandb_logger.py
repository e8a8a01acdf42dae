"""The W&B logger: online for users who are logged in, otherwise offline. Only runs that use it import this module."""

import os
import warnings
from pathlib import Path

import wandb
from pytorch_lightning.loggers import WandbLogger

_USER_DATA_DIR = os.environ.get("WANDB_DATA_DIR")


def wandb_logger(
    *,
    project: str,
    name: str,
    save_dir: str | Path,
    group: str | None = None,
    job: int | None = None,
    continued: bool = False,
) -> WandbLogger:
    """Start a W&B run without asking for a login.

    The environment variable WANDB_MODE sets the mode. Without it, the run is online if an API key is known (`wandb
    login`) and offline otherwise. If W&B cannot be reached or rejects the key, the run continues offline, with a
    warning. `wandb sync` uploads an offline run later.

    Args:
        project: The W&B project.
        name: The name of the run; in a multirun, the number of the job is appended.
        save_dir: The run folder. The files of W&B are written to its subfolder `wandb`.
        group: In a multirun, the name of the sweep.
        job: In a multirun, the number of the job.
        continued: Whether to continue the last W&B run in `save_dir`, if there is one.

    Returns:
        A logger whose run has started.
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    folder = Path(save_dir, "wandb").resolve()
    folder.mkdir(parents=True, exist_ok=True)  # if it did not exist, W&B would warn and write to /tmp
    os.environ["WANDB_DATA_DIR"] = _USER_DATA_DIR or str(folder)  # by default, W&B keeps tables in the home folder
    earlier = sorted(path.name.split("-")[-2:] for path in folder.glob("*run-*-*"))  # (offline-)run-TIME-ID
    settings = {
        "project": project,
        "name": name if job is None else f"{name}-{job}",
        "group": group,
        "id": earlier[-1][-1] if continued and earlier else None,
        "config": {"run": {"folder": str(save_dir), "job": job}},
        "save_dir": str(save_dir),
        "reinit": "finish_previous",
    }

    def start(mode: str) -> WandbLogger:
        logger = WandbLogger(mode=mode, **settings)
        _ = logger.experiment  # connect now, so that connection errors show before hours of training
        return logger

    mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False, verify=False) else "offline")
    try:
        return start(mode)
    except wandb.errors.CommError as error:
        warnings.warn(f"cannot connect to W&B ({error}); this run is logged offline (docs/wandb.md)", stacklevel=2)
        return start("offline")
