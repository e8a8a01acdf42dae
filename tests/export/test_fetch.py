"""Fetching models: from a web server on this machine, from a folder of wheels by pip, and from a file."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from musicrec.errors import DownloadError, ExportError
from musicrec.export import catalogue, fetch, package_index
from musicrec.export.checksums import find_damage
from musicrec.recommend.exports import fingerprint
from tests.web_host import Host

ROOT = Path(__file__).parents[2]
WEIGHTS = os.urandom(400_000)


def make_wheel(folder: Path, *, content: bytes = WEIGHTS) -> Path:
    """Write a wheel that pip accepts, and whose dependency does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "weighty-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weighty/weights.bin", content)
        metadata = "Metadata-Version: 2.1\nName: weighty\nVersion: 1.0\nRequires-Dist: there-is-no-such-package==0\n"
        file.writestr("weighty-1.0.dist-info/METADATA", metadata)
        file.writestr("weighty-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("weighty-1.0.dist-info/RECORD", "")
    return path


@pytest.fixture
def models(tmp_path: Path, host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models, for a catalogue with a model from the web, and a wheel that makes two."""
    wheel = make_wheel(tmp_path / "wheels")
    host.files["web.bin"] = WEIGHTS
    about = {"licence": "MIT", "source": "here", "trained_on": "nothing", "measured": [], "predicts": "nothing"}
    importer = "tests.importers.make_export"
    content = {
        "models": {
            "web_model": {"download": "web", "heads": ["a"], "settings": {}, **about},
            "one": {"download": "weighty", "heads": ["b"], "settings": {"part": "1"}, **about},
            "two": {"download": "weighty", "heads": ["c"], "settings": {"part": "2"}, **about},
        },
        "downloads": {
            "web": {
                "url": host.url("web.bin"),
                "file": "web.bin",
                "bytes": len(WEIGHTS),
                "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
                "importer": importer,
            },
            "weighty": {
                "requirement": "weighty==1.0",
                "file": wheel.name,
                "bytes": wheel.stat().st_size,
                "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
                "importer": importer,
            },
        },
    }
    file = tmp_path / "catalogue.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(catalogue, "FILE", file)
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
    return tmp_path / "models"


def download_of(model: str) -> catalogue.Download:
    download = catalogue.entries()[model].download
    assert download is not None
    return download


def get(model: str, **given) -> list[str]:
    return [entry.name for entry in fetch.get(download_of(model), **given)]


def left(models: Path) -> set[str]:
    """What the folder of models holds, without its lock and empty folders."""
    return {str(path.relative_to(models)) for path in models.rglob("*") if path.is_file()} - {".lock"}


WHOLE = {f"web_model/{name}" for name in ("config.json", "model.safetensors", "SHA256SUMS")}


def test_a_model_from_the_web_is_fetched_once(host: Host, models: Path):
    assert get("web_model") == ["web_model"]
    assert left(models) == WHOLE
    assert (models / "web_model" / "model.safetensors").read_bytes() == WEIGHTS
    assert get("web_model") == []
    assert host.requests == [("web.bin", 0)]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="the program sha256sum is not installed")
def test_the_record_is_one_that_sha256sum_reads(models: Path):
    get("web_model")
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=models / "web_model", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "config.json: OK\nmodel.safetensors: OK\n")


def test_an_interrupted_fetch_is_continued(host: Host, models: Path):
    host.limit = 0
    part = models / ".downloads" / "web" / "web.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS[:150_000])
    with pytest.raises(DownloadError, match="150,000 bytes are kept; run the same command again"):
        get("web_model")
    assert left(models) == {".downloads/web/web.bin.part"}
    host.limit = 200_000
    host.requests.clear()
    assert get("web_model") == ["web_model"]
    assert host.requests == [("web.bin", 150_000), ("web.bin", 350_000)]
    assert left(models) == WHOLE


def test_a_wrong_checksum_leaves_nothing(host: Host, models: Path):
    host.files["web.bin"] = WEIGHTS[::-1]
    with pytest.raises(DownloadError, match=r"web.bin: its sha256 is \w{64}, expected \w{64}"):
        get("web_model")
    assert left(models) == set()


def test_without_a_host_the_message_says_what_to_carry_over(host: Host, models: Path):
    host.troubles = [503] * 9
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    message = (
        f"{host.url('web.bin')}: cannot be downloaded \\(the host answered 503 Service Unavailable\\); run the same "
        f"command again, or download {host.url('web.bin')} on another machine, carry web.bin \\(SHA-256 {sha256}\\) "
        "over, and run `musicrec models get web --from web.bin`"
    )
    with pytest.raises(DownloadError, match=message):
        get("web_model")
    assert host.pauses_s == [2, 4]


def test_a_file_that_was_carried_over(host: Host, models: Path, tmp_path: Path):
    (tmp_path / "of another name").write_bytes(WEIGHTS)
    assert get("web_model", file=tmp_path / "of another name") == ["web_model"]
    assert not host.requests and left(models) == WHOLE and (tmp_path / "of another name").exists()
    sha256 = fingerprint(models / "web_model")
    fetch.remove(catalogue.named("web_model"))
    assert get("web_model") == ["web_model"]
    assert fingerprint(models / "web_model") == sha256, "a library would take it for another model"


def test_a_wrong_file_is_refused(models: Path, tmp_path: Path):
    (tmp_path / "wrong.bin").write_bytes(b"wrong")
    sha256 = hashlib.sha256(b"wrong").hexdigest()
    with pytest.raises(ExportError, match=rf"wrong.bin: its SHA-256 is {sha256}, but that of web.bin is \w{{64}}"):
        get("web_model", file=tmp_path / "wrong.bin")
    with pytest.raises(ExportError, match=r"--from .*nowhere.bin: No such file or directory; name the file web.bin"):
        get("web_model", file=tmp_path / "nowhere.bin")
    assert left(models) == set()


def test_a_wrong_file_is_refused_also_if_the_model_is_there(host: Host, models: Path, tmp_path: Path):
    get("web_model")
    with pytest.raises(ExportError, match=r"--from .*nowhere.bin: No such file or directory"):
        get("web_model", file=tmp_path / "nowhere.bin")
    assert left(models) == WHOLE


def test_what_cannot_be_imported_leaves_no_model_and_is_not_fetched_again(
    host: Host, models: Path, monkeypatch: pytest.MonkeyPatch
):
    host.files["web.bin"] = b"damaged weights"
    file = catalogue.FILE.with_name("other.yaml")
    sha256 = [hashlib.sha256(content).hexdigest() for content in (WEIGHTS, b"damaged weights")]
    file.write_text(catalogue.FILE.read_text().replace(*sha256))
    monkeypatch.setattr(catalogue, "FILE", file)
    for _ in range(2):
        with pytest.raises(ExportError, match="holds no weights"):
            get("web_model")
    assert left(models) == {".downloads/web/web.bin"} and len(host.requests) == 1


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def drop_weights(record: Path) -> None:
    record.write_text("".join(line for line in record.read_text().splitlines(True) if "safetensors" not in line))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda folder: flip(folder / "model.safetensors"), r"model.safetensors: its SHA-256 is \w{12}…, recorded is"),
        (lambda folder: flip(folder / "config.json"), r"config.json: its SHA-256 is"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: No such file"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS: the record of the checksums is missing"),
        (lambda folder: (folder / "SHA256SUMS").write_bytes(b"\xff\n"), "SHA256SUMS: .* cannot be read"),
        (lambda folder: drop_weights(folder / "SHA256SUMS"), "SHA256SUMS: does not name model.safetensors"),
    ],
    ids=["weights", "config", "missing", "no record", "odd record", "short record"],
)
def test_damage_is_found_and_mended(host: Host, models: Path, harm: Callable, message: str):
    get("web_model")
    assert find_damage(models / "web_model") == []
    harm(models / "web_model")
    (damage,) = find_damage(models / "web_model")
    assert re.search(message, damage), damage
    assert get("web_model") == ["web_model"], "the damaged model is fetched again"
    assert find_damage(models / "web_model") == [] and len(host.requests) == 2


def test_remove(host: Host, models: Path):
    get("web_model")
    assert [entry.name for entry in fetch.remove(catalogue.named("web_model"))] == ["web_model"]
    assert left(models) == set()
    assert fetch.remove(catalogue.named("web_model")) == []


def test_remove_forgets_an_interrupted_download(models: Path):
    (models / ".downloads" / "web").mkdir(parents=True)
    (models / ".downloads" / "web" / "web.bin.part").write_bytes(WEIGHTS[:10])
    assert fetch.remove(catalogue.named("web")) == []
    assert left(models) == set()


def test_a_shared_folder_may_be_read_only(host: Host, models: Path, monkeypatch: pytest.MonkeyPatch):
    get("web_model")
    (models / ".lock").unlink()
    (models / ".lock").mkdir()  # nothing can take this lock
    assert get("web_model") == []
    with pytest.raises(ExportError, match=r".lock: cannot be written \(Is a directory\)"):
        fetch.remove(catalogue.named("web_model"))


def test_a_folder_that_cannot_be_written(models: Path):
    models.write_text("a file")
    with pytest.raises(ExportError, match=r"models: cannot be written \(File exists\).*MUSICREC_MODELS"):
        get("web_model")


# Wheels, by pip.


@pytest.mark.slow
def test_a_wheel_becomes_two_models_and_is_not_installed(host: Host, models: Path, tmp_path: Path):
    kept = models / ".downloads" / "weighty" / f"{package_index._PREFIX}of a killed process"
    kept.mkdir(parents=True)
    assert get("one") == ["one", "two"]
    contents = [(models / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    wheel = (tmp_path / "wheels" / "weighty-1.0-py3-none-any.whl").read_bytes()
    assert contents == [b"1" + wheel, b"2" + wheel]
    assert not [name for name in left(models) if name.startswith(".")]
    assert subprocess.run([sys.executable, "-c", "import weighty"], capture_output=True).returncode == 1
    fetch.remove([catalogue.entries()["one"]])
    assert get("two") == ["one"], "only what is missing is made"


@pytest.mark.slow
def test_a_wheel_of_another_content_is_refused(models: Path, tmp_path: Path):
    make_wheel(tmp_path / "wheels", content=b"other")
    with pytest.raises(DownloadError, match=r"weighty==1.0: pip cannot fetch it: its SHA-256 is \w{64}, expected \w"):
        get("one")
    assert left(models) == set()


@pytest.mark.slow
def test_a_package_that_the_index_lacks(models: Path, tmp_path: Path):
    (tmp_path / "wheels" / "weighty-1.0-py3-none-any.whl").unlink()
    with pytest.raises(DownloadError, match=r"No matching distribution found for weighty==1.0 .*--from weighty-1.0-py"):
        get("one")


@pytest.mark.slow
def test_code_of_a_package_is_never_run(models: Path, tmp_path: Path):
    """A source distribution would run its setup.py."""
    (tmp_path / "wheels" / "weighty-1.0-py3-none-any.whl").unlink()
    with zipfile.ZipFile(tmp_path / "wheels" / "weighty-1.0.zip", "w") as file:
        file.writestr("weighty-1.0/setup.py", f"open({str(tmp_path / 'ran')!r}, 'w')")
        file.writestr("weighty-1.0/PKG-INFO", "Metadata-Version: 2.1\nName: weighty\nVersion: 1.0\n")
    with pytest.raises(DownloadError, match="No matching distribution"):
        get("one")
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_an_index_that_cannot_be_reached(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    message = (
        r"weighty==1.0: pip cannot fetch it: http://127.0.0.1:9/simple cannot be reached "
        r"\([^<>()]*Connection refused\); run `pip download --no-deps weighty==1.0` on another machine, "
        r"carry weighty-1.0-py3-none-any.whl \(SHA-256 "
    )
    with pytest.raises(DownloadError, match=message):
        get("one")


@pytest.mark.slow
def test_ctrl_c_ends_pip(models: Path, tmp_path: Path):
    """Ctrl-C in a terminal reaches both processes; here only musicrec gets it."""
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin" / "pip"
    pip.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    pip.chmod(0o755)
    code = (
        "import importlib.util, pathlib, sys\n"
        "from musicrec.export import catalogue, package_index\n"
        "package_index.importlib.util.find_spec = lambda name: None\n"
        "catalogue.FILE = pathlib.Path(sys.argv[1])\n"
        "from musicrec.programs.command import main\n"
        "main(['models', 'get', 'weighty'])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    command = [sys.executable, "-c", code, str(catalogue.FILE)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip() != "")
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate()
    assert (process.returncode, printed, errors.splitlines()[-1]) == (130, "", "interrupted")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert left(models) == set()


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, "nothing happened for a minute"
        time.sleep(0.01)


def test_an_environment_without_pip(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package_index.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(models))
    with pytest.raises(DownloadError, match=r"weighty==1.0: pip, which fetches it, is not installed .*--from weighty"):
        get("one")
