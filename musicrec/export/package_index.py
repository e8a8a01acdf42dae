"""Fetch a wheel from the package index as pip does, with pip's configuration, and without installing anything.

pip knows the index, the mirrors, the proxies, the certificates and the credentials of this machine. It is told to take
wheels only, so that it never runs code of the package, and it verifies the checksum.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from musicrec.errors import DownloadError
from musicrec.system.atomic_write import move_file
from musicrec.system.console import error_console

_POLL_S = 0.1
_PREFIX = "pip-"
_RETRIES = "5"  # of an interrupted transfer, which pip from 25.1 on then resumes


def fetch_wheel(requirement: str, whole: Path, *, sha256: str, size: int, otherwise: str) -> None:
    """Fetch a wheel, and show the progress on standard error.

    Args:
        requirement: The package and its version, such as "musicnn==0.1.0".
        whole: Where to put the wheel; its name is that of the wheel. Temporary files lie beside it.
        sha256: The expected checksum (hexadecimal).
        size: Size of the wheel in bytes, for the progress bar.
        otherwise: How to get the wheel without the network, for messages.

    Raises:
        DownloadError: There is no pip, the index cannot be reached or has no such wheel, or its checksum is wrong.
    """
    for abandoned in whole.parent.glob(f"{_PREFIX}*"):  # by a process that was killed
        shutil.rmtree(abandoned, ignore_errors=True)
    pip = _find_pip()
    if pip is None:
        raise DownloadError(f"{requirement}: pip, which fetches it, is not installed in this environment; {otherwise}")
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=whole.parent) as name:
        folder = Path(name)
        (folder / "requirements.txt").write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
        status, log = _run(pip, folder, title=whole.name, size=size)
        fetched = folder / "wheel" / whole.name
        if status or not fetched.is_file():
            raise DownloadError(f"{requirement}: pip cannot fetch it: {_reason(log, sha256)}; {otherwise}")
        move_file(fetched, whole)


def _find_pip() -> list[str] | None:
    """Return the command that starts pip: that of this environment, or else any, as pip installs nothing here."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    elsewhere = shutil.which("pip") or shutil.which("pip3")
    return [elsewhere] if elsewhere else None


def _run(pip: list[str], folder: Path, *, title: str, size: int) -> tuple[int, str]:
    """Run `pip download` in a folder; return its status and what it printed."""
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--no-color"]
    command += ["--progress-bar=off", "--disable-pip-version-check", "--dest", str(folder / "wheel")]
    command += ["--requirement", str(folder / "requirements.txt")]
    # An older pip does not look at the variable of an option that it does not have.
    environment = {"PIP_RESUME_RETRIES": _RETRIES, **os.environ, "TMPDIR": str(folder)}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    log = folder / "log.txt"
    with open(log, "wb") as out, Progress(*columns, console=error_console(), transient=True) as bar:
        task = bar.add_task(title, total=size)
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                bar.update(task, completed=min(_size(folder), size))
                time.sleep(_POLL_S)
        finally:  # Ctrl-C reaches pip, too, unless something sent it to this process alone
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode == 0:
            bar.update(task, completed=size)
    return process.returncode, log.read_text(encoding="utf-8", errors="replace")


def _size(folder: Path) -> int:
    """Return the size of the largest file that pip has written so far: the wheel."""
    sizes = [0]
    for place, _, files in os.walk(folder):
        for file in files:
            try:
                sizes.append(os.stat(os.path.join(place, file)).st_size)
            except OSError:  # pip has moved it meanwhile
                continue
    return max(sizes)


def _reason(log: str, sha256: str) -> str:
    """Return what the output of pip says about a failure, in one sentence without a full stop."""
    other = re.search(r"Got +([0-9a-f]{64})", log)
    if other:
        return f"its SHA-256 is {other[1]}, expected {sha256}"
    indexes = re.search(r"^Looking in indexes: (.*)$", log, re.M)
    place = indexes[1] if indexes else "https://pypi.org/simple"
    broken = re.findall(r"connection broken by '(.*)': /", log)
    if broken:
        cause = broken[-1].rpartition(">: ")[2].rstrip("')\"")  # without the object of pip that has the trouble
        return f"{place} cannot be reached ({cause})"
    errors = re.findall(r"^ERROR: (.*)$", log, re.M)
    return f"{errors[-1].rstrip('.') if errors else 'pip does not say why'} ({place})"
