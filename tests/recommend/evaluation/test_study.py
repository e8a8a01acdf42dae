"""The script of experiments/recommendation, on an invented evaluation; and what the MFCC of a library keep."""

import dataclasses
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.recommend.evaluation.mfcc import mfcc_of_tracks

SCRIPT = "experiments/recommendation/tables.py"
RANKINGS = ("query", "query without tags first", "preset mix", "mix without filters", "random", "MFCC", "block tempo")


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Scores from 0.9 downwards; the query and `mix` are better than what has 0.2 less."""
    value = {name: 0.9 - 0.1 * place for place, name in enumerate(RANKINGS)}
    scores = [
        {"ranking": name, "measure": measure, "unit": "share", "value": one, "low": one - 0.1, "high": one + 0.1,
         "queries": 5}
        for name, one in value.items() for measure in ("tempo", "coverage")
    ]  # fmt: skip
    differences = [
        {"ranking": name, "other": other, "measure": "tempo", "value": value[name] - one,
         "low": value[name] - one - 0.15, "high": value[name] - one + 0.15}
        for name in ("query", "preset mix") for other, one in value.items() if other != name
    ]  # fmt: skip
    measures = [{"name": name, "title": f"{name}!", "unit": "share"} for name in ("tempo", "coverage")]
    about = {"queries": 5, "candidates": 1234, "chance": {"tempo": 0.05}}
    content = {"about": about, "measures": measures, "scores": scores, "differences": differences}
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps(content))
    return file


@pytest.fixture
def run_script(monkeypatch: pytest.MonkeyPatch):
    def run(script: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        runpy.run_path(script, run_name="__main__")

    return run


def test_tables_are_written_into_the_page(document: Path, run_script, tmp_path: Path):
    page = tmp_path / "README.md"
    page.write_text("# Before\n<!-- x -->\nformer\n<!-- end of x -->\nafter\n")
    run_script(SCRIPT, document, "--page", page, "--name", "x")
    text = page.read_text()
    assert (
        text.startswith("# Before\n<!-- x -->") and text.endswith("<!-- end of x -->\nafter\n") and "former" not in text
    )
    assert "5 queries of 1,234 tracks" in text and "| chance | 0.050 |" in text
    assert "| query | 0.900 [0.800, 1.000] | 0.900 |" in text
    assert "| query | better than all |" in text
    assert "| preset mix | better than all |" in text
    assert "| mix: filters | +0.100 [-0.050, +0.250] |" in text and "| block tempo | 0.300 [0.200, 0.400] |" in text
    assert (tmp_path / "x.csv").read_text().startswith("ranking,measure") and (tmp_path / "x.png").stat().st_size > 3000
    assert len((tmp_path / "x_differences.csv").read_text().splitlines()) == 13


def test_a_page_without_the_place_is_left_alone(document: Path, run_script, tmp_path: Path):
    page = tmp_path / "README.md"
    page.write_text("nothing\n")
    with pytest.raises(SystemExit, match="has no lines"):
        run_script(SCRIPT, document, "--page", page, "--name", "x")
    assert page.read_text() == "nothing\n"


def test_a_file_that_cannot_be_read_is_tried_again(make_track, tmp_path: Path):
    track, cache = dataclasses.replace(make_track("a"), path=str(tmp_path / "a.wav")), tmp_path / "mfcc.npz"
    assert np.isnan(mfcc_of_tracks([track], cache=cache)).all() and not cache.exists()
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    found = mfcc_of_tracks([track], cache=cache)
    assert np.isfinite(found).all() and cache.exists()
    (tmp_path / "a.wav").unlink()
    assert (mfcc_of_tracks([track], cache=cache) == found).all()
