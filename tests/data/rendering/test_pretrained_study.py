"""The script of experiments/pretrained."""

import runpy
from pathlib import Path

import polars as pl

from musicrec.data.manifest import read_manifest, write_manifest

SCRIPT = Path(__file__).parents[3] / "experiments" / "pretrained" / "split_by_drums.py"


def test_test_clips_are_divided_into_those_with_and_without_drums(tmp_path, monkeypatch, capsys):
    clips = [("a", "train", ["drums"]), ("b", "test", ["drums", "bass"]), ("c", "test_shift", ["organ"]),
             ("d", "test", ["piano"])]  # fmt: skip
    (tmp_path / "audio").mkdir()
    for name, _, _ in clips:
        (tmp_path / "audio" / f"{name}.flac").touch()
    rows = [{"track_id": name, "path": str(tmp_path / "audio" / f"{name}.flac"), "split": split,
             "instruments": instruments} for name, split, instruments in clips]  # fmt: skip
    write_manifest(pl.DataFrame(rows), tmp_path / "manifest.csv")
    folder = tmp_path / "parts"
    monkeypatch.setattr("sys.argv", [str(SCRIPT), str(tmp_path / "manifest.csv"), str(folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    assert "no_drums.csv: 2 clips" in capsys.readouterr().out
    parts = {name: read_manifest(folder / f"{name}.csv") for name in ("drums", "no_drums")}
    assert parts["drums"]["track_id"].to_list() == ["b"]
    assert parts["no_drums"]["track_id"].to_list() == ["c", "d"]
    assert parts["drums"]["path"].to_list() == [str(tmp_path / "audio" / "b.flac")]
