"""The LightningModule: network, heads and recipe, without any architecture or data code."""

import math
from collections.abc import Sequence

import pytorch_lightning as lightning
import torch
from pytorch_lightning.plugins.precision import MixedPrecision, Precision
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities import GradClipAlgorithmType
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from musicrec.data.chunk_sampling import ChunkDataset
from musicrec.errors import ExportError, MusicrecError
from musicrec.export.compatibility import first_difference
from musicrec.export.description import build_from, describe
from musicrec.export.transfer import freeze
from musicrec.heads import Head
from musicrec.training.pooling import pooling_of
from musicrec.training.recipes import Recipe


class MusicModule(lightning.LightningModule):
    """Trains a network on any set of heads.

    The loss is the weighted sum of the heads' losses. Validation and test score whole tracks: `<split>/<head>/<metric>`
    and `<split>/score`, the mean of the heads' primary metrics, which chooses the best checkpoint. Each dataset of a
    mixture is scored separately, as `<split>/<dataset>/…`; `val/score` is then the mean over the datasets.

    Attributes:
        metrics: After a test, {split: {name: value}}.
        predictions: After a test, {split: {head: (probabilities, target)}}, on the CPU; also after `trainer.validate`,
            which logs nothing.
        raw: Like `predictions`, {split: {head: probabilities}} before any temperature is applied.
    """

    def __init__(
        self,
        network: nn.Module,
        heads: Sequence[Head],
        recipe: Recipe | None = None,
        *,
        channels_last: bool = True,
        seed: int = 0,
        pooling: str = "mean",
        frozen: Sequence[str] = (),
    ) -> None:
        """Set up; the network is not copied.

        Args:
            network: Takes (batch, 1, mel channels, frames) decibels and returns (embedding, {head: logits}).
            heads: The heads.
            recipe: Optimiser and schedule; None for a module that only evaluates.
            channels_last: Whether to use the memory layout in which convolutions are faster on CPUs, and on GPUs in
                bf16.
            seed: Seed of dropout, together with the number of the batch and the rank, so that a resumed run draws what
                an uninterrupted one would have drawn.
            pooling: How the chunks of a track become its probabilities, see `TrackPooling`.
            frozen: Names of modules of the network that are not trained; their batch statistics do not change, either.
        """
        super().__init__()
        self._frozen = freeze(network, frozen)
        self.network = network.to(memory_format=torch.channels_last) if channels_last else network
        self.heads = list(heads)
        self.recipe = recipe
        self.stage = 0
        self.seed = seed
        self.pooling = pooling
        self.metrics: dict[str, dict[str, float]] = {}
        self.predictions: dict[str, dict[str, tuple[Tensor, Tensor]]] = {}
        self.raw: dict[str, dict[str, Tensor]] = {}
        self._pools: list[nn.ModuleDict] = []
        self.train()

    def forward(self, decibels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the embedding and the logits of each head.

        Args:
            decibels: (batch, 1, mel channels, frames).
        """
        return self.network(decibels)

    def train(self, mode: bool = True) -> "MusicModule":
        """Set training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def _losses(self, logits: dict[str, Tensor], target: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the losses, and the loss of each head."""
        parts = {head.name: head.loss(logits[head.name].float(), target[head.name]) for head in self.heads}
        return sum(head.weight * parts[head.name] for head in self.heads), parts

    # -- training ------------------------------------------------------------------------------------------------
    def on_train_batch_start(self, batch: dict, batch_index: int) -> None:
        """Seed dropout by batch and rank, so that the batches of one step, and the processes, draw differently."""
        batch_number = self.trainer.fit_loop.total_batch_idx
        torch.manual_seed((self.seed * 1_000_003 + batch_number) * 1009 + 500 + self.global_rank)

    def training_step(self, batch: dict, batch_index: int) -> Tensor:
        """Return the loss of a batch of `MusicDataModule.prepare`, and log it.

        Raises:
            MusicrecError: The loss is not finite.
        """
        _, logits = self(batch["mel"])
        loss, parts = self._losses(logits, batch["target"])
        if "partner" in batch:
            share, (other, others) = batch["share"], self._losses(logits, batch["partner"])
            loss = share * loss + (1 - share) * other
            parts = {name: share * part + (1 - share) * others[name] for name, part in parts.items()}
        if not torch.isfinite(loss):
            of_heads = ", ".join(f"{name} {float(part.detach()):.3g}" for name, part in parts.items())
            raise MusicrecError(
                f"the loss is {float(loss.detach())} at step {self.global_step} ({of_heads}); lower optim.lr, set "
                "trainer.gradient_clip_val, or use trainer.precision=32-true; earlier checkpoints are not affected"
            )
        size = len(batch["mel"])
        self.log("train/loss", loss, on_step=True, on_epoch=True, prog_bar=True, batch_size=size)
        losses = {f"train/{name}/loss": part for name, part in parts.items()}
        self.log_dict(losses, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        return loss

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: GradClipAlgorithmType | None = None,
    ) -> None:
        """Clip the gradients, also those of a fused optimiser in bf16.

        In mixed precision, Lightning refuses to clip for fused optimisers, as they undo the scaling of the gradients
        only in their step. In bf16 the gradients are not scaled.
        """
        plugin = self.trainer.precision_plugin
        if isinstance(plugin, MixedPrecision) and plugin.scaler is None:
            algorithm = gradient_clip_algorithm or GradClipAlgorithmType.NORM
            Precision.clip_gradients(plugin, optimizer, gradient_clip_val or 0.0, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def configure_optimizers(self) -> dict:
        """Return optimiser and scheduler of the stage, as Lightning takes them."""
        total = int(self.trainer.estimated_stepping_batches)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        optimizer, scheduler = self.recipe.configure(trained, stage=self.stage, total_steps=total)
        if scheduler is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_train_epoch_start(self) -> None:
        """Begin the next stage of the recipe, if it is due, from the best weights so far."""
        stage = self.recipe.stage(self.current_epoch)
        if stage == self.stage:
            return
        best = getattr(self.trainer.checkpoint_callback, "best_model_path", "")
        if best:
            self.load_state_dict(torch.load(best, map_location=self.device, weights_only=True)["state_dict"])
        self.stage = stage
        self.trainer.strategy.setup_optimizers(self.trainer)

    # -- evaluation ----------------------------------------------------------------------------------------------
    def _collect(self, loaders: DataLoader | list[DataLoader]) -> None:
        """Prepare to pool the chunks of the tracks in the loaders."""
        self._datasets = [loader.dataset for loader in (loaders if isinstance(loaders, list) else [loaders])]
        self._pools = [
            nn.ModuleDict(
                {
                    head.name: pooling_of(head, len(dataset.rows), longest_s=_longest_s(dataset), pooling=self.pooling)
                    for head in self.heads
                }
            ).to(self.device)
            for dataset in self._datasets
        ]

    def _score_chunks(self, batch: dict, loader: int) -> Tensor:
        """Add the chunks of a batch to their tracks, and return the loss."""
        _, logits = self(batch["mel"])
        for head in self.heads:
            self._pools[loader][head.name].update(
                head.probabilities(logits[head.name]), batch["track"], batch["start_s"]
            )
        return self._losses(logits, batch["target"])[0]

    def _score_tracks(self, loader: int) -> tuple[dict[str, float], dict[str, tuple[Tensor, Tensor]]]:
        """Return the metrics of all tracks of a loader, and (probabilities, target) of each head, on the CPU."""
        result, predictions, primary = {}, {}, []
        for head in self.heads:
            raw = self._pools[loader][head.name].compute().cpu()
            self.raw.setdefault(self._datasets[loader].split, {})[head.name] = raw
            probabilities = head.calibrated(raw)
            target = self._datasets[loader].targets[head.name]
            predictions[head.name] = probabilities, target
            scores = head.score(probabilities, target).values()
            result |= {f"{head.name}/{metric}": value for metric, value in scores.items()}
            primary.append(scores[head.primary])
        known = [value for value in primary if not math.isnan(value)]
        result["score"] = sum(known) / len(known) if known else math.nan
        return result, predictions

    @property
    def _only_validates(self) -> bool:
        """Whether this is trainer.validate, not the validation after an epoch of training."""
        return self.trainer.state.fn == TrainerFn.VALIDATING

    def on_validation_epoch_start(self) -> None:
        """Prepare to collect losses and predictions."""
        self._loss = MeanMetric().to(self.device)
        self._collect(self.trainer.val_dataloaders)

    def validation_step(self, batch: dict, batch_index: int, dataloader_idx: int = 0) -> None:
        """Collect a batch."""
        loss = self._score_chunks(batch, dataloader_idx)
        if not self._only_validates:
            self._loss.update(loss.double(), weight=len(batch["mel"]))

    def on_validation_epoch_end(self) -> None:
        """Score the tracks of every dataset; log the scores, or keep the predictions of trainer.validate."""
        overall = []
        for loader, dataset in enumerate(self._datasets):
            scores, predictions = self._score_tracks(loader)
            overall.append(scores.pop("score"))
            if self._only_validates:
                self.predictions[dataset.split] = predictions
            elif not self.trainer.sanity_checking:
                # "val/genre/accuracy"; for a mixture "val/<dataset>/genre/accuracy".
                within = "".join(f"{name}/" for name in dataset.split.split("/")[1:])
                self.log_dict({f"val/{within}{name}": value for name, value in scores.items()})
        if not self._only_validates and not self.trainer.sanity_checking:
            known = [score for score in overall if not math.isnan(score)]
            self.log("val/score", sum(known) / len(known) if known else math.nan, prog_bar=True)
            self.log("val/loss", self._loss.compute().float())

    def on_test_epoch_start(self) -> None:
        """Prepare to collect predictions."""
        self._collect(self.trainer.test_dataloaders)

    def test_step(self, batch: dict, batch_index: int, dataloader_idx: int = 0) -> None:
        """Collect a batch."""
        self._score_chunks(batch, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """Score the tracks of every test split; log and keep the scores."""
        for loader, dataset in enumerate(self._datasets):
            scores, self.predictions[dataset.split] = self._score_tracks(loader)
            self.metrics[dataset.split] = scores
            self.log_dict({f"{dataset.split}/{name}": value for name, value in scores.items()})

    # -- checkpoints ---------------------------------------------------------------------------------------------
    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Add the stage, and what the checkpoint needs to be read as a model."""
        checkpoint["stage"] = self.stage
        checkpoint["musicrec"] = describe(self.network, self.heads, self.trainer.datamodule.frontend)

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Take over the stage of a checkpoint.

        Raises:
            ExportError: The checkpoint is of another network, head or front end.
        """
        path = self.trainer.ckpt_path
        # Building the model fills in settings that are newer than the checkpoint. The weights it draws are not used.
        with torch.random.fork_rng(devices=[]):
            theirs = describe(*build_from(path, checkpoint["musicrec"]))
        differs = first_difference(theirs, describe(self.network, self.heads, self.trainer.datamodule.frontend))
        if differs is not None:
            key, there, here = differs
            raise ExportError(
                f"ckpt_path={path}: {key} is {there} there and {here} here; resume with the settings "
                "of the run that wrote it"
            )
        self.stage = checkpoint["stage"]


def _longest_s(dataset: ChunkDataset) -> float:
    """Return the length of the longest track of a dataset, in seconds."""
    return float(dataset.store.lengths[dataset.rows].max()) / dataset.store.sample_rate
