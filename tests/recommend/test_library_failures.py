"""Killed programs, several programs at once, full disks, read-only and damaged files."""

import dataclasses
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.errors import LibraryError, ProfileError
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.counting_analyzer import RATE
from tests.other_user import as_nobody

ROOT = Path(__file__).parents[2]

INDEX = """
    import sys, time
    from types import SimpleNamespace
    import numpy as np
    from musicrec.audio.decode import decode_track
    from musicrec.recommend import indexing, music_source
    from musicrec.export.passages import Passages
    from musicrec.recommend.sqlite_library import SqliteLibrary

    class Analyzer:  # without torch, whose import takes seconds
        sample_rate = 8000

        def analyze_many(self, paths, *, is_known):
            for path in paths:
                decoded = decode_track(path, sample_rate=8000)
                yield path, (decoded, None if is_known(decoded) else self.answer())

        def answer(self):
            time.sleep(0.004)
            ones = {name: np.ones(len(head.classes), np.float32) for name, head in library.heads.items()}
            return SimpleNamespace(
                duration_s=1.0, probabilities=ones, embedding=np.ones(4, np.float32), variation=np.zeros(0, np.float32),
                passages=Passages.none(), descriptors={}, beat_grid=None, remarks=(),
            )

    indexing.SAVE_EVERY_S = 0.02
    with SqliteLibrary.open(sys.argv[1]) as library:
        source = music_source.read_source(sys.argv[2])
        save = library.save
        library.save = lambda changes: (save(changes), print("saved", flush=True))
        report = indexing.index(library, Analyzer(), source, progress=False)
        print("done", report.added, report.unchanged, report.copies, flush=True)
"""


def start(code: str, *arguments: object, **settings: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """120 tracks of noise."""
    folder, generator = tmp_path / "many", np.random.default_rng(7)
    folder.mkdir()
    for number in range(120):
        soundfile.write(folder / f"{number:03}.wav", generator.uniform(-0.5, 0.5, RATE // 20), RATE)
    return folder


@pytest.mark.slow
def test_a_killed_index_loses_nothing_that_was_saved_and_doubles_nothing(
    library: SqliteLibrary, many: Path, tmp_path: Path
):
    path, chance = library.path, random.Random(3)
    library.close()
    before, kills, times = 0, 0, int(os.environ.get("MUSICREC_KILLS", 5))
    for _ in range(times):
        process = start(INDEX, path, many)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(chance.randint(1, 6))]
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL and lines[0] == "saved\n"
        with SqliteLibrary.open(path) as again:
            tracks, files = again.read()[0], again.files()
            assert again.problems() == [] and before <= len(tracks) == len(files) == len(again.audio_hashes())
            assert len({file.path for file in files}) == len(files)
            before = len(tracks)
    assert kills >= times / 2 and before, "most of the runs were killed after they had saved something"
    process = start(INDEX, path, many)
    said, error = process.communicate()
    assert process.returncode == 0, error
    added, unchanged, copies = map(int, said.split("done")[1].split())
    assert (added + unchanged, copies, unchanged) == (120, 0, before)
    with SqliteLibrary.open(path) as again:
        assert len(again) == 120 and again.problems() == []


def test_two_read_while_one_writes(library: SqliteLibrary, make_track, tmp_path: Path):
    """Every reader sees whole saves, and nobody waits for the other."""
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            with SqliteLibrary.open(library.path) as reader:
                last = 0
                while not done.is_set():
                    tracks, values = reader.read()
                    assert len(tracks) % 10 == 0 and len(tracks) >= last and len(values["embedding"]) == len(tracks)
                    last = len(tracks)
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    track = make_track("a")
    for batch in range(20):
        named = [f"{batch}-{number}" for number in range(10)]
        library.add(dataclasses.replace(track, path=f"/{name}", audio_hash=name) for name in named)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures and len(library) == 200


def test_a_second_writer_waits_for_the_first(library: SqliteLibrary, music: Path, capfd: pytest.CaptureFixture):
    wait = """
        import sys
        from pathlib import Path
        from musicrec.recommend import stores
        print("ready", flush=True)
        with stores.only_writer(Path(sys.argv[1])):
            print("mine", flush=True)
    """
    from musicrec.recommend import stores

    with stores.only_writer(library.path):
        process = start(wait, library.path)
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        assert "another program is writing" in process.stderr.readline()
        assert process.poll() is None
    assert process.communicate()[0] == "mine\n"


def test_a_locked_library_says_so(library: SqliteLibrary, make_track):
    library.add([make_track("a")])
    library._connection.execute("PRAGMA busy_timeout=50")
    with closing(sqlite3.connect(library.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryError, match=r"is being written by another program .*; try again later"):
            library.add([make_track("b")])
        assert len(library) == 1, "readers do not wait"
    library.add([make_track("b")])


def test_a_full_disk_keeps_what_was_saved(library: SqliteLibrary, make_track, monkeypatch: pytest.MonkeyPatch):
    library.add([make_track("a")])
    size = sum(
        os.path.getsize(f"{library.path}{end}") for end in ("", "-wal") if os.path.exists(f"{library.path}{end}")
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, hard))
    try:
        with pytest.raises(LibraryError, match="earlier writes are kept"):
            for batch in range(1000):
                library.add(
                    dataclasses.replace(make_track("a"), path=f"/{batch}-{number}", audio_hash=f"{batch}-{number}")
                    for number in range(50)
                )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = len(library)
    assert kept % 50 == 1 and library.problems() == []
    library.add([make_track("b")])
    library.close()
    with SqliteLibrary.open(library.path) as again:
        assert len(again) == kept + 1 and again.problems() == []


@pytest.fixture
def read_only(heads: dict, make_track) -> Iterator[Path]:
    """A library in a folder that cannot be written."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "library.sqlite"
    with SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4) as library:
        library.add([make_track("a"), make_track("b")])
    yield path
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def protect(path: Path) -> None:
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)


def test_a_library_that_cannot_be_written_is_read(read_only: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUSICREC_MODELS", str(read_only.parent / "models"))
    protect(read_only)
    before = read_only.read_bytes()
    with as_nobody(), Recommender.open(read_only) as recommender:
        assert recommender.status().tracks == 2
        assert [row["track_id"] for row in recommender.query("a").results] == ["b"]
        with pytest.raises(LibraryError, match="cannot be written"):
            recommender.prune()
        with (
            SqliteLibrary.open(read_only) as library,
            pytest.raises(
                LibraryError, match=r"sqlite cannot be written: the file or its folder is read-only \(.*name the copy"
            ),
        ):
            library.prune()
    assert read_only.read_bytes() == before and [file.name for file in read_only.parent.iterdir()] == [read_only.name]


def test_feedback_in_a_library_that_cannot_be_written_counts(read_only: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUSICREC_MODELS", str(read_only.parent / "models"))
    with Recommender.open(read_only) as recommender, recommender.feedback() as feedback:
        feedback.dislike("b")
    protect(read_only)
    with as_nobody(), Recommender.open(read_only) as recommender:
        assert recommender.query("a").results == [] and len(recommender.never_again()) == 1
        with pytest.raises(
            ProfileError, match=r"sqlite cannot be written: the file or its folder is read-only .*--profiles FILE"
        ):
            recommender.feedback()


def test_a_file_that_may_be_written_in_a_folder_that_may_not(read_only: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUSICREC_MODELS", str(read_only.parent / "models"))
    protect(read_only)
    read_only.chmod(0o666)
    with as_nobody(), Recommender.open(read_only) as recommender:
        with pytest.raises(ProfileError, match=r"^\S+sqlite cannot be written: the file or its folder is read-only"):
            recommender.feedback()
        with (
            SqliteLibrary.open(read_only) as library,
            pytest.raises(LibraryError, match=r"^\S+sqlite cannot be written: the file or its folder is read-only"),
        ):
            library.prune()


def test_a_new_library_in_a_folder_that_cannot_be_written(read_only: Path):
    protect(read_only)
    with as_nobody(), pytest.raises(LibraryError, match=r"new.sqlite cannot be made: nothing may be written in the"):
        SqliteLibrary.create(read_only.with_name("new.sqlite"), exports=[], heads=[], embedding_size=0)


def test_unfinished_writes_beside_a_library_that_cannot_be_written_are_named(read_only: Path, make_track):
    """A killed writer leaves them, and the file was then copied to such a place."""
    with SqliteLibrary.open(read_only) as library:
        library.add([make_track("c")])
        journal = Path(f"{read_only}-wal").read_bytes()
        content = read_only.read_bytes()
    read_only.write_bytes(content)
    Path(f"{read_only}-wal").write_bytes(journal)
    protect(read_only)
    with as_nobody(), pytest.raises(LibraryError, match=r"library.sqlite-wal holds writes .* copy both files"):
        SqliteLibrary.open(read_only)
    read_only.parent.chmod(0o755)
    for file in read_only.parent.iterdir():
        file.chmod(0o644)
    with SqliteLibrary.open(read_only) as library:
        assert len(library) == 3, "in a folder that can be written they are read"


def test_damage_is_found(library: SqliteLibrary, make_track):
    library.add([dataclasses.replace(make_track("a"), path=f"/{n}", audio_hash=f"{n}") for n in range(200)])
    library.close()
    content = bytearray(library.path.read_bytes())
    for start_of in range(3 * len(content) // 4, len(content), 4096):
        content[start_of : start_of + 64] = b"\xff" * 64
    library.path.write_bytes(content)
    with pytest.raises(LibraryError) as raised, SqliteLibrary.open(library.path) as again:
        problems = again.problems()
        assert problems
        again.read()
        raise LibraryError("is damaged: " + problems[0])
    assert "is damaged" in str(raised.value)


def test_wrong_blobs_are_found(library: SqliteLibrary, make_track):
    library.add([make_track("a"), make_track("b")])
    assert library.problems() == []
    library._connection.execute("UPDATE recordings SET embedding = X'0000C07F000000000000000000000000' WHERE rowid = 1")
    library._connection.execute("UPDATE recordings SET probabilities = X'00' WHERE rowid = 2")
    assert library.problems() == [
        "recording a: embedding with values that are no numbers",
        f"recording b: probabilities of 1 bytes instead of {4 * sum(len(h.classes) for h in library.heads.values())}",
    ]
