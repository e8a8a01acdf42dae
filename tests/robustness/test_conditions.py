"""What a condition is kept by."""

from pathlib import Path

import numpy as np
import soundfile

from musicrec.deformations.folder_noise import FolderNoise
from musicrec.deformations.gain import Gain
from musicrec.deformations.polarity import PolarityInversion
from musicrec.robustness.conditions import _made_of


def test_another_deformation_or_other_files_are_noticed(tmp_path: Path):
    assert _made_of(Gain(gain_db=3.0)) == _made_of(Gain(gain_db=6.0)) != _made_of(PolarityInversion())
    soundfile.write(tmp_path / "hiss.wav", np.zeros(16_000), 16_000)
    before = _made_of(FolderNoise(folder=tmp_path, snr_db=6.0))
    assert _made_of(FolderNoise(folder=tmp_path, snr_db=0.0)) == before
    soundfile.write(tmp_path / "hiss.wav", np.zeros(17_000), 16_000)
    assert _made_of(FolderNoise(folder=tmp_path, snr_db=6.0)) != before
