"""What every store of a library does. A new store adds its fixture to `STORES`."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.feedback import Feedback
from musicrec.recommend.library import Changes, Library, LibraryFile, Listing, Recording, Source, values_of
from musicrec.recommend.space import Space
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.summaries import SummaryLayout
from tests.s3_server import BUCKET, use

EXPORTS = [ExportRef(path="/a", sha256="1", name="a", embedding_size=4)]


def sqlite(folder: Path, heads: list, *, new: bool) -> Library:
    path = folder / "library.sqlite"
    if not new:
        return SqliteLibrary.open(path)
    return SqliteLibrary.create(path, exports=EXPORTS, heads=heads, embedding_size=4, analysis={"coverage": 0.5})


def lance(folder: Path, heads: list, *, new: bool) -> Library:
    pytest.importorskip("lancedb", reason="needs LanceDB: pip install 'musicrec[lance]'")
    from musicrec.recommend.lance.library import LanceLibrary

    path = folder / "library"
    if not new:
        return LanceLibrary.open(path)
    return LanceLibrary.create(path, exports=EXPORTS, heads=heads, embedding_size=4, analysis={"coverage": 0.5})


def object_store(folder: Path, heads: list, *, new: bool) -> Library:
    pytest.importorskip("lancedb", reason="needs LanceDB: pip install 'musicrec[lance]'")
    from musicrec.recommend.lance.library import LanceLibrary

    address = f"s3://{BUCKET}/{folder.name}"
    if not new:
        return LanceLibrary.open(address)
    return LanceLibrary.create(address, exports=EXPORTS, heads=heads, embedding_size=4, analysis={"coverage": 0.5})


STORES = {"sqlite": sqlite, "lance": lance, "s3": object_store}


# The same store as "lance"; what differs is in lance/test_object_store.py. The server answers one request at a time.
ON_S3 = pytest.mark.skipif("MUSICREC_S3" not in os.environ, reason="takes a minute; MUSICREC_S3=1 runs it")


@pytest.fixture(params=["sqlite", "lance", pytest.param("s3", marks=[pytest.mark.slow, ON_S3])])
def again(
    request: pytest.FixtureRequest, tmp_path: Path, heads: dict, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Library]:
    """Return a function that opens the library once more."""
    if request.param == "s3":
        use(request.getfixturevalue("s3"), monkeypatch)
    STORES[request.param](tmp_path, list(heads.values()), new=True).close()
    return lambda: STORES[request.param](tmp_path, list(heads.values()), new=False)


@pytest.fixture
def store(again: Callable[[], Library]) -> Iterator[Library]:
    with closing(again()) as opened:
        yield opened


@pytest.fixture
def make(make_track: Callable) -> Callable[..., tuple[Recording, LibraryFile]]:
    """Return a function that makes a recording, and a file of it."""

    def made(name: str, *, path: str | None = None, **facts: object) -> tuple[Recording, LibraryFile]:
        track = make_track(name)
        kept = {field.name for field in dataclasses.fields(Recording)} - {
            "fingerprint",
            "version_of",
            "peaks",
            "beat_grid",
        }
        known = {name: getattr(track, name) for name in kept} | {"passages": Passages.none()}
        recording = Recording(**known)
        facts = {"content_hash": f"bytes of {name}", "track_id": name} | facts
        return recording, LibraryFile(path=path or track.path, audio_hash=name, size=1, mtime_ns=2, **facts)

    return made


def passages(value: float, *, count: int) -> Passages:
    starts = 15 * np.arange(count, dtype=np.float32)
    return Passages(values=np.full((count, 3), value, np.float32), start_s=starts, end_s=starts + 15)


def filled(store: Library, make: Callable, names: str = "ab", place: str = "/music") -> None:
    made = [make(name) for name in names]
    store.save(
        Changes(
            place=place,
            source=Source(place=place, kind="folder", indexed_at="2026-01-01T00:00:00Z"),
            recordings=[recording for recording, _ in made],
            files=[file for _, file in made],
            listed=[Listing(path=file.path, track_id=file.track_id) for _, file in made],
        )
    )


def names(store: Library) -> list[str]:
    return [track.track_id for track in store.read()[0]]


def test_an_empty_library(store: Library, heads: dict):
    assert len(store) == 0 and store.files() == [] and store.sources() == [] and store.problems() == []
    tracks, values = store.read()
    assert tracks == [] and values["key"].shape == (0, 24) and values["embedding"].shape == (0, 4)
    assert store.heads == heads and store.embedding_size == 4 and store.exports == EXPORTS
    assert store.analysis == {"coverage": 0.5} and store.audio_hashes() == set() and store.remarks() == {}


def test_what_is_saved_is_read_also_later(store: Library, again: Callable, make: Callable, make_track: Callable):
    silent = (Remark("silent", unreliable=True),)
    recording, file = make("a", title="Ü “x”", artist="é", album="A", year=1999, genre="house")
    recording = dataclasses.replace(
        recording, remarks=silent, descriptors={"energy": 7.5}, variation=np.float32([1, 2])
    )
    store.save(Changes(recordings=[recording], files=[file]))
    filled(store, make, "b")
    with closing(again()) as other:
        for opened in (store, other):
            (first, second), values = opened.read()
            assert (first.path, first.title, first.artist) == (file.path, "Ü “x”", "é")
            assert (first.album, first.year, first.genre, first.content_hash) == ("A", 1999, "house", file.content_hash)
            assert first.remarks == silent and first.descriptors == {"energy": 7.5} and second.source == "/music"
            assert (first.size, first.mtime_ns, first.audio_hash) == (1, 2, "a")
            for name in opened.heads:
                assert np.array_equal(values[name][0], make_track("a").probabilities[name])
                assert np.array_equal(values[name][0], first.probabilities[name])
            np.testing.assert_array_equal(values["variation"], np.float32([[1, 2], [np.nan, np.nan]]))
            np.testing.assert_array_equal(values["energy"], np.float32([[7.5], [np.nan]]))
            assert np.array_equal(values["embedding.a"], values["embedding"])
            asked = values_of(opened, first)
            assert asked.keys() == values.keys() and all(np.array_equal(asked[n], values[n][0]) for n in values)
            assert opened.remarks() == {"a": silent}


def test_tracks_are_in_the_order_of_their_paths_and_copies_are_one(store: Library, make: Callable):
    filled(store, make, "cab")
    _, copy = make("c", path="/another/c.wav", track_id="copy")
    store.save(Changes(files=[copy]))
    assert names(store) == ["copy", "a", "b"] and len(store) == 3 and len(store.files()) == 4
    store.save(Changes(missing=["/another/c.wav"]))
    assert names(store) == ["a", "b", "c"] and len(store) == 3


def test_missing_files_are_kept_and_not_read(store: Library, make: Callable):
    filled(store, make)
    store.save(Changes(missing=["/music/a.wav", "/music/none.wav"]))
    assert names(store) == ["b"] and len(store) == 1
    (file, _) = store.files()
    assert file.missing and file.missing_since.endswith("Z") and file.sources == ("/music",)
    (source,) = store.sources()
    assert (source.files, source.missing) == (2, 1)
    assert [track.track_id for track in store.find(track_id="a")] == ["a"]
    since = file.missing_since
    store.save(Changes(missing=["/music/a.wav"]))
    assert store.files()[0].missing_since == since
    store.save(Changes(files=[dataclasses.replace(file, missing_since=None)]))
    assert names(store) == ["a", "b"]


def test_pruning_deletes_missing_files_and_recordings_without_a_file(store: Library, make: Callable):
    filled(store, make, "abc")
    _, copy = make("b", path="/copy.wav")
    store.save(Changes(files=[copy], missing=["/music/a.wav", "/music/b.wav"]))
    assert store.prune() == (2, 1)
    assert [file.path for file in store.files()] == ["/copy.wav", "/music/c.wav"]
    assert store.audio_hashes() == {"b", "c"} and store.prune() == (0, 0) and store.problems() == []


def test_a_file_is_missing_when_no_source_lists_it(store: Library, make: Callable):
    filled(store, make)
    filled(store, make, "a", place="/music/sub")
    assert store.files()[0].sources == ("/music", "/music/sub")
    store.save(Changes(place="/music", unlisted=["/music/a.wav", "/music/b.wav"]))
    assert names(store) == ["a"]
    store.save(Changes(place="/music/sub", unlisted=["/music/a.wav"]))
    assert names(store) == []


def test_a_moved_file_keeps_its_recording_and_its_sources(store: Library, make: Callable):
    filled(store, make)
    store.save(Changes(moved={"/music/a.wav": "/new/x.wav"}))
    assert [(file.path, file.audio_hash, file.sources) for file in store.files()] == [
        ("/music/b.wav", "b", ("/music",)), ("/new/x.wav", "a", ("/music",))
    ]  # fmt: skip
    store.save(Changes(moved={"/new/x.wav": "/music/b.wav", "/music/b.wav": "/new/x.wav"}))
    assert [(file.path, file.audio_hash) for file in store.files()] == [("/music/b.wav", "a"), ("/new/x.wav", "b")]


def test_a_file_that_is_known_where_another_moves_to_stays(store: Library, make: Callable):
    filled(store, make, "a")
    filled(store, make, "b", place="/other")
    store.save(Changes(moved={"/music/a.wav": "/music/b.wav"}))
    ((path, audio_hash, sources),) = [(file.path, file.audio_hash, file.sources) for file in store.files()]
    assert (path, audio_hash, set(sources)) == ("/music/b.wav", "b", {"/music", "/other"})


def test_files_and_sources_are_relocated(store: Library, make: Callable):
    filled(store, make)
    filled(store, make, "c", place="/else")
    moved = {"/music": "/new", "/music/a.wav": "/new/a.wav", "/music/b.wav": "/new/b.wav"}
    store.save(Changes(missing=["/music/a.wav"]))
    store.relocate(moved, present=["/new/a.wav"])
    assert [(file.path, file.missing) for file in store.files()] == [
        ("/music/c.wav", False), ("/new/a.wav", False), ("/new/b.wav", True)
    ]  # fmt: skip
    assert [(source.place, source.files) for source in store.sources()] == [("/else", 1), ("/new", 2)]
    store.relocate({"/else": "/new"}, present=[])
    assert [(source.place, source.files) for source in store.sources()] == [("/new", 3)], "two sources become one"


def test_tracks_are_found_by_path_name_and_content(store: Library, make: Callable):
    filled(store, make)
    store.save(
        Changes(place="/x", source=Source(place="/x"), listed=[Listing(path="/music/a.wav", track_id="its other name")])
    )
    for wanted in ({"path": "/music/a.wav"}, {"track_id": "a"}, {"track_id": "its other name"},
                   {"content_hash": "bytes of a"}, {"path": "/music/a.wav", "track_id": "a"}):  # fmt: skip
        assert [track.path for track in store.find(**wanted)] == ["/music/a.wav"]
    assert store.find(path="/music/a.wav", track_id="b") == [] and store.find(content_hash="x") == []


def test_what_collections_say_is_kept_per_file_and_source(store: Library, make: Callable):
    filled(store, make)
    for place, bpm in (("/one.nml", 120.5), ("/two.xml", 121)):
        said = Source(place=place, kind="collection", metadata={"program": "Traktor", "playlists": []})
        listing = Listing(path="/music/a.wav", track_id="a", metadata={"bpm": bpm, "cues": [{"position_s": 1.0}]})
        store.save(Changes(place=place, source=said, listed=[listing]))
    found = store.listings(["a", "b", "none"])
    assert {name: [(one.source, one.metadata["bpm"]) for one in of_one] for name, of_one in found.items()} == {
        "a": [("/one.nml", 120.5), ("/two.xml", 121)]
    }
    assert store.sources()[1].metadata == {"program": "Traktor", "playlists": []}


def test_new_answers_replace_the_old_ones(store: Library, make: Callable):
    filled(store, make)
    recording, _ = make("a")
    store.save(Changes(recordings=[dataclasses.replace(recording, embedding=np.float32([9, 9, 9, 9]))]))
    assert store.read()[1]["embedding"][0, 0] == 9 and len(store) == 2


def test_the_version_tells_of_changes(store: Library, again: Callable, make: Callable):
    before = store.version()
    assert store.version() == before
    filled(store, make)
    after = store.version()
    assert after != before
    with closing(again()) as other:
        other.save(Changes(missing=["/music/a.wav"]))
    assert store.version() != after and names(store) == ["b"]


def test_feedback_does_not_change_the_version(store: Library, make: Callable, tmp_path: Path):
    filled(store, make)
    before = store.version()
    elsewhere = tmp_path / "profiles.sqlite" if str(store.path).startswith("s3:") else None
    with Feedback.open(store, profiles=elsewhere) as feedback:
        feedback.like("a")
    assert store.version() == before


def test_one_state_is_seen_whatever_others_write(store: Library, again: Callable, make: Callable):
    filled(store, make, "ab")
    with closing(again()) as other:
        with store.one_state():
            before = store.version()
            assert names(store) == ["a", "b"]
            filled(other, make, "c")
            other.save(Changes(missing=["/music/a.wav"]))
            assert names(store) == ["a", "b"] and store.version() == before
        assert names(store) == ["b", "c"] and store.version() != before


def test_all_changes_or_none(store: Library, make: Callable):
    filled(store, make)
    recording, file = make("c")
    broken = dataclasses.replace(file, path=None)
    with pytest.raises(LibraryError):
        store.save(Changes(recordings=[recording], files=[file, broken], missing=["/music/a.wav"]))
    assert names(store) == ["a", "b"] and store.audio_hashes() == {"a", "b"}


def test_exports_move(store: Library, again: Callable):
    store.move_exports([dataclasses.replace(EXPORTS[0], path="/elsewhere", name="other")])
    with closing(again()) as other:
        assert other.exports == store.exports == [dataclasses.replace(EXPORTS[0], path="/elsewhere")]


def test_recordings_are_read_by_their_ids(store: Library, make: Callable, make_track: Callable):
    filled(store, make, "cab")
    here = store.present()
    tracks, values = store.read()
    assert [track.audio_hash for track in tracks] == ["a", "b", "c"]
    known = store.ids_of(["c", "b", "a", "z"])
    assert known == dict(zip("abc", here.ids.tolist(), strict=True))
    backwards = [int(number) for number in here.ids[::-1]]
    assert [track.audio_hash for track in store.tracks(backwards)] == ["c", "b", "a"]
    found = store.values(backwards)
    assert found.keys() == values.keys()
    for name in values:
        np.testing.assert_array_equal(found[name], values[name][::-1], err_msg=name)
    assert store.tracks([]) == []
    duration_s, unreliable = store.audio_facts(backwards)
    assert duration_s.tolist() == [60.0] * 3 and not unreliable.any()


def test_versions_of_a_recording_are_a_group(store: Library, make: Callable):
    made = [make(name) for name in "abcd"]
    other = dataclasses.replace(made[2][0], version_of="a")
    store.save(Changes(recordings=[made[0][0], made[1][0], other, made[3][0]], files=[file for _, file in made]))
    a, b, c, d = store.present().versions.tolist()
    assert a == c >= 0 and b == d == -1


def test_summaries_are_kept_until_the_answers_change(store: Library, make: Callable, again: Callable):
    filled(store, make, "abc")
    ids = store.present().ids
    assert store.space() is None and list(store.summaries()) == []
    values = store.values(ids)
    space = Space.fit(list(store.heads.values()), values, reliable=np.ones(3, dtype=bool))
    layout = SummaryLayout(list(store.heads.values()), space)
    rows = layout.rows(values, *store.audio_facts(ids)).view(np.uint8).reshape(3, -1)
    store.save_summaries(ids, rows, space=space)
    with closing(again()) as other:
        kept = other.space()
        assert kept is not None and kept.fitted_on == 3
        named = {name: values[name] for name in space.names}
        np.testing.assert_array_equal(kept.vectors(named)[0], space.vectors(named)[0])
        ((found, read),) = other.summaries()
        np.testing.assert_array_equal(read, rows[np.argsort(ids)])
        np.testing.assert_array_equal(found, np.sort(ids))
    store.save(Changes(recordings=[make("b")[0]]))
    assert {number for part, _ in store.summaries() for number in part} == set(ids) - {ids[1]}, (
        "a recording with new answers needs a new summary"
    )
    store.save_summaries(ids[:1], rows[:1], space=space)
    ((found, _),) = store.summaries()
    assert found.tolist() == [ids[0]], "a new space deletes the others"


def test_fingerprints_by_length(store: Library, make: Callable):
    made = [make(name) for name in "abc"]
    recordings = [
        dataclasses.replace(recording, fingerprint=printed, duration_s=length_s, version_of=first)
        for (recording, _), printed, length_s, first in zip(
            made, (b"12", b"", b"34"), (10.0, 11.0, 20.0), (None, None, "a"), strict=True
        )
    ]
    store.save(Changes(recordings=recordings, files=[file for _, file in made]))
    assert store.fingerprints() == [("a", 10.0, b"12", None), ("c", 20.0, b"34", "a")], "b has none"
    assert [name for name, *_ in store.fingerprints(shortest_s=15.0)] == ["c"]
    assert [name for name, *_ in store.fingerprints(shortest_s=5.0, longest_s=10.0)] == ["a"]
    assert store.incomplete() == set()
    store.save(Changes(recordings=[dataclasses.replace(recordings[1], fingerprint=None)]))
    assert store.incomplete() == {"b"}
    store.save(Changes(recordings=[dataclasses.replace(recordings[0], passages=None)]))
    assert store.incomplete() == {"a", "b"} and store.passages(store.present().ids[:1].tolist())[0].values.size == 0


def test_hashes_and_passages_in_the_order_that_was_asked_for(store: Library, make: Callable):
    made = [make(name) for name in "abc"]
    recordings = [
        dataclasses.replace(recording, passages=passages(place, count=place))
        for place, (recording, _) in enumerate(made)
    ]
    store.save(Changes(recordings=recordings, files=[file for _, file in made]))
    ids = store.present().ids[[2, 0]].tolist()
    assert store.hashes_of(ids) == ["c", "a"]
    last, first = store.passages(ids)
    np.testing.assert_allclose(last.values, [[2, 2, 2]] * 2, rtol=1e-6)
    assert last.start_s.tolist() == [0, 15] and last.end_s.tolist() == [15, 30]
    assert len(first) == 0 and store.passages([]) == []
    assert set(store.blocks()) == set(store.read()[1])


def test_outlines_in_the_order_that_was_asked_for(store: Library, again: Callable, make: Callable):
    made = [make(name) for name in "abc"]
    outline = np.arange(1500).astype(np.uint8)
    recordings = [recording for recording, _ in made]
    recordings[0] = dataclasses.replace(recordings[0], peaks=outline)
    store.save(Changes(recordings=recordings, files=[file for _, file in made]))
    with closing(again()) as other:
        for opened in (store, other):
            nothing, found, same = opened.peaks(opened.present().ids[[2, 0, 0]].tolist())
            assert nothing is None and found.dtype == np.uint8
            assert found.tolist() == same.tolist() == outline.tolist() and opened.peaks([]) == []


def test_beat_grids_are_kept_until_a_recording_is_analysed_again(store: Library, again: Callable, make: Callable):
    grid = {"bpm": 128.01, "first_beat_s": 0.25, "beats_per_bar": 4, "first_place": 3, "confidence": 0.9}
    made = [make(name) for name in "abc"]
    recordings = [dataclasses.replace(recording, descriptors={"loudness": -9.0}) for recording, _ in made]
    store.save(Changes(recordings=recordings, files=[file for _, file in made]))
    assert store.beat_grids("abc") == {}
    store.save(Changes(recordings=[dataclasses.replace(one, beat_grid=grid) for one in recordings[:2]]))
    with closing(again()) as other:
        for opened in (store, other):
            assert opened.beat_grids(["b", "a", "b", "c", "unknown"]) == {"a": grid, "b": grid}
            assert opened.beat_grids([]) == {}
            assert {tuple(track.descriptors) for track in opened.read()[0]} == {("loudness",)}
            assert "beat_grid" not in opened.blocks() and opened.problems() == []
    store.save(Changes(recordings=[recordings[0]]))
    assert store.beat_grids("abc") == {"b": grid}


def test_tracks_are_found_by_their_names(store: Library, make: Callable):
    (one, file), (two, other) = make("a", title="Été", artist="Ada"), make("b", title="été ")
    store.save(Changes(recordings=[one, two], files=[file, other]))

    def found(name: str) -> list[str]:
        return [track.audio_hash for track in store.find(name=name)]

    assert found("ÉTÉ") == found("e\u0301te\u0301") == ["a", "b"] and found("ada – été") == ["a"]
    assert found("Ada") == [] == found("a"), "a track_id is a name only without a title"
    store.save(Changes(files=[dataclasses.replace(file, title=None)]))
    assert found("a") == ["a"] and found("été") == ["b"]
    store.save(Changes(missing=[other.path]))
    assert found("été") == ["b"]
    store.prune()
    assert found("été") == []
