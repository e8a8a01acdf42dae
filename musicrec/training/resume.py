"""Continue an interrupted training where it stopped, from checkpoints within an epoch that are always complete."""

import signal
import threading
import time
from pathlib import Path
from types import FrameType

import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from musicrec.errors import ExportError
from musicrec.system.atomic_write import atomic_write


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint beside the old one and then replaces it, so that a complete one exists at any moment.

    Lightning's own class writes to the folder for temporary files. Moving a file from there to another file system
    copies it, and a kill during the copy leaves half a checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options: object = None) -> None:
        """Write a checkpoint.

        Raises:
            ExportError: It cannot be written.
        """
        path = Path(path)
        try:
            with atomic_write(path, "wb", error=None) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as either
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            before = "the earlier one is complete" if path.exists() else "there is no earlier one"
            raise ExportError(
                f"cannot write checkpoint {path}: {reason}; {before}; make room, and continue with the same command "
                "and resume=true"
            ) from error


class ResumePoint(Checkpoint):
    """Writes `last.ckpt`, the checkpoint that a run is continued from.

    It is written after every epoch, at intervals within one, on Ctrl-C, and on SIGTERM, which a cluster sends before it
    stops a job. Lightning's ModelCheckpoint, which keeps the best checkpoint, would write it only in epochs that
    improve.

    Ctrl-C lets the current step end first, so that the checkpoint holds complete steps. A second Ctrl-C stops at once
    and leaves the earlier checkpoint. Several processes stop together after a step, so never during a validation. In
    the trainer's list this callback must come after ModelCheckpoint, so that `last.ckpt` knows the best checkpoint.
    """

    def __init__(self, *, dirpath: str | Path, every_s: float = 300.0) -> None:
        """Set up.

        Args:
            dirpath: Folder of last.ckpt.
            every_s: Seconds of training between two checkpoints: at most so much is lost when a run is killed.
        """
        self.last = Path(dirpath) / "last.ckpt"
        self.every_s = every_s
        self.interrupted = False
        self.terminated = False
        self._handler = None

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Handle Ctrl-C during training."""
        main = threading.current_thread() is threading.main_thread()
        if stage == "fit" and main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._handler = signal.signal(signal.SIGINT, self._interrupt)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Restore the handling of Ctrl-C."""
        if self._handler is not None and signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, self._handler)
        self._handler = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("\ninterrupted: this step ends first, so that its checkpoint is complete; Ctrl-C again stops at once")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock, and with several processes handle SIGTERM."""
        self._saved = time.monotonic()
        if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
            # Lightning's own handler communicates with the other processes from within the signal, and hangs if they
            # are busy with something else. Its teardown restores the handler that was there before both.
            signal.signal(signal.SIGTERM, self._terminate)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: dict, batch_index: int
    ) -> None:
        """Write a checkpoint if one is due, and stop if that was requested."""
        progress = trainer.fit_loop.epoch_loop.batch_progress
        if progress.is_last_batch or (batch_index + 1) % trainer.accumulate_grad_batches:
            return  # the checkpoint of the epoch follows; gradients of an incomplete step cannot be saved
        stop = self._stops(trainer)
        due = time.monotonic() - self._saved > self.every_s
        if trainer.world_size > 1:  # their clocks differ, and a checkpoint needs all of them
            due = trainer.strategy.broadcast(due)
        if due or stop:
            self._save(trainer)
        if stop:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write a checkpoint."""
        self._save(trainer)

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop if that was requested; the checkpoint has been written."""
        if self._stops(trainer):
            raise KeyboardInterrupt

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Stop the program if that was requested; the checkpoint has been written."""
        if self._stops(trainer):
            raise KeyboardInterrupt

    def _stops(self, trainer: Trainer) -> bool:
        """Return whether this process, or another one of the training, was asked to stop."""
        stop = self.interrupted or self.terminated or trainer.received_sigterm
        return trainer.strategy.reduce_boolean_decision(stop, all=False) if trainer.world_size > 1 else stop

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.last)
        self._saved = time.monotonic()
