"""Random draws, losses and checkpoints of the module, with real batches of a few short tracks."""

import math
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as lightning
import torch

from musicrec.data.augmentation import Augmentation
from musicrec.data.chunk_sampling import Sampling
from musicrec.data.datamodule import MusicDataModule
from musicrec.deformations.mixup import Mixup
from musicrec.deformations.noise import Noise
from musicrec.deformations.resample import RandomResample
from musicrec.deformations.sometimes import Sometimes
from musicrec.errors import ConfigError, ExportError, MusicrecError
from musicrec.export.description import describe
from musicrec.heads.key import KeyHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.training.module import MusicModule
from musicrec.training.recipes import AdamWCosine
from musicrec.training.resume import ResumePoint

HEADS = [KeyHead(), TempoHead(weight=0.5)]


class Recorded(MusicModule):
    """Records what was drawn for every training batch."""

    def __init__(self, *, stop_after: int | None = None, **settings) -> None:
        network = ShortChunkResNet({head.name: len(head.classes) for head in HEADS}, n_mels=16, width=2)
        super().__init__(network, HEADS, AdamWCosine(), **settings)
        self.drawn: list[tuple] = []
        self.stop_after = stop_after

    def training_step(self, batch: dict, batch_index: int) -> torch.Tensor:
        dropout = tuple(torch.empty(8).bernoulli_().tolist())
        self.drawn.append((torch.initial_seed(), dropout, float(batch["mel"].sum())))
        if len(self.drawn) == self.stop_after:
            signal.raise_signal(signal.SIGINT)
        return super().training_step(batch, batch_index)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


def fit(
    music: Path,
    stores: Path,
    folder: Path,
    *,
    epochs: int,
    ckpt_path: Path | None = None,
    stop_after: int | None = None,
    workers: int = 0,
) -> Recorded:
    """Train on one chunk per track, two batches per step; Ctrl-C is pressed in batch `stop_after`."""
    data = MusicDataModule(
        manifest=music,
        stores=stores,
        heads=HEADS,
        frontend=MelSpectrogram(n_mels=16),
        chunk_samples=8000,
        sampling=Sampling(batch_size=4, chunks_per_track=1, workers=workers),
        augmentation=Augmentation(
            waveform=[RandomResample(max_semitones=2), Sometimes(deformation=Noise(snr_db=[0, 20]), probability=0.5)],
            mixup=Mixup(),
        ),
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        accumulate_grad_batches=2,
        logger=False,
        callbacks=[
            lightning.callbacks.ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1),
            ResumePoint(dirpath=folder),
        ],
        limit_val_batches=0,
        limit_train_batches=4,
        use_distributed_sampler=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    torch.manual_seed(0)  # for the weights it begins with
    module = Recorded(seed=3, stop_after=stop_after)
    if stop_after is None:
        trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
        return module
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored below a shell's `&`
    with pytest.raises(SystemExit):
        trainer.fit(module, data, ckpt_path=ckpt_path, weights_only=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which Lightning leaves switched off
    return module


def test_every_batch_draws_differently_and_a_resumed_run_draws_the_same(tiny_music: Path, stores: Path, tmp_path: Path):
    whole = fit(tiny_music, stores, tmp_path, epochs=2)
    batches = len(whole.drawn)
    assert batches >= 4 and whole.global_step == batches // 2, "two batches a step"
    for index, what in enumerate(("seed", "dropout", "mel")):
        assert len({draw[index] for draw in whole.drawn}) == batches, what
    resumed = fit(tiny_music, stores, tmp_path / "again", epochs=2, ckpt_path=tmp_path / "epoch=0.ckpt")
    assert resumed.drawn == whole.drawn[batches // 2 :]


@pytest.mark.slow
@pytest.mark.parametrize(("stop_after", "workers"), [(1, 0), (3, 0), (5, 0), (6, 2), (7, 0)])
def test_a_run_interrupted_at_any_batch_ends_like_an_uninterrupted_one(
    tiny_music: Path, stores: Path, tmp_path: Path, stop_after: int, workers: int
):
    whole = fit(tiny_music, stores, tmp_path / "whole", epochs=2)
    assert len(whole.drawn) == 8, "two epochs of four batches"
    broken = fit(tiny_music, stores, tmp_path, epochs=2, stop_after=stop_after, workers=workers)
    # The step of two batches was let end.
    assert len(broken.drawn) == stop_after + stop_after % 2
    resumed = fit(tiny_music, stores, tmp_path, epochs=2, ckpt_path=tmp_path / "last.ckpt", workers=workers)
    assert broken.drawn + resumed.drawn == whole.drawn
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


class Straight(MusicModule):
    """A line, whose loss is steep."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Linear(4, 1), [], AdamWCosine())
        self.gradients: list[torch.Tensor] = []

    def training_step(self, batch: torch.Tensor, batch_index: int) -> torch.Tensor:
        return 1000 * self.network(batch).square().mean()

    def on_before_zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        if self.network.weight.grad is not None:  # of the step before
            self.gradients.append(torch.cat([weight.grad.flatten() for weight in self.network.parameters()]))


@pytest.mark.parametrize(("algorithm", "order"), [(None, 2), ("norm", 2), ("value", math.inf)])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped_in_every_precision(precision: str, algorithm: str | None, order: float):
    module = Straight()
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, precision=precision, gradient_clip_val=0.5, gradient_clip_algorithm=algorithm,
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(torch.ones(8, 4), batch_size=2))
    assert [float(gradient.norm(p=order)) for gradient in module.gradients] == pytest.approx([0.5] * 3, rel=1e-3)


def test_processes_draw_different_dropout():
    module, seeds = Recorded(), set()
    for rank in range(4):
        for batch_number in range(4):
            module._trainer = SimpleNamespace(
                global_rank=rank, global_step=0, fit_loop=SimpleNamespace(total_batch_idx=batch_number)
            )
            module.on_train_batch_start({}, batch_number)
            seeds.add(torch.initial_seed())
    assert len(seeds) == 16


def test_loss_is_the_weighted_sum_of_the_heads():
    logits = {head.name: torch.zeros(2, len(head.classes)) for head in HEADS}
    target = {"key": torch.tensor([3.0, math.nan]), "tempo": torch.tensor([120.0, 100.0])}
    loss, parts = Recorded()._losses(logits, target)
    # Equal logits are equal probabilities, whatever the target distribution.
    assert float(parts["key"]) == pytest.approx(math.log(24)) and float(parts["tempo"]) == pytest.approx(math.log(120))
    assert float(loss) == pytest.approx(math.log(24) + 0.5 * math.log(120))


def test_a_mixed_batch_weights_the_losses_of_both_chunks():
    module = Recorded()
    module.log = module.log_dict = lambda *_, **__: None
    mel = torch.randn(4, 1, 16, 64)
    first, second = (
        {"key": torch.tensor(k), "tempo": torch.tensor(t)}
        for k, t in (([1.0] * 4, [80.0] * 4), ([5.0] * 4, [130.0] * 4))
    )
    module.eval()  # no dropout, and the same statistics of the batch norms each time
    alone = [float(MusicModule.training_step(module, {"mel": mel, "target": target}, 0)) for target in (first, second)]
    mixed = {"mel": mel, "target": first, "partner": second, "share": 0.7}
    loss = float(MusicModule.training_step(module, mixed, 0))
    assert loss == pytest.approx(0.7 * alone[0] + 0.3 * alone[1], rel=1e-5) and alone[0] != pytest.approx(alone[1])


def test_a_loss_that_is_not_finite_stops_the_run_and_says_what_to_do():
    module = Recorded()
    module._trainer = SimpleNamespace(global_step=0, global_rank=0)
    batch = {"mel": torch.full((2, 1, 16, 32), math.nan), "target": {head.name: torch.ones(2) * 60 for head in HEADS}}
    batch["target"]["key"] = torch.ones(2)
    with pytest.raises(MusicrecError, match=r"the loss is nan at step 0 \(key nan, tempo nan\); lower optim.lr"):
        module.training_step(batch, 0)


def resuming() -> Recorded:
    """Return a module that is about to continue from last.ckpt."""
    module = Recorded()
    module._trainer = SimpleNamespace(
        ckpt_path="last.ckpt", datamodule=SimpleNamespace(frontend=MelSpectrogram(n_mels=16))
    )
    return module


def test_a_checkpoint_older_than_a_setting_resumes_and_draws_nothing():
    module = resuming()
    written = describe(module.network, HEADS, MelSpectrogram(n_mels=16))
    del written["network"]["settings"]["dropout"], written["heads"][1]["spread_classes"]
    torch.manual_seed(5)
    module.on_load_checkpoint({"musicrec": written, "stage": 1})
    assert module.stage == 1
    assert torch.equal(torch.rand(3), torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_a_checkpoint_of_other_settings_is_refused_and_the_first_difference_named():
    module = resuming()
    written = describe(module.network, HEADS, MelSpectrogram(n_mels=16, hop_length=512))
    with pytest.raises(ExportError, match=r"last\.ckpt: frontend\.hop_length is 512 there and 256 here; resume with"):
        module.on_load_checkpoint({"musicrec": written, "stage": 0})


def test_a_checkpoint_with_a_removed_setting_is_refused_and_a_way_out_named():
    module = resuming()
    written = describe(module.network, HEADS, MelSpectrogram(n_mels=16))
    written["network"]["settings"]["mean_features"] = True
    with pytest.raises(ExportError, match=r"last\.ckpt describes no model that .*mean_features.*; read it with"):
        module.on_load_checkpoint({"musicrec": written, "stage": 0})


def test_a_training_batch_of_one_chunk_is_explained():
    module = Recorded()
    with pytest.raises(ConfigError, match=r"a training batch has only one chunk, .*; set data\.batch_size"):
        module.network(torch.zeros(1, 1, 16, 64))
    module.network.eval()(torch.zeros(1, 1, 16, 64))
