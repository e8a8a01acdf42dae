"""Pruning: early stopping of the weak trials of a study."""

from collections.abc import Sequence
from pathlib import Path

from optuna.pruners import BasePruner
from pytorch_lightning import Callback, LightningModule, Trainer

from musicrec.errors import ConfigError
from musicrec.sweeps.study import open_study, open_trial


class TrialPruning(Callback):
    """Report the monitored metric of every epoch to the trial, and stop training when the pruner decides so.

    Training then stops as it does after the last epoch: the checkpoints are complete and the loggers are closed.

    Args:
        storage: The storage of the study, as in `open_storage`.
        run: The run folder, whose name is the number of the trial.
        monitor: The metric to report.
        pruner: Optuna's pruner.

    Attributes:
        pruned: Whether the pruner has stopped the training.

    Raises:
        ConfigError: If the run is not a job of a multirun.
    """

    def __init__(self, *, storage: str, run: str, monitor: str, pruner: BasePruner) -> None:
        number = Path(run).name
        if not number.isdigit():
            raise ConfigError("a search needs a multirun; start it with -m, as in musicrec train -m sweep=optuna")
        study = open_study(storage, pruner=pruner)
        self.trial = open_trial(study, int(number))
        self.reported_epochs = study.get_trials(deepcopy=False)[int(number)].intermediate_values.keys()
        self.monitor = monitor
        self.pruned = False

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Report the metric and ask the pruner."""
        if trainer.sanity_checking or self.pruned:
            return
        if trainer.current_epoch not in self.reported_epochs:  # a repeated trial keeps what it reported the first time
            self.trial.report(float(trainer.callback_metrics[self.monitor]), step=trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = trainer.should_stop = True


def was_pruned(callbacks: Sequence[Callback]) -> bool:
    """Return whether one of the callbacks is a `TrialPruning` that has stopped the training."""
    return any(isinstance(callback, TrialPruning) and callback.pruned for callback in callbacks)
