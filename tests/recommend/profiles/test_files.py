"""Files and addresses that hold no profiles, and what is left in a file after a user is deleted."""

import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from musicrec.errors import ProfileError
from musicrec.recommend.profiles import database
from musicrec.recommend.profiles.document import from_document
from musicrec.recommend.profiles.records import Entry, Event
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.sqlite_library import SqliteLibrary


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_file_is_named_by_its_path_or_a_url(tmp_path: Path, prefix: str):
    path = tmp_path / "new" / "ümlaut ?#%.sqlite" if not prefix else tmp_path / "new.sqlite"
    with pytest.raises(ProfileError, match="no such library; create one with `musicrec index FOLDER`"):
        ProfileStore.open(f"{prefix}{path}")
    assert not path.exists()
    with ProfileStore.open(f"{prefix}{path}", create=True) as store:
        store.user("Anna")
    with ProfileStore.open(path) as store:
        assert [user.name for user in store.users()] == ["Anna"]


def test_other_files_are_refused_and_not_changed(tmp_path: Path):
    text, foreign = tmp_path / "text", tmp_path / "foreign.sqlite"
    text.write_text("no database " * 100)
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE profile_users (id)")
    for path in (text, foreign):
        content = path.read_bytes()
        for create in (False, True):
            with pytest.raises(ProfileError, match=path.name):
                ProfileStore.open(path, create=create)
        assert path.read_bytes() == content
    with pytest.raises(ProfileError, match="is a folder"):
        ProfileStore.open(tmp_path)
    with pytest.raises(ProfileError, match="names no file"):
        ProfileStore.open("sqlite://")
    with pytest.raises(ProfileError, match="cannot be written"):
        ProfileStore.open(text / "below", create=True)


def test_other_databases_are_refused_without_their_password():
    for address in ("mysql://me:secret@host/music", "nothing://me:secret@host", "post gres://me:secret@host"):
        with pytest.raises(ProfileError) as error:
            ProfileStore.open(address)
        assert "secret" not in str(error.value)


def test_a_server_that_does_not_answer_is_one_message(tmp_path: Path):
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install 'musicrec[postgres]'")
    with pytest.raises(ProfileError) as error:
        ProfileStore.open(f"postgres://me:secret@/music?host={tmp_path}")
    assert "secret" not in str(error.value) and "me:***@" in str(error.value) and "\n" not in str(error.value)


def test_without_psycopg_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def missing(*arguments, **settings):
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")

    monkeypatch.setattr(database, "create_engine", missing)
    with pytest.raises(ProfileError, match=r"pip install 'musicrec\[postgres\]'"):
        ProfileStore.open("postgresql://me@host/music")


def test_a_library_without_profiles_that_is_opened_for_reading_stays_as_it_is(library: Path):
    content = library.read_bytes()
    with ProfileStore.open(library, read_only=True) as store:
        assert store.users() == [] and store.likes("Anna") == [] and store.playlists("Anna") == []
        with pytest.raises(ProfileError, match="reading only"):
            store.record("Anna", Event(kind="liked", audio_hash="a"))
    assert library.read_bytes() == content


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_the_bytes_of_a_deleted_user_are_overwritten(library: Path, journal: str):
    connection = sqlite3.connect(library)
    connection.execute(f"PRAGMA journal_mode={journal}")
    connection.close()
    with ProfileStore.open(library) as store:
        for block in range(20):  # enough for pages that are split, and rows that move to another page
            numbers = range(15 * block, 15 * (block + 1))
            songs = [Event(kind="liked", audio_hash=f"SECRET-{number}", title="SECRET title" * 9) for number in numbers]
            store.record("SECRET name", *songs)
            store.record("Ben", *(Event(kind="liked", audio_hash=f"kept-{number}") for number in numbers))
            store.append_to_playlist("SECRET name", f"SECRET list {block % 7}", [Entry(audio_hash="SECRET-entry")] * 9)
        history = store.history("Ben")
        store.delete_user("SECRET name")
        assert store.history("Ben") == history and len(history) == 300
        store.record("Ben", Event(kind="liked", audio_hash="later"))
        assert store.undo("Ben").audio_hash == "later"
        for file in library.parent.iterdir():
            assert b"SECRET" not in file.read_bytes(), file.name
    with SqliteLibrary.open(library) as tracks:
        assert len(tracks) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "loved"}, "choose from: played, liked"),
        ({"kind": "rated"}, "from 1 to 5"),
        ({"kind": "rated", "rating": 6}, "from 1 to 5"),
        ({"kind": "rated", "rating": True}, "from 1 to 5"),
        ({"kind": "liked", "rating": 3}, "only feedback of the kind 'rated'"),
        ({"kind": "paired"}, "works after"),
        ({"kind": "liked", "audio_hash": "  "}, "is empty"),
        ({"kind": "liked", "audio_hash": "x" * 201}, "201 characters"),
        ({"kind": "liked", "audio_hash": None}, "give a text"),
        ({"kind": "liked", "at": datetime(2026, 1, 1)}, "no time zone"),
    ],
)
def test_invalid_feedback_is_refused(arguments: dict, message: str):
    with pytest.raises(ProfileError, match=message):
        Event(**{"audio_hash": "a", **arguments})


def test_titles_that_no_database_takes_are_cleaned():
    assert Event(kind="liked", audio_hash="a", title="x\0y\udcff").title == "xy?"


NOW = datetime(2026, 1, 1, tzinfo=timezone.utc).isoformat()
DOCUMENT = {"format": "musicrec profile", "version": 1, "user": {"name": "Anna", "created_at": NOW}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not a profile"),
        ({"user": {}}, "not a profile"),
        ({**DOCUMENT, "version": 2}, "version 2; this version of musicrec reads version 1"),
        ({**DOCUMENT, "user": {"name": "Anna"}}, "user.created_at: Field required"),
        ({**DOCUMENT, "user": {"name": "", "created_at": NOW}}, "is empty"),
        ({**DOCUMENT, "events": [{"kind": "loved", "audio_hash": "a"}]}, r"events.0.kind"),
        ({**DOCUMENT, "events": [{"kind": "liked", "audio_hash": 3}]}, r"events.0.audio_hash"),
        ({**DOCUMENT, "events": [{"kind": "liked", "audio_hash": "a", "at": "2026-01-01T00:00"}]}, "no time zone"),
        ({**DOCUMENT, "playlists": {"a": 1}}, "playlists"),
    ],
)
def test_invalid_documents_are_refused_with_the_place(document: object, message: str):
    with pytest.raises(ProfileError, match=message):
        from_document(document)
