"""`musicrec import-checkpoint`, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import musicrec
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.folder import read_export
from musicrec.programs.command import main

ROOT = Path(__file__).parents[2]
CLASSES = ROOT / "docs" / "magnatagatune_top50.txt"


def run(*arguments: object) -> int:
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def importing(weights: Path, classes: Path, out: Path, *, architecture: str = "crnn") -> list[object]:
    return ["import-checkpoint", weights, "--classes", classes, "--out", out, "--architecture", architecture]


@pytest.mark.slow
def test_imports_weights(public_crnn: Path, tmp_path: Path):
    command = [sys.executable, "-m", "musicrec", *map(str, importing(public_crnn, CLASSES, tmp_path / "out"))]
    done = subprocess.run([*command, "--licence", "MIT"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"export: {tmp_path / 'out'}\n"
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["licence"] == "MIT"
    assert config["network"]["settings"]["width"] == 8
    analyzer = musicrec.load(tmp_path / "out")
    assert (names := analyzer.heads["tags"].classes)[:2] == ("guitar", "classical") and names[-1] == "choral"
    assert analyzer.predict(np.zeros(464_000, dtype=np.float32))["tags"].shape == (1, 50)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "nowhere.pth"}, "nowhere.pth: no such file"),
        ({"weights": "two.txt"}, "two.txt: it is not a PyTorch checkpoint"),
        ({"classes": "nowhere.txt"}, "--classes nowhere.txt cannot be read: No such file"),
        ({"classes": "latin1.txt"}, "latin1.txt cannot be read: it is not text in UTF-8"),
        ({"classes": "two.txt"}, "has 50 outputs, but 2 class names were given"),
        ({"architecture": "resnet9"}, "architecture 'resnet9' is unknown; choose from: crnn, fcn, "),
        ({"architecture": "short_chunk_resnet"}, "short_chunk_resnet"),
    ],
)
def test_a_mistake_gets_one_message(public_crnn, tmp_path, monkeypatch, capsys, change, message):
    monkeypatch.chdir(tmp_path)
    Path("two.txt").write_text("rock\n\n  pop \n")
    Path("latin1.txt").write_bytes("canción\n".encode("latin-1"))
    given = {"weights": public_crnn, "classes": CLASSES, "out": Path("out")} | change
    assert run(*importing(**given)) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ") and message in printed.err and not printed.out
    assert not Path("out").exists()


def test_public_weights_with_the_tag_names_in_docs(shared: Path, tmp_path: Path):
    assert run(*importing(shared / "reference" / "mtat_crnn.pth", CLASSES, tmp_path / "out")) == 0
    analyzer = TrackAnalyzer([read_export(tmp_path / "out")], precision="float32")  # bf16 may change more
    reference = json.loads((shared / "reference" / "outputs.json").read_text())["mtat_crnn"]
    start, stop = reference["samples"]
    for clip, expected in list(reference["clips"].items())[:2]:
        audio = shared / "corpus" / "audio" / f"{clip}.ogg"
        waveform, _ = soundfile.read(audio, start=start, stop=stop, dtype="float32")
        np.testing.assert_allclose(analyzer.predict(waveform)["tags"][0], expected, atol=1e-4, rtol=0)
