"""Whether a user may have said something, without SQLAlchemy; and feedback in every place that holds profiles."""

from pathlib import Path

import pytest

from musicrec.errors import ProfileError
from musicrec.recommend.profiles.presence import may_have_feedback, may_have_said, place_of_profiles
from musicrec.recommend.recommender import Recommender


def test_only_what_is_certain(library: Path, tmp_path: Path):
    assert not may_have_feedback(str(library), "me")
    with Recommender.open(library) as recommender, recommender.feedback() as feedback:
        assert not may_have_feedback(str(library), "me"), "tables without a row"
        feedback.like("a")
    assert may_have_feedback(str(library), "me") and not may_have_feedback(str(library), "Anna")
    assert may_have_feedback("postgresql://host/database", "me"), "a server is not asked"
    assert not may_have_feedback(str(tmp_path / "none.sqlite"), "me")
    (tmp_path / "text").write_text("no database, but long enough to be read as one " * 9)
    assert may_have_feedback(str(tmp_path / "text"), "me"), "the store explains it"


def test_where_profiles_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MUSICREC_PROFILES", raising=False)
    assert place_of_profiles(Path("/a.sqlite")) == "/a.sqlite"
    assert place_of_profiles("/a.sqlite", "~/p.sqlite") == str(Path.home() / "p.sqlite")
    assert place_of_profiles("lance:/a/library") == "/a/library.profiles.sqlite"
    for address in ("s3://b/l", "lance:s3://b/l"):
        with pytest.raises(ProfileError, match="s3://b/l holds no profiles; name a file or a server with --profiles"):
            place_of_profiles(address)
        assert place_of_profiles(address, "/p.sqlite") == "/p.sqlite"
        assert not may_have_said(address, "me")
        assert may_have_said(address, "me", profiles="postgresql://host/database")
    monkeypatch.setenv("MUSICREC_PROFILES", "postgresql://host/database")
    assert place_of_profiles("/a.sqlite") == "postgresql://host/database"
    assert place_of_profiles("/a.sqlite", Path("/p")) == "/p"


def test_feedback_is_the_same_everywhere(library: Path, where: str | Path):
    with Recommender.open(library) as recommender:
        with recommender.feedback("Anna", profiles=where) as anna:
            anna.like("a")
            anna.dislike("b")
            anna.pair("a", "b")
            anna.playlists.add("Friday", "a", "b", "a")
            anna.playlists.add("Friday", "b", at=1)
            anna.playlists.remove("Friday", 2)
            document = anna.export_user()
        assert recommender.never_again("Anna", profiles=where) == {"b"}
        with recommender.feedback("Anna", profiles=where) as anna:
            assert [event.kind for event in anna.undo(2)] == ["paired", "disliked"]
            assert anna.never_again() == frozenset()
            assert [track.name for track in anna.playlists.tracks("Friday")] == ["b", "b", "a"]
            anna.import_user(document, replace=True)
            assert anna.export_user() == document
