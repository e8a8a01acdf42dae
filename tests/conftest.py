"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

# The tensors of the tests are tiny: threads that wait for each other cost more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the rendered corpus, real recordings and public weights; absent on most machines."""
    folder = Path(os.environ.get("MUSICREC_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "reference" / "outputs.json").is_file():
        pytest.skip(f"no reference material in {folder}; set MUSICREC_SHARED to run this test")
    return folder


@pytest.fixture(scope="session")
def tiny_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of 24 synthesised tracks of six seconds, with splits and every label."""
    from musicrec.data.synthetic import make_synthetic

    return make_synthetic(tmp_path_factory.mktemp("tiny_music"), tracks=24, duration_s=6.0, progress=False)


@pytest.fixture(scope="session")
def public_crnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CRNN of five outputs as a checkpoint file in the names of sota-music-tagging-models, untrained."""
    import torch

    from musicrec.models.public import ARCHITECTURES, ORIGINAL_NAMES

    weights = {}
    for name, tensor in ARCHITECTURES["crnn"]({"tags": 5}, width=8, gru_size=8).state_dict().items():
        ours = next(module for module in ORIGINAL_NAMES["crnn"] if name.startswith(f"{module}."))
        weights[ORIGINAL_NAMES["crnn"][ours] + name.removeprefix(ours)] = tensor
    path = tmp_path_factory.mktemp("public") / "crnn.pth"
    torch.save(weights, path)
    return path
