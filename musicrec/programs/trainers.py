"""Build the Lightning trainers of a run, and read what a training came to."""

from collections.abc import Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger

from musicrec.errors import ConfigError
from musicrec.programs.guard import in_multirun
from musicrec.sweeps.jobs import SEVERAL_PROCESSES
from musicrec.system.hardware import best_precision


def build_trainer(trainer: DictConfig, *, run: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    """Build the trainer that trains.

    Args:
        trainer: The group `trainer` of the config.
        run: Folder of the run.
        callbacks: Its callbacks.
        loggers: Its loggers.

    Raises:
        ConfigError: It would start several processes in a job of a multirun.
    """
    built = instantiate(
        trainer,
        precision=best_precision(trainer.precision, accelerator=trainer.accelerator),
        callbacks=callbacks,
        logger=loggers,
        default_root_dir=run,
    )
    if in_multirun() and (built.world_size > 1 or built.strategy.launcher is not None):
        raise ConfigError(SEVERAL_PROCESSES.format(strategy=trainer.strategy, devices=trainer.devices))
    return built


def build_scorer(trainer: DictConfig, *, loggers: Sequence[Logger] = ()) -> Trainer:
    """Build a trainer that scores in float32, in which the export computes, whatever the training computed in.

    Args:
        trainer: The group `trainer` of the config.
        loggers: Where to log the scores.
    """
    logger = list(loggers) or False
    return instantiate(trainer, precision="32-true", logger=logger, enable_checkpointing=False)


def best_score(trainer: Trainer, settings: DictConfig) -> float:
    """Return the validation score of the best checkpoint.

    Args:
        trainer: The trainer that has trained.
        settings: The group `trainer` of the config, for the message.

    Raises:
        ConfigError: The training ended before the first validation, so there is no best checkpoint.
    """
    best = trainer.checkpoint_callback
    if best.best_model_score is None:
        raise ConfigError(
            f"trainer.max_epochs={settings.max_epochs}, trainer.max_time={settings.max_time}, "
            f"trainer.limit_train_batches={settings.limit_train_batches}: the training ended before a validation, so "
            f"there is no best checkpoint by {best.monitor}; let it go on longer"
        )
    return float(best.best_model_score)
