"""Untrained models with every kind of head."""

import pytest
import torch

from musicrec.export.description import Model
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.crnn import CRNN
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet

GENRES = tuple(f"genre {letter}" for letter in "abcdef")
HEADS = [
    ClassHead(name="genre", column="genre", classes=GENRES),
    TempoHead(),
    KeyHead(),
    TagHead(name="instruments", classes=("bass", "drums", "flute")),
]


@pytest.fixture(scope="session", params=["short_chunk_resnet", "crnn"])
def model(request: pytest.FixtureRequest) -> Model:
    torch.manual_seed(0)
    outputs = {head.name: len(head.classes) for head in HEADS}
    if request.param == "crnn":
        network = CRNN(outputs, width=8, gru_size=8, chunk_samples=48_000)
    else:
        network = ShortChunkResNet(outputs, width=8)
    return Model(network=network.eval(), frontend=MelSpectrogram(n_mels=network.n_mels), heads=HEADS, config={})


@pytest.fixture(scope="session")
def truth() -> dict[str, torch.Tensor]:
    """Return the label of one track for every head; the key is unknown."""
    return {
        "genre": torch.tensor(5.0),
        "tempo": torch.tensor(120.0),
        "key": torch.tensor(torch.nan),
        "instruments": torch.tensor([1.0, 0.0, torch.nan]),
    }
