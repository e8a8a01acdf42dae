"""Every command of README.md, docs/evaluation.md and docs/robustness.md runs, with settings that make it quick."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
    return [*QUICK, *music, "trainer.max_epochs=1" if program == "train" else "bootstrap.resamples=100"]


@pytest.fixture(scope="module")
def world(tiny_music: Path, public_crnn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README takes as given, and a home with music in it."""
    world = tmp_path_factory.mktemp("world")
    shutil.copytree(tiny_music.parent / "audio", world / "home" / "Music")
    shutil.copy(next((world / "home" / "Music").iterdir()), world / "track.flac")
    shutil.copy(public_crnn, world / "best_model.pth")
    (world / "docs").symlink_to(ROOT / "docs")
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
    monkeypatch.setenv("HOME", str(world / "home"))
    monkeypatch.delenv("MUSICREC_CACHE", raising=False)
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
