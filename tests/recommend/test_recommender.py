"""The object behind the commands, on libraries of invented tracks."""

import contextlib
import dataclasses
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import musicrec
from musicrec.errors import ConfigError, LibraryError
from musicrec.recommend import recommender as recommender_module
from musicrec.recommend.library import Changes, Library, Listing, Source
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track


def test_it_is_a_name_of_the_package():
    assert musicrec.Recommender is Recommender


def test_a_library_that_does_not_exist_can_only_be_indexed(tmp_path: Path):
    with Recommender.open(tmp_path / "none.sqlite") as recommender:
        for asked in (recommender.status, recommender.prune, recommender.verify, lambda: recommender.query("a")):
            with pytest.raises(LibraryError, match="no such library; create one with `musicrec index FOLDER`"):
                asked()
    assert not list(tmp_path.iterdir())


def test_copies_are_answered_once_with_the_file_that_is_there(library: SqliteLibrary, make_track):
    first = make_track("b")
    library.add([make_track("a"), first, dataclasses.replace(first, path="/music/0 copy.wav", track_id="copy")])
    with Recommender.open(library.path) as recommender:
        assert [row["path"] for row in recommender.query("a").results] == ["/music/0 copy.wav"]
        library.save(Changes(missing=["/music/0 copy.wav"]))
        assert [row["path"] for row in recommender.query("a").results] == ["/music/b.wav"], "it sees the change"
        assert [row["path"] for row in recommender.query("copy").results] == ["/music/a.wav"]
        library.save(Changes(missing=["/music/b.wav"]))
        assert recommender.query("a").results == []


def test_a_track_can_be_given_in_place_of_its_name(corners: SqliteLibrary):
    with Recommender.open(corners.path) as recommender:
        one, other, last = (recommender.library.find(track_id=name)[0] for name in ("a0", "b0", "c0"))
        assert recommender.query(one).as_dict() == recommender.query("a0").as_dict()
        assert recommender.query([one, "a1"], unlike=[other]).results == (
            recommender.query(["a0", "a1"], unlike=["b0"]).results
        )
        assert recommender.query(one, towards=last).results == recommender.query("a0", towards="c0").results
        with recommender.feedback() as feedback:
            assert [event.audio_hash for event in feedback.skip(other, after=one)] == [other.audio_hash]
        with pytest.raises(ConfigError, match="c0: a path leads from one track"):
            recommender.query([one, other], towards=last)


def test_a_copy_of_a_file_of_the_library_needs_no_model(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    shutil.copy(music / "soft" / "0.wav", music.parent / "elsewhere.wav")
    with Recommender.open(library.path) as recommender:
        answer = recommender.query(str(music.parent / "elsewhere.wav"))
    assert answer.query["track_id"] == "soft/0" and len(answer.results) == 5


def test_what_collections_say_is_in_the_answer(library: SqliteLibrary, make_track):
    library.add([make_track("a"), make_track("b")])
    said = {"program": "rekordbox 7", "bpm": 124.0, "key": "8A", "rating": 4, "playlists": ["Friday"]}
    source = Source(place="/r.xml", kind="collection")
    library.save(
        Changes(place="/r.xml", source=source, listed=[Listing(path="/music/b.wav", track_id="b", metadata=said)])
    )
    with Recommender.open(library.path) as recommender:
        (result,) = recommender.query("a").results
        assert result["collections"] == [{"source": "/r.xml", **said}]
        assert recommender.query("a").query["collections"] == []
        assert recommender.query("b").query["collections"] == result["collections"]


def test_status(run: Callable, library: SqliteLibrary, music: Path):
    shutil.copy(music / "soft" / "0.wav", music / "copy.wav")
    run(music)
    (music / "loud" / "5.wav").unlink()
    run(music)
    with Recommender.open(library.path) as recommender:
        status = recommender.status()
        assert (status.tracks, status.files, status.missing, status.unreliable) == (5, 6, 1, 0)
        assert status.size_bytes > 4096 and status.coverage == 1.0 and status.path == str(library.path)
        (source,) = status.sources
        assert (source.place, source.kind, source.files, source.missing) == (str(music), "folder", 7, 1)
        assert source.indexed_at.endswith("Z") and len(recommender) == 5


def test_prune_shows_before_it_deletes(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    shutil.rmtree(music / "loud")
    run(music)
    with Recommender.open(library.path) as recommender:
        planned = recommender.prune(dry_run=True)
        assert (len(planned.files), planned.recordings, planned.deleted) == (2, 2, False)
        assert len(library.files()) == 6
        done = recommender.prune()
        assert done == dataclasses.replace(planned, deleted=True) and len(library.files()) == 4
        assert recommender.prune().files == []


def test_relocate(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    there = music.rename(music.parent / "elsewhere")
    with Recommender.open(library.path) as recommender:
        with pytest.raises(ConfigError, match=r"no file and no source below .*/nowhere; `musicrec status`"):
            recommender.relocate(music.parent / "nowhere", there)
        with pytest.raises(ConfigError, match=r"none of the 6 files below .* is below .*; nothing was changed"):
            recommender.relocate(music, music.parent / "nowhere")
        (there / "soft" / "0.wav").unlink()
        done = recommender.relocate(music, there)
        assert (done.files, done.found, done.sources) == (6, 5, [str(there)])
        assert recommender.status().missing == 1
    done, calls = run(there)
    assert (done.unchanged, done.missing, calls) == (5, 1, 0), "no file was read again"
    assert len(library.sources()) == 1


def test_verify(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    with Recommender.open(library.path) as recommender:
        found = recommender.verify(progress=False)
        assert (found.files, found.compared, found.without_hash, found.problems) == (6, 6, 0, [])
        rotten = music / "soft" / "0.wav"
        content, stat = bytearray(rotten.read_bytes()), rotten.stat()
        content[-1] ^= 1
        rotten.write_bytes(content)
        os.utime(rotten, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        (music / "soft" / "1.wav").unlink()
        (music / "soft" / "2.wav").write_bytes(b"x")
        library._connection.execute("UPDATE files SET content_hash = NULL WHERE path LIKE '%5.wav'")
        found = recommender.verify(progress=False)
        assert [(one.kind, Path(one.path).name) for one in found.problems] == [
            ("damaged", "0.wav"), ("missing", "1.wav"), ("changed", "2.wav")
        ]  # fmt: skip
        assert (found.compared, found.without_hash) == (3, 1)
        assert [one.kind for one in recommender.verify(content=False, progress=False).problems] == [
            "missing",
            "changed",
        ]


@pytest.fixture
def many(corners: SqliteLibrary) -> Iterator[Recommender]:
    with Recommender.open(corners.path) as recommender:
        yield recommender


def test_feedback_changes_the_next_answer(many: Recommender):
    before = [row["track_id"] for row in many.query("a0", k=5).results]
    with many.feedback("Anna") as anna:
        anna.dislike(before[0])
        anna.pair("a0", "c7")
    after = many.query("a0", k=5, user="Anna")
    assert before[0] not in [row["track_id"] for row in after.results]
    assert [row["track_id"] for row in many.query("a0", k=5).results] == before, "others see what they saw"
    assert [row["track_id"] for row in many.query("a0", k=5, user="").results] == before
    (paired,) = [row for row in many.query("a0", k=30, user="Anna").results if row["track_id"] == "c7"]
    assert "works after" in paired["taste"]


def test_versions_of_what_must_never_come_again_do_not_come_either(many: Recommender, corners: SqliteLibrary):
    corners._connection.execute("UPDATE recordings SET version_of = 'b0' WHERE audio_hash = 'b1'")
    with many.feedback() as feedback:
        feedback.dislike("b0")
    assert not {"b0", "b1"} & {row["track_id"] for row in many.query("b2", k=28).results}
    made = many.build_set("b2", tracks=28, without=many.never_again())
    assert not {"/music/b0.wav", "/music/b1.wav"} & {track.path for track in made.tracks}


def test_a_file_that_goes_missing_during_a_query_is_no_mistake(
    many: Recommender, corners: SqliteLibrary, monkeypatch: pytest.MonkeyPatch
):
    look = recommender_module.find_track

    def change_and_look(library: Library, name: str) -> Track | None:
        corners.save(Changes(missing=["/music/a1.wav"]))
        return look(library, name)

    monkeypatch.setattr(recommender_module, "find_track", change_and_look)
    assert "a1" not in {row["track_id"] for row in many.query("a0", k=28).results}


def test_presets_and_settings_in_their_place(many: Recommender):
    explore = many.query("a0", preset="explore", k=4)
    assert explore.similarity["preset"] == "explore" and explore.similarity["balance"] == 0.7
    assert explore.similarity["weights"] == {"embedding": 3, "tempo": 0.5, "key": 0.5}
    changed = many.query("a0", preset="explore", weights={"key": 2, "tempo": None}, balance=1.0, k=4)
    assert (
        changed.similarity["weights"] == {"embedding": 3, "tempo": 0.5, "key": 2} and changed.similarity["balance"] == 1
    )
    usual = many.query("a0", k=4)
    assert usual.similarity["preset"] == "default" and usual.similarity["weights"]["tempo"] == 1
    with pytest.raises(ConfigError, match="preset=loud: choose from: explore, inspire, mix"):
        many.query("a0", preset="loud")
    with pytest.raises(ConfigError, match="search=fast: choose"):
        many.query("a0", search="fast")


def test_fewer_tracks_than_were_asked_for_are_explained(many: Recommender):
    size = len(many)
    filters = MusicalFilters(not_artist=["artist 0"])
    left = many.query("a0", filters=filters).filter["musical"]["tracks"]
    few = many.query("a0", filters=filters, k=left + 1)
    (text,) = few.filter["musical"]["texts"]
    assert (
        left < size - 2
        and (f"{left} of the {left + 1} tracks that were asked for: the filters ({text}) leave {left} of {size}")
        in few.remarks
    )
    by_artist = many.query("a0", filters=MusicalFilters(max_per_artist=1), k=size - 1)
    found = len(by_artist.results)
    assert found < size - 1
    assert any(text.startswith(f"{found} of the {size - 1} tracks that were") for text in by_artist.remarks)
    assert not [text for text in many.query("a0", k=3).remarks if "asked for" in text]


def test_filters_of_a_user_hold_and_are_shown(many: Recommender):
    fast = many.query("a0", filters=MusicalFilters(bpm=(150, 160), multiples=()))
    assert fast.results == [] and fast.filter["musical"]["texts"] == ["150–160 BPM"]
    assert any("no track passes the filters" in remark for remark in fast.remarks)
    answer = many.query("a0", preset="mix", filters=MusicalFilters(bpm_percent=2, not_artist=["artist 0"]))
    assert answer.filter["musical"]["tracks"] == 18 and answer.filter["musical"]["dropped"] == []


def test_several_tracks_and_others_to_be_unlike(many: Recommender):
    answer = many.query(["a0", "b0"], unlike=["c0"], k=6, weights={"tempo": 0, "key": 0})
    assert answer.query["also_like"] == ["artist 0 – b0"] or answer.query["also_like"] == ["b0"]
    assert answer.query["unlike"] and {row["track_id"][0] for row in answer.results} == {"a", "b"}
    with pytest.raises(ConfigError, match="query: name at least one track"):
        many.query([])


def test_tags_by_other_limits(many: Recommender):
    """All tracks are houses with drums of .9: with a higher limit, they have their three most probable instruments."""
    assert many.query("a0", tags={"any": ["piano"]}).results == []
    assert len(many.query("a0", k=40, tags={"any": ["piano"], "threshold": 0.95}).results) == 29


def test_without_passages_whole_tracks_are_compared_and_the_answer_says_so(many: Recommender):
    answer = many.query("a0", passage="outro_to_intro", k=3)
    assert len(answer.results) == 3
    assert any("does not know the passages of these tracks" in remark for remark in answer.remarks)
    assert not any("not know the passages" in remark for remark in many.query("a0", k=3).remarks)


def test_the_answer_says_that_only_beginnings_and_ends_are_known(many: Recommender):
    """As in a library of format 6 that was not analysed again."""
    rng = np.random.default_rng(0)
    with contextlib.closing(sqlite3.connect(many.path)) as connection, connection:
        for (number,) in connection.execute("SELECT id FROM recordings").fetchall():
            ends = rng.normal(size=(2, 4)).astype("<f2").tobytes()
            connection.execute("UPDATE recordings SET ends = ? WHERE id = ?", (ends, number))
    found = {mode: many.query("a0", passage=mode, k=3) for mode in ("best", "outro_to_intro")}
    assert found["best"].results[0]["passage"] is not None
    said = {mode: [one for one in answer.remarks if "30 s" in one] for mode, answer in found.items()}
    (remark,) = said["best"]
    assert "only the first and the last 30 s; `musicrec index`" in remark
    assert said["outro_to_intro"] == [], "that is all it takes for these"


def test_a_library_that_is_damaged_in_the_middle_is_verified(corners: SqliteLibrary):
    path = corners.path
    corners.close()
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'files'").fetchone()
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(Path(path).read_bytes())
    content[(root - 1) * size : root * size] = b"x" * size
    Path(path).write_bytes(content)
    with Recommender.open(path) as recommender:
        report = recommender.verify()
    assert report.problems and all(problem.kind == "library" for problem in report.problems)
    assert "put back a copy of it" in report.problems[-1].text


def test_a_track_cannot_be_asked_for_and_against(many: Recommender):
    for settings in ({"unlike": ["a0"]}, {"towards": "a0"}):
        with pytest.raises(ConfigError, match="a0 is named twice"):
            many.query("a0", **settings)
