"""A server with a small library of real files and small models, and a browser, for the tests of the page.

The models have random weights: what is tested is the page, not the answers.
"""

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import uvicorn
from mutagen.flac import FLAC

from musicrec.recommend.recommender import Recommender
from musicrec.web.app import create_app
from musicrec.web.server import listen
from musicrec.web.settings import ServerSettings

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
RATE = 16_000
PATIENCE_S = 30  # a machine may do other things at the same time
TITLES = ("Amber", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Harbour", "Island", "Jade", "Kelp", "Lagoon")


def write_music(folder: Path, titles: tuple[str, ...], *, seed: int = 0) -> Path:
    """Write one FLAC file of six seconds per title: a beat and a chord, with tags; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    time_s = np.arange(6 * RATE) / RATE
    for i, title in enumerate(titles):
        bpm, tonic_hz = 90 + 7 * i, 110 * 2 ** (i / 12)
        beat = np.exp(-12 * (time_s % (60 / bpm))) * generator.normal(0, 0.3, len(time_s))
        chord = sum(np.sin(2 * np.pi * tonic_hz * ratio * time_s) for ratio in (1, 1.25, 1.5))
        file = folder / f"{title.lower()}.flac"
        soundfile.write(file, (0.05 + 0.015 * i) * (beat + chord), RATE, subtype="PCM_16")
        tags = FLAC(file)
        tags.update({"title": title, "artist": ("Ada", "Bo", "Cy")[i % 3], "album": "Trees", "date": str(1990 + i)})
        tags.save()
    return folder


def make_library(folder: Path) -> Path:
    """Index twelve files with small models; return the library."""
    from tests.programs.test_library_commands import make_export

    exports = [str(make_export(folder / "exports", name)) for name in ("tempo", "key", "musicnn_mtt")]
    music = write_music(folder / "music", TITLES)
    with Recommender.open(folder / "library.sqlite", models=exports, device="cpu") as recommender:
        recommender.index(music, progress=False)
    return folder / "library.sqlite"


@contextmanager
def running(settings: ServerSettings) -> Iterator[str]:
    """Run a server in a thread; yield its address."""
    socket = listen(dataclasses.replace(settings, port=0))
    port = socket.getsockname()[1]
    app = create_app(dataclasses.replace(settings, port=port))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started and time.monotonic() < until:
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.should_exit = True
        thread.join(20)


def find_browser() -> None:
    """Skip where there is no browser to be driven."""
    pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright: pip install playwright")
    if not CHROMIUM.exists():
        pytest.skip(f"no {CHROMIUM}; on Debian: sudo apt-get install chromium")


class Watched:
    """What a page wrote to its console, and where it sent requests.

    Attributes:
        problems: Errors, and requests to other places than its server.
        expected: Parts of messages that a test provokes.
    """

    def __init__(self, page, base: str) -> None:
        self.problems: list[str] = []
        self.expected: list[str] = []
        page.on("console", lambda message: message.type == "error" and self._note(f"console: {message.text}"))
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on("request", lambda request: self._check(request.url, base))

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.problems.append(text)

    def _check(self, url: str, base: str) -> None:
        if not url.startswith((base, f"blob:{base}", "data:")):
            self.problems.append(f"request to {url}")


def ask(page, title: str) -> None:
    """Ask about a track of the library."""
    page.get_by_role("combobox", name="Track to ask about").fill(title)
    page.get_by_role("option", name=title).wait_for()
    page.keyboard.press("Enter")
    page.locator(".found[aria-busy=false]").wait_for()  # else the rows may be those of the question before
    page.locator(".result:not(.skeleton)").first.wait_for()


def until(page, condition: str, within_s: float = PATIENCE_S) -> None:
    """Wait until a JavaScript expression is true. (wait_for_function needs eval, which the page's policy refuses.)"""
    end = time.monotonic() + within_s
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"still not true: {condition}"
        page.wait_for_timeout(50)
