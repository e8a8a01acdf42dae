"""Files and folders are written completely or not at all, whatever happens to the writer."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from musicrec.errors import ExportError, MusicrecError
from musicrec.system.atomic_write import atomic_folder, atomic_write, remove_leftovers, write_json, write_text

KILLED = """
import sys, time
from musicrec.system.atomic_write import atomic_folder, atomic_write
with {writer}(sys.argv[1]) as new:
    {write}
    print("half", flush=True)
    time.sleep(60)
"""
TWO_WRITERS = """
import sys
from musicrec.system.atomic_write import atomic_folder, write_text
for number in range(100):
    text = f"{sys.argv[2]} {number}\\n" * 1000
    write_text(sys.argv[1] + ".txt", text)
    with atomic_folder(sys.argv[1]) as new:
        (new / "a").write_text(text)
        (new / "b").write_text(text)
"""
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def kill_while_writing(path: Path, *, writer: str, write: str) -> None:
    """Let another process write half of a file or folder, and kill it there."""
    program = KILLED.format(writer=writer, write=write)
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)


def age(folder: Path) -> None:
    """Let everything in a folder be two hours old."""
    then = time.time() - 7200
    for path in folder.iterdir():
        os.utime(path, (then, then))


def test_a_file_is_replaced_at_the_end(tmp_path: Path):
    path = tmp_path / "deep" / "a.txt"
    with atomic_write(path) as file:
        file.write("one ♯\n")
        assert not path.exists()
    with atomic_write(path, "wb") as file:
        file.write(b"two")
        assert path.read_text(encoding="utf-8") == "one ♯\n"
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["a.txt"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    for error in (ValueError("wrong"), KeyboardInterrupt()):
        with pytest.raises(type(error)), atomic_write(path) as file:
            file.write("new")
            raise error
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_full_disk_is_one_message_and_leaves_the_old_file(tmp_path: Path, monkeypatch, fails: str):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(*_: object) -> None:
        raise FULL

    if fails != "write":
        monkeypatch.setattr(os, fails, full)
    with (
        pytest.raises(ExportError, match=rf"^cannot write {path}: No space left on device$"),
        atomic_write(path, error=ExportError) as file,
    ):
        file.write("new")
        if fails == "write":
            full()
    monkeypatch.undo()
    assert path.read_text() == "old" and names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_the_system_says_of_a_full_disk_is_said(tmp_path: Path, monkeypatch):
    opened = os.open
    monkeypatch.setattr(os, "open", lambda path, *args: opened("/dev/full", os.O_RDWR))
    with pytest.raises(MusicrecError, match="No space left on device"):
        write_text(tmp_path / "a.txt", "new" * 10_000)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a.txt"
    with pytest.raises(ExportError, match=rf"^cannot write {path}: "):
        write_text(path, "new", error=ExportError)
    with (
        pytest.raises(ExportError, match=rf"^cannot write {path}: Not a directory$"),
        atomic_folder(path, error=ExportError),
    ):
        pass
    with pytest.raises(OSError, match="file"), atomic_write(path, error=None):
        pass
    if os.geteuid():  # the superuser may write anywhere
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(MusicrecError, match="Permission denied"):
            write_text(tmp_path / "closed" / "a.txt", "new")


def test_permissions_follow_the_umask(tmp_path: Path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "")
        with atomic_folder(tmp_path / "folder"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_killed_writer_leaves_the_old_file_and_its_own_is_removed_later(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    kill_while_writing(path, writer="atomic_write", write="new.write('ne'); new.flush()")
    assert path.read_text() == "old" and len(names(tmp_path)) == 2
    write_text(tmp_path / "b.txt", "")
    write_text(path, "new")  # the leftover could still belong to a writer at work
    assert len(names(tmp_path)) == 3
    age(tmp_path)
    write_text(path, "newer")
    assert names(tmp_path) == ["a.txt", "b.txt"]


def test_a_killed_writer_leaves_the_old_folder_and_its_own_is_removed_later(tmp_path: Path):
    path = tmp_path / "export"
    with atomic_folder(path) as new:
        (new / "old").write_text("")
    kill_while_writing(path, writer="atomic_folder", write="(new / 'half').write_text('')")
    assert names(path) == ["old"] and len(names(tmp_path)) == 2
    age(tmp_path)
    with atomic_folder(path) as new:
        (new / "new").write_text("")
    assert names(path) == ["new"] and names(tmp_path) == ["export"]


def test_leftovers_are_removed_at_once_where_a_lock_excludes_other_writers(tmp_path: Path):
    kill_while_writing(tmp_path / "a.txt", writer="atomic_write", write="pass")
    kill_while_writing(tmp_path / "b", writer="atomic_folder", write="(new / 'half').write_text('')")
    for name in (".hidden", ".a.txt-12345678.parts", "a.part"):
        (tmp_path / name).write_text("somebody else's")
    remove_leftovers(tmp_path, older_than_s=0)
    assert names(tmp_path) == [".a.txt-12345678.parts", ".hidden", "a.part"]


def test_a_folder_is_replaced_completely(tmp_path: Path):
    path = tmp_path / "deep" / "export"
    for name in ("one", "two"):
        with atomic_folder(path) as new:
            (new / "sub").mkdir()
            (new / "sub" / name).write_text(name)
        assert names(path / "sub") == [name] and names(path.parent) == ["export"]
    with pytest.raises(ValueError, match="wrong"), atomic_folder(path):
        raise ValueError("wrong")
    assert names(path / "sub") == ["two"] and names(path.parent) == ["export"]


def test_two_writers_at_once_leave_what_one_of_them_wrote(tmp_path: Path):
    target = tmp_path / "target"
    writers = [subprocess.Popen([sys.executable, "-c", TWO_WRITERS, str(target), name]) for name in ("A", "B")]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert names(tmp_path) == ["target", "target.txt"]
    for texts in ([(target / "a").read_text(), (target / "b").read_text()], [(tmp_path / "target.txt").read_text()]):
        assert len(set(texts)) == 1 and set(texts[0].splitlines()) in ({"A 99"}, {"B 99"})


def test_json_has_null_for_numbers_that_it_lacks(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {1: [math.nan, 0.5, ("♯", -math.inf)], "b": {"c": math.inf}})
    assert json.loads(path.read_text(encoding="utf-8")) == {"1": [None, 0.5, ["♯", None]], "b": {"c": None}}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    write_json(path, {"a": 1}, indent=None)
    assert path.read_text() == '{"a": 1}\n' and names(tmp_path) == ["a.json"]
