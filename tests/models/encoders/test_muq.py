"""MuQ, with weights from a formula, against what the original code gives for them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from musicrec.errors import ConfigError
from musicrec.models.encoders import build_encoder
from musicrec.models.encoders.hugging_face import hugging_face_encoder
from musicrec.models.encoders.muq import MuQEncoder

pytestmark = pytest.mark.extra("hf")

CONFIG = {
    "label_rate": 25, "hop_length": 240, "n_mels": 128, "conv_dim": 8, "encoder_dim": 32, "encoder_depth": 2,
    "stat": {"melspec_2048_mean": -10.6, "melspec_2048_std": 20.1},
    "w2v2_config": {
        "num_attention_heads": 2, "intermediate_size": 64, "position_embeddings_type": "rotary", "hidden_act": "swish",
        "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "conv_depthwise_kernel_size": 31,
    },
}  # fmt: skip
# By the package muq 0.1.0 with transformers 4.57.1: of each layer the first four columns, the mean over time.
EXPECTED = [[-0.4859, 0.2336, -0.7006, 0.0595], [-1.5929, 0.5465, -1.9439, 0.3916], [-1.6061, 0.4319, -1.6862, 0.5078]]
WAVEFORM = 0.1 * torch.randn(2, 48_000, generator=torch.Generator().manual_seed(0))[:, None, None]


def formula(name: str, like: Tensor) -> Tensor:
    values = torch.sin(torch.arange(like.numel()) * 0.7 + len(name)).reshape(like.shape)
    if name.endswith("running_var"):
        return values.abs() + 0.5
    if name.endswith(("norm.weight", "bn1.weight", "bn2.weight", "bn3.weight")):
        return 1 + 0.1 * values
    return values / max(1, like[0].numel() if like.ndim > 1 else 10) ** 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as it is published, with names of an older PyTorch, and a tensor that only training needs."""
    network = MuQEncoder(config=CONFIG, chunk_samples=48_000)
    weights = {f"model.{name}": tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
    weights = {name: formula(name, tensor) for name, tensor in weights.items() if not name.endswith("inv_freq")}
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for name in [name for name in weights if name.endswith(tuple(old))]:
        place, _, last = name.partition("parametrizations")
        weights[place + old[f"parametrizations{last}"]] = weights.pop(name)
    save_file(weights | {"model.cls_token": torch.zeros(32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG | {"mask_prob": 0.6, "is_flash": False}))
    return tmp_path


def test_embeddings_are_those_of_the_original(folder: Path):
    encoder = hugging_face_encoder(folder=str(folder))
    with torch.inference_mode():
        found = encoder.network(WAVEFORM)
    assert found.shape == (2, 3, 32) and encoder.layers == 3 and encoder.embedding_size == 32
    assert torch.allclose(found[0, :, :4], torch.tensor(EXPECTED), atol=1e-4)
    assert encoder.frontend.sample_rate == 24_000 and encoder.chunk_samples == 120_000


def test_an_export_can_build_it_again(folder: Path):
    encoder = hugging_face_encoder(folder=str(folder))
    again = build_encoder(json.loads(json.dumps(encoder.description))).eval()
    again.load_state_dict(encoder.network.state_dict())
    with torch.inference_mode():
        assert encoder.portable and torch.equal(again(WAVEFORM), encoder.network(WAVEFORM))


def test_lora_begins_as_the_encoder(folder: Path):
    plain, adapted = (hugging_face_encoder(folder=str(folder), lora_rank=rank) for rank in (0, 2))
    with torch.inference_mode():
        assert torch.allclose(plain.network(WAVEFORM), adapted.network(WAVEFORM), atol=1e-6)
    trained = {name.split(".")[-2] for name, value in adapted.network.named_parameters() if value.requires_grad}
    assert trained == {"up", "down"} and adapted.trained and not plain.trained


def test_weights_that_do_not_belong_to_it_are_refused(folder: Path):
    weights = load_file(folder / "model.safetensors")
    save_file({name: weights[name] for name in weights if "layers.1" not in name}, folder / "model.safetensors")
    with pytest.raises(ConfigError, match=r"its weights lack \d+ tensors .* such as conformer\.layers\.1"):
        hugging_face_encoder(folder=str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"cannot read model\.safetensors"):
        hugging_face_encoder(folder=str(folder))


@pytest.mark.parametrize("change", [{"label_rate": 30}, {"encoder_dim": "wide"}, {"w2v2_config": []}])
def test_a_damaged_configuration_is_explained(change: dict, folder: Path):
    (folder / "config.json").write_text(json.dumps(CONFIG | change))
    with pytest.raises(ConfigError, match=r"config\.json describes no MuQ"):
        hugging_face_encoder(folder=str(folder))
