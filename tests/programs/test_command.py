"""The `musicrec` command, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import musicrec
from musicrec.programs import launch
from musicrec.programs.command import main

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> int:
    """Run the command in this process and return its exit status."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def test_help_teaches(capsys):
    assert run("--help") == 0
    printed = capsys.readouterr().out
    for taught in (
        "musicrec train debug=fast",
        "musicrec index ~/Music",
        "query TRACK.mp3",
        "import-checkpoint",
        "render-midi",
        "render-corpus",
    ):
        assert taught in printed
    assert run("render-midi", "--help") == 0
    assert "'task=[instruments,features]'" in capsys.readouterr().out  # the brackets are not markup
    assert run("render-corpus", "--help") == 0
    taught = capsys.readouterr().out
    assert "apt install mma fluidsynth" in taught and "'task=[genre,features]'" in taught
    assert run("import-checkpoint", "--help") == 0
    assert "one per line" in " ".join(capsys.readouterr().out.split())


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"musicrec {musicrec.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?"),
        (["--fast"], "No such option: --fast"),
        (["render-midi", "midi", "--out", "x"], "Missing option '--sound-font'"),
        (["render-midi", "midi", "--out", "x", "--sound-font", "a.sf2", "--seed", "one"], "'--seed'"),
    ],
)
def test_a_wrong_command_gets_one_message(capsys, arguments, message):
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err and not printed.out


@pytest.mark.parametrize("name", launch.PROGRAMS)
def test_a_program_gets_its_arguments_untouched(name, monkeypatch):
    started = []
    monkeypatch.setattr(launch, "launch", lambda *given: started.append(given))
    arguments = [
        "--help",
        "-m",
        "model=crnn,tempo_net",
        "--cfg",
        "job",
        "~logger",
        "+experiment/demo=crnn",
        "-cd",
        "own",
    ]
    assert run(name, *arguments) == 0
    assert started == [(name, arguments)]


def test_python_m_musicrec_is_the_command_and_imports_nothing_heavy():
    code = "import runpy, sys, atexit\natexit.register(lambda: print(*sys.modules))\n"
    code += "sys.argv = ['musicrec', '--version']\nrunpy.run_module('musicrec', run_name='__main__')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    version, modules = done.stdout.splitlines()
    assert version == f"musicrec {musicrec.__version__}"
    assert not {"torch", "pytorch_lightning", "hydra", "numpy", "polars"} & set(modules.split())


@pytest.mark.slow
def test_a_program_trains_in_two_processes(tiny_music: Path, tmp_path: Path):
    """Lightning starts the second process with the command as it was typed."""
    settings = ["debug=fast", "trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "logger=csv"]
    settings += ["data=manifest", f"data.manifest={tiny_music}", f"paths.cache={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "musicrec", "train", *settings, f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "export" / "model.safetensors").is_file()
