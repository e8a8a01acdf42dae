"""The description of a condition, which is part of the key of the answer cache."""

from pathlib import Path

import numpy as np
import soundfile

from musicrec.deformations.folder_noise import FolderNoise
from musicrec.deformations.gain import Gain
from musicrec.deformations.polarity import PolarityInversion
from musicrec.robustness.conditions import _source_digest


def test_source_digest_depends_on_the_class_and_on_the_files_of_a_deformation(tmp_path: Path):
    assert _source_digest(Gain(gain_db=3.0)) == _source_digest(Gain(gain_db=6.0)) != _source_digest(PolarityInversion())
    soundfile.write(tmp_path / "hiss.wav", np.zeros(16_000), 16_000)
    before = _source_digest(FolderNoise(folder=tmp_path, snr_db=6.0))
    assert _source_digest(FolderNoise(folder=tmp_path, snr_db=0.0)) == before
    soundfile.write(tmp_path / "hiss.wav", np.zeros(17_000), 16_000)
    assert _source_digest(FolderNoise(folder=tmp_path, snr_db=6.0)) != before
