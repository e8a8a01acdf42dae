"""Annotations read from the source are those of the imported classes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from musicrec.config.validation import _imported_annotations, _is_plain
from musicrec.config.written_types import written_annotations

ROOT = Path(__file__).parents[2]
TARGETS = sorted(
    {target for file in (ROOT / "conf").rglob("*.yaml") for target in re.findall(r"_target_: (\S+)", file.read_text())}
)


@pytest.mark.parametrize("target", TARGETS)
def test_agrees_with_the_imported_class(target: str):
    imported = {name: kind for name, kind in _imported_annotations(target).items() if _is_plain(kind)}
    for name, kind in written_annotations(target).items():
        assert imported[name] == kind, name


def test_finds_most_parameters():
    assert len(TARGETS) > 40
    assert {"max_epochs", "precision"} & written_annotations("pytorch_lightning.Trainer").keys() == {"max_epochs"}
    assert {"width", "dropout"} <= written_annotations("musicrec.models.crnn.CRNN").keys()
    assert written_annotations("musicrec.nowhere.Nobody") == written_annotations("musicrec.errors.Nobody") == {}


@pytest.mark.parametrize("mistake", ["trainer.max_epochs=abc", "optim.lr=fast", "model.width=0"])
def test_a_wrong_value_is_found_before_torch_is_imported(mistake: str):
    code = "import atexit, runpy, sys\natexit.register(lambda: print(*sys.modules))\n"
    code += f"sys.argv = ['train.py', {mistake!r}]\nrunpy.run_path('train.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and f"error: {mistake}: give" in done.stderr, done.stderr
    assert not {"torch", "pytorch_lightning"} & set(done.stdout.split())
