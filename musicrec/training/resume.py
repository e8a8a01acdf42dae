"""What makes an interrupted training go on where it was: checkpoints within an epoch, always whole, and found again."""

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
    """Writes a checkpoint beside the old one and then takes its place, so that there is a whole one at any moment.

    Lightning's own writes to the folder for temporary files, from where a move to another file system is a copy: a kill
    in the middle of it leaves half a file.
    """

    def save_checkpoint(self, checkpoint: dict, path: str | Path, storage_options: object = None) -> None:
        path = Path(path)
        try:
            with atomic_write(path, "wb", error=None) as file:
                torch.save(checkpoint, file)
        except (OSError, RuntimeError) as error:  # torch reports a full disk as either
            reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
            before = "the one before is whole" if path.exists() else "there is none before it"
            raise ExportError(
                f"cannot write checkpoint {path}: {reason}; {before}; make room, and go on with the same command and "
                "resume=true"
            ) from error


class ResumePoint(Checkpoint):
    """Keeps `last.ckpt` fresh: after every epoch, now and then within one, on Ctrl-C, and on SIGTERM (the notice of a
    cluster). Lightning's ModelCheckpoint, which keeps the best, writes a last.ckpt only in epochs that improve.

    Ctrl-C lets the step at hand end, so that the checkpoint holds whole steps; a second Ctrl-C stops at once, and the
    checkpoint is the one before. Several processes stop together, after a step, so not within a validation. To know the
    best checkpoint, it comes after the ModelCheckpoint in the trainer's list.

    dirpath: folder of last.ckpt. every_s: seconds of training between two checkpoints, which is what a kill without
    warning can cost.
    """

    def __init__(self, *, dirpath: str | Path, every_s: float = 300.0) -> None:
        self.last = Path(dirpath) / "last.ckpt"
        self.every_s = every_s
        self.interrupted = False
        self.terminated = False
        self._handler = None

    def setup(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        main = threading.current_thread() is threading.main_thread()
        if stage == "fit" and main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._handler = signal.signal(signal.SIGINT, self._interrupt)

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        if self._handler is not None and signal.getsignal(signal.SIGINT) == self._interrupt:
            signal.signal(signal.SIGINT, self._handler)
        self._handler = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True
        print("\ninterrupted: this step ends first, for the sake of its checkpoint; Ctrl-C again stops at once")

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        self.terminated = True

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._saved = time.monotonic()
        if trainer.world_size > 1 and threading.current_thread() is threading.main_thread():
            # Lightning's own handler talks to the other processes from within the signal, and waits for ever if they
            # are in the middle of something else. Its teardown puts back what was there before both.
            signal.signal(signal.SIGTERM, self._terminate)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: object, batch: dict, batch_index: int
    ) -> None:
        progress = trainer.fit_loop.epoch_loop.batch_progress
        if progress.is_last_batch or (batch_index + 1) % trainer.accumulate_grad_batches:
            return  # the epoch's own checkpoint comes next; gradients of half a step cannot be saved
        stop = self._stops(trainer)
        due = time.monotonic() - self._saved > self.every_s
        if trainer.world_size > 1:  # their clocks differ, and all take part in a checkpoint
            due = trainer.strategy.broadcast(due)
        if due or stop:
            self._save(trainer)
        if stop:
            raise KeyboardInterrupt

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._save(trainer)

    # Between epochs the checkpoint is there already.
    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        if self._stops(trainer):
            raise KeyboardInterrupt

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        if self._stops(trainer):
            raise KeyboardInterrupt

    def _stops(self, trainer: Trainer) -> bool:
        """Was this process, or another one of the training, asked to stop?"""
        stop = self.interrupted or self.terminated or trainer.received_sigterm
        return trainer.strategy.reduce_boolean_decision(stop, all=False) if trainer.world_size > 1 else stop

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.last)
        self._saved = time.monotonic()
