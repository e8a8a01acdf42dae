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

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.heads.classes import ClassHead
from musicrec.recommend import sqlite_schema
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track


def assert_equal(found: Track, expected: Track) -> None:
    for field in dataclasses.fields(expected):
        value, should_be = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "probabilities":
            assert value.keys() == should_be.keys()
            assert all(np.array_equal(value[name], should_be[name]) for name in should_be)
        else:
            assert np.array_equal(value, should_be), field.name


def test_tracks_are_read_as_they_were_added(library: SqliteLibrary, make_track, heads: dict, tmp_path: Path):
    first, second = make_track("b", genre="jazz"), make_track("a", bpm=97.0, key="F major")
    second = dataclasses.replace(
        second,
        title="12\" mix 'ü'",
        artist="–",
        size=2**40,
        mtime_ns=1_700_000_000_123_456_789,
        remarks=(Remark("the audio is “silent”", unreliable=True), Remark("one channel", unreliable=False)),
    )
    library.add([first, second])
    library.close()
    with SqliteLibrary.open(tmp_path / "library.sqlite") as again:
        assert list(again.heads.values()) == list(heads.values())
        tracks, values = again.read()
        assert [track.track_id for track in tracks] == ["a", "b"], "in the order of the paths"
        for found, made in zip(tracks, (second, first), strict=True):
            assert_equal(found, made)
        assert values.keys() == {*heads, "embedding"}
        assert values["key"].shape == (2, 24) and values["embedding"].shape == (2, 4)
        assert np.array_equal(values["key"][1], first.probabilities["key"])


def test_an_empty_library_has_values_of_no_tracks(library: SqliteLibrary):
    tracks, values = library.read()
    assert tracks == [] and values["key"].shape == (0, 24) and values["embedding"].shape == (0, 4)


def test_tracks_are_read_by_their_track_id(library: SqliteLibrary, make_track):
    library.add([make_track("a"), make_track("b", key="C major")])
    library.add([dataclasses.replace(make_track("b"), path="/other/b.wav")])
    (track,) = library.find(track_id="a")
    assert_equal(track, make_track("a"))
    assert [track.path for track in library.find(track_id="b")] == ["/music/b.wav", "/other/b.wav"]
    assert library.find(track_id="none") == []


def test_adding_replaces_and_removing_removes(library: SqliteLibrary, make_track):
    library.add([make_track("a"), make_track("b")])
    assert len(library) == len(library.read()[0]) == 2
    library.add([make_track("a", key="C major")])
    assert len(library) == 2 and library.read()[1]["key"][0].argmax() == 0
    library.remove(["/music/a.wav", "/music/none.wav"])
    assert [track.track_id for track in library.read()[0]] == ["b"] and library.audio_hashes() == {"b"}


# A library as version 0.1.0 wrote it. Files like this must stay readable.
FORMAT_1 = """
CREATE TABLE models (heads TEXT NOT NULL, embedding_size INTEGER NOT NULL);
CREATE TABLE exports (path TEXT NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE tracks (
    path TEXT PRIMARY KEY, track_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT, artist TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, audio_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    probabilities BLOB NOT NULL,
    embedding BLOB NOT NULL
);
PRAGMA application_id=1836413541; PRAGMA user_version=1;
INSERT INTO models VALUES ('[
    {"class": "ClassHead", "name": "genre", "column": "genre", "role": "tag", "classes": ["house", "jazz"],
     "activation": "softmax", "label_smoothing": 0.0, "weight": 1.0, "temperature": 1.5},
    {"class": "ClassHead", "name": "mode", "column": "mode", "role": "feature", "classes": ["major", "minor"],
     "activation": "softmax", "label_smoothing": 0.0, "weight": 1.0, "temperature": 1.0}
]', 1);
INSERT INTO exports VALUES ('/runs/a/export', 'f00d');
INSERT INTO tracks VALUES (
    '/music/a.wav', 'a', '/music', 'A', NULL, 12, 34, 'abc', 5.5,
    X'0000803E0000403F0000803F00000000', X'000000C0'
);
"""


def test_a_library_of_the_first_release_opens(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(FORMAT_1)
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library:
        assert library.heads["genre"] == ClassHead(
            name="genre", column="genre", role="tag", classes=("house", "jazz"), temperature=1.5
        )
        assert library.exports == [ExportRef(path="/runs/a/export", sha256="f00d", name="a", embedding_size=1)]
        assert library.analysis == {}
        (track,), values = library.read()
    assert set(values) == {"genre", "mode", "embedding", "embedding.a"}
    expected = Track(
        path="/music/a.wav",
        track_id="a",
        source="/music",
        title="A",
        size=12,
        mtime_ns=34,
        audio_hash="abc",
        duration_s=5.5,
        probabilities={"genre": np.array([0.25, 0.75]), "mode": np.array([1.0, 0.0])},
        embedding=np.array([-2.0]),
    )
    assert_equal(track, expected)


def test_a_library_of_the_first_release_takes_remarks(tmp_path: Path):
    """It is read as it is; the first write adds the column, and programs that have it open already go on reading."""
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(FORMAT_1)
    before = (tmp_path / "old.sqlite").read_bytes()
    silent = Remark("the audio is silent", unreliable=True)
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library, SqliteLibrary.open(tmp_path / "old.sqlite") as reader:
        (old,), _ = library.read()
        assert old.remarks == () and (tmp_path / "old.sqlite").read_bytes() == before
        library.add([dataclasses.replace(old, path="/music/b.wav", audio_hash="def", remarks=(silent,))])
        for opened in (library, reader):
            assert [track.remarks for track in opened.read()[0]] == [(), (silent,)]
        reader.remove(["/music/a.wav"])
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library:
        assert [track.remarks for track in library.read()[0]] == [(silent,)]


# A library as versions after 0.2.0 wrote it: format 2, with remarks and two models.
FORMAT_2 = (
    FORMAT_1.replace("embedding BLOB NOT NULL\n", "embedding BLOB NOT NULL,\n    remarks TEXT NOT NULL\n")
    .replace("user_version=1", "user_version=2")
    .replace("X'000000C0'", "X'000000C00000803F', '[[\"the audio is silent\", true]]'")
    .replace("]', 1);", "]', 2);\nINSERT INTO exports VALUES ('/runs/b/export', 'beef');")
)


def test_a_library_of_format_2_learns_what_it_did_not_know(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(FORMAT_2)
    before = (tmp_path / "old.sqlite").read_bytes()
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library:
        assert [(e.name, e.embedding_size) for e in library.exports] == [("b", None), ("a", None)]
        (old,), values = library.read()
        assert old.unreliable and old.descriptors == {} and (tmp_path / "old.sqlite").read_bytes() == before
        assert set(values) == {"genre", "mode", "embedding"}, "the sizes of the embeddings are unknown"
        library.move_exports([dataclasses.replace(e, path="/new/x", embedding_size=1) for e in library.exports])
        library.add([dataclasses.replace(old, path="/music/b.wav", audio_hash="def", descriptors={"energy": 7.0})])
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library:
        assert [(e.path, e.name, e.embedding_size) for e in library.exports] == [("/new/x", "b", 1), ("/new/x", "a", 1)]
        tracks, values = library.read()
    assert [track.descriptors for track in tracks] == [{}, {"energy": 7.0}]
    assert values["embedding.b"].tolist() == [[-2], [-2]] and values["embedding.a"].tolist() == [[1], [1]]
    np.testing.assert_array_equal(values["energy"], np.float32([[np.nan], [7]]))


def test_models_descriptors_and_settings_are_kept(tmp_path: Path, heads: dict, make_track):
    refs = [
        ExportRef(path="/a", sha256="1", name="tags", embedding_size=3),
        ExportRef(path="/b", sha256="2", name="tempo", embedding_size=1),
    ]
    settings = {"coverage": 0.5}
    with SqliteLibrary.create(
        tmp_path / "l", exports=refs, heads=list(heads.values()), embedding_size=4, analysis=settings
    ) as library:
        track = dataclasses.replace(
            make_track("a"),
            embedding=np.arange(4, dtype=np.float32),
            variation=np.array([0.5, 0.25, 2.0], np.float32),
            descriptors={"loudness": -14.25, "energy": 6.5},
        )
        library.add([track])
    with SqliteLibrary.open(tmp_path / "l") as library:
        assert library.exports == refs and library.analysis == settings
        (found,), values = library.read()
        assert_equal(found, track)
        assert values["embedding.tags"].tolist() == [[0, 1, 2]] and values["embedding.tempo"].tolist() == [[3]]
        assert values["loudness"].tolist() == [[-14.25]] and values["energy"].shape == (1, 1)
        asked = library.values_of(found)
    assert asked.keys() == values.keys() and values["variation"].tolist() == [[0.5, 0.25, 2.0]]
    assert all(np.array_equal(asked[name], values[name][0]) for name in values)


def test_a_track_without_variation_has_none_beside_tracks_that_have(tmp_path: Path, heads: dict, make_track):
    """One was analysed before it was known, one is a single chunk."""
    tracks = [
        make_track("a"),
        dataclasses.replace(make_track("b"), variation=np.full(2, np.nan, np.float32)),
        dataclasses.replace(make_track("c"), variation=np.array([1.0, 3.0], np.float32)),
    ]
    with SqliteLibrary.create(tmp_path / "l", exports=[], heads=list(heads.values()), embedding_size=4) as library:
        library.add(tracks)
        found, values = library.read()
        np.testing.assert_array_equal(values["variation"], np.float32([[np.nan] * 2, [np.nan] * 2, [1, 3]]))
        assert np.isnan(found[0].variation).all()
        library.remove([found[2].path])
        assert "variation" not in library.read()[1] and not len(library.read()[0][0].variation)


def test_exports_are_remembered_and_moved(tmp_path: Path, heads: dict):
    refs = [ExportRef(path="/a", sha256="1"), ExportRef(path="/b", sha256="2")]
    with SqliteLibrary.create(tmp_path / "l", exports=refs, heads=list(heads.values()), embedding_size=4) as library:
        library.move_exports([ExportRef(path="/c", sha256="1"), refs[1]])
    with SqliteLibrary.open(tmp_path / "l") as library:
        assert [(e.path, e.sha256) for e in library.exports] == [("/c", "1"), ("/b", "2")]


def test_other_files_are_refused_and_not_changed(tmp_path: Path, heads: dict):
    with pytest.raises(LibraryError, match="no such library"):
        SqliteLibrary.open(tmp_path / "none")
    text, empty, foreign = tmp_path / "text", tmp_path / "empty", tmp_path / "foreign"
    text.write_text("not a library " * 100)
    empty.touch()
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE tracks (path TEXT)")
    for path in (text, empty, foreign):
        before = path.read_bytes()
        with pytest.raises(LibraryError, match=f"{path.name} is not a library"):
            SqliteLibrary.open(path)
        assert path.read_bytes() == before
    with pytest.raises(LibraryError, match="exists already"):
        SqliteLibrary.create(text, exports=[], heads=list(heads.values()), embedding_size=4)
    with pytest.raises(LibraryError, match="cannot be written"):
        SqliteLibrary.create(text / "below" / "l", exports=[], heads=list(heads.values()), embedding_size=4)


def test_a_library_that_another_program_creates_meanwhile_is_kept(
    tmp_path: Path, heads: dict, monkeypatch: pytest.MonkeyPatch
):
    path, connect = tmp_path / "library.sqlite", sqlite_schema.connect

    def meanwhile(*arguments, **settings):
        monkeypatch.undo()
        SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4).close()
        return connect(*arguments, **settings)

    monkeypatch.setattr(sqlite_schema, "connect", meanwhile)
    with pytest.raises(LibraryError, match="cannot be written"):
        SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4)
    SqliteLibrary.open(path).close()


def write_for_ever(path: Path, track: Track, pipe: Connection) -> None:
    library = SqliteLibrary.open(path)
    for batch in itertools.count():
        library.add(dataclasses.replace(track, path=f"/{batch}-{i}", audio_hash=f"{batch}-{i}") for i in range(50))
        pipe.send(batch)


def test_a_killed_writer_leaves_whole_batches(library: SqliteLibrary, make_track, tmp_path: Path):
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
    with SqliteLibrary.open(path) as again:
        # The last batch is there as a whole or not at all; the batches before it are there.
        assert len(again) % 50 == 0 and len(again) // 50 in (len(written), len(written) + 1)
        assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
        again.remove([track.path for track in again.read()[0]])
        assert len(again) == 0


# Format 3, with descriptors, names and settings, two copies of one recording, and a track of another source.
FORMAT_3 = """
CREATE TABLE models (heads TEXT NOT NULL, embedding_size INTEGER NOT NULL, analysis TEXT NOT NULL);
CREATE TABLE exports (path TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT, embedding_size INTEGER);
CREATE TABLE tracks (
    path TEXT PRIMARY KEY, track_id TEXT NOT NULL, source TEXT NOT NULL, title TEXT, artist TEXT,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, audio_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    probabilities BLOB NOT NULL, embedding BLOB NOT NULL, remarks TEXT NOT NULL, descriptors TEXT NOT NULL
);
PRAGMA application_id=1836413541; PRAGMA user_version=3;
INSERT INTO models VALUES ('[
    {"class": "ClassHead", "name": "genre", "column": "genre", "role": "tag", "classes": ["house", "jazz"],
     "activation": "softmax", "label_smoothing": 0.0, "weight": 1.0, "temperature": 1.5}
]', 1, '{"coverage": 0.6}');
INSERT INTO exports VALUES ('/runs/a/export', 'f00d', 'a', 1);
INSERT INTO tracks VALUES ('/music/b.wav', 'b', '/music', 'B', NULL, 1, 2, 'one', 5.5,
    X'0000803E0000403F', X'000000C0', '[]', '{}');
INSERT INTO tracks VALUES ('/music/a.wav', 'a', '/music', 'A', 'X', 3, 4, 'one', 5.5,
    X'0000803E0000403F', X'000000C0', '[]', '{"energy": 7.0}');
INSERT INTO tracks VALUES ('/other/c.wav', 'c', '/other', NULL, NULL, 5, 6, 'two', 6.5,
    X'0000403F0000803E', X'0000803F', '[["the audio is silent", true]]', '{"energy": 2.0}');
"""
# Format 4 of versions after 0.3.0: with the variation.
FORMAT_4 = (
    FORMAT_3.replace("descriptors TEXT NOT NULL\n", "descriptors TEXT NOT NULL, variation BLOB\n")
    .replace("user_version=3", "user_version=4")
    .replace("'{}');\nINSERT INTO tracks", "'{}', NULL);\nINSERT INTO tracks")
    .replace("""'{"energy": 7.0}')""", """'{"energy": 7.0}', X'0000803F')""")
    .replace("""'{"energy": 2.0}')""", """'{"energy": 2.0}', NULL)""")
)

# Format 5 of versions after 0.3.0: with recordings, files and sources.
FORMAT_5 = """
PRAGMA application_id=1836413541; PRAGMA user_version=5;
CREATE TABLE models (
    heads TEXT NOT NULL, embedding_size INTEGER NOT NULL,
    analysis TEXT NOT NULL
);
CREATE TABLE exports (
    path TEXT NOT NULL, sha256 TEXT NOT NULL, name TEXT,
    embedding_size INTEGER
);
CREATE TABLE recordings (
    audio_hash TEXT NOT NULL UNIQUE, duration_s REAL NOT NULL,
    descriptors TEXT NOT NULL,
    remarks TEXT NOT NULL,
    probabilities BLOB NOT NULL,
    embedding BLOB NOT NULL,
    variation BLOB
);
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE,
    audio_hash TEXT NOT NULL REFERENCES recordings (audio_hash),
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT,
    track_id TEXT NOT NULL, title TEXT, artist TEXT, album TEXT, year INTEGER, genre TEXT,
    missing_since TEXT
);
CREATE INDEX files_of_recording ON files (audio_hash);
CREATE INDEX files_of_content ON files (content_hash);
CREATE INDEX files_of_track_id ON files (track_id);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, place TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, indexed_at TEXT,
    metadata TEXT NOT NULL
);
CREATE TABLE listings (
    file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    source INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    track_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (file, source)
) WITHOUT ROWID;
CREATE INDEX listings_of_source ON listings (source);
INSERT INTO models VALUES ('[
    {"class": "ClassHead", "name": "genre", "column": "genre", "role": "tag", "classes": ["house", "jazz"],
     "activation": "softmax", "label_smoothing": 0.0, "weight": 1.0, "temperature": 1.5}
]', 1, '{"coverage": 0.6}');
INSERT INTO exports VALUES ('/runs/a/export', 'f00d', 'a', 1);
INSERT INTO recordings VALUES ('one', 5.5, '{"energy": 7.0}', '[]', X'0000803E0000403F', X'000000C0', X'0000803F');
INSERT INTO recordings VALUES
    ('two', 6.5, '{"energy": 2.0}', '[["the audio is silent", true]]', X'0000403F0000803E', X'0000803F', NULL);
INSERT INTO files VALUES (7, '/music/b.wav', 'one', 1, 2, NULL, 'b', 'B', NULL, NULL, NULL, NULL, NULL);
INSERT INTO files VALUES (8, '/music/a.wav', 'one', 3, 4, NULL, 'a', 'A', 'X', NULL, NULL, NULL, NULL);
INSERT INTO files VALUES (9, '/other/c.wav', 'two', 5, 6, NULL, 'c', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO sources VALUES (1, '/music', '', NULL, '{}'), (2, '/other', '', NULL, '{}');
INSERT INTO listings VALUES (7, 1, 'b', '{}'), (8, 1, 'a', '{}'), (9, 2, 'c', '{}');
"""

# Format 6 of versions after 0.3.0: with ids, a space, summaries and names; of passages, the first and the last 30 s.
FORMAT_6 = (
    FORMAT_5.replace("user_version=5", "user_version=6")
    .replace("    audio_hash TEXT NOT NULL UNIQUE", "    id INTEGER PRIMARY KEY, audio_hash TEXT NOT NULL UNIQUE")
    .replace("    descriptors TEXT NOT NULL,", "    version_of TEXT, descriptors TEXT NOT NULL,")
    .replace("variation BLOB\n", "variation BLOB, passages BLOB, fingerprint BLOB\n")
    .replace("('one', 5.5,", "(4, 'one', 5.5, NULL,")
    .replace("('two', 6.5,", "(5, 'two', 6.5, NULL,")
    .replace("X'0000803F');\nINSERT", "X'0000803F', X'003C0044', X'');\nINSERT")
    .replace("X'0000803F', NULL);", "X'0000803F', NULL, NULL, NULL);")
    + """
CREATE INDEX with_variation ON recordings (audio_hash) WHERE variation IS NOT NULL;
CREATE INDEX durations ON recordings (duration_s);
CREATE INDEX versions ON recordings (version_of) WHERE version_of IS NOT NULL;
CREATE INDEX listings_of_track_id ON listings (track_id);
CREATE TABLE names (
    name TEXT NOT NULL, file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    PRIMARY KEY (name, file)
) WITHOUT ROWID;
CREATE INDEX names_of_file ON names (file);
CREATE TABLE space (described TEXT NOT NULL, arrays BLOB NOT NULL);
CREATE TABLE summaries (
    recording INTEGER PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE, content BLOB NOT NULL
);
"""
)


@pytest.mark.parametrize("old", [FORMAT_3, FORMAT_4, FORMAT_5, FORMAT_6], ids=["3", "4", "5", "6"])
def test_older_formats_are_read_as_they_are_and_turned_by_the_first_write(tmp_path: Path, old: str):
    path = tmp_path / "old.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(old)
    before = path.read_bytes()

    def seen(library: SqliteLibrary) -> tuple:
        tracks, values = library.read()
        facts = [(t.path, t.track_id, t.title, t.artist, t.audio_hash, t.source, dict(t.descriptors)) for t in tracks]
        files = [(f.path, f.audio_hash, f.size, f.mtime_ns, f.sources, f.missing) for f in library.files()]
        sources = [(source.place, source.files) for source in library.sources()]
        numbers = {name: of_one.tolist() for name, of_one in values.items() if name != "variation"}
        passages = [one.values.tolist() for one in library.passages(library.present().ids)]
        numbers |= {"peaks": library.peaks(library.present().ids)}
        numbers |= {"passages": passages, "incomplete": library.incomplete()}
        return facts, files, sources, numbers, library.remarks(), library.problems(), len(library)

    with SqliteLibrary.open(path) as library, SqliteLibrary.open(path) as reader:
        as_it_was = seen(library)
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path], "reading writes nothing"
        assert as_it_was[0] == [
            ("/music/a.wav", "a", "A", "X", "one", "/music", {"energy": 7.0}),
            ("/other/c.wav", "c", None, None, "two", "/other", {"energy": 2.0}),
        ]
        assert [file[0] for file in as_it_was[1]] == ["/music/a.wav", "/music/b.wav", "/other/c.wav"]
        assert as_it_was[2] == [("/music", 2), ("/other", 1)] and as_it_was[5] == []
        assert as_it_was[3]["passages"] == ([[[1], [4]], []] if old is FORMAT_6 else [[], []])
        assert as_it_was[3]["peaks"] == [None, None]
        assert as_it_was[3]["incomplete"] == {"one", "two"}
        assert ("variation" in library.read()[1]) == (old is not FORMAT_3)
        assert [track.path for track in library.find(track_id="b")] == ["/music/b.wav"]
        library.remove(["/no such file"])
        assert library.format == sqlite_schema.VERSION
        assert seen(library) == seen(reader) == as_it_was
        assert library.space() is None and len(library.present()) == len(library.ids_of(["one", "two"])) == 2
        assert library._connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert library._connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert ("variation" in reader.read()[1]) == (old is not FORMAT_3)
    with SqliteLibrary.open(path) as library:
        assert seen(library) == as_it_was and library.analysis == {"coverage": 0.6}
        assert library._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_format_of_the_future_is_refused(library: SqliteLibrary):
    library._connection.execute("PRAGMA user_version=99")
    library.close()
    with pytest.raises(LibraryError, match="is a library of format 99, but this version reads formats up to 7; update"):
        SqliteLibrary.open(library.path)
