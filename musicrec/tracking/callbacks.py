"""Callbacks that log the speed of a run and its best score so far."""

import time

from pytorch_lightning import Callback, LightningModule, Trainer


class Throughput(Callback):
    """Log the speed of a run, in wall-clock time.

    The values of training are logged every `log_every_n_steps` batches and at the end of an epoch:

    - `speed/step_s`: seconds per batch, including the wait for its data.
    - `speed/input_share`: the share of this time in which the network waits for reading, transfer, deformation and the
      front end.
    - `speed/chunks_per_s`: training chunks per second, over all processes.

    After every validation follows `speed/valid_tracks_per_s`, tracks per second. Validation does not count as training
    time. The clock is read without waiting for the GPU, which may still compute the last steps; over many windows the
    means are correct.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, also for a run that is resumed within an epoch and therefore does not start one."""
        self._start_window()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock after a validation."""
        self._start_window()

    def _start_window(self) -> None:
        self._window_start = self._batch_end = time.perf_counter()
        self._waited_s, self._batches, self._chunks = 0.0, 0, 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: dict, batch_idx: int) -> None:
        """Add the time since the last batch to the time spent waiting."""
        self._waited_s += time.perf_counter() - self._batch_end

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: dict, batch_idx: int
    ) -> None:
        """Log the speed, if it is time to."""
        self._batch_end = time.perf_counter()
        self._batches += 1
        self._chunks += len(batch["mel"])
        if (batch_idx + 1) % trainer.log_every_n_steps and not trainer.is_last_batch:
            return
        window_s = self._batch_end - self._window_start
        speed = {
            "speed/step_s": window_s / self._batches,
            "speed/input_share": self._waited_s / window_s,
            "speed/chunks_per_s": trainer.world_size * self._chunks / window_s,
        }
        _log(trainer, speed)
        self._start_window()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock of the validation."""
        self._validation_start = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the speed of the validation."""
        if not trainer.sanity_checking:
            loaders = trainer.val_dataloaders
            datasets = [loader.dataset for loader in (loaders if isinstance(loaders, list) else [loaders])]
            tracks = sum(len(dataset.rows) for dataset in datasets)
            _log(trainer, {"speed/valid_tracks_per_s": tracks / (time.perf_counter() - self._validation_start)})


class BestScore(Callback):
    """Log `best/<metric>` after every validation: the best value so far of the metric that selects checkpoints.

    The summary of a run shows the last logged value of each metric. With this one, runs can be compared by their best
    epochs, including runs that failed.
    """

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the best value."""
        checkpoint = trainer.checkpoint_callback
        value = trainer.callback_metrics.get(checkpoint.monitor)
        if trainer.sanity_checking or value is None or value.isnan():
            return
        better = max if checkpoint.mode == "max" else min
        earlier = checkpoint.best_model_score  # without this validation: checkpoints are written after it
        best = float(value) if earlier is None else better(float(value), float(earlier))
        _log(trainer, {f"best/{checkpoint.monitor}": best})


def _log(trainer: Trainer, values: dict[str, float]) -> None:
    """Log values to all loggers, at the step that `LightningModule.log` would use."""
    for logger in trainer.loggers:
        logger.log_metrics(values, step=trainer.fit_loop.epoch_loop._batches_that_stepped)
