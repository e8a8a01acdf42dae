"""`musicrec serve` as a process: it starts quickly, answers, logs, and stops when asked."""

import grp
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from musicrec.errors import ConfigError, LibraryError, ProfileError
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.web.security import all_hosts
from musicrec.web.server import address_of, check_library, listen, make_profiles, new_token
from musicrec.web.server_folder import ServerFolder
from musicrec.web.settings import ServerSettings

ROOT = Path(__file__).parents[2]
HEAVY = {"hydra", "matplotlib", "optuna", "pytorch_lightning", "scipy", "sklearn", "torch"}


@pytest.fixture
def start(library: Path) -> Iterator[Callable[..., tuple[subprocess.Popen, str]]]:
    """start("--users", …): a server, and its address."""
    running = []

    def run(*options: str) -> tuple[subprocess.Popen, str]:
        words = [
            sys.executable,
            "-m",
            "musicrec",
            "serve",
            "--library",
            str(library),
            "--port",
            "0",
            "--no-open",
            *options,
        ]
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process, process.stdout.readline().split()[1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


def get(address: str, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address.partition("?")[0] + path, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("variable", [False, True])
def test_profiles_that_were_named_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: bool):
    place = tmp_path / "profiles.sqlite"
    if variable:
        monkeypatch.setenv("MUSICREC_PROFILES", str(place))
    for _ in range(2):
        make_profiles(None if variable else str(place))
        with ProfileStore.open(place, read_only=True) as store:
            assert store.playlists("me") == [] and store.history("me") == []


def test_profiles_that_need_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSICREC_PROFILES", raising=False)
    make_profiles(None)
    make_profiles("postgresql://nobody@127.0.0.1:1/none")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ProfileError, match=r"file/profiles\.sqlite"):
        make_profiles(str(tmp_path / "file" / "profiles.sqlite"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_stops(start, number: int):
    process, address = start()
    assert address.startswith("http://127.0.0.1:") and "token" not in address
    assert get(address, "healthz") == (200, b'{"status":"ok"}')
    assert json.loads(get(address, "api/v1/tracks")[1])["total"] == 24
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == (0 if number == signal.SIGINT else -signal.SIGTERM) and (out, err) == ("", "")


@pytest.mark.slow
def test_others_need_the_token(start):
    process, address = start("--host", "0.0.0.0", "--root-path", "/music/")
    assert address.startswith("http://127.0.0.1:") and len(address.partition("?token=")[2]) > 40
    assert get(address, "api/v1/tracks")[0] == 401
    process.send_signal(signal.SIGINT)
    assert "give it only to people you trust" in process.communicate(timeout=30)[1]


@pytest.mark.slow
def test_requests_are_logged_without_their_queries(library: Path):
    words = [sys.executable, "-m", "musicrec", "serve", "--library", str(library), "--port", "0", "--json-logs"]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    address = ""
    while not address:
        message = json.loads(process.stderr.readline()).get("message", "")
        address = message.partition("listening at ")[2]
    assert get(address, "api/v1/tracks?search=secret")[0] == 200
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    logged = [line for line in map(json.loads, err.splitlines()) if "path" in line]
    assert [(line["method"], line["path"], line["status"]) for line in logged] == [("GET", "/api/v1/tracks", 200)]
    assert logged[0].keys() >= {"time", "ms", "client"} and "secret" not in err


def test_help_and_app_load_nothing_that_takes_long(library: Path):
    code = (
        "import sys; from musicrec.web.app import create_app; from musicrec.web.settings import ServerSettings; "
        f"create_app(ServerSettings(library={str(library)!r})); print(*({HEAVY} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == ([], ""), "python -X importtime tells which import loads it"
    code = "import sys, musicrec.programs.command; print(*({'fastapi', 'uvicorn', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "\n"


def test_a_port_that_is_in_use_is_one_message():
    with listen(ServerSettings(port=0)) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port={port}: cannot listen there: .*; choose another port with --port"):
            listen(ServerSettings(port=port))
    for host in ("192.0.2.1", "no-such-computer.invalid"):
        with pytest.raises(ConfigError, match=f"host={host}, port=0: cannot listen there: .*; give an address of this"):
            listen(ServerSettings(host=host, port=0, token=new_token()))


def test_a_library_that_is_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    check_library(tmp_path / "library.sqlite")
    assert "there is no library yet; index a folder on the page" in caplog.text
    with pytest.raises(LibraryError, match=r"there is no folder .*; make it, or name another library"):
        check_library(tmp_path / "nowhere" / "library.sqlite")


def test_names_of_the_server_are_names():
    assert all_hosts(("A.example:8080", " ", "2001:db8::1")) == ("a.example", "2001:db8::1")
    with pytest.raises(ConfigError, match=r"allow_host=http://a.example/: give the name alone"):
        all_hosts(("http://a.example/",))


def test_the_server_waits_for_no_browser(start: Callable, monkeypatch: pytest.MonkeyPatch):
    """Those in a terminal block until they are closed."""
    monkeypatch.setenv("BROWSER", "sh -c 'exec sleep 20 > /dev/null 2>&1' %s")
    _, address = start("--open")
    begin = time.monotonic()
    assert get(address, "healthz")[0] == 200 and time.monotonic() - begin < 15
    monkeypatch.setenv("BROWSER", "false %s")
    process, address = start("--open")
    assert "no browser could be opened; open the address above" in process.stderr.readline()
    assert get(address, "healthz")[0] == 200


def test_addresses():
    for host, wanted in (("127.0.0.1", "http://127.0.0.1:80/"), ("::1", "http://[::1]:80/")):
        assert address_of(ServerSettings(host=host), 80) == wanted
    shown = address_of(ServerSettings(host="0.0.0.0", token="a token of some length & more"), 80)
    assert shown == "http://127.0.0.1:80/?token=a%20token%20of%20some%20length%20%26%20more"


def _group(like: grp.struct_group, members: list[str]) -> grp.struct_group:
    return grp.struct_group((pwd.getpwuid(os.getuid()).pw_name, like.gr_passwd, like.gr_gid, members))


def test_temporary_files_are_in_a_folder_of_this_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Others could put links there, which the server would follow."""
    place = tmp_path / "of_all"
    place.mkdir()
    place.chmod(0o777)
    (tmp_path / "file").touch()
    for folder, message in ((place, "other users can write there"), (tmp_path / "file" / "x", "cannot be made")):
        with pytest.raises(ConfigError, match=f"temporary={folder}: {message}"), ServerFolder(folder):
            pass
    place.chmod(0o775)
    alone = grp.getgrgid(place.stat().st_gid)
    for members in ([], [pwd.getpwuid(os.getuid()).pw_name]):
        monkeypatch.setattr(grp, "getgrgid", lambda number, members=members: _group(alone, members))
        with ServerFolder(place):
            pass
    monkeypatch.setattr(grp, "getgrgid", lambda number: _group(alone, ["somebody"]))
    with pytest.raises(ConfigError, match="other users can write there"), ServerFolder(place):
        pass
    with ServerFolder(tmp_path / "new" / "one"):
        assert stat.S_IMODE((tmp_path / "new" / "one").stat().st_mode) == 0o700


@pytest.mark.slow
def test_the_folder_of_temporary_files_is_an_option(library: Path, tmp_path: Path):
    command = [sys.executable, "-m", "musicrec", "serve", "--library", str(library), "--port", "0", "--no-open"]
    (tmp_path / "file").touch()
    refused = subprocess.run(
        [*command, "--temporary", str(tmp_path / "file" / "x")], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "cannot be made" in refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "text"])
def test_what_is_no_library_is_one_message(tmp_path: Path, kind: str):
    place = tmp_path / kind
    place.mkdir() if kind == "folder" else place.write_text("no library")
    command = [sys.executable, "-m", "musicrec", "serve", "--library", str(place), "--port", "0", "--no-open"]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and str(place) in refused.stderr
