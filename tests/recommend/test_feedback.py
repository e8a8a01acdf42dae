"""What a user says of the tracks of a library, through `Recommender.feedback`."""

import contextlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import mutagen
import numpy as np
import pytest
from mutagen.id3 import TIT2

from musicrec.errors import ConfigError, LibraryError, ProfileError
from musicrec.recommend.columns import Columns
from musicrec.recommend.feedback import Feedback
from musicrec.recommend.library import Changes
from musicrec.recommend.profiles.collaborative import CollaborativeSettings
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.shortlist_ranking import KnownTracks
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from tests.recommend.profiles.camps import two_camps
from tests.recommend.test_sqlite_library import FORMAT_1


@pytest.fixture
def recommender(library: SqliteLibrary, make_track: Callable):
    """A library of ten tracks, a to j."""
    library.add([make_track(name, bpm=120 + number) for number, name in enumerate("abcdefghij")])
    with Recommender.open(library.path) as opened:
        yield opened


@pytest.fixture
def feedback(recommender: Recommender):
    with recommender.feedback() as opened:
        yield opened


def said(events: list[Event]) -> list[tuple]:
    return [(event.kind, event.title, event.after_title, event.rating) for event in events]


def test_everything_that_can_be_said(feedback):
    feedback.like("a", "b")
    feedback.dislike("c")
    feedback.rate("a", 4)
    feedback.played("d")
    feedback.skip("e", after="a")
    feedback.pair("a", "b")
    assert said(feedback.history()) == [
        ("paired", "b", "a", None),
        ("skipped", "e", "a", None),
        ("played", "d", "", None),
        ("rated", "a", "", 4),
        ("disliked", "c", "", None),
        ("liked", "b", "", None),
        ("liked", "a", "", None),
    ]
    assert feedback.ratings() == {"a": 4} and feedback.never_again() == {"c"}
    assert said(feedback.undo(2)) == [("paired", "b", "a", None), ("skipped", "e", "a", None)]
    assert len(feedback.history()) == 5 and len(feedback.history(undone=True)) == 7
    assert len(feedback.undo(99)) == 5 and feedback.undo() == []


def test_events_are_read_again_only_when_something_was_said(recommender):
    """By this feedback or another one, also if the events have the same ids as before."""
    with recommender.feedback("Anna") as reader, recommender.feedback("Anna") as writer:
        assert reader.events() == ()
        writer.like("a")
        first = reader.events()
        assert said(first) == [("liked", "a", "", None)] and reader.events() is first
        with recommender.feedback("Bo") as other:
            other.like("b")
        assert reader.events() is first
        writer.undo()
        assert reader.events() == ()
        writer.like("a", "b")
        assert said(reader.events()) == [("liked", "b", "", None), ("liked", "a", "", None)]
        writer.delete_user()
        assert reader.events() == ()
        writer.like("c")
        assert list(reader.events()) == reader.history() and said(reader.events()) == [("liked", "c", "", None)]


def test_a_later_opinion_lifts_a_ban(feedback):
    feedback.dislike("a", "b", "c")
    feedback.like("a")
    feedback.rate("b", 3)
    assert feedback.never_again() == {"c"}
    feedback.undo()
    assert feedback.never_again() == {"b", "c"}


def test_mistakes_write_nothing(feedback, music: Path):
    for mistake, message in (
        (lambda: feedback.like("a", "x"), "track=x: there is no such file, and no such track in"),
        (lambda: feedback.like(str(music / "soft" / "0.wav")), "this file is not in .*; add it with `musicrec index`"),
        (lambda: feedback.like(), "tracks: name one or more"),
        (lambda: feedback.pair("a", "a"), "named as the track before and after"),
        (lambda: feedback.skip("a", after="x"), "track=x: there is no such file"),
        (lambda: feedback.rate("a", 6), "rating=6: give a whole number from 1 to 5"),
        (lambda: feedback.undo(0), "count=0: give a whole number, 1 or more"),
    ):
        with pytest.raises((ConfigError, ProfileError), match=message):
            mistake()
    assert feedback.history(undone=True) == []


def test_it_stays_with_files_that_are_moved_and_tagged_anew(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    with Recommender.open(library.path) as recommender, recommender.feedback() as feedback:
        feedback.like("soft/0")
        feedback.dislike(str(music / "loud" / "5.wav"))
        feedback.playlists.add("Friday", "soft/0", "loud/5")
    (music / "soft").rename(music / "calm")
    tags = mutagen.File(music / "calm" / "0.wav")
    tags.add_tags()
    tags.tags.add(TIT2(text=["Another title"]))
    tags.save()
    _, calls = run(music)
    assert calls == 0
    with Recommender.open(library.path) as recommender, recommender.feedback() as feedback:
        first, second = feedback.playlists.tracks("Friday")
        assert (first.name, first.path, first.state) == ("Another title", str(music / "calm" / "0.wav"), "present")
        assert feedback.never_again() == {second.audio_hash}
        feedback.dislike("Another title")
        assert feedback.never_again() == {first.audio_hash, second.audio_hash}, "the same recording as soft/0"


def test_feedback_survives_prune(run: Callable, library: SqliteLibrary, music: Path):
    run(music)
    with Recommender.open(library.path) as recommender, recommender.feedback() as feedback:
        feedback.like("soft/0")
        shutil.move(music / "soft" / "0.wav", music.parent / "0.wav")
        run(music)
        recommender.prune()
        shutil.move(music.parent / "0.wav", music / "loud" / "again.wav")
        run(music)
        assert feedback.history()[0].audio_hash in library.audio_hashes()


class TestPlaylists:
    def test_add_remove_rename_delete(self, feedback):
        assert [entry.title for entry in feedback.playlists.add("Friday", "a", "b")] == ["a", "b"]
        feedback.playlists.add("Friday", "c", "a", at=2)
        feedback.playlists.add("Friday", "d", at=5)
        assert self.names(feedback) == ["a", "c", "a", "b", "d"]
        assert [place for place, _ in feedback.playlists.remove("Friday", "a", 5)] == [1, 3, 5]
        assert self.names(feedback) == ["c", "b"]
        feedback.playlists.rename("Friday", "Saturday")
        assert [playlist.name for playlist in feedback.playlists.all()] == ["Saturday"]
        gone = feedback.playlists.delete("Saturday")
        assert feedback.playlists.all() == []
        assert feedback.playlists.create("Again", ["j"], entries=gone.entries).entries[1:] == gone.entries

    @staticmethod
    def names(feedback) -> list[str]:
        return [track.name for track in feedback.playlists.tracks("Friday")]

    def test_mistakes_change_nothing(self, feedback):
        feedback.playlists.add("Friday", "a", "b")
        for mistake, message in (
            (lambda: feedback.playlists.add("Friday", "x"), "track=x: there is no such file"),
            (lambda: feedback.playlists.add("Friday", "c", at=4), "at=4: the playlist 'Friday' has 2 tracks"),
            (lambda: feedback.playlists.add("Friday", "c", at=0), "at=0: give a place, 1 or more"),
            (lambda: feedback.playlists.add("None", "c", at=1), "you have no playlist 'None'; there are: Friday"),
            (lambda: feedback.playlists.remove("Friday", 3), "3: the playlist 'Friday' has the places 1 to 2"),
            (lambda: feedback.playlists.remove("Friday", "c"), "c: is not in the playlist 'Friday'"),
            (lambda: feedback.playlists.remove("Friday"), "name one or more, or their places"),
            (lambda: feedback.playlists.create("Friday"), "has a playlist 'Friday' already"),
            (lambda: feedback.playlists.tracks("None"), "you have no playlist 'None'; there are: Friday"),
        ):
            with pytest.raises((ConfigError, ProfileError), match=message):
                mistake()
        assert self.names(feedback) == ["a", "b"]

    def test_what_is_known_of_its_tracks(self, feedback, library):
        feedback.playlists.add("Friday", "b", "c", "d")
        library.save(Changes(missing=["/music/c.wav"]))
        library.remove(["/music/d.wav"])
        one, missing, unknown = feedback.playlists.tracks("Friday")
        assert (one.place, one.name, one.state, one.duration_s, one.key) == (1, "b", "present", 60.0, "A minor")
        assert one.bpm == pytest.approx(121, abs=0.5) and one.camelot == "8A"
        assert (missing.name, missing.state, missing.path) == ("c", "missing", "/music/c.wav")
        assert (unknown.name, unknown.state, unknown.path, unknown.bpm) == ("d", "unknown", None, None)
        assert feedback.playlists.remove("Friday", "d")[0][0] == 3, "by its title, as nothing else is known"

    def test_continue(self, feedback, library):
        feedback.playlists.add("Friday", "a", "b", "c")
        feedback.dislike("d", "e")
        library.save(Changes(missing=["/music/c.wav", "/music/e.wav"]))
        made = feedback.playlists.find_next("Friday", k=4)
        names = [track.name for track in made.tracks]
        assert names[0] == "b" and len(names) == 5, "it goes on after the last track that is there"
        assert not {"a", "c", "d", "e"} & set(names) and all(track.audio_hash for track in made.tracks)
        with pytest.raises(ConfigError, match="a set of 9 tracks: there are only"):
            feedback.playlists.find_next("Friday", k=8)
        feedback.playlists.remove("Friday", 1, 2)
        with pytest.raises(ConfigError, match="'Friday' has no track whose file is there"):
            feedback.playlists.find_next("Friday")

    def test_two_writers_lose_nothing(self, recommender):
        with recommender.feedback() as one, recommender.feedback() as other:
            one.playlists.add("Friday", "a", "b")
            other.playlists.add("Friday", "c", at=1)
            one.playlists.remove("Friday", "a")
            assert self.names(other) == ["c", "b"]


def test_profiles_elsewhere(recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with recommender.feedback("Anna", profiles=tmp_path / "p.sqlite") as feedback:
        feedback.like("a")
    with recommender.feedback("Anna") as feedback:
        assert feedback.history() == [] and feedback.place == str(recommender.path)
    monkeypatch.setenv("MUSICREC_PROFILES", str(tmp_path / "p.sqlite"))
    with recommender.feedback("Anna") as feedback:
        assert said(feedback.history()) == [("liked", "a", "", None)]
        document = feedback.export_user()
        assert feedback.import_user(document, name="Bo").name == "Bo"
        assert [user.name for user in feedback.users()] == ["Anna", "Bo"]
        feedback.delete_user()
        assert [user.name for user in feedback.users()] == ["Bo"]
    with (
        pytest.raises(ProfileError, match="no such library"),
        recommender.feedback(profiles=tmp_path / "no", read_only=True),
    ):
        pass


def test_a_library_that_cannot_be_written_can_be_asked(recommender):
    with recommender.feedback(read_only=True) as feedback:
        assert feedback.history() == [] and feedback.playlists.all() == []
        with pytest.raises(ProfileError, match="reading only"):
            feedback.like("a")


def test_without_a_library(tmp_path: Path):
    with (
        Recommender.open(tmp_path / "none.sqlite") as recommender,
        pytest.raises(LibraryError, match="no such library"),
    ):
        recommender.feedback()


def test_a_set_leaves_out_what_must_never_come_again(recommender, feedback):
    assert recommender.never_again() == frozenset()
    feedback.dislike("b", "c")
    assert recommender.never_again() == {"b", "c"} and recommender.never_again("Anna") == frozenset()
    made = recommender.build_set("a", tracks=8, without=recommender.never_again())
    assert not {"b", "c"} & {track.name for track in made.tracks}
    assert [track.path for track in made.tracks[:1]] == ["/music/a.wav"]
    named = recommender.build_set("a", tracks=4, locked={2: "b"}, without=recommender.never_again())
    assert named.tracks[1].name == "b", "it was asked for"


def shortlist_columns(vectors: np.ndarray) -> Columns:
    count = len(vectors)
    unknown = np.full(count, np.nan)
    return Columns(
        bpm=unknown,
        key=np.full(count, -1),
        energy=unknown,
        loudness=unknown,
        year=np.full(count, -1),
        duration_s=unknown,
        artist=np.full(count, ""),
        album=np.full(count, ""),
        genre=np.full(count, ""),
        vectors=vectors,
    )


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_rerank(feedback):
    vectors = unit(np.random.default_rng(0).normal(size=(10, 8)))
    vectors[3] = unit(vectors[[0]] + 0.1 * vectors[[5]])[0]  # d sounds like a
    feedback.like("a")
    feedback.dislike("b")
    assert sorted(feedback.heard()) == ["a", "b"]
    known = KnownTracks(audio_hashes=["a"], vectors=vectors[:1], sample=vectors)
    shortlist = list("bcdef")
    done = feedback.rerank(shortlist_columns(vectors[1:6]), shortlist, np.linspace(0.9, 0.8, 5), known=known, k=3)
    assert shortlist[done.order[0]] == "d" and 0 not in done.order
    assert not done.others and done.moves[0].reason == "sounds like a, which you like"


def test_other_listeners_are_asked_where_there_are_enough(recommender):
    pytest.importorskip("implicit", reason="implicit is not installed; pip install 'musicrec[implicit]'")
    with ProfileStore.open(recommender.path) as store:
        two_camps(store)
    with recommender.feedback() as feedback:
        assert feedback.others(["a"]) is None, "there are too few"
    few = CollaborativeSettings(least_listeners=5, least_likes=3, factors=4)
    with ProfileStore.open(recommender.path) as store:
        feedback = Feedback(recommender._opened(), store, others=few)
        vectors = unit(np.eye(3, dtype=np.float32) + 0.1)
        done = feedback.rerank(
            shortlist_columns(vectors),
            ["j", "e", "unheard"],
            np.array([0.5, 0.5, 0.5]),
            known=KnownTracks(audio_hashes=list("abcd"), vectors=np.zeros((4, 3)), sample=vectors),
        )
        assert done.others and done.order[0] == 1


def test_it_stays_when_the_library_gets_a_newer_format(tmp_path: Path):
    with contextlib.closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection:
        connection.executescript(FORMAT_1)
    with Recommender.open(tmp_path / "old.sqlite") as recommender, recommender.feedback() as feedback:
        feedback.like("A")
        feedback.playlists.add("Friday", "A")
    with SqliteLibrary.open(tmp_path / "old.sqlite") as library:
        before = library.format
        library.save(Changes(missing=["/music/a.wav"]))
        assert library.format > before
    with Recommender.open(tmp_path / "old.sqlite") as recommender, recommender.feedback() as feedback:
        assert said(feedback.history()) == [("liked", "A", "", None)]
        assert [track.state for track in feedback.playlists.tracks("Friday")] == ["missing"]
