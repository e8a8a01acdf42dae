"""Downloads from a local server that supports ranges, interrupts its answers, or does not exist."""

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from musicrec.data.adapters import fma
from musicrec.data.adapters.download import Archive, fetch
from musicrec.data.manifest import read_manifest
from musicrec.errors import DownloadError
from tests.web_host import Host

CONTENT = os.urandom(3_000_000)


def left(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != ".download.lock"]


def zipped(members: dict[str, str | bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def tarred(*members: tuple[str, str | bytes]) -> bytes:
    """Return a tar file. members: (name, target of a link, "=" and the target of a hard link, device type, or "")."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, link in members:
            member = tarfile.TarInfo(name)
            if isinstance(link, bytes):
                member.type = link
            elif link:
                member.type, member.linkname = tarfile.LNKTYPE if link[0] == "=" else tarfile.SYMTYPE, link.lstrip("=")
            file.addfile(member, io.BytesIO(b""))
    return out.getvalue()


def test_a_file_is_fetched_once(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    fetch([archive], tmp_path)
    assert host.requests == [("labels.csv", 0)]
    assert left(tmp_path) == ["labels.csv"]


def test_an_interrupted_download_resumes(host: Host, tmp_path: Path):
    host.limit = 1_400_000
    fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    assert host.requests == [("labels.csv", 0), ("labels.csv", 1_400_000), ("labels.csv", 2_800_000)]


def test_a_later_call_resumes_a_download(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    (tmp_path / "labels.csv.part").write_bytes(CONTENT[:1_000_000])
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    (tmp_path / "labels.csv").rename(tmp_path / "labels.csv.part")  # as if killed before the checksum was taken
    fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    assert host.requests == [("labels.csv", 1_000_000), ("labels.csv", 3_000_000)]


def test_a_host_without_ranges_sends_the_whole_file(host: Host, tmp_path: Path):
    host.ranges = False
    (tmp_path / "labels.csv.part").write_bytes(b"something else")
    fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT


def test_a_host_that_stops_sending(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    host.limit = 0
    (tmp_path / "labels.csv.part").write_bytes(CONTENT[:10])
    with pytest.raises(DownloadError, match=r"\(received 10 of 3,000,000 bytes\); 10 bytes are kept; run the same"):
        fetch([archive], tmp_path)
    assert (tmp_path / "labels.csv.part").stat().st_size == 10


def test_a_wrong_checksum_is_refused(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    host.files["labels.csv"] = CONTENT[:-1] + b"?"
    with pytest.raises(
        DownloadError, match=r"labels.csv: its md5 is \w{32}, expected \w{32}; the download was deleted"
    ):
        fetch([archive], tmp_path)
    assert not left(tmp_path)


def test_a_missing_file_and_a_missing_host(host: Host, tmp_path: Path):
    with pytest.raises(DownloadError, match=r"gone.csv: the host answered 404 Not Found; download it by hand"):
        fetch([host.archive("gone.csv")], tmp_path)
    nobody = Archive(urls=("http://127.0.0.1:9/labels.csv",), checksums=("md5:0",), target="labels.csv")
    with pytest.raises(DownloadError, match=r"labels.csv: cannot be downloaded \(.*refused\); run the same command"):
        fetch([nobody], tmp_path)


def test_files_after_a_missing_one_are_downloaded(host: Host, tmp_path: Path):
    first, other, last = (host.archive(f"{name}.mp3", content=name.encode()) for name in ("first", "other", "last"))
    host.files["first.mp3"] = b"of another version"
    with pytest.raises(
        DownloadError, match=r"first.mp3: its md5 is \w{32}, expected \w{32}; the download was deleted$"
    ):
        fetch([first, last], tmp_path)
    assert left(tmp_path) == ["last.mp3"]
    del host.files["other.mp3"]
    with pytest.raises(
        DownloadError, match=r"first.mp3: its md5 .*; the download was deleted \(and 1 more of 3 files\)"
    ):
        fetch([first, other, last], tmp_path)


def test_requests_are_repeated_after_server_errors(host: Host, tmp_path: Path):
    host.troubles = [503, "reset", 429, 500]
    fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    assert host.pauses_s == [2, 4, 8, 16]
    host.troubles = [502] * 5
    with pytest.raises(
        DownloadError, match=r"more.csv: cannot be downloaded \(the host answered 502 Bad Gateway\); run the"
    ):
        fetch([host.archive("more.csv", content=CONTENT)], tmp_path)
    host.troubles = [403]
    with pytest.raises(DownloadError, match=r"more.csv: the host answered 403 Forbidden; download it by hand"):
        fetch([host.archive("more.csv")], tmp_path)


def test_a_wrong_range_restarts_the_download(host: Host, tmp_path: Path):
    archive = host.archive("labels.csv", content=CONTENT)
    (tmp_path / "labels.csv.part").write_bytes(CONTENT[:1_000_000])
    host.troubles = ["elsewhere"]
    fetch([archive], tmp_path)
    assert host.requests == [("labels.csv", 1_000_000), ("labels.csv", 0)]
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT
    (tmp_path / "labels.csv").rename(tmp_path / "labels.csv.part")
    os.truncate(tmp_path / "labels.csv.part", 1_000_000)
    host.limit, host.troubles = 500_000, ["elsewhere", None] * 9
    with pytest.raises(DownloadError, match="cannot be downloaded"):  # and not for ever
        fetch([archive], tmp_path)


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/labels.csv", "FILE:///etc/passwd"])
def test_redirects_to_other_protocols_are_refused(host: Host, tmp_path: Path, place: str):
    host.troubles = [place]
    with pytest.raises(
        DownloadError, match=f"labels.csv: redirects to {place}, which is not on the web; download it by hand"
    ):
        fetch([host.archive("labels.csv", content=CONTENT)], tmp_path)
    assert not left(tmp_path)
    host.troubles = ["/other.csv"]
    host.files["other.csv"] = CONTENT
    fetch([host.archive("labels.csv")], tmp_path)
    assert (tmp_path / "labels.csv").read_bytes() == CONTENT


def test_content_in_another_folder_is_not_downloaded_again(host: Host, tmp_path: Path):
    archive = host.archive(
        "music.zip",
        content=zipped({"0/a.mp3": ""}),
        target="mp3",
        unpack=True,
        present_patterns=("mp3/[0-9]/*", "[0-9]/*"),
    )
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.mp3").touch()
    fetch([archive], tmp_path)
    assert not host.requests
    (tmp_path / "0" / "a.mp3").unlink()
    (tmp_path / "mp3").mkdir()  # an empty folder is no music
    fetch([archive], tmp_path)
    assert (tmp_path / "mp3" / "0" / "a.mp3").is_file()
    (tmp_path / "mp3" / "0").rename(tmp_path / "mp3" / "x")
    with pytest.raises(
        DownloadError, match=r"mp3: exists, but does not hold the content of http.*music.zip; move it away"
    ):
        fetch([archive], tmp_path)


def test_archives_downloaded_by_hand_are_used_and_kept(host: Host, tmp_path: Path):
    whole = zipped({"0/a.mp3": "first"})
    parts = {"m.zip.001": whole[:50], "m.zip.002": whole[50:]}
    host.files.update(parts)
    checksums = tuple(f"md5:{hashlib.md5(part).hexdigest()}" for part in parts.values())
    archive = Archive(urls=tuple(map(host.url, parts)), checksums=checksums, target="mp3", unpack=True)
    (tmp_path / "m.zip.001").write_bytes(parts["m.zip.001"])
    (tmp_path / "m.zip.002").write_bytes(b"another, or not all of it")
    fetch([archive], tmp_path)
    assert host.requests == [("m.zip.002", 0)] and (tmp_path / "mp3" / "0" / "a.mp3").read_text() == "first"
    assert sorted(left(tmp_path)) == ["m.zip.001", "m.zip.002", "mp3"]
    alone = host.archive("alone.zip", content=whole, target="alone", unpack=True)
    (tmp_path / "alone.zip").write_bytes(whole)
    fetch([alone], tmp_path)
    assert len(host.requests) == 1 and (tmp_path / "alone" / "0").is_dir() and (tmp_path / "alone.zip").is_file()


def test_leftovers_of_a_killed_run_are_deleted(host: Host, tmp_path: Path):
    archive = host.archive("music.zip", content=zipped({"in/a.mp3": ""}), target="music", unpack=True, inner="in")
    fetch([archive], tmp_path)
    (tmp_path / "music.zip.fetched").write_bytes(host.files["music.zip"])
    (tmp_path / "music.zip.joined").touch()
    (tmp_path / ".music.unpacking").mkdir()
    fetch([archive], tmp_path)
    assert left(tmp_path) == ["music"] and len(host.requests) == 1


@pytest.mark.parametrize(
    ("free", "what"),
    [(1_000, "downloading http.*001 needs 1,050 bytes"), (2_090, "joining 2 parts to .*.001.joined needs 2,100 bytes"),
     (150_000, "unpacking .*.001.joined needs 200,000 bytes")],
)  # fmt: skip
def test_free_space_is_checked_before_each_step(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, what: str
):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0/a.mp3", bytes(200_000))
        file.writestr("0/b", b"")
    whole = out.getvalue() + bytes(2_100 - len(out.getvalue()))
    parts = {"m.zip.001": whole[:1_050], "m.zip.002": whole[1_050:]}
    host.files.update(parts)
    checksums = tuple(f"md5:{hashlib.md5(part).hexdigest()}" for part in parts.values())
    archive = Archive(urls=tuple(map(host.url, parts)), checksums=checksums, target="mp3", unpack=True)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(DownloadError, match=rf": {what}, {free:,} are free; make room and run the same command again"):
        fetch([archive], tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=300_000))
    fetch([archive], tmp_path)
    assert (tmp_path / "mp3" / "0" / "a.mp3").stat().st_size == 200_000 and left(tmp_path) == ["mp3"]
    assert len(host.requests) == 2 + (free == 1_000), "nothing that is there is fetched again"


def test_a_root_that_cannot_be_written(host: Host, tmp_path: Path):
    (tmp_path / "root").touch()
    with pytest.raises(DownloadError, match=r"root: cannot be written \(File exists\); make it writable"):
        fetch([host.archive("labels.csv", content=CONTENT)], tmp_path / "root")


def test_a_full_disk_is_reported_before_downloading(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
        target="mp3",
        unpack=True,
    )
    fetch([archive], tmp_path)
    assert (tmp_path / "mp3" / "f" / "b.mp3").read_text() == "second"
    assert left(tmp_path) == ["mp3"]
    fetch([archive], tmp_path)
    assert len(host.requests) == 3


def test_the_inner_folder_of_an_archive_is_used(host: Host, tmp_path: Path):
    content = tarred(("07/1.mp3", ""))
    fetch([host.archive("07.tar", content=content, inner="07", target="audio-low/07", unpack=True)], tmp_path)
    assert (tmp_path / "audio-low" / "07" / "1.mp3").is_file()
    with pytest.raises(DownloadError, match="contains no folder 08"):
        fetch([host.archive("08.tar", content=content, inner="08", target="08", unpack=True)], tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("device.tar", tarred(("good/a.mp3", ""), ("good/null", tarfile.CHRTYPE))),
        ("hard.tar", tarred(("good/a.mp3", ""), ("good/evil.txt", "=/etc/passwd"))),
        ("up.zip", zipped({"good/a.mp3": "", "../evil.txt": ""})),
        ("root.zip", zipped({"/evil.txt": ""})),
        ("up.tar", tarred(("good/a.mp3", ""), ("../evil.txt", ""))),
        ("link.tar", tarred(("good", "/tmp"), ("good/evil.txt", ""))),
    ],
    ids=["device.tar", "hard.tar", "up.zip", "root.zip", "up.tar", "link.tar"],
)
def test_an_archive_that_would_write_outside_its_folder_is_refused(
    host: Host, tmp_path: Path, name: str, content: bytes
):
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(
        DownloadError, match=rf"{name}.fetched: not unpacked, because it would write outside its folder"
    ):
        fetch([host.archive(name, content=content, target="music", unpack=True)], root)
    assert not (root / "music").exists() and not list(tmp_path.rglob("evil.txt"))


def test_a_python_that_cannot_unpack_safely(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(tarfile, "data_filter")
    archive = host.archive("07.tar", content=tarred(("07/1.mp3", "")), target="07", unpack=True)
    with pytest.raises(DownloadError, match=r"07.tar.fetched: safe unpacking needs Python 3.10.12, 3.11.4 or later"):
        fetch([archive], tmp_path)


def test_an_interrupted_unpacking_is_repeated(host: Host, tmp_path: Path):
    (tmp_path / ".music.unpacking").mkdir()
    (tmp_path / ".music.unpacking" / "half.mp3").touch()
    archive = host.archive("music.zip", content=zipped({"a.mp3": ""}), target="music", unpack=True)
    fetch([archive], tmp_path)
    assert [path.name for path in (tmp_path / "music").iterdir()] == ["a.mp3"]


def broken_zip() -> bytes:
    content = bytearray(zipped({"a.mp3": CONTENT[:1_000]}, zipfile.ZIP_DEFLATED))
    content[60:90] = b"\xff" * 30
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"neither zip nor tar", "file could not be opened.*"),
        (zipped({"a.mp3": CONTENT})[:100_000], "file could not be opened.*"),
        (broken_zip(), "Error -3 while decompressing.*|Bad CRC-32.*"),
        (gzip.compress(tarred(("a.mp3", "")))[:-40], "Compressed file ended before the end.*"),
    ],
    ids=["neither", "cut.zip", "broken.zip", "cut.tar.gz"],
)
def test_a_damaged_archive_is_reported(host: Host, tmp_path: Path, content: bytes, reason: str):
    damaged = host.archive("music.zip", content=content, target="music", unpack=True)
    with pytest.raises(DownloadError, match=rf"music.zip.fetched: cannot be unpacked \({reason}\); delete it and run"):
        fetch([damaged], tmp_path)
    assert not (tmp_path / "music").exists()


def test_an_adapter_downloads_what_is_missing(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, audio: Callable
):
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
