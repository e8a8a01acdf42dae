"""S-KEY, which answers as the original code."""

import math

import pytest
import torch
from torch import Tensor

from musicrec.errors import ConfigError
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import KEYS_24, PITCH_CLASSES
from musicrec.models.frontends.constant_q import ConstantQSpectrogram
from musicrec.models.skey import SKey

ORIGINAL_NAMES = {  # ours: those of github.com/deezer/skey
    "halvings": "time_downsampling_blocks",
    "blocks": "convnext_blocks",
    "spread": "dwconv",
    "expand": "pwconv1",
    "reduce": "pwconv2",
    "scale": "gamma",
    "key": "classifier",
    "key_norm": "batch_norm",
}
# What ChromaNet of the original repository (commit 918b83d) answers to `picture` with the weights of `formula`: the
# probabilities of A major to A flat major, then B minor to B flat minor.
ANSWER = (
    9.6e-05, 0.000138, 0.000161, 0.000151, 7.2e-05, 7.7e-05, 0.00013, 7.6e-05, 7.1e-05, 0.000155, 0.000113, 8.5e-05,
    0.040892, 0.082324, 0.331097, 0.041094, 0.146321, 0.041252, 0.105204, 0.025177, 0.033492, 0.046843, 0.031554,
    0.073424,
)  # fmt: skip
FIRST_KEYS = ("A major", "B minor")


def original_name(name: str) -> str:
    return ".".join(ORIGINAL_NAMES.get(part, part) for part in name.split("."))


def formula(name: str, tensor: Tensor) -> Tensor:
    """Return weights that depend on the original name of a tensor."""
    if name.endswith("num_batches_tracked"):
        return tensor
    place = torch.arange(tensor.numel(), dtype=torch.float64) + sum(map(ord, name))
    values = torch.sin(place * place).reshape(tensor.shape)
    if name.endswith("running_var"):
        values = 0.1 * values.square()
    elif name.endswith("gamma"):
        values = 1 + values
    elif name.endswith("weight"):
        values = 2 * values / math.sqrt(tensor[0].numel())
    elif name.startswith(("classifier", "batch_norm")):
        values = 0 * values
    return values.to(tensor.dtype)


def picture() -> Tensor:
    """Return a spectrogram (1, 1, 84, 300) in decibels, with sound from -100 to -20 dB."""
    band = torch.arange(84, dtype=torch.float64)[:, None]
    frame = torch.arange(300, dtype=torch.float64)
    level = -60 + 30 * torch.sin(band * band * 0.05 + 0.1 * frame) + 10 * torch.cos(0.37 * band - 0.013 * frame * frame)
    return level.float()[None, None]


def test_answers_as_the_original():
    network = SKey({"key": 24}).eval()
    state = network.state_dict()
    network.load_state_dict({name: formula(original_name(name), tensor) for name, tensor in state.items()})
    with torch.no_grad():
        probabilities = network(picture())[1]["key"].softmax(1)[0]
    first_major, first_minor = (KEYS_24.index(key) for key in FIRST_KEYS)
    expected = [0.0] * 24
    for place in range(12):
        expected[(first_major + place) % 12] = ANSWER[place]
        expected[12 + (first_minor + place) % 12] = ANSWER[12 + place]
    torch.testing.assert_close(probabilities, torch.tensor(expected), atol=2e-6, rtol=1e-3)


def test_the_level_does_not_change_the_answer():
    torch.manual_seed(0)
    network = SKey({"key": 24}).eval()
    with torch.no_grad():
        expected, quieter = (network(decibels)[1]["key"] for decibels in (picture(), picture() - 30))
    torch.testing.assert_close(quieter, expected, atol=1e-4, rtol=1e-4)


def test_transposing_the_spectrogram_moves_the_keys():
    """By seven semitones, in silence. A mode as a whole may get more or less likely, as low bands are made louder."""
    torch.manual_seed(0)
    network = SKey({"key": 24}).eval()
    music = torch.full((2, 1, 84, 256), -300.0)
    notes = -40 * torch.rand(24, 256)
    music[0, 0, 24:48], music[1, 0, 31:55] = notes, notes
    with torch.no_grad():
        modes = network(music)[1]["key"].unflatten(1, (2, 12))
    low, high = modes - modes.mean(dim=2, keepdim=True)
    assert (high - low.roll(7, dims=1)).abs().max() < 0.2 * (high - low).abs().max()


def test_short_input_is_extended():
    torch.manual_seed(0)
    network = SKey({"key": 24, "genre": 3}).eval()
    short = picture()[..., :50]
    extended = torch.cat([short, short[..., -1:].expand(-1, -1, -1, 78)], dim=3)
    with torch.no_grad():
        embedding, logits = network(short)
        torch.testing.assert_close(logits["key"], network(extended)[1]["key"])
    assert embedding.shape == (1, 36) and logits["genre"].shape == (1, 3)


@pytest.mark.parametrize(("outputs", "size"), [(24, 24), (12, 12), (3, 3)])
def test_head_sizes(outputs, size):
    assert SKey({"key": outputs}, width=8).eval()(picture())[1]["key"].shape == (1, size)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_mels": 90}, "add frontend=constant_q"),
        ({"bands_per_octave": 36}, "add frontend=constant_q"),
        ({"bands_per_octave": None}, "add frontend=constant_q"),
        ({"width": 3}, "must be at least 4"),
    ],
)
def test_other_front_ends_are_rejected(settings, message):
    with pytest.raises(ConfigError, match=message):
        SKey({"key": 24}, **settings)


def test_another_order_of_the_keys_is_rejected():
    network = SKey({"key": 12})
    network.check_heads([KeyHead(modes=False)])
    with pytest.raises(ConfigError, match=r"remove task\.heads\.key\.order"):
        network.check_heads([KeyHead(modes=False, order=("A", *PITCH_CLASSES[:9], *PITCH_CLASSES[10:]))])


def test_learns_where_the_tonic_is():
    """Two steps of training lower the loss, through the front end."""
    torch.manual_seed(0)
    network = SKey({"key": 24}, width=8, dropout=0.0).train()
    time_s = torch.arange(48_000) / 16_000
    tones = torch.stack([torch.sin(2 * torch.pi * 220 * 2 ** (key / 12) * time_s) for key in range(4)])
    decibels, target = ConstantQSpectrogram()(tones), torch.tensor([9, 10, 11, 0])
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(network(decibels)[1]["key"], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
