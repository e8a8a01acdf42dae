"""Starting a network with the weights of another, and freezing parts of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from musicrec import import_checkpoint
from musicrec.errors import ConfigError, ExportError
from musicrec.export.folder import write_export
from musicrec.export.transfer import freeze, start_from
from musicrec.heads.tags import TagHead
from musicrec.models.crnn import CRNN
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.training.module import MusicModule
from musicrec.training.recipes import AdamWCosine

FRONTEND = {"n_fft": 512, "hop_length": 256, "n_mels": 96}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    head = TagHead(classes=("a", "b", "c"))
    network = CRNN({"tags": 3}, width=8, gru_size=8)
    return write_export(
        tmp_path / "trained", network=network, heads=[head], frontend=MelSpectrogram(**FRONTEND), metrics={}, data={}
    )


def test_copies_tensors_of_equal_shape(trained: Path):
    weights = load_file(trained / "model.safetensors")
    network = CRNN({"tags": 5}, width=8, gru_size=16)
    drawn = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copied, new, _ = start_from(trained, network, MelSpectrogram(**FRONTEND))
    assert new == ["classifier", "gru"]
    now = network.state_dict()
    same = [name for name in weights if now[name].shape == weights[name].shape]
    assert copied == len(same) and all(torch.equal(now[name], weights[name]) for name in same)
    assert all(torch.equal(now[name], drawn[name]) for name in now.keys() - set(same))


def test_copies_everything_for_the_same_heads(trained: Path):
    network = CRNN({"tags": 3}, width=8, gru_size=8)
    copied, new, _ = start_from(trained, network, MelSpectrogram(**FRONTEND))
    assert (copied, new) == (len(network.state_dict()), [])


@pytest.mark.parametrize(
    ("network", "frontend", "message"),
    [
        (lambda: ShortChunkResNet({"tags": 3}, width=8), FRONTEND, "holds a CRNN, this run trains a ShortChunkResNet"),
        (lambda: CRNN({"tags": 3}, width=8), FRONTEND | {"n_fft": 1024}, "use frontend.n_fft=512"),
    ],
)
def test_refuses_another_network_or_front_end(trained: Path, network: Callable, frontend: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        start_from(trained, network(), MelSpectrogram(**frontend))


def test_refuses_a_folder_without_export(tmp_path: Path):
    with pytest.raises(ExportError, match="is not an export"):
        start_from(tmp_path, CRNN({"tags": 3}, width=8), MelSpectrogram(**FRONTEND))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["blocks.7"], r"CRNN has no blocks\.7; choose from: input_norm, blocks, blocks\.0"),
        (["input_norm", "blocks", "gru", "classifier"], "nothing is left to train"),
    ],
)
def test_refuses_to_freeze(parts: list[str], message: str):
    with pytest.raises(ConfigError, match=message):
        freeze(CRNN({"tags": 3}, width=8), parts)


def test_training_changes_only_parts_that_are_not_frozen(tmp_path: Path):
    torch.manual_seed(0)
    head = TagHead(classes=("a", "b", "c"))
    network = CRNN({"tags": 3}, width=8, gru_size=8)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    batches = [
        {"mel": 20 * torch.randn(1, 96, 96) - 40, "target": {"tags": torch.eye(3)[index % 3]}} for index in range(6)
    ]
    module = MusicModule(network, [head], AdamWCosine(lr=1e-2), frozen=["input_norm", "blocks.0", "blocks.1"])
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(module, DataLoader(batches, batch_size=3))
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    kept = {name for name in before if name.startswith(("input_norm.", "blocks.0.", "blocks.1."))}
    # Adam's weight decay changes all trained weights, and a batch changes the statistics of every normalisation.
    assert moved == before.keys() - kept


@pytest.mark.slow
def test_public_weights_on_the_command_line(program: Callable, public_crnn: Path, tiny_music: Path, tmp_path: Path):
    public = import_checkpoint(
        public_crnn, architecture="crnn", classes=[f"tag {number}" for number in range(50)], out=tmp_path / "public",
        licence="MIT",
    )  # fmt: skip
    done = program(
        "train.py", "debug=fast", "data=manifest", f"data.manifest={tiny_music}", f"paths.cache={tmp_path / 'cache'}",
        f"start_from={public}", "freeze=[input_norm,blocks]", "task=[genre]", "logger=csv", "model.width=8",
        "model.gru_size=8", f"hydra.run.dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert "tensors taken, new: classifier" in done.stdout
    theirs, ours = (load_file(folder / "model.safetensors") for folder in (public, tmp_path / "run" / "export"))
    blocks = [name for name in theirs if name.startswith("blocks.")]
    assert blocks and all(torch.equal(theirs[name], ours[name]) for name in blocks)
    card = (tmp_path / "run" / "export" / "README.md").read_text()
    assert "**Began with**: origin sota-music-tagging-models, weights crnn.pth, licence MIT" in card
    assert not torch.equal(theirs["gru.weight_hh_l0"], ours["gru.weight_hh_l0"])
