"""A server in this process, on a small library of invented tracks; and, for the tests of the page, a browser."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from musicrec.heads import Head
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track
from musicrec.web.app import create_app
from musicrec.web.settings import ServerSettings
from tests.web import page_server
from tests.web.page_server import Watched, find_browser, make_library, running

GENRES, INSTRUMENTS = ("house", "jazz", "rock"), ("drums", "flute", "piano", "sax")
ARTISTS, KEYS = ("Ada", "Bo", "Céline", None), ("A minor", "E minor", "C major", "Gb major")
TRACKS = 24
BASE = "http://127.0.0.1:8765"


def track_id(number: int) -> str:
    """The id of a track of the library."""
    return f"{number:032x}"


@pytest.fixture(scope="session")
def heads() -> dict[str, Head]:
    found = [
        ClassHead(name="genre", column="genre", role="tag", classes=GENRES),
        TagHead(name="instruments", columns=("instruments",), classes=INSTRUMENTS),
        TempoHead(),
        KeyHead(),
    ]
    return {head.name: head for head in found}


@pytest.fixture(scope="session")
def make_track(heads: dict[str, Head]) -> Callable[[int], Track]:
    """make_track(number): tempo 100 + number, energy from 1 to 10, genres, keys and artists in turn."""
    rng = np.random.default_rng(0)

    def make(number: int, *, path: str | None = None) -> Track:
        key, genre = KEYS[number % 4], GENRES[number % 3]
        tempo = np.exp(-0.5 * (36 * np.log2(heads["tempo"].centres_bpm / (100.0 + number))) ** 2).astype(np.float32)
        of_key, of_genre = heads["key"].classes, heads["genre"].classes
        return Track(
            path=path or f"/music/{number:02}.wav",
            track_id=f"{number:02}.wav",
            source="/music",
            title=f"Song {number}",
            artist=ARTISTS[number % 4],
            album=f"Album {number // 6}",
            year=1990 + number if number % 5 else None,
            genre=None,
            size=1,
            mtime_ns=1,
            audio_hash=track_id(number),
            duration_s=180.0 + number,
            probabilities={
                "genre": np.eye(len(of_genre), dtype=np.float32)[of_genre.index(genre)],
                "instruments": np.array([0.9, 0.1, 0.8 * (number % 2), 0.2], np.float32),
                "tempo": tempo / tempo.sum(),
                "key": np.eye(len(of_key), dtype=np.float32)[of_key.index(key)],
            },
            embedding=rng.normal(size=4).astype(np.float32),
            descriptors={"energy": 1.0 + 9 * number / (TRACKS - 1), "loudness": -14.0 + number / 4},
        )

    return make


@pytest.fixture(scope="session")
def library_file(heads: dict[str, Head], make_track: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 24 tracks, to be copied."""
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    with SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4) as made:
        made.add([make_track(number) for number in range(TRACKS)])
    return path


@pytest.fixture
def library(library_file: Path, tmp_path: Path) -> Path:
    """A library of 24 tracks of this test alone."""
    path = tmp_path / "library.sqlite"
    path.write_bytes(library_file.read_bytes())
    return path


@pytest.fixture
def settings(library: Path, tmp_path: Path) -> ServerSettings:
    """Without query processes, which take a second to start: both ways answer with the same function."""
    return ServerSettings(library=library, temporary=tmp_path / "serve", processes=0)


@pytest.fixture
def serve() -> Iterator[Callable[..., TestClient]]:
    """serve(settings): a client of a server with these settings, as a program on this computer."""
    running = []

    def start(settings: ServerSettings, **changes) -> TestClient:
        settings = dataclasses.replace(settings, **changes)
        client = TestClient(create_app(settings), base_url=BASE, raise_server_exceptions=True)
        running.append(client)
        return client.__enter__()

    yield start
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def client(serve: Callable[..., TestClient], settings: ServerSettings) -> TestClient:
    """A client of a server with the usual settings."""
    return serve(settings)


@pytest.fixture(scope="module")
def browser() -> Iterator:
    find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(page_server.CHROMIUM), args=page_server.FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with music and a library of it."""
    folder = tmp_path_factory.mktemp("page")
    make_library(folder)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    """The address of a server."""
    with running(ServerSettings(library=folder / "library.sqlite", device="cpu")) as address:
        yield address


@pytest.fixture
def open_page(browser, base: str) -> Iterator[Callable]:
    """open_page("library", width=390): a page of its own. No test may leave an error in its console."""
    opened = []

    def make(view: str = "find", *, width: int = 1280, at: str = base, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        page = context.new_page()
        page.set_default_timeout(page_server.PATIENCE_S * 1000)
        page.watched = Watched(page, at)
        opened.append((context, page.watched))
        page.goto(f"{at}#/{view}")
        page.wait_for_selector("main[data-view] > *, dialog")
        return page

    yield make
    for context, _ in opened:
        context.close()
    problems = [problem for _, watched in opened for problem in watched.problems]
    assert not problems, problems
