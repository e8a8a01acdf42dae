"""Uploads: received, analysed, kept for a while, and what hostile clients cannot do."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from musicrec.web import uploads as uploads_module
from musicrec.web.errors import WebError
from musicrec.web.jobs import Jobs
from musicrec.web.server_folder import ServerFolder
from musicrec.web.settings import UploadLimits
from musicrec.web.upload_names import safe_suffix, shown_name
from musicrec.web.uploads import ANALYSIS, Upload, Uploads
from musicrec.web.worker_process import WorkerProcess
from tests.web.test_worker_process import FAKE

LIMITS = UploadLimits(size_bytes=100_000, waiting=3)


def run(
    folder: Path, use: Callable[..., Coroutine[Any, Any, Any]], *, limits: UploadLimits = LIMITS, **settings
) -> Any:
    async def main() -> Any:
        jobs, worker, converter = Jobs({ANALYSIS: 50}), WorkerProcess(FAKE), WorkerProcess(FAKE)
        models = {"library": "/none", "device": "cpu"}
        uploads = Uploads(
            folder, limits=limits, jobs=jobs, worker=worker, converter=converter, models=models, **settings
        )
        jobs.start()
        try:
            return await asyncio.wait_for(use(uploads, SimpleNamespace(jobs=jobs, worker=worker)), 60)
        finally:
            await jobs.stop(grace_s=0.1)
            await uploads.stop()
            await worker.stop()
            await converter.stop()

    return asyncio.run(main())


async def body(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def analysed(upload: Upload) -> Upload:
    while upload.job.ended is None:
        await asyncio.sleep(0.01)
    if upload.converting is not None:
        await asyncio.wait({upload.converting})
        await asyncio.sleep(0)
    return upload


def status_of(caught: pytest.ExceptionInfo) -> int:
    return caught.value.status


def test_an_upload_is_analysed_and_its_file_removed(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await uploads.receive("../My Song.mp3", body(b"some ", b"sound"), owner="me")
        (file,) = tmp_path.iterdir()
        assert file.suffix == ".mp3" and len(file.stem) == 32 and file.read_bytes() == b"some sound"
        with pytest.raises(WebError, match=r"My Song\.mp3 is still being analysed") as caught:
            uploads.track(upload.id)
        assert status_of(caught) == 409
        await analysed(upload)
        assert (upload.job.state, upload.job.track) == ("done", upload.id)
        track = uploads.track(upload.id)
        assert (track.path, track.track_id, track.title) == ("My Song.mp3", "My Song", "A title")
        assert np.isnan(track.embedding).all() and track.probabilities["tempo"].tolist() == [0, 1, 2]
        assert upload.peaks.shape == (1500,) and upload.preview is None and not list(tmp_path.iterdir())
        uploads.delete(upload.id)
        with pytest.raises(WebError) as caught:
            uploads.find(upload.id)
        assert status_of(caught) == 404

    run(tmp_path, use)


@pytest.mark.parametrize(("content", "media_type"), [(b"ogg", "audio/ogg"), (b"play", "audio/mpeg")])
def test_what_the_player_needs_is_kept_until_it_is_deleted(content: bytes, media_type: str, tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await analysed(await uploads.receive("a.ogg", body(content), owner="me"))
        assert list(tmp_path.iterdir()) == [upload.preview] and upload.media_type == media_type
        assert upload.preview.read_bytes() == {b"ogg": b"ogg", b"play": b"an mp3"}[content]
        uploads.delete(upload.id)
        assert not list(tmp_path.iterdir())

    run(tmp_path, use)


def test_what_cannot_be_converted_is_analysed_all_the_same(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await analysed(await uploads.receive("a.wma", body(b"x"), owner="me"))
        assert uploads.track(upload.id).title == "A title"
        with pytest.raises(WebError, match="could not be converted") as caught:
            await uploads.playable(upload.id)
        assert status_of(caught) == 404 and not list(tmp_path.iterdir())

    run(tmp_path, use)


@pytest.mark.parametrize("pause_s", [0.0, 0.5])
def test_deleting_stops_the_converting(pause_s: float, tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await uploads.receive("a.wma", body(b"long"), owner="me")
        while upload.converting is None:
            await asyncio.sleep(0)
        await asyncio.sleep(pause_s)
        assert len(list(tmp_path.iterdir())) == 1
        uploads.delete(upload.id)
        await asyncio.wait({upload.converting})
        await asyncio.sleep(0)
        assert not list(tmp_path.iterdir())

    run(tmp_path, use)


def test_a_bad_file_says_why_under_its_own_name(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await analysed(await uploads.receive("Näme.mp3", body(b"bad"), owner="me"))
        assert (upload.job.state, upload.job.message) == ("failed", "Näme.mp3: damaged or cut off")
        with pytest.raises(WebError):
            uploads.find(upload.id)
        assert not list(tmp_path.iterdir())

    run(tmp_path, use)


def test_deleting_stops_the_analysis(tmp_path: Path):
    async def use(uploads: Uploads, parts: Any) -> None:
        running = await uploads.receive("a.mp3", body(b"slow"), owner="me")
        waiting = await uploads.receive("b.mp3", body(b"x"), owner="me")
        while running.job.message != "at 3":
            await asyncio.sleep(0.01)
        uploads.delete(waiting.id)
        uploads.delete(running.id)
        await analysed(running)
        assert running.job.state == waiting.job.state == "cancelled" and not list(tmp_path.iterdir())
        for _ in range(LIMITS.waiting):  # the places are free again
            await uploads.receive("c.mp3", body(b"x"), owner="me")

    run(tmp_path, use)


def test_uploads_of_others_are_not_seen(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        upload = await analysed(await uploads.receive("a.mp3", body(b"x"), owner="me"))
        assert uploads.find(upload.id, "me") is upload
        for call in (uploads.find, uploads.track, uploads.delete):
            with pytest.raises(WebError) as caught:
                call(upload.id, "you")
            assert status_of(caught) == 404

    run(tmp_path, use)


def test_they_are_removed_an_hour_after_their_last_use_and_the_oldest_of_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uploads_module, "_MOST_KEPT", 2)
    clock = [0.0]

    async def use(uploads: Uploads, _: Any) -> None:
        first, second = [await analysed(await uploads.receive("a", body(b"play"), owner="me")) for _ in range(2)]
        clock[0] = 3000.0
        uploads.find(first.id)
        clock[0] = 3601.0
        uploads.remove_old()
        assert list(tmp_path.iterdir()) == [first.preview]
        with pytest.raises(WebError, match="an hour after"):
            uploads.find(second.id)
        for _ in range(3):
            clock[0] += 1
            last = await analysed(await uploads.receive("a", body(b"play"), owner="me"))
        with pytest.raises(WebError):
            uploads.find(first.id)
        assert uploads.find(last.id) is last

    run(tmp_path, use, clock=lambda: clock[0])


@pytest.mark.parametrize("limit", [{"_MOST_KEPT": 3}, {"_KEPT_BYTES": 50_000}])
def test_nobody_pushes_the_uploads_of_others_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: dict):
    """What was asked for longest ago makes room, but of whoever has the most."""
    for name, value in limit.items():
        monkeypatch.setattr(uploads_module, name, value)

    async def use(uploads: Uploads, _: Any) -> None:
        yours = await analysed(await uploads.receive("a", body(b"ogg" + bytes(4_000)), owner="you"))
        for _ in range(8):
            mine = await analysed(await uploads.receive("a", body(b"ogg" + bytes(16_000)), owner="me"))
        assert uploads.find(yours.id) is yours and uploads.find(mine.id) is mine
        assert len(list(tmp_path.iterdir())) < 6

    run(tmp_path, use)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(10_000)


async def stalled() -> AsyncIterator[bytes]:
    yield b"x"
    await asyncio.sleep(1000)


async def drops() -> AsyncIterator[bytes]:
    while True:
        yield b"x"
        await asyncio.sleep(0.01)


async def cut_off() -> AsyncIterator[bytes]:
    yield b"x"
    raise ConnectionResetError


@pytest.mark.parametrize(
    ("sent", "status", "message"),
    [(endless, 413, "larger than"), (stalled, 408, "too slow"), (drops, 408, "too slow"), (body, 400, "empty")],
)
def test_bodies_that_are_refused(sent: Callable, status: int, message: str, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(uploads_module, "_STALLED_S", 0.2)
    monkeypatch.setattr(uploads_module, "_BEGIN_S", 0.2)

    async def use(uploads: Uploads, _: Any) -> None:
        for _ in range(LIMITS.waiting + 1):  # none of them takes a place
            with pytest.raises(WebError, match=message) as caught:
                await uploads.receive("a.mp3", sent(), owner="me")
            assert status_of(caught) == status and not list(tmp_path.iterdir())

    run(tmp_path, use)


def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        with pytest.raises(ConnectionResetError):
            await uploads.receive("a.mp3", cut_off(), owner="me")
        task = asyncio.ensure_future(uploads.receive("a.mp3", stalled(), owner="me"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not list(tmp_path.iterdir())
        assert await uploads.receive("a.mp3", body(b"x"), owner="me")

    run(tmp_path, use)


def test_a_stated_size_is_refused_before_anything_is_read(tmp_path: Path):
    async def use(uploads: Uploads, _: Any) -> None:
        with pytest.raises(WebError) as caught:
            await uploads.receive("a.mp3", stalled(), owner="me", stated_bytes=100_001)
        assert status_of(caught) == 413

    run(tmp_path, use)


def test_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads_module, "free_bytes", lambda folder: 1000)

    async def use(uploads: Uploads, _: Any) -> None:
        with pytest.raises(WebError, match="no room") as caught:
            await uploads.receive("a.mp3", body(b"x"), owner="me")
        assert status_of(caught) == 507

    run(tmp_path, use)


def test_the_room_is_looked_at_while_a_file_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A client need not say how much it sends, and others write to the same disk."""
    room = [2 << 30, 2 << 30]
    monkeypatch.setattr(uploads_module, "free_bytes", lambda folder: room.pop(0) if room else 1000)
    monkeypatch.setattr(uploads_module, "_WRITTEN_BYTES", 10)

    async def use(uploads: Uploads, _: Any) -> None:
        with pytest.raises(WebError, match="no room") as caught:
            await uploads.receive("a.mp3", body(b"x" * 10, b"x" * 10, b"x" * 10), owner="me")
        assert status_of(caught) == 507 and not room and not [file for file in tmp_path.rglob("*.mp3")]

    run(tmp_path, use)


def test_two_thousand_at_once(tmp_path: Path):
    """Twenty are taken; the others are told to come back, at once."""

    async def use(uploads: Uploads, parts: Any) -> None:
        blocked = await uploads.receive("slow.mp3", body(b"slow"), owner="me")

        async def send(number: int) -> int:
            try:
                await uploads.receive(f"{number}.mp3", body(b"ogg ", b"sound"), owner="me")
            except WebError as error:
                return error.status
            return 202

        begin = time.monotonic()
        answers = await asyncio.gather(*(send(number) for number in range(2000)))
        assert time.monotonic() - begin < 10
        assert (answers.count(202), answers.count(429)) == (19, 1981)
        assert len(list(tmp_path.iterdir())) == 20
        uploads.delete(blocked.id)
        while parts.jobs.all()[-1].ended is None:
            await asyncio.sleep(0.02)
        assert {job.state for job in parts.jobs.all()} == {"cancelled", "done"}
        assert len(list(tmp_path.iterdir())) == 19, "what the player needs"

    run(tmp_path, use, limits=dataclasses.replace(LIMITS, waiting=20))


def test_one_user_leaves_room_for_others(tmp_path: Path):
    """Also while the files are received, which may take hours."""

    async def use(uploads: Uploads, _: Any) -> None:
        slow = [asyncio.ensure_future(uploads.receive("a.mp3", stalled(), owner="ada")) for _ in range(2)]
        await asyncio.sleep(0.02)
        with pytest.raises(WebError, match="2 of your uploads, and 2 in all, are waiting already") as caught:
            await uploads.receive("a.mp3", body(b"ogg "), owner="ada")
        assert status_of(caught) == 429
        await uploads.receive("a.mp3", body(b"ogg "), owner="bo")
        for one in slow:
            one.cancel()
        await asyncio.wait(slow)
        await uploads.receive("a.mp3", body(b"ogg "), owner="ada")

    run(tmp_path, use, limits=dataclasses.replace(LIMITS, waiting=4, each=2))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("song.mp3", "song.mp3"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Music\\a.wav", "a.wav"),
        ("a\0b\r\nc.mp3", "ab c.mp3"),
        ("\u202egnp.exe\u202c.mp3", "gnp.exe.mp3"),
        ("cafe\u0301.flac", "café.flac"),
        ("<img src=x onerror=alert(1)>.mp3", "<img src=x onerror=alert(1)>.mp3"),
        ("....", "upload"),
        ("", "upload"),
        ("/", "upload"),
        ("\ud800.ogg", "ogg"),
        (" \t .mp3", "mp3"),
    ],
)
def test_names_are_only_shown(given: str, shown: str):
    assert shown_name(given) == shown


def test_long_names_keep_their_end():
    name = shown_name(f"{'a' * 4000}.mp3")
    assert len(name) == 120 and name.endswith("a….mp3")
    assert len(shown_name("b" * 4000)) == 120 and shown_name("b" * 4000).endswith("b…")


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.MP3", ".mp3"), ("a.exe", ""), ("mp3", ""), ("a.mp3/../../x", ""), ("a.mp3\0", "")]
)
def test_only_known_suffixes_are_kept(name: str, suffix: str):
    assert safe_suffix(name) == suffix


def test_folders_of_servers_that_were_killed_are_removed(tmp_path: Path):
    stale = tmp_path / "server-0123456789abcdef"
    (stale / "uploads").mkdir(parents=True)
    (stale / "uploads" / "x.mp3").write_bytes(b"x")
    (stale / ".lock").touch()
    (tmp_path / "mine.txt").write_text("not of a server")
    with ServerFolder(tmp_path) as first:
        assert not stale.exists()
        (first.below("uploads") / "x").write_bytes(b"x")
        with ServerFolder(tmp_path) as second:
            assert first.path.exists() and second.path.exists() and first.path != second.path
        assert first.path.exists() and not second.path.exists()
        assert first.path.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "mine.txt"]


def test_folders_of_others_that_are_named_alike_stay(tmp_path: Path):
    for name in ("server-photos", "server-0123", "server-0123456789abcdef"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    with ServerFolder(tmp_path):
        pass
    kept = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("server-*/*"))
    assert kept == ["server-0123/mine", "server-0123456789abcdef/mine", "server-photos/mine"]
