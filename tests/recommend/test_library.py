import contextlib
import dataclasses
import itertools
import multiprocessing
import sqlite3
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from musicrec.errors import LibraryError
from musicrec.recommend import library as library_module
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.library import Library, Track
from musicrec.recommend.similarity import Similarity


def test_what_was_added_is_there_after_reopening(library: Library, make_track, heads: dict, tmp_path: Path):
    first, second = make_track("b", genre="jazz"), make_track("a", bpm=97.0, key="F major")
    second = dataclasses.replace(
        second, title="12\" mix 'ü'", artist="–", size=2**40, mtime_ns=1_700_000_000_123_456_789
    )
    library.add([first, second])
    library.close()
    with Library.open(tmp_path / "library.sqlite") as again:
        assert list(again.heads.values()) == list(heads.values())
        assert [track.track_id for track in again.tracks] == ["a", "b"]
        for found, made in zip(again.tracks, (second, first), strict=True):
            for field in dataclasses.fields(made):
                expected, value = getattr(made, field.name), getattr(found, field.name)
                if field.name == "probabilities":
                    assert all(np.array_equal(value[name], expected[name]) for name in heads)
                else:
                    assert np.array_equal(value, expected), field.name
        assert again.values("key").shape == (2, 24) and again.values("embedding").shape == (2, 4)


def test_adding_replaces_and_removing_removes(library: Library, make_track):
    library.add([make_track("a"), make_track("b")])
    assert len(library.tracks) == 2
    library.add([make_track("a", key="C major")])
    assert len(library) == 2 and library.values("key")[0].argmax() == 0
    library.relabel([{"path": "/music/b.wav", "track_id": "x", "source": "s.csv", "title": "T", "artist": None}])
    assert (library.tracks[1].track_id, library.tracks[1].title) == ("x", "T")
    library.remove(["/music/a.wav", "/music/none.wav"])
    assert [track.track_id for track in library.tracks] == ["x"]


def test_search_is_the_sorted_whole(library: Library, make_track, heads: dict):
    generator = np.random.default_rng(1)
    tracks = [make_track(f"{i:02}", bpm=float(generator.uniform(80, 160))) for i in range(30)]
    library.add(tracks)
    similarity = Similarity([heads["tempo"]])
    query = tracks[4].probabilities
    expected, _ = similarity.compare(query, {"tempo": np.stack([t.probabilities["tempo"] for t in tracks])})
    found = library.search(query, similarity=similarity, k=30)
    assert [match.similarity for match in found] == pytest.approx(sorted(expected.tolist(), reverse=True))
    assert found[0].row == 4
    even = np.arange(30) % 2 == 0
    among = library.search(query, similarity=similarity, k=5, among=even)
    assert [m.row for m in among] == [m.row for m in found if m.row % 2 == 0][:5]
    assert library.search(query, similarity=similarity, k=5, among=np.zeros(30, bool)) == []


def test_equals_come_in_the_order_of_their_paths(library: Library, make_track, heads: dict):
    library.add([make_track(name) for name in "cabd"])
    found = library.search(make_track("q").probabilities, similarity=Similarity([heads["key"]]), k=3)
    assert [library.tracks[match.row].track_id for match in found] == ["a", "b", "c"]


def test_exports_are_remembered_and_moved(tmp_path: Path, heads: dict):
    refs = [ExportRef(path="/a", sha256="1"), ExportRef(path="/b", sha256="2")]
    with Library.create(tmp_path / "l", exports=refs, heads=list(heads.values()), embedding_size=4) as library:
        library.move_exports([ExportRef(path="/c", sha256="1"), refs[1]])
    with Library.open(tmp_path / "l") as library:
        assert [(e.path, e.sha256) for e in library.exports] == [("/c", "1"), ("/b", "2")]


def test_what_is_no_library_is_refused_and_left_alone(tmp_path: Path, heads: dict):
    with pytest.raises(LibraryError, match="no such library"):
        Library.open(tmp_path / "none")
    text, empty, foreign = tmp_path / "text", tmp_path / "empty", tmp_path / "foreign"
    text.write_text("not a library " * 100)
    empty.touch()
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE tracks (path TEXT)")
    for path in (text, empty, foreign):
        before = path.read_bytes()
        with pytest.raises(LibraryError, match=f"{path.name}: not a library"):
            Library.open(path)
        assert path.read_bytes() == before
    with pytest.raises(LibraryError, match="already"):
        Library.create(text, exports=[], heads=list(heads.values()), embedding_size=4)
    with pytest.raises(LibraryError, match="cannot be written"):
        Library.create(text / "below" / "l", exports=[], heads=list(heads.values()), embedding_size=4)


def test_a_library_that_another_program_makes_meanwhile_stays(
    tmp_path: Path, heads: dict, monkeypatch: pytest.MonkeyPatch
):
    path, connect = tmp_path / "library.sqlite", library_module._connect

    def meanwhile(*arguments, **settings):
        monkeypatch.undo()
        Library.create(path, exports=[], heads=list(heads.values()), embedding_size=4).close()
        return connect(*arguments, **settings)

    monkeypatch.setattr(library_module, "_connect", meanwhile)
    with pytest.raises(LibraryError, match="cannot be written"):
        Library.create(path, exports=[], heads=list(heads.values()), embedding_size=4)
    Library.open(path).close()


def write_for_ever(path: Path, track: Track, pipe: Connection) -> None:
    library = Library.open(path)
    for batch in itertools.count():
        library.add(dataclasses.replace(track, path=f"/{batch}-{i}") for i in range(50))
        pipe.send(batch)


def test_a_killed_writer_leaves_whole_batches(library: Library, make_track, tmp_path: Path):
    library.close()
    path = tmp_path / "library.sqlite"
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    writer = fork.Process(target=write_for_ever, args=(path, make_track("a"), sender))
    writer.start()
    sender.close()
    written = [receiver.recv() for _ in range(3)]
    time.sleep(0.013)
    writer.kill()
    writer.join()
    with contextlib.suppress(EOFError):
        while True:
            written.append(receiver.recv())
    with Library.open(path) as again:
        # The batch it was at is there as a whole or not at all; the one before it is there.
        assert len(again) % 50 == 0 and len(again) // 50 in (len(written), len(written) + 1)
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
        again.remove([track.path for track in again.tracks])
        assert len(again) == 0
