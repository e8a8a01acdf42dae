"""A download goes on only if the file on the host is still the same one, and a damaged part is not the end.

Retries, refusals and checksums are tested with the datasets, in tests/data/adapters/test_download.py.
"""

import hashlib
import os
from pathlib import Path

import pytest

from musicrec.errors import DownloadError
from musicrec.system.download import download
from tests.web_host import Host

CONTENT, OLDER = os.urandom(300_000), os.urandom(300_000)


def fetch(host: Host, part: Path) -> None:
    checksum = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    download(host.url("model.bin"), part, checksum=checksum, title="model", otherwise="carry it over", attempts=2)


@pytest.fixture
def part(tmp_path: Path, host: Host) -> Path:
    host.files["model.bin"], host.tags = CONTENT, True
    return tmp_path / "model.bin.part"


def test_an_unchanged_file_is_continued(host: Host, part: Path):
    host.limit = 100_000
    fetch(host, part)
    assert host.requests == [("model.bin", 0), ("model.bin", 100_000), ("model.bin", 200_000)]
    assert part.read_bytes() == CONTENT
    assert [path.name for path in part.parent.iterdir()] == ["model.bin.part"]


def test_another_version_on_the_host_is_fetched_from_the_beginning(host: Host, part: Path):
    host.files["model.bin"], host.limit = OLDER, 0
    with pytest.raises(DownloadError, match=r"cannot be downloaded .*run the same command again, or carry it over"):
        fetch(host, part)
    mark = part.with_name("model.bin.part.etag")
    assert mark.read_text() == f'"{hashlib.md5(OLDER).hexdigest()}"'
    part.write_bytes(OLDER[:100_000])  # as if interrupted there
    host.files["model.bin"], host.limit = CONTENT, None
    host.requests.clear()
    fetch(host, part)
    assert host.requests == [("model.bin", 0)], "the host saw that the part is of another version"
    assert part.read_bytes() == CONTENT and not mark.exists()


@pytest.mark.parametrize("size", [100_000, len(CONTENT), 400_000], ids=["shorter", "as long", "longer"])
def test_a_damaged_part_is_fetched_again(host: Host, part: Path, size: int):
    part.write_bytes(bytes(size))
    fetch(host, part)
    assert part.read_bytes() == CONTENT
    assert host.requests == [("model.bin", size), ("model.bin", 0)]


def test_a_damaged_part_of_a_wrong_file_is_fetched_again_once(host: Host, part: Path):
    host.files["model.bin"] = OLDER
    part.write_bytes(OLDER[:10])
    with pytest.raises(DownloadError, match=r"its sha256 is \w{64}, expected \w{64}; the download was deleted"):
        fetch(host, part)
    assert host.requests == [("model.bin", 10), ("model.bin", 0)] and not part.exists()
