"""The code of docs/interchange.md runs, and its table names what exists."""

import importlib
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "interchange.md").read_text()


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["friday.m3u8", "friday.nml", "friday.xml"]


def test_the_functions_exist():
    rows = re.findall(r"^\| .* \| (.+) \| (.+) \| `(\w+)` \|$", PAGE, re.M)
    assert len(rows) == 5
    for *functions, module in rows:
        for name in filter(None, (cell.strip("`–") for cell in functions)):
            assert callable(getattr(importlib.import_module(f"musicrec.interchange.{module}"), name))
