"""Weights & Biases: offline by default, online for who is logged in."""

import os
from pathlib import Path

import wandb
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import Logger, WandbLogger


def wandb_logger(*, project: str, name: str | None, save_dir: str | Path, group: str | None = None) -> WandbLogger:
    """A W&B logger that never asks. Runs are written below save_dir; `wandb sync` uploads offline ones later.

    WANDB_MODE decides where it is set; else a run is online when an API key is known (`wandb login`).
    """
    os.environ.setdefault("WANDB_SILENT", "true")
    mode = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
    Path(save_dir, "wandb").mkdir(parents=True, exist_ok=True)  # else W&B writes below /tmp and warns
    return WandbLogger(
        project=project, name=name, group=group, save_dir=str(save_dir), mode=mode, reinit="finish_previous"
    )


def finish(loggers: list[Logger], *, interrupted: bool, checkpoint: ModelCheckpoint) -> None:
    """End what the loggers hold open (else the next job of a multirun writes into this one's W&B run), and tell
    somebody who interrupted the run how to go on."""
    wandb.finish(exit_code=int(interrupted))
    if interrupted and checkpoint.last_model_path:
        print(f"interrupted; continue with ckpt_path={checkpoint.last_model_path} and the same settings")
    elif interrupted:
        print("interrupted before the first epoch ended; there is no checkpoint yet")
