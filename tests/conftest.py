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
