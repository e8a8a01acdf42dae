"""The spectrogram transformer."""

import math

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.models.spectrogram_transformer import SpectrogramTransformer

# The vision transformer of timm 1.0.31 with 2 layers of 3 heads, each of 8 values, with patches 10 apart: shapes of its
# weights, and the first eight
# values of its two answers to the input below.
SHAPES = {
    "cls_token": (1, 1, 24),
    "pos_embed": (1, 46, 24),
    "patch_embed.proj.weight": (24, 1, 16, 16),
    "patch_embed.proj.bias": (24,),
    **{
        f"blocks.{layer}.{name}": shape
        for layer in range(2)
        for name, shape in {
            "norm1.weight": (24,),
            "norm1.bias": (24,),
            "attn.qkv.weight": (72, 24),
            "attn.qkv.bias": (72,),
            "attn.proj.weight": (24, 24),
            "attn.proj.bias": (24,),
            "norm2.weight": (24,),
            "norm2.bias": (24,),
            "mlp.fc1.weight": (96, 24),
            "mlp.fc1.bias": (96,),
            "mlp.fc2.weight": (24, 96),
            "mlp.fc2.bias": (24,),
        }.items()
    },
    "norm.weight": (24,),
    "norm.bias": (24,),
}
LAYER = {
    "norm1": "norm1",
    "attn.qkv.": "self_attn.in_proj_",
    "attn.proj": "self_attn.out_proj",
    "norm2": "norm2",
    "mlp.fc1": "linear1",
    "mlp.fc2": "linear2",
}
GOLDEN = [
    [0.60369, 2.08537, 0.6361, -0.68801, 0.32953, -0.61275, -0.75784, 1.19156],
    [-0.09392, 1.40717, 0.334, -0.54759, 1.49762, -0.45919, -0.38294, 0.52744],
]


def weights_of_timm():
    """The sine of the square of the running index over the sorted names, scaled by their kind."""
    weights, start = {}, 1
    for name in sorted(SHAPES):
        shape = SHAPES[name]
        index = torch.arange(start, start + math.prod(shape), dtype=torch.float64)
        wave = torch.sin(index**2).reshape(shape).float()
        start += math.prod(shape)
        if name in ("cls_token", "pos_embed"):
            weights[name] = wave
        elif len(shape) > 1:
            weights[name] = wave * 2 / math.sqrt(math.prod(shape[1:]))
        else:
            weights[name] = wave / 10 + (0 if "bias" in name else 1)
    return weights


def our_weights():
    ours = {}
    for name, value in weights_of_timm().items():
        if name.startswith("blocks."):
            _, layer, part = name.split(".", 2)
            theirs = next(prefix for prefix in LAYER if part.startswith(prefix))
            ours[f"encoder.{layer}.{LAYER[theirs]}{part.removeprefix(theirs)}"] = value
        elif name == "pos_embed":
            ours["first_position"] = value[:, :1]
            ours["positions"] = value[:, 1:].transpose(1, 2).reshape(1, 24, 5, 9)
        else:
            ours[name.replace("patch_embed.proj", "patches").replace("cls_token", "first")] = value
    return ours


def test_answers_as_the_vision_transformer_of_timm():
    network = SpectrogramTransformer({"tags": 2}, n_mels=56, chunk_samples=95 * 256, width=8, layers=2).eval()
    unexpected = network.load_state_dict(our_weights(), strict=False)
    assert not unexpected.unexpected_keys
    assert {key.split(".")[0] for key in unexpected.missing_keys} == {"input_norm", "classifier"}
    network.input_norm.eps = 1e-12  # its first mean is 0 and its variance 1: it changes nothing
    index = torch.arange(2 * 56 * 96, dtype=torch.float64)
    image = (torch.sin(index**2) + torch.sin(index / 7)).float().reshape(2, 1, 56, 96)
    with torch.inference_mode():
        embedding, _ = network(image)
    torch.testing.assert_close(embedding[:, :8], torch.tensor(GOLDEN), atol=1e-4, rtol=0)


def test_positions_are_interpolated_in_other_lengths():
    network = SpectrogramTransformer({"tags": 2}, chunk_samples=40_960, width=8, layers=1).eval()
    for frames in (16, 161, 400):
        assert network(torch.randn(2, 1, 128, frames))[1]["tags"].shape == (2, 2)
    network.patches.weight.data.zero_()  # only the positions remain; without their order, attention hears no difference
    short, long = (network(torch.zeros(1, 1, 128, frames))[0] for frames in (161, 321))
    assert (short - long).abs().max() > 1e-6
    assert torch.equal(network(torch.ones(1, 1, 128, 161))[0], short)


def test_there_must_be_room_for_a_patch():
    with pytest.raises(ConfigError, match=r"model\.n_mels=12, .*a patch has 16 bands and 16 frames, and a chunk 641"):
        SpectrogramTransformer({"tags": 2}, n_mels=12)
    with pytest.raises(ConfigError, match=r"needs at least 16 frames, not 15; use longer chunks"):
        SpectrogramTransformer({"tags": 2}, width=8, layers=1)(torch.zeros(2, 1, 128, 15))
