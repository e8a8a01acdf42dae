"""Fetching, from a server on this machine that heeds ranges, breaks off, or is not there."""

import hashlib
import io
import os
import re
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from musicrec.data.adapters import download, fma
from musicrec.data.adapters.download import Archive, fetch
from musicrec.data.manifest import read_manifest
from musicrec.errors import DownloadError


class Host(ThreadingHTTPServer):
    """files: {name: bytes}. limit: bytes that an answer gives before it breaks off. ranges: whether it heeds them.
    requests: (name, first byte) of all that was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.limit: int | None = None
        self.ranges = True
        self.requests: list[tuple[str, int]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def archive(self, name: str, *, content: bytes | None = None, **settings) -> Archive:
        if content is not None:
            self.files[name] = content
        checksum = f"md5:{hashlib.md5(self.files.get(name, b'')).hexdigest()}"
        return Archive(**{"urls": (self.url(name),), "checksums": (checksum,), "becomes": name, **settings})


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name, host = self.path.lstrip("/"), self.server
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if host.ranges else None
        first = int(asked[1]) if asked else 0
        host.requests.append((name, first))
        if name not in host.files:
            self.send_error(404)
            return
        body = host.files[name][first:]
        if asked and not body:
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: host.limit])

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


CONTENT = os.urandom(3_000_000)


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != ".download.lock"]


def zipped(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def tarred(*members: tuple[str, str]) -> bytes:
    """members: (name, target of a link, or "")."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
            file.addfile(member, io.BytesIO(b""))
    return out.getvalue()


def test_a_file_is_fetched_once(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    fetch([archive], tmp_path)
    assert host.requests == [("labels.csv", 0)]
    assert left(tmp_path) == ["labels.csv"]


def test_a_download_that_breaks_off_goes_on(host: Host, tmp_path: Path):
    host.limit = 1_400_000
    fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    assert host.requests == [("labels.csv", 0), ("labels.csv", 1_400_000), ("labels.csv", 2_800_000)]


def test_a_later_call_goes_on(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    (tmp_path / "labels.csv.part").write_bytes(CONTENT[:1_000_000])
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    (tmp_path / "labels.csv").rename(tmp_path / "labels.csv.part")  # as if killed before the checksum was taken
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    assert host.requests == [("labels.csv", 1_000_000), ("labels.csv", 3_000_000)]


def test_a_host_without_ranges_begins_again(host: Host, tmp_path: Path):
    host.ranges = False
    (tmp_path / "labels.csv.part").write_bytes(b"something else")
    fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT


def test_a_host_that_gives_nothing_more(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    host.limit = 0
    (tmp_path / "labels.csv.part").write_bytes(CONTENT[:10])
    with pytest.raises(DownloadError, match=r"\(10 of 3,000,000 bytes came\); 10 bytes are kept, and the same"):
        fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv.part").stat().st_size == 10


def test_a_wrong_checksum_is_refused(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    host.files["labels.csv"] = CONTENT[:-1] + b"?"
    with pytest.raises(DownloadError, match=r"labels.csv: its md5 is \w{32}, expected \w{32}; thrown away"):
        fetch([archive], tmp_path)
    assert not left(tmp_path)


def test_a_host_that_has_not_got_it_or_is_not_there(host: Host, tmp_path: Path):
    with pytest.raises(DownloadError, match=r"gone.csv: the host answers 404 Not Found; fetch it by hand"):
        fetch([host.archive("gone.csv")], tmp_path)
    nobody = Archive(urls=("http://127.0.0.1:9/labels.csv",), checksums=("md5:0",), becomes="labels.csv")
    with pytest.raises(DownloadError, match=r"labels.csv: cannot be fetched \(.*refused\); the same command"):
        fetch([nobody], tmp_path)


def test_a_full_disk_is_told_beforehand(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5_000))
    with pytest.raises(DownloadError, match=r"needs 3,000,000 bytes, 5,000 are free; make room"):
        fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)


def test_parts_are_joined_and_unpacked(host: Host, tmp_path: Path):
    whole = zipped({"0/a.mp3": "first", "f/b.mp3": "second"})
    parts = {"mp3.zip.001": whole[:50], "mp3.zip.002": whole[50:120], "mp3.zip.003": whole[120:]}
    host.files.update(parts)
    archive = Archive(
        urls=tuple(map(host.url, parts)),
        checksums=tuple(f"sha256:{hashlib.sha256(part).hexdigest()}" for part in parts.values()),
        becomes="mp3",
        unpack=True,
    )
    fetch([archive], tmp_path)
    assert (tmp_path / "mp3" / "f" / "b.mp3").read_text() == "second"
    assert left(tmp_path) == ["mp3"]
    fetch([archive], tmp_path)
    assert len(host.requests) == 3


def test_the_folder_within_an_archive_is_taken(host: Host, tmp_path: Path):
    content = tarred(("07/1.mp3", ""))
    fetch([host.archive("07.tar", content=content, inner="07", becomes="audio-low/07", unpack=True)], tmp_path)
    assert (tmp_path / "audio-low" / "07" / "1.mp3").is_file()
    with pytest.raises(DownloadError, match="holds no folder 08"):
        fetch([host.archive("08.tar", content=content, inner="08", becomes="08", unpack=True)], tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("up.zip", zipped({"good/a.mp3": "", "../evil.txt": ""})),
        ("root.zip", zipped({"/evil.txt": ""})),
        ("up.tar", tarred(("good/a.mp3", ""), ("../evil.txt", ""))),
        ("link.tar", tarred(("good", "/tmp"), ("good/evil.txt", ""))),
    ],
)
def test_an_archive_that_would_write_elsewhere_is_refused(host: Host, tmp_path: Path, name: str, content: bytes):
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(DownloadError, match=rf"{name}.fetched: would write .*; not unpacked"):
        fetch([host.archive(name, content=content, becomes="music", unpack=True)], root)
    assert not (root / "music").exists() and not list(tmp_path.rglob("evil.txt"))


def test_an_unpacking_that_was_broken_off_is_done_again(host: Host, tmp_path: Path):
    (tmp_path / ".music.unpacking").mkdir()
    (tmp_path / ".music.unpacking" / "half.mp3").touch()
    archive = host.archive("music.zip", content=zipped({"a.mp3": ""}), becomes="music", unpack=True)
    fetch([archive], tmp_path)
    assert [path.name for path in (tmp_path / "music").iterdir()] == ["a.mp3"]
    damaged = host.archive("damaged.zip", content=b"neither zip nor tar", becomes="damaged", unpack=True)
    with pytest.raises(DownloadError, match=r"damaged.zip.fetched: cannot be unpacked \(.*\); delete it and fetch it"):
        fetch([damaged], tmp_path)


def test_an_adapter_fetches_what_it_lacks(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, audio: Callable):
    columns = [
        ("set", "split", "training"), ("set", "subset", "small"), ("track", "genre_top", "Rock"),
        ("track", "genres", "[12]"), ("track", "title", "Title"), ("track", "duration", "30"),
        ("artist", "name", "Name"), ("artist", "id", "1"), ("album", "title", "Album"), ("album", "id", "1"),
    ]  # fmt: skip
    above, below, cells = (",".join(row) for row in zip(*columns, strict=True))
    metadata = {
        "fma_metadata/tracks.csv": f",{above}\n,{below}\ntrack_id\n2,{cells}\n",
        "fma_metadata/genres.csv": "genre_id,#tracks,parent,title,top_level\n12,1,0,Rock,12\n",
    }
    host.files["fma_metadata.zip"] = zipped(metadata)
    host.files["fma_small.zip"] = zipped({"fma_small/000/000002.mp3": audio(tmp_path / "a.mp3").read_bytes()})
    sums = {name: hashlib.sha1(host.files[f"fma_{name}.zip"]).hexdigest() for name in ("metadata", "small")}
    monkeypatch.setattr(fma, "SHA1", sums)
    monkeypatch.setattr(fma, "HOST", host.url("").rstrip("/"))
    root = tmp_path / "new" / "FMA"
    path = fma.fma(root=root, folder=tmp_path, download=True)
    assert read_manifest(path)["path"].to_list() == [str(root / "fma_small" / "000" / "000002.mp3")]
