"""Networks with other inputs than a mel spectrogram are trained, exported and used by the same chain."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import musicrec


@pytest.mark.slow
def test_a_network_on_samples_trains_and_its_export_analyses(program: Callable, tiny_music: Path, tmp_path: Path):
    program(
        "train.py",
        "debug=fast",
        "model=sample_cnn",
        "frontend=waveform",
        "model.chunk_samples=59049",
        "task=[genre]",
        "augment=none",
        "data=manifest",
        f"data.manifest={tiny_music}",
        f"paths.cache={tmp_path}",
        f"hydra.run.dir={tmp_path / 'run'}",
    )
    analyzer = musicrec.load(tmp_path / "run" / "export")
    genres = analyzer.predict(np.zeros(100_000, dtype=np.float32))["genre"]
    assert genres.shape == (1, len(analyzer.heads["genre"].classes))
    np.testing.assert_allclose(genres.sum(axis=1), 1, atol=1e-4)
