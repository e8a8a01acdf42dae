"""`musicrec status`, `prune`, `relocate` and `verify` as a user runs them."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.programs.command import main
from musicrec.recommend.sqlite_library import SqliteLibrary


@pytest.fixture
def command(
    run: Callable, library: SqliteLibrary, music: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that runs a command on a library of six tracks, and returns what it printed."""
    run(music)
    monkeypatch.setenv("MUSICREC_LIBRARY", str(library.path))
    monkeypatch.setenv("COLUMNS", "200")

    def called(*arguments: str, status: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        assert int(ended.value.code or 0) == status, printed.err
        return printed.out + printed.err

    return called


def test_status(command: Callable, run: Callable, library: SqliteLibrary, music: Path):
    shutil.copy(music / "soft" / "0.wav", music / "copy.wav")
    (music / "loud" / "5.wav").unlink()
    run(music)
    printed = " ".join(command("status").split())
    assert f"library {library.path}" in printed and "tracks 5 tracks in 6 files" in printed
    assert "missing 1 file, kept and not recommended; `musicrec prune` deletes them" in printed
    assert f"{music} 7 1 20" in printed, "the source with its files and when it was indexed"
    said = json.loads(command("status", "--json"))
    assert (said["tracks"], said["files"], said["missing"]) == (5, 6, 1)
    assert said["sources"][0]["place"] == str(music)


def test_prune_asks(command: Callable, run: Callable, library: SqliteLibrary, music: Path, monkeypatch):
    assert "nothing to delete: no file is missing" in command("prune")
    gone = music / "loud" / "5.wav"
    gone.unlink()
    run(music)
    printed = command("prune")
    assert f"missing {gone}" in printed and "would delete 1 file and the answers for 1 track; --yes does it" in printed
    assert len(library.files()) == 6, "there was nobody to ask"
    assert json.loads(command("prune", "--json")) == {"files": [str(gone)], "recordings": 1, "deleted": False}

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert "nothing was deleted" in command("prune") and len(library.files()) == 6
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert "deleted 1 file and the answers for 1 track" in command("prune") and len(library.files()) == 5
    (music / "loud" / "4.wav").unlink()
    run(music)
    assert json.loads(command("prune", "--yes", "--json"))["deleted"] and len(library.files()) == 4


def test_relocate(command: Callable, library: SqliteLibrary, music: Path):
    there = music.rename(music.parent / "elsewhere")
    printed = command("relocate", str(music), str(there))
    assert "6 files relocated, 6 of them found there" in printed and f"source  {there}" in printed
    assert "no file and no source below" in command("relocate", str(music), str(there), status=1)


def test_verify(command: Callable, music: Path):
    printed = command("verify")
    assert "6 files, 6 of them compared byte by byte with their hash: all is as it should be" in printed
    (music / "loud" / "5.wav").unlink()
    printed = command("verify", "--quick", status=1)
    assert f"missing  {music / 'loud' / '5.wav'} is not there; index its source again" in printed
    assert "6 files, 0 of them compared byte by byte with their hash: 1 problem" in printed
    assert json.loads(command("verify", "--json", status=1))["problems"][0]["kind"] == "missing"


def test_a_library_that_is_not_there(command: Callable, tmp_path: Path):
    for arguments in (["status"], ["prune"], ["relocate", "a", "b"], ["verify"]):
        printed = command(*arguments, "--library", str(tmp_path / "none"), status=1)
        assert "no such library; create one with `musicrec index FOLDER`" in printed
