"""A PostgreSQL server of the tests' own, and places for profiles."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.sqlite_library import SqliteLibrary

START_S = 60


def server_program(name: str) -> str | None:
    """A program of the server. Debian keeps them out of the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return shutil.which(name) or (str(found[-1]) if found else None)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server in a temporary folder, which listens on a socket there and nowhere else."""
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install 'musicrec[postgres]'")
    initdb, postgres = server_program("initdb"), server_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    # The server refuses to run as root. The folders of pytest are closed to other users, so this is one of its own.
    owner: dict = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
    owner = owner if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="musicrec_pg_"))  # short: a socket's path has at most 107 bytes
    try:
        if owner:
            shutil.chown(folder, owner["user"], owner["group"])
        log = (folder / "log").open("wb")
        create = [
            initdb,
            "-D",
            folder / "data",
            "-U",
            "musicrec",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(create, cwd=folder, stdout=log, stderr=log, check=True, **owner)
        start = [postgres, "-D", folder / "data", "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"]
        process = subprocess.Popen(start, cwd=folder, stdout=log, stderr=log, **owner)
        try:
            wait_until_it_answers(folder, process)
            yield f"postgresql://musicrec@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(START_S)
            log.close()
    finally:
        shutil.rmtree(folder)


def wait_until_it_answers(folder: Path, process: subprocess.Popen) -> None:
    import psycopg

    end = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(host=str(folder), user="musicrec", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.1)


@pytest.fixture
def postgresql(server: str) -> str:
    """The URL of a database without profiles."""
    import psycopg

    with psycopg.connect(server) as connection:
        for table in ("entries", "playlists", "events", "pins", "users", "schema"):
            connection.execute(f"DROP TABLE IF EXISTS profile_{table}")
    return server


@pytest.fixture
def library(tmp_path: Path, heads: dict, make_track: Callable) -> Path:
    """A library of two tracks."""
    with SqliteLibrary.create(
        tmp_path / "library.sqlite", exports=[], heads=list(heads.values()), embedding_size=4
    ) as made:
        made.add([make_track("a"), make_track("b")])
    return tmp_path / "library.sqlite"


@pytest.fixture(params=["file", "library", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """A place for profiles: a file of their own, the file of a library, or a server."""
    if request.param == "file":
        ProfileStore.open(tmp_path / "profiles.sqlite", create=True).close()
        return tmp_path / "profiles.sqlite"
    return request.getfixturevalue(request.param)


@pytest.fixture
def store(where: str | Path) -> Iterator[ProfileStore]:
    with ProfileStore.open(where) as opened:
        yield opened
