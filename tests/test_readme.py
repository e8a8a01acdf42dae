"""Every command of README.md, docs/evaluation.md and docs/robustness.md runs, with settings that make it quick."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest
import soundfile

from musicrec.data.synthetic import make_synthetic
from musicrec.export.folder import write_export
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = README + "".join((ROOT / "docs" / name).read_text() for name in ("evaluation.md", "robustness.md"))
LINES = [
    line
    for block in re.findall(r"^```bash\n(.*?)^```", COMMANDS, re.M | re.S)
    for line in block.splitlines()
    if line and not line.startswith("#")
]
WHEEL = os.environ.get("MUSICREC_MUSICNN_WHEEL") and next(
    Path(os.environ["MUSICREC_MUSICNN_WHEEL"]).glob("*.whl"), None
)
QUICK = ["debug=fast"]
QUICK_MUSIC = ["data.manifest.tracks=24", "data.manifest.duration_s=6.0"]  # where a command synthesises its music


def quick(line: str) -> list[str]:
    """Return the script and the arguments that run a line of the README, with settings added that make it quick.

    Raises:
        AssertionError: if the line is of a kind that no test runs.
    """
    match shlex.split(line):
        case ["musicrec", "train" | "evaluate" | "robustness" | "recommend" as name, *rest]:
            return ["musicrec/__main__.py", name, *rest, *quick_settings(name, rest)]
        case ["python", "train.py" | "evaluate.py" | "robustness.py" | "recommend.py" as script, *rest]:
            return [script, *rest, *quick_settings(script.removesuffix(".py"), rest)]
        case ["musicrec", *rest] | ["python", "-m", "musicrec", *rest]:
            return ["musicrec/__main__.py", *rest]
    raise AssertionError(f"README.md has a command that no test runs: {line}; teach tests/test_readme.py to run it")


def quick_settings(program: str, arguments: list[str]) -> list[str]:
    """Return the settings that make a program quick."""
    keys = {argument.split("=")[0] for argument in arguments}
    music = [] if "data.manifest" in keys else QUICK_MUSIC
    if program == "recommend":
        return QUICK
    if program == "robustness":
        few = [] if "deformation" in keys else ["deformation=polarity"]
        return [*few, *QUICK, *music, "tracks=2", "measurement.workers=0"]
    if program == "train":
        return [*QUICK, *music, "trainer.max_epochs=1"]
    # tests/programs/test_evaluate.py and tests/figures/ draw everything.
    drawn = [text for text in ("plots=false", "figure_tracks=0") if text.split("=")[0] not in keys]
    return [*QUICK, *music, "bootstrap.resamples=100", *drawn]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README takes as given, a home with music in it, and a folder of models."""
    world = tmp_path_factory.mktemp("world")
    # Long enough to be recommended; sets leave out what is very short.
    tiny_music = make_synthetic(world / "composed", tracks=24, duration_s=12.0, progress=False)
    music = world / "home" / "Music"
    shutil.copytree(tiny_music.parent / "audio", music)
    for file, title in zip(sorted(music.glob("*.flac")), ("sixtyfour", "stairs"), strict=False):
        samples, rate = soundfile.read(file)
        with soundfile.SoundFile(file, "w", rate, 1) as tagged:
            tagged.artist, tagged.title = "nexuiz", title
            tagged.write(samples)
    first = next(music.iterdir())
    shutil.copy(first, world / "track.flac")
    soundfile.write(world / "new_track.mp3", *soundfile.read(first))
    (music / "friday.m3u8").write_text("".join(f"{file.name}\n" for file in sorted(music.glob("*.flac"))[:12]))
    if not WHEEL:
        write_export(  # untrained, so that the lines after `models get` have it
            world / "models" / "musicnn_mtt",
            network=MusiCNN({"tags_mtt": 50}),
            heads=[TagHead(name="tags_mtt", classes=tuple(f"tag {index}" for index in range(50)))],
            frontend=MelSpectrogram(mel_scale="slaney", mel_norm="slaney", compression="log", padding="zeros"),
            metrics={},
            data={},
        )
    (world / "my_music.csv").write_text(re.sub(r"(?m),audio/", ",home/Music/", tiny_music.read_text()))
    (world / "rendered").mkdir()
    (world / "rendered" / "manifest.csv").write_text(re.sub(r"(?m),audio/", ",../home/Music/", tiny_music.read_text()))
    return world


@pytest.mark.parametrize("line", LINES)
def test_command(line: str, world: Path, program: Callable, monkeypatch: pytest.MonkeyPatch):
    if line in ("make install", ". .venv/bin/activate"):  # what every other target of the Makefile does first
        makefile = (ROOT / "Makefile").read_text()
        assert "\nVENV ?= .venv\n" in makefile
        assert re.search(r"^install: \$\(INSTALLED\)", makefile, re.M)
        return
    if line.startswith("make "):
        assert re.search(rf"^{line}\b", (ROOT / ".ci" / "run").read_text(), re.M), f"CI does not run `{line}`"
        return
    if line == "musicrec models get musicnn":
        if not WHEEL:
            pytest.skip("fetches 29 MB; name the wheel of musicnn with MUSICREC_MUSICNN_WHEEL to run this line")
        line += f" --from {WHEEL}"
    monkeypatch.setenv("HOME", str(world / "home"))
    monkeypatch.setenv("MUSICREC_MODELS", str(world / "models"))
    for name in ("MUSICREC_CACHE", "MUSICREC_LIBRARY", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    if line == "musicrec serve":
        words = [sys.executable, "-m", "musicrec", "serve", "--port", "0", "--no-open"]
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
        ) as run:
            try:
                address = run.stdout.readline().split()[1]
                with urlopen(address) as page, urlopen(f"{address}api/v1/library") as library:
                    assert b"musicrec" in page.read() and json.load(library)["tracks"] == 24
            finally:
                run.terminate()
        return
    name, *arguments = quick(line)
    program(name, *arguments, folder=world)


def test_python_example(world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Runs on what the commands above it left."""
    monkeypatch.chdir(world)
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    found: dict = {}
    exec(example, found)
    assert "tag" in capsys.readouterr().out
    assert {name: len(values) for name, values in found["probabilities"].items()} == dict.fromkeys(
        ("genre", "instruments", "tempo", "key", "metre"), 2
    )


def test_an_unknown_command_is_noticed():
    with pytest.raises(AssertionError, match="no test runs: curl example"):
        quick("curl example")
