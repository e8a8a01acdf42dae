"""docs/manifest.md describes every column of the manifest."""

import re
from pathlib import Path

from musicrec.data.schema import SCHEMA

DOCUMENT = Path(__file__).parents[2] / "docs" / "manifest.md"


def test_every_column_has_a_row_of_the_table():
    rows = [line.split("|")[1] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    described = re.findall(r"`(\w+)`", "".join(rows))
    missing = [f'add "| `{column}` | … |" to docs/manifest.md' for column in SCHEMA if column not in described]
    assert not missing, "\n".join(missing)
    assert described == list(SCHEMA), "docs/manifest.md: sort the rows as SCHEMA in musicrec/data/schema.py"
