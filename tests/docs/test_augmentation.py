"""The table of docs/augmentation.md names the deformations that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_deformation_of_training_has_a_row():
    section = (ROOT / "docs" / "augmentation.md").read_text().split("\n## The deformations\n")[1].split("\n## ")[0]
    rows = {name for cell in re.findall(r"^\| (`.+?) \|", section, re.M) for name in re.findall(r"`(\w+)`", cell)}
    files = {path.stem for path in (ROOT / "conf" / "augment" / "waveform").glob("*.yaml")}
    missing = [f"add a row for `{name}` to docs/augmentation.md (The deformations)" for name in sorted(files - rows)]
    missing += [f"docs/augmentation.md: remove `{name}`, which does not exist" for name in sorted(rows - files)]
    assert not missing, "\n".join(missing)
    assert len(rows) >= 22
