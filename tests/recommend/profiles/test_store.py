"""The contract of a store of profiles, in a file of its own, in the file of a library, and on PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import inspect

from musicrec.errors import ProfileError
from musicrec.recommend.profiles import schema
from musicrec.recommend.profiles.records import KINDS, Entry, Event
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.sqlite_library import SqliteLibrary

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def event(kind: str, audio_hash: str = "a", **more) -> Event:
    return Event(kind=kind, audio_hash=audio_hash, **more)


def start(code: str, *arguments: object) -> subprocess.Popen:
    """Run code in another process, after lines that every such process begins with."""
    begin = (
        "import sys; from musicrec.recommend.profiles.records import *; "
        "from musicrec.recommend.profiles.store import ProfileStore; store = ProfileStore.open(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", begin + code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(*processes: subprocess.Popen) -> list[str]:
    results = [process.communicate(timeout=120) for process in processes]
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, results, strict=True)] == [
        (0, "")
    ] * len(processes)
    return [out for out, _ in results]


def test_the_tables_are_those_that_the_queries_name(store: ProfileStore):
    with store._database.reading() as connection:
        found = inspect(connection)
        for table in schema.metadata.tables.values():
            columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
            assert columns.keys() == set(table.columns.keys())
            key = set(table.primary_key.columns.keys())
            for name, nullable in columns.items():
                assert nullable == table.c[name].nullable or name in key


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_has_not_all_letters_is_refused(server: str, encoding: str):
    import psycopg

    name = f"in_{encoding.lower()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(ProfileError, match=f"{encoding}.*ENCODING 'UTF8'"):
        ProfileStore.open(server.replace("/postgres?", f"/{name}?"))


def test_a_user_is_created_once(store: ProfileStore):
    before = datetime.now(timezone.utc)
    anna = store.user(" Anna ")
    assert before <= anna.created_at <= datetime.now(timezone.utc) and anna.created_at.tzinfo is not None
    assert store.user("Anna") == anna and store.users() == [anna]
    store.user("Zoe\u0308"), store.user("Zo\u00eb")
    assert [user.name for user in store.users()] == ["Anna", "Zo\u00eb"]


def test_history_is_in_the_order_of_recording_and_in_utc(store: ProfileStore):
    summer = datetime(2026, 7, 1, 14, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    first = event("played", title="Émile – «Été» 🎶", after_hash="z", after_title="Z", at=summer)
    store.record("Anna", first, event("rated", "b", rating=4, at=NOON))
    store.record("Anna", event("liked", "c"))
    store.record("Ben", event("liked", "d"))
    liked, rated, played = store.history("Anna")
    assert played == first and played.at.utcoffset() == timedelta(0) and played.at.hour == 12
    assert (rated.kind, rated.rating, rated.at) == ("rated", 4, NOON)
    assert abs(liked.at - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert store.history("Anna", limit=1) == [liked]
    assert [one.audio_hash for one in store.histories()["Anna"]] == ["a", "b", "c"]
    assert store.histories()["Ben"] == store.history("Ben")


def test_every_kind_can_be_recorded(store: ProfileStore):
    events = [event(kind, rating=3 if kind == "rated" else None, after_hash="z") for kind in KINDS]
    store.record("Anna", *events)
    assert [one.kind for one in reversed(store.history("Anna"))] == list(KINDS)


def test_the_last_opinion_counts(store: ProfileStore):
    store.record("Anna", event("liked", "a"), event("liked", "b"), event("disliked", "a"), event("disliked", "c"))
    store.record("Anna", event("liked", "c"), event("skipped", "b"))
    assert [one.audio_hash for one in store.likes("Anna")] == ["c", "b"]
    assert [one.audio_hash for one in store.dislikes("Anna")] == ["a"]
    # What happened earlier does not win because it was recorded later.
    store.record("Anna", event("disliked", "b", at=NOON))
    assert [one.audio_hash for one in store.likes("Anna")] == ["c", "b"]


def test_the_last_rating_of_a_recording_counts(store: ProfileStore):
    store.record("Anna", event("rated", rating=2), event("rated", "b", rating=5), event("rated", rating=4))
    assert [(one.audio_hash, one.rating) for one in store.ratings("Anna")] == [("a", 4), ("b", 5)]


def test_a_pair_is_remembered_once_and_has_a_direction(store: ProfileStore):
    pairs = [("b", "a"), ("a", "b"), ("c", "a"), ("b", "a")]
    store.record("Anna", *(event("paired", second, after_hash=first) for second, first in pairs))
    assert {(one.after_hash, one.audio_hash) for one in store.pairs("Anna")} == {("a", "b"), ("b", "a"), ("a", "c")}
    assert len(store.pairs("Anna")) == 3


def test_undo_takes_back_one_event_after_the_other(store: ProfileStore):
    store.record("Anna", event("liked", "a"), event("disliked", "a"), event("paired", "b", after_hash="a"))
    store.record("Ben", event("liked", "x"))
    undone = store.undo("Anna")
    assert undone.kind == "paired" and undone.undone_at is not None and not store.pairs("Anna")
    assert store.undo("Anna").kind == "disliked"
    assert [one.audio_hash for one in store.likes("Anna")] == ["a"] and not store.dislikes("Anna")
    assert store.undo("Anna").kind == "liked" and store.undo("Anna") is None
    assert store.history("Anna") == [] and store.histories().keys() == {"Ben"}
    assert [one.undone_at is None for one in store.history("Anna", undone=True)] == [False] * 3
    store.record("Anna", event("liked", "b"))
    assert store.undo("Anna").audio_hash == "b", "what was undone stays so"


def test_without_feedback_there_is_nothing_and_no_profile(store: ProfileStore):
    assert store.undo("Nobody") is None
    for read in (store.history, store.likes, store.dislikes, store.ratings, store.pairs, store.playlists):
        assert read("Nobody") == []
    assert store.users() == []


def test_playlists(store: ProfileStore):
    one, two, three = (Entry(audio_hash=name, title=name.upper()) for name in "abc")
    store.save_playlist("Anna", "warm up", [one, two, one])
    store.append_to_playlist("Anna", "warm up", [three])
    store.append_to_playlist("Anna", "after", [two])
    store.save_playlist("Ben", "warm up", [])
    after, warm_up = store.playlists("Anna")
    assert (after.name, after.entries) == ("after", (two,))
    assert warm_up.entries == (one, two, one, three) and warm_up.changed_at > warm_up.created_at
    assert store.playlist("Anna", "warm up") == warm_up and store.playlist("Ben", "warm up").entries == ()
    store.save_playlist("Anna", "warm up", [three])
    assert store.playlist("Anna", "warm up").entries == (three,)
    with pytest.raises(ProfileError, match="a playlist 'after' already"):
        store.rename_playlist("Anna", "warm up", "after")
    store.rename_playlist("Anna", "warm up", "night")
    store.rename_playlist("Anna", "night", "night")
    store.delete_playlist("Anna", "after")
    assert [playlist.name for playlist in store.playlists("Anna")] == ["night"]
    for forbidden in (store.playlist, store.delete_playlist):
        with pytest.raises(ProfileError, match="no playlist 'after'; there are: night"):
            forbidden("Anna", "after")


def test_an_event_is_kept_whole_or_not_at_all(store: ProfileStore):
    with pytest.raises(RuntimeError), store._writing("Anna") as (connection, user_id):
        row = {"user_id": user_id, "kind": "liked", "audio_hash": "a", "title": "", "after_title": "", "at": NOON}
        connection.execute(schema.events.insert().values(row))
        raise RuntimeError
    assert store.users() == []


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "loved"}, {"rating": 9, "kind": "rated"}, {"rating": 3}, {"rating": None, "kind": "rated"}],
)
def test_the_database_itself_refuses_invalid_events(store: ProfileStore, wrong: dict):
    row = {"kind": "liked", "audio_hash": "a", "title": "", "after_title": "", "at": NOON, **wrong}
    with pytest.raises(ProfileError, match="earlier feedback is kept"), store._writing("Anna") as (connection, user_id):
        connection.execute(schema.events.insert().values(user_id=user_id, **row))


def fill(store: ProfileStore, user: str = "Anna") -> None:
    store.record(user, event("liked", "hash-1", title=f"Song of {user}", at=NOON), event("rated", "hash-2", rating=5))
    store.record(user, event("paired", "hash-1", after_hash="hash-3", after_title="Ω"), event("skipped", "hash-2"))
    store.undo(user)
    store.save_playlist(user, f"Night of {user}", [Entry(audio_hash="hash-1", title="Song"), Entry(audio_hash="x")])
    store.save_playlist(user, "empty", [])


def test_a_user_goes_out_and_in_again_through_json(store: ProfileStore):
    fill(store)
    document = store.export_user("Anna")
    assert document["events"][0]["at"] == "2026-03-01T12:00:00Z" and len(document["events"]) == 4
    text = json.dumps(document, ensure_ascii=False)
    assert store.import_user(json.loads(text), name="Copy").created_at == store.user("Anna").created_at
    for read in (store.history, store.likes, store.ratings, store.pairs, store.playlists):
        assert read("Copy") == read("Anna") != []
    assert store.history("Copy", undone=True) == store.history("Anna", undone=True)
    assert store.export_user("Copy") == {**document, "user": {**document["user"], "name": "Copy"}}
    with pytest.raises(ProfileError, match="there is a user 'Anna'"):
        store.import_user(document)
    store.record("Anna", event("liked", "later"))
    store.import_user(document, replace=True)
    assert store.export_user("Anna") == document
    assert store.undo("Anna").kind == "paired", "the order is that of before"


def test_a_document_that_fails_halfway_changes_nothing(store: ProfileStore):
    fill(store)
    document = store.export_user("Anna")
    document["playlists"].append(document["playlists"][0])
    with pytest.raises(ProfileError, match="two playlists"):
        store.import_user(document, replace=True)
    document["playlists"].pop()
    assert store.export_user("Anna") == document


def test_a_deleted_user_leaves_nothing(store: ProfileStore):
    fill(store)
    fill(store, "Ben")
    kept = store.export_user("Ben")
    store.delete_user("Anna")
    with store._database.reading() as connection:
        rows = {table.name: connection.execute(table.select()).all() for table in schema.metadata.tables.values()}
    assert "Anna" not in repr(rows) and len(rows["profile_users"]) == 1 and len(rows["profile_events"]) == 4
    assert len(rows["profile_playlists"]) == 2 and len(rows["profile_entries"]) == 2
    assert store.export_user("Ben") == kept
    for forbidden in (store.export_user, store.delete_user):
        with pytest.raises(ProfileError, match="there is no user 'Anna'"):
            forbidden("Anna")


def test_two_processes_write_for_one_user_at_once(store: ProfileStore, where: str | Path):
    """Also the user is new, and both have to create it."""
    code = (
        "for number in range(15):\n"
        "    store.record('Anna', Event(kind='liked', audio_hash=f'{sys.argv[2]}{number}'))\n"
        "    store.append_to_playlist('Anna', 'both', [Entry(audio_hash=f'{sys.argv[2]}{number}')])"
    )
    finish(start(code, where, "x"), start(code, where, "y"))
    hashes = {f"{name}{number}" for name in "xy" for number in range(15)}
    assert sorted(one.audio_hash for one in store.history("Anna")) == sorted(hashes)
    entries = [entry.audio_hash for entry in store.playlist("Anna", "both").entries]
    assert sorted(entries) == sorted(hashes) and [one for one in entries if one[0] == "x"] == [
        f"x{number}" for number in range(15)
    ]


def test_two_processes_never_undo_the_same_event(store: ProfileStore, where: str | Path):
    store.record("Anna", *(event("liked", str(number)) for number in range(30)))
    code = "print(*(store.undo('Anna').audio_hash for _ in range(10)))"
    one, other = (out.split() for out in finish(start(code, where), start(code, where)))
    assert sorted(map(int, one + other)) == list(range(10, 30))
    assert [one.audio_hash for one in store.history("Anna")] == [str(number) for number in reversed(range(10))]


def test_a_killed_process_loses_nothing_that_it_has_written(store: ProfileStore, where: str | Path):
    code = (
        "for number in range(100_000):\n"
        "    store.record('Anna', Event(kind='liked', audio_hash=str(number)))\n"
        "    print(number, flush=True)"
    )
    process = start(code, where)
    for _ in range(25):
        last = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    said = [int(line) for line in process.stdout.read().split()]  # `communicate` would lose what was read ahead
    process.wait(60)
    last = max([last, *said])
    found = [int(one.audio_hash) for one in reversed(store.history("Anna"))]
    assert found == list(range(len(found))) and len(found) - (last + 1) in (0, 1), "one may not have been said yet"
    store.record("Anna", event("liked", "after"))
    assert store.likes("Anna")[0].audio_hash == "after"


def test_two_processes_create_the_tables_at_once(where: str | Path, tmp_path: Path):
    """Each step of the schema is taken once."""
    if isinstance(where, Path) and where.name == "profiles.sqlite":
        where.unlink()
        ProfileStore.open(where, create=True).close()
    code = "print(len(store.users()))"
    assert finish(start(code, where), start(code, where)) == ["0\n", "0\n"]


def test_a_later_step_keeps_what_is_there(store: ProfileStore, where: str | Path, monkeypatch: pytest.MonkeyPatch):
    fill(store)
    before = store.history("Anna", undone=True)
    step = ("ALTER TABLE profile_users ADD COLUMN colour TEXT", "CREATE INDEX profile_x ON profile_users (colour)")
    known, new = max(schema.STEPS), max(schema.STEPS) + 1
    monkeypatch.setitem(schema.STEPS, new, step)
    with ProfileStore.open(where, read_only=True) as reader:
        assert reader.history("Anna", undone=True) == before, "a step that only adds does not stop a reader"
    monkeypatch.setattr(schema, "READABLE", new)
    with pytest.raises(ProfileError, match="open it once for writing"):
        ProfileStore.open(where, read_only=True)
    with ProfileStore.open(where) as later, later._database.reading() as connection:
        assert later.history("Anna", undone=True) == before and schema.version_of(connection) == new
        assert "colour" in {column["name"] for column in inspect(connection).get_columns("profile_users")}
    ProfileStore.open(where).close()  # not again
    monkeypatch.delitem(schema.STEPS, new)
    with pytest.raises(
        ProfileError, match=f"of version {new}, but this version of musicrec reads up to {known}; update"
    ):
        ProfileStore.open(where)


def test_a_step_that_fails_leaves_the_version_before(
    store: ProfileStore, where: str | Path, monkeypatch: pytest.MonkeyPatch
):
    fill(store)
    broken = ("ALTER TABLE profile_users ADD COLUMN colour TEXT", "ALTER TABLE profile_nothing ADD COLUMN x TEXT")
    new = max(schema.STEPS) + 1
    monkeypatch.setitem(schema.STEPS, new, broken)
    with pytest.raises(ProfileError, match="profile_nothing"):
        ProfileStore.open(where)
    monkeypatch.delitem(schema.STEPS, new)
    with ProfileStore.open(where) as again:
        assert again.export_user("Anna") == store.export_user("Anna")


def test_a_pin_is_stored_once_and_goes_with_its_user(store: ProfileStore):
    fill(store)
    assert store.pin("Anna") is None and store.users_with_pin() == []
    assert store.set_pin("Anna", "hashed") and store.set_pin("Nobody before", "another")
    assert not store.set_pin("Anna", "of somebody else")
    assert store.pin("Anna") == "hashed" and store.users_with_pin() == ["Anna", "Nobody before"]
    assert "hashed" not in str(store.export_user("Anna"))
    store.delete_user("Anna")
    assert store.pin("Anna") is None and store.users_with_pin() == ["Nobody before"]


def test_read_only(store: ProfileStore, where: str | Path):
    fill(store)
    with ProfileStore.open(where, read_only=True) as reader:
        assert reader.export_user("Anna") == store.export_user("Anna")
        for write in (lambda: reader.record("Anna", event("liked")), lambda: reader.delete_user("Anna")):
            with pytest.raises(ProfileError, match="reading only"):
                write()
        with pytest.raises(ProfileError), reader._database.reading() as connection:  # not only by our own check
            connection.execute(schema.users.delete())


def test_in_the_file_of_a_library_nothing_else_changes(library: Path):
    """The library is open meanwhile, and both write."""
    with SqliteLibrary.open(library) as tracks:
        before, _ = tracks.read()
        with ProfileStore.open(library) as store:
            fill(store)
            tracks.remove(["/music/a.wav"])
            store.record("Anna", event("liked"))
            store.delete_user("Anna")
        assert [track.path for track in tracks.read()[0]] == [before[1].path]
    with SqliteLibrary.open(library) as tracks:
        assert len(tracks) == 1
