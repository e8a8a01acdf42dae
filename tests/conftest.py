"""Fixtures shared by all tests."""

import contextlib
import gc
import io
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import platformdirs
import pytest

from musicrec.programs import resolvers, startup
from tests import extras

if TYPE_CHECKING:
    from tests.web_host import Host

ROOT = Path(__file__).parents[1]

# Leave Ctrl-C to pytest: importing a program makes Ctrl-C end the process at once, until the program has begun.
startup.finish()
resolvers.register()
# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would the programs that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The tensors of the tests are tiny, so several threads would be slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Answers are the same wherever the tests run, and no test waits for a graph; tests/export tries the other engines.
os.environ.setdefault("MUSICREC_ENGINE", "torch")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-files", type=int, default=27, help="how many damaged files tests/fuzz reads")
    parser.addoption("--no-skips", action="store_true", help="a test that skips fails")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs an extra that is not installed.

    Begin with the files that have most slow tests, so that no process has a long file left when the others end.
    """
    for item in items:
        needed = {name for marker in item.iter_markers("extra") for name in marker.args}
        if missing := extras.missing(needed):
            item.add_marker(pytest.mark.skip(reason=f"pip install 'musicrec[{','.join(missing)}]'"))
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With --no-skips, a test that skips fails."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--no-skips"):
        _, _, reason = report.longrepr
        report.outcome, report.longrepr = "failed", f"--no-skips, but it skips: {reason}"
    return report


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what is imported and collected: it stays until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the rendered corpus, real recordings and public weights. Tests skip where it is absent."""
    folder = Path(os.environ.get("MUSICREC_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "reference" / "outputs.json").is_file():
        pytest.skip(f"no reference material in {folder}; set MUSICREC_SHARED to run this test")
    return folder


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> "Iterator[Host]":
    """A web server on this machine. A client in this process does not wait before it tries again."""
    from musicrec.system import download
    from tests.web_host import Host

    with Host() as server:
        monkeypatch.setattr(download, "time", SimpleNamespace(sleep=server.pauses_s.append))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def musicnn_wheel() -> Path:
    """The wheel of musicnn 0.1.0 with the public weights. Tests skip where it is absent; nothing is downloaded."""
    name = "musicnn-0.1.0-py3-none-any.whl"
    chosen = os.environ.get("MUSICREC_MUSICNN_WHEEL")
    wheel = Path(chosen) if chosen else platformdirs.user_cache_path("musicrec") / name
    wheel = wheel / name if wheel.is_dir() else wheel
    if not wheel.is_file():
        pytest.skip(f"no {wheel}; MUSICREC_MUSICNN_WHEEL=FOLDER names the folder of `pip download --no-deps musicnn`")
    return wheel


@pytest.fixture(scope="session")
def tiny_music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of 24 synthetic tracks of six seconds, with splits and all labels."""
    from musicrec.data.synthetic import make_synthetic

    return make_synthetic(tmp_path_factory.mktemp("tiny_music"), tracks=24, duration_s=6.0, progress=False)


@pytest.fixture(scope="session")
def public_crnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small untrained CRNN with 50 outputs, with the names of sota-music-tagging-models."""
    import torch

    from musicrec.export.public_names import ARCHITECTURES, ORIGINAL_NAMES

    weights = {}
    for name, tensor in ARCHITECTURES["crnn"]({"tags": 50}, width=8, gru_size=8).state_dict().items():
        ours = next(module for module in ORIGINAL_NAMES["crnn"] if name.startswith(f"{module}."))
        weights[ORIGINAL_NAMES["crnn"][ours] + name.removeprefix(ours)] = tensor
    path = tmp_path_factory.mktemp("public") / "crnn.pth"
    torch.save(weights, path)
    return path


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.CompletedProcess]:
    """program("train.py", "debug=fast", status=0, folder=ROOT): run a script of the repository with arguments.

    The script runs in this process, because a new one takes seconds to start. The exit status must be the given one.
    Returns a CompletedProcess with what was printed to standard output and standard error.
    """

    def run(name: str, *arguments: str, status: int = 0, folder: Path = ROOT) -> subprocess.CompletedProcess:
        from hydra._internal import utils
        from hydra.core.global_hydra import GlobalHydra

        # Coverage traces, which Hydra takes for a debugger: it would raise its errors instead of printing them.
        utils.is_under_debugger = lambda: False
        GlobalHydra.instance().clear()
        out, err, code, argv, here = io.StringIO(), io.StringIO(), 0, sys.argv, Path.cwd()
        os.chdir(folder)
        sys.argv = [str(ROOT / name), *arguments]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                runpy.run_path(str(ROOT / name), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.argv = argv
            os.chdir(here)
        assert code == status, out.getvalue() + err.getvalue()
        return subprocess.CompletedProcess(sys.argv, code, out.getvalue(), err.getvalue())

    return run
