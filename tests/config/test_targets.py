"""A config builds the classes of this project and the listed ones of Lightning, and calls nothing else."""

from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate

from musicrec.config.targets import TARGETS


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "musicrec.system.atomic_write.os.system",  # imported by a module of ours
        "musicrec.export.checkpoint.torch.load",
        "pytorch_lightning.LightningModule.load_from_checkpoint",  # reads pickles
        "musicrec.training.module.MusicModule.load_from_checkpoint",
    ],
)
def test_other_targets_are_refused(tmp_path: Path, target: str):
    with pytest.raises(InstantiationException, match=r"[Ww]hitelist"):
        instantiate({"_target_": target, "_args_": [str(tmp_path / "x")]}, _execution_whitelist_=TARGETS)
