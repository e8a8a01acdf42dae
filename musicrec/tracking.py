"""Weights & Biases: offline by default, online for who is logged in."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import wandb
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import WandbLogger


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


@contextmanager
def finishing(trainer: Trainer) -> Iterator[None]:
    """At the end of a run, however it comes: close the W&B run (else the next job of a multirun writes into it), and
    tell somebody who interrupted the training how to go on."""
    failed = True
    try:
        yield
        failed = False
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the one into the other
        last = Path(trainer.checkpoint_callback.dirpath) / "last.ckpt"
        if last.is_file():
            print(f"interrupted; continue with the same command and resume=true, or ckpt_path={last}")
        else:
            print("interrupted before the first step ended: there is no checkpoint yet")
        raise
    finally:
        wandb.finish(exit_code=int(failed))


def keep_earlier_metrics(run: str | Path) -> None:
    """Rename the metrics.csv of an interrupted run that is continued: the CSV logger begins with an empty file."""
    metrics = Path(run) / "metrics.csv"
    if metrics.exists():
        earlier = len(list(metrics.parent.glob("metrics_*.csv")))
        metrics.rename(metrics.with_name(f"metrics_{earlier + 1}.csv"))
