"""A library on an S3 server: who may write, killed programs, and servers that refuse or do not answer."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from musicrec.errors import LibraryError, ProfileError
from musicrec.recommend import stores
from musicrec.recommend.lance import object_store
from musicrec.recommend.recommender import Recommender
from tests.recommend.lance.changes import changes_of
from tests.s3_server import BUCKET, OTHERS, use

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary

ROOT = Path(__file__).parents[3]

SAVE = """
    import dataclasses, sys, time
    from musicrec.recommend.lance import lease
    from musicrec.recommend.lance.library import LanceLibrary
    from tests.recommend.lance.changes import changes_of

    lease.LEASE_S = 8.0  # machines that are busy renew late
    with LanceLibrary.open(sys.argv[1]) as library:
        (track,) = library.tracks([1])
        print("ready", flush=True)
        for batch in range(1000):
            names = [f"{sys.argv[2]}-{batch}-{i}" for i in range(10)]
            tracks = [
                dataclasses.replace(track, path=f"/{name}.wav", track_id=name, audio_hash=name) for name in names
            ]
            library.save(changes_of(tracks, place=f"/{sys.argv[2]}"))
            print(batch, flush=True)
            time.sleep(0.4)  # as a program does that analyses what it saves
"""


def start(address: str, name: str) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SAVE), address, name],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    return process


@pytest.fixture
def address(s3: str, tmp_path: Path, heads: dict, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty library."""
    pytest.importorskip("lancedb", reason="needs LanceDB: pip install 'musicrec[lance]'")
    use(s3, monkeypatch)
    object_store._ask.cache_clear()
    made = f"s3://{BUCKET}/{tmp_path.name}"
    stores.create_library(made, exports=[], heads=list(heads.values()), embedding_size=4, analysis={}).close()
    return made


@pytest.fixture
def library(address: str) -> "Iterator[LanceLibrary]":
    from musicrec.recommend.lance.library import LanceLibrary

    with LanceLibrary.open(address) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.skipif("MUSICREC_KILLS" not in os.environ, reason="takes half a minute; MUSICREC_KILLS=1 runs it")
def test_two_read_while_two_write_and_are_killed(
    library: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    from musicrec.recommend.lance import lease
    from musicrec.recommend.lance.library import LanceLibrary

    monkeypatch.setattr(lease, "LEASE_S", 8.0)
    library.save(changes_of(make_tracks(1)))
    writers = [start(library.path, name) for name in ("first", "second")]
    try:
        with LanceLibrary.open(library.path) as one, LanceLibrary.open(library.path) as other:
            last, until = 0, time.monotonic() + 6
            while time.monotonic() < until:
                for reader in (one, other):
                    tracks, values = reader.read()
                    assert len(tracks) % 10 == 1 and len(tracks) >= last and len(values["embedding"]) == len(tracks)
                    last = len(tracks)
    finally:
        for writer in writers:
            writer.kill()
        errors = [writer.communicate()[1].splitlines() for writer in writers]
    assert last > 20 and all(line.startswith("another program is writing s3://") for lines in errors for line in lines)
    library.save(changes_of(make_tracks(2)))
    assert library.problems() == [] and len(library) % 10 == 2 and len(library) >= last
    assert {file.path.split("-")[0] for file in library.files()} > {"/first", "/second"}


@pytest.mark.slow
def test_a_killed_program_keeps_others_waiting_for_a_while(
    library: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    from musicrec.recommend.lance import lease

    first, second, third = make_tracks(3)
    library.save(changes_of([first]))
    database = library._database
    killed = lease.Lease(database._state_table, name="killed")
    killed.wait()
    draft = next_draft(library, killed)
    draft.delete_where("files", "true")  # and is killed here
    update, vain = lease.Lease._update, []
    monkeypatch.setattr(lease.Lease, "_update", lambda *asked: update(*asked) or vain.append(asked))
    monkeypatch.setattr(lease, "LEASE_S", 5.0)
    started = time.monotonic()
    library.save(changes_of([second]))
    assert 5 <= time.monotonic() - started < 60
    told = capsys.readouterr().err
    assert f"another program is writing {library.path}; waiting until it has saved\n" in told
    assert "that program has not been heard of for 5 s; going on\n" in told
    assert not vain, "who waits writes nothing"
    assert len(library) == 2 and library.problems() == []
    with pytest.raises(LibraryError, match="was written by another program meanwhile; try again"):
        database._finish(draft)
    draft.take_back()
    monkeypatch.setattr(killed, "_renewed", 0.0)
    with pytest.raises(LibraryError, match="may have been written by another program meanwhile; try again"):
        draft.delete_where("files", "true")
    assert len(library) == 2 and library.problems() == []
    library.save(changes_of([third]))
    assert len(library) == 3 and "waiting" not in capsys.readouterr().err


def next_draft(library: "LanceLibrary", lease: object) -> object:
    from musicrec.recommend.lance.commits import Draft

    return Draft(library._database._connection, library._database.state(), lease)


@pytest.mark.slow
@pytest.mark.skipif("MUSICREC_KILLS" not in os.environ, reason="waits for leases; MUSICREC_KILLS=1 runs it")
def test_a_long_write_is_not_taken_over(
    library: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch
):
    from musicrec.recommend.lance import lease

    monkeypatch.setattr(lease, "LEASE_S", 8.0)
    library.save(changes_of(make_tracks(1)))
    with library._database.writing() as draft:
        other = start(library.path, "other")
        time.sleep(12)  # longer than the lease of either counts
        draft.delete_where("files", "path = ''")
    try:
        assert other.stdout is not None and other.stdout.readline() == "0\n"
    finally:
        other.kill()
        _, told = other.communicate()
    assert "another program is writing" in told and "heard of" not in told
    assert len(library) >= 11 and library.problems() == []


def test_feedback_is_kept_elsewhere(address: str, make_tracks: Callable, tmp_path: Path):
    with stores.open_library(address) as library:
        library.save(changes_of(make_tracks(9)))
    with Recommender.open(address) as recommender:
        (track, *_) = recommender._opened().read()[0]
        assert len(recommender.query(track.track_id, k=2, min_pool=2).results) == 2
        assert recommender.never_again() == frozenset()
        assert recommender.status().size_bytes == 0 and recommender.status().path == address
        with pytest.raises(ProfileError, match=f"{address} holds no profiles; name a file or a server with --profiles"):
            recommender.feedback()
        with recommender.feedback(profiles=tmp_path / "p.sqlite") as feedback:
            feedback.dislike(track.track_id)
        assert recommender.never_again(profiles=tmp_path / "p.sqlite") == {track.audio_hash}


@pytest.mark.slow
def test_places_without_a_library(library: "LanceLibrary", heads: dict):
    with pytest.raises(LibraryError, match="s3://bucket/none: no such library; create one with `musicrec index FOLDER"):
        stores.open_library(f"s3://{BUCKET}/none")
    with pytest.raises(LibraryError, match="exists already"):
        stores.create_library(library.path, exports=[], heads=[], embedding_size=4, analysis={})
    for use_it in (stores.exists, stores.open_library):
        with pytest.raises(LibraryError, match="s3://missing/l: there is no bucket missing; make it first, or name"):
            use_it("s3://missing/l")
    assert stores.exists(library.path) and not stores.exists(f"s3://{BUCKET}/none")
    stores.delete_library(library.path)
    assert not stores.exists(library.path)


def test_two_that_make_a_library_at_once(
    library: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch
):
    from musicrec.recommend.lance import commits

    library.save(changes_of(make_tracks(2)))
    with monkeypatch.context() as earlier:
        earlier.setattr(commits, "_tables_there", lambda connection: set(commits.schema.SCHEMAS))
        with pytest.raises(LibraryError, match=f"{library.path} was made by another program meanwhile; try again"):
            stores.create_library(library.path, exports=[], heads=[], embedding_size=4, analysis={})
    assert len(library) == 2 and library.problems() == []
    library.save(changes_of(make_tracks(3)))
    assert len(library) == 3 and library.problems() == []


@pytest.mark.slow
def test_keys_that_are_refused(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from moto.core import set_initial_no_auth_action_count

    refused = set_initial_no_auth_action_count(0)(lambda: stores.open_library(address))
    with pytest.raises(LibraryError, match=r"access denied \(InvalidAccessKeyId: .*\); check AWS_ACCESS_KEY_ID, AWS_S"):
        refused()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(LibraryError, match="no credentials found; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and "):
        stores.open_library(address)


def test_a_server_that_does_not_answer(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(object_store, "_ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for endpoint, reason in (
            ("http://127.0.0.1:1", r"does not answer \(Connection refused\)"),
            (f"http://127.0.0.1:{silent.getsockname()[1]}", r"does not answer \(timed out\)"),
            ("http://none.invalid", r"does not answer \(.*[Nn]ame.*\)"),
            ("127.0.0.1:9000", "is no address of a server; one starts with https://"),
        ):
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            started = time.monotonic()
            with pytest.raises(LibraryError, match=reason):
                stores.open_library(address)
            assert time.monotonic() - started < 10


def test_what_lancedb_says(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ENDPOINT_URL", *OTHERS):
        monkeypatch.delenv(name, raising=False)

    def said(text: str, place: str = "s3://b/l") -> str | None:
        return object_store.explained(text, place=place, named="NAME")

    assert said("inner: Status { status: 403, body: None }", "gs://b/l") == (
        "NAME: access denied; check GOOGLE_APPLICATION_CREDENTIALS"
    )
    for text in ("HttpError { kind: Timeout, source: x", "after 3 retries - HTTP error: error sending request"):
        assert said(text) == "NAME: the object store does not answer; try again when it does; earlier writes are kept"
    assert said("Server returned non-2xx status code: 403 Forbidden") == (
        "NAME: access denied; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
    )
    assert said('body: "<Error><Code>SlowDown</Code>\n<Message>Reduce your rate</Message>"') == (
        "NAME: SlowDown: Reduce your rate; earlier writes are kept"
    )
    assert said("corrupt") is None and said("NoSuchBucket", "/folder") is None
