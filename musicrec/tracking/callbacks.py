"""What is logged beside losses and scores: speed, and the best score so far."""

import time

from pytorch_lightning import Callback, LightningModule, Trainer


class Throughput(Callback):
    """Logs how fast a run is, by the wall clock, every `log_every_n_steps` batches and at the end of an epoch:

    speed/step_s              seconds a batch, waiting for its data included
    speed/input_share         the share of that in which the network waited: reading, transfer, deformation and mels
    speed/chunks_per_s        training chunks a second, of all processes together
    speed/valid_tracks_per_s  tracks a second in validation

    The validation does not count as training time. A GPU is not waited for: it computes the last steps of a window
    while the clock is read, and the means over windows are right.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()  # a run that goes on within an epoch does not start it again

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()

    def _begin(self) -> None:
        self._window_start = self._batch_end = time.perf_counter()
        self._waited_s, self._batches, self._chunks = 0.0, 0, 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: dict, batch_idx: int) -> None:
        self._waited_s += time.perf_counter() - self._batch_end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: dict, batch_idx: int
    ) -> None:
        self._batch_end = time.perf_counter()
        self._batches += 1
        self._chunks += len(batch["mel"])
        if (batch_idx + 1) % trainer.log_every_n_steps and not trainer.is_last_batch:
            return
        window_s = self._batch_end - self._window_start
        log(trainer, {
            "speed/step_s": window_s / self._batches,
            "speed/input_share": self._waited_s / window_s,
            "speed/chunks_per_s": trainer.world_size * self._chunks / window_s,
        })  # fmt: skip
        self._begin()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._validation_start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            loaders = trainer.val_dataloaders
            datasets = [loader.dataset for loader in (loaders if isinstance(loaders, list) else [loaders])]
            tracks = sum(len(dataset.rows) for dataset in datasets)
            log(trainer, {"speed/valid_tracks_per_s": tracks / (time.perf_counter() - self._validation_start)})


class BestScore(Callback):
    """Logs `best/<metric>`: of what the checkpoint callback watches, the best value so far, after every validation.

    A summary shows the last value of what is logged, and by this one runs can be compared, also those that failed.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        checkpoint = trainer.checkpoint_callback
        value = trainer.callback_metrics.get(checkpoint.monitor)
        if trainer.sanity_checking or value is None or value.isnan():
            return
        better = max if checkpoint.mode == "max" else min
        earlier = checkpoint.best_model_score  # does not know this validation yet: checkpoints are written after it
        best = float(value) if earlier is None else better(float(value), float(earlier))
        log(trainer, {f"best/{checkpoint.monitor}": best})


def log(trainer: Trainer, values: dict[str, float]) -> None:
    """Give values to all loggers, at the step at which `LightningModule.log` would."""
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.fit_loop.epoch_loop._batches_that_stepped)
