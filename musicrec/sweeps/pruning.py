"""Stopping the trials of a study that will not be among the best."""

from collections.abc import Sequence
from pathlib import Path

from optuna.pruners import BasePruner
from pytorch_lightning import Callback, LightningModule, Trainer

from musicrec.errors import ConfigError
from musicrec.sweeps.study import open_study, open_trial


class TrialPruning(Callback):
    """Reports the monitored metric of every epoch to the trial, and ends the training when the pruner says so.

    The training then ends as after its last epoch: checkpoints are whole, loggers are closed. `pruned` tells.

    storage: of the study. run: the run folder, whose name is the number of its trial.
    """

    def __init__(self, *, storage: str, run: str, monitor: str, pruner: BasePruner) -> None:
        number = Path(run).name
        if not number.isdigit():
            raise ConfigError("a search has many jobs; start it with -m, as in python train.py -m sweep=optuna")
        study = open_study(storage, pruner=pruner)
        self.trial = open_trial(study, int(number))
        self.reported = study.get_trials(deepcopy=False)[int(number)].intermediate_values.keys()
        self.monitor = monitor
        self.pruned = False

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.sanity_checking or self.pruned:
            return
        if trainer.current_epoch not in self.reported:  # in a trial that runs again, what it said before stays
            self.trial.report(float(trainer.callback_metrics[self.monitor]), step=trainer.current_epoch)
        if self.trial.should_prune():
            self.pruned = trainer.should_stop = True


def was_pruned(callbacks: Sequence[Callback]) -> bool:
    return any(isinstance(callback, TrialPruning) and callback.pruned for callback in callbacks)
