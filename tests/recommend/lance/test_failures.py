"""Killed programs, several programs at once, full disks, and places that are no library."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from musicrec.errors import LibraryError
from musicrec.recommend import stores
from musicrec.recommend.library import Changes
from musicrec.recommend.recommender import Recommender
from tests.other_user import as_nobody
from tests.recommend.lance.changes import changes_of

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary

ROOT = Path(__file__).parents[3]

SAVE = """
    import dataclasses, sys
    from musicrec.recommend.lance.library import LanceLibrary
    from tests.recommend.lance.changes import changes_of

    with LanceLibrary.open(sys.argv[1]) as library:
        (track,) = library.tracks([1])
        first = int(sys.argv[2])
        print("ready", flush=True)
        for batch in range(first, first + 1000):
            names = [f"{batch}-{i}" for i in range(10)]
            tracks = [
                dataclasses.replace(track, path=f"/{name}.wav", track_id=name, audio_hash=name) for name in names
            ]
            library.save(changes_of(tracks, place=f"/{batch}"))
            print(batch, flush=True)
"""


def start(code: str, *arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def opened(path: Path) -> "LanceLibrary":
    from musicrec.recommend.lance.library import LanceLibrary

    return LanceLibrary.open(path)


def place_of(library: "LanceLibrary") -> Path:
    return Path(library.path.removeprefix("lance:"))


@pytest.mark.slow
def test_a_killed_program_loses_nothing_that_was_saved(lance: "LanceLibrary", make_tracks: Callable):
    lance.save(changes_of(make_tracks(1)))
    path, chance, saved, batch = place_of(lance), random.Random(5), 1, 0
    kills = int(os.environ.get("MUSICREC_KILLS", 3))
    for _ in range(kills):
        process = start(SAVE, path, batch)
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        said = [process.stdout.readline() for _ in range(chance.randint(1, 4))]
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        said += process.communicate()[0].splitlines(keepends=True)
        batch = int(said[-1]) + 1
        with opened(path) as again:
            tracks, files, sources = again.read()[0], again.files(), again.sources()
            assert again.problems() == [] and len(tracks) == len(files) == len(again.audio_hashes())
            assert len(tracks) >= saved and len(tracks) % 10 == 1 and len(sources) == len(tracks) // 10 + 1
            assert all(len(file.sources) == 1 for file in files)
            assert len(tracks) - 10 * batch in (1, 11), "the last save may have ended before its number was printed"
            batch, saved = len(tracks) // 10, len(tracks)
    assert saved > 10 * kills


def test_a_write_that_was_not_finished_is_taken_back(
    lance: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch
):
    from musicrec.recommend.lance.commits import Database, Draft

    first, second, third = make_tracks(3)
    lance.save(changes_of([first]))
    with monkeypatch.context() as killed:
        killed.setattr(Database, "_finish", lambda self, draft: 1 / 0)
        killed.setattr(Draft, "take_back", lambda self: None)  # as if the program had been killed
        with pytest.raises(ZeroDivisionError):
            lance.save(changes_of([second], place="/other"))
    with opened(place_of(lance)) as again:
        assert len(again) == len(again.files()) == len(again.sources()) == 1 and again.problems() == []
        again.save(changes_of([third]))
        assert again.audio_hashes() == {first.audio_hash, third.audio_hash} and len(again.sources()) == 1
    assert len(lance) == 2 and lance.problems() == []


@pytest.mark.slow
def test_two_read_while_two_write(lance: "LanceLibrary", make_tracks: Callable):
    lance.save(changes_of(make_tracks(1)))
    path = place_of(lance)
    writers = [start(SAVE, path, batch) for batch in (0, 5000)]
    try:
        for writer in writers:
            assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        with opened(path) as one, opened(path) as other:
            last, started = 0, time.monotonic()
            while time.monotonic() < started + 1.5 or (last <= 20 and time.monotonic() < started + 60):
                for reader in (one, other):
                    tracks, values = reader.read()
                    assert len(tracks) % 10 == 1 and len(tracks) >= last and len(values["embedding"]) == len(tracks)
                    last = len(tracks)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert last > 20 and lance.problems() == []
    assert {file.path.split("-")[0] for file in lance.files()} > {"/0", "/5000"}


def test_a_full_disk_keeps_what_was_saved(lance: "LanceLibrary", make_tracks: Callable):
    first, *others = make_tracks(400)
    lance.save(changes_of([first]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(LibraryError, match=r"File too large.*; earlier writes are kept"):
            lance.save(changes_of(others))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(lance) == 1 and lance.problems() == []
    lance.save(changes_of(others))
    with opened(place_of(lance)) as again:
        assert len(again) == 400 and again.problems() == []


def test_many_writes_leave_few_files(lance: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch):
    from datetime import timedelta

    from musicrec.recommend.lance import commits

    monkeypatch.setattr(commits, "KEPT", timedelta(microseconds=1))
    tracks = make_tracks(30)
    for track in tracks:
        lance.save(changes_of([track]))
    before = sum(1 for _ in place_of(lance).rglob("*"))
    lance.tidy()
    assert sum(1 for _ in place_of(lance).rglob("*")) < before / 4
    assert len(lance) == 30 and lance.problems() == []
    lance.save(Changes(missing=[tracks[0].path]))
    assert len(lance) == 29


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from musicrec.recommend.lance import package

    monkeypatch.setattr(package, "find_spec", lambda name: None)
    for address in (f"lance:{tmp_path}", "s3://bucket/library"):
        with pytest.raises(LibraryError, match=r"needs the package lancedb.*pip install 'musicrec\[lance\]'"):
            Recommender.open(address)


def test_places_that_are_no_library(lance: "LanceLibrary", heads: dict, tmp_path: Path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    (tmp_path / "file").write_text("x")
    for name, message in (
        ("none", "no such library; create one with `musicrec index FOLDER --library lance:"),
        ("other", "is a folder, but not a library of musicrec"),
        ("file", "is a file, but a library in LanceDB is a folder"),
    ):
        with pytest.raises(LibraryError, match=message):
            stores.open_library(f"lance:{tmp_path / name}")
    for name in ("library", "other", "file"):
        with pytest.raises(LibraryError, match="exists already; name the file of a library"):
            stores.create_library(f"lance:{tmp_path / name}", exports=[], heads=[], embedding_size=4, analysis={})
    assert (tmp_path / "other" / "file").read_text() == "x"


def test_a_creation_that_was_killed_leaves_nothing(lance: "LanceLibrary", heads: dict, make_tracks: Callable):
    import shutil

    address, path = lance.path, place_of(lance)
    lance.close()
    shutil.rmtree(path / "state.lance")
    assert not stores.exists(address)
    with pytest.raises(LibraryError, match="no such library"):
        stores.open_library(address)
    made = stores.create_library(address, exports=[], heads=list(heads.values()), embedding_size=4, analysis={})
    made.save(changes_of(make_tracks(2)))
    assert len(made) == 2 and stores.exists(address) and stores.size_bytes(address) > 1000
    made.close()
    stores.delete_library(address)
    assert not path.exists()


def test_a_library_of_a_newer_version(lance: "LanceLibrary"):
    lance._database._state_table.update(values={"format": 99})
    with pytest.raises(LibraryError, match=r"is a library of format 99, but this version reads formats up to \d+; upd"):
        opened(place_of(lance))
    lance._database._state_table.update(values={"format": 1, "application": "another"})
    with pytest.raises(LibraryError, match="is not a library of musicrec"):
        opened(place_of(lance))


def test_a_damaged_table(lance: "LanceLibrary", make_tracks: Callable):
    import shutil

    lance.save(changes_of(make_tracks(3)))
    shutil.rmtree(place_of(lance) / "recordings.lance" / "data")
    with opened(place_of(lance)) as again:
        with pytest.raises(LibraryError, match=r"is damaged .*; `musicrec verify --library lance:.*` says where"):
            again.read()
        assert "is damaged" in " ".join(again.problems())


def test_a_folder_that_cannot_be_written(lance: "LanceLibrary", make_tracks: Callable):
    lance.save(changes_of(make_tracks(3)))
    path = place_of(lance)
    for folder in (path, *path.rglob("*")):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    for folder in path.parents:  # those of pytest, which are for its user only
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    with as_nobody():
        with opened(path) as again:
            assert len(again) == 3, "it can be read"
            with pytest.raises(LibraryError, match=r"cannot be written or read .*make the folder and all in it access"):
                again.save(changes_of(make_tracks(4)))
        with pytest.raises(LibraryError, match="cannot be written"):
            stores.create_library(f"lance:{path}/inside", exports=[], heads=[], embedding_size=4, analysis={})


def test_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from musicrec.recommend.lance import package

    assert stores.address("lance:music/l") == "lance:music/l" and stores.address("s3://b/l") == "s3://b/l"
    assert stores.address("my.sqlite") == Path("my.sqlite")
    monkeypatch.chdir(tmp_path)
    assert package.place_of("lance:music/l") == str(tmp_path / "music" / "l")
    assert package.place_of("lance:s3://b/l") == package.place_of("s3://b/l") == "s3://b/l"
    monkeypatch.setenv(stores.LIBRARY_VARIABLE, "lance:music/l")
    assert stores.default_library() == "lance:music/l"
    assert json.dumps(stores.default_library())
