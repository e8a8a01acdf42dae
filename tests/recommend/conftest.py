"""Libraries of invented tracks with known answers, and a stand-in for the models that counts its calls."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.heads import Head
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import key_index, parse_key
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.recommend import indexing, music_source
from musicrec.recommend.columns import Columns
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track
from tests.counting_analyzer import RATE, CountingAnalyzer
from tests.s3_server import s3_server

GENRES, INSTRUMENTS = ("house", "jazz", "rock"), ("drums", "flute", "piano", "sax")


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server; see `tests.s3_server.use`."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def heads() -> dict[str, Head]:
    found = [
        ClassHead(name="genre", column="genre", role="tag", classes=GENRES),
        TagHead(name="instruments", columns=("instruments",), classes=INSTRUMENTS),
        TempoHead(),
        KeyHead(),
    ]
    return {head.name: head for head in found}


def one_hot(head: Head, name: str) -> np.ndarray:
    return np.eye(len(head.classes), dtype=np.float32)[head.classes.index(name)]


@pytest.fixture(scope="session")
def make_track(heads: dict[str, Head]) -> Callable[..., Track]:
    """Return a function that makes a track with a certain genre, tempo and key."""

    def make(
        name: str, *, genre: str = "house", instruments: str = "drums", bpm: float = 120.0, key: str = "A minor"
    ) -> Track:
        centres = heads["tempo"].centres_bpm
        tempo = np.exp(-0.5 * (36 * np.log2(centres / bpm)) ** 2).astype(np.float32)
        return Track(
            path=f"/music/{name}.wav",
            track_id=name,
            source="/music",
            size=1,
            mtime_ns=1,
            audio_hash=name,
            duration_s=60.0,
            probabilities={
                "genre": one_hot(heads["genre"], genre),
                "instruments": sum(one_hot(heads["instruments"], one) for one in instruments.split()) * 0.9,
                "tempo": tempo / tempo.sum(),
                "key": one_hot(heads["key"], key),
            },
            embedding=np.full(4, len(name), dtype=np.float32),
        )

    return make


@pytest.fixture
def columns() -> Callable[..., Columns]:
    """columns(bpm=[...], key=["8A", ""], …): what is not given is unknown."""

    def make(**facts) -> Columns:
        tracks = len(next(iter(facts.values())))
        unknown = np.full(tracks, np.nan)
        if "key" in facts:
            facts["key"] = [key_index(*parse_key(code)) if code else -1 for code in facts["key"]]
        texts = {name: np.full(tracks, "") for name in ("artist", "album", "genre")}
        defaults = {
            **{name: unknown for name in ("bpm", "energy", "loudness", "duration_s")},
            **{name: np.full(tracks, -1) for name in ("key", "year")},
            **texts,
            "vectors": np.zeros((tracks, 0)),
        }
        return Columns(**{**defaults, **facts})

    return make


@pytest.fixture
def library(heads: dict[str, Head], tmp_path: Path) -> SqliteLibrary:
    """An empty library."""
    path = tmp_path / "library.sqlite"
    with SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4) as made:
        yield made


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Six tones in two folders, each louder than the one before."""
    folder = tmp_path / "music"
    for i in range(6):
        path = folder / ("loud" if i > 3 else "soft") / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        tone = 0.1 * (i + 1) * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)
        soundfile.write(path, tone, RATE, subtype="PCM_16")
    return folder


@pytest.fixture
def run(library: SqliteLibrary, heads: dict) -> Callable:
    def index(source: Path, *, stop_after: int | None = None, **settings):
        analyzer = CountingAnalyzer(heads, stop_after=stop_after)
        settings = {"progress": False, **settings}
        done = indexing.index(library, analyzer, music_source.read_source(source), **settings)
        return done, analyzer.calls

    return index


@pytest.fixture
def corners(library: SqliteLibrary, make_track) -> SqliteLibrary:
    """Thirty tracks: ten near each of two embeddings, ten elsewhere."""
    rng = np.random.default_rng(0)
    tracks = []
    for place, centre in enumerate(([5, 0, 0, 0], [0, 5, 0, 0], [0, 0, 5, 5])):
        for i in range(10):
            track = dataclasses.replace(make_track(f"{'abc'[place]}{i}"), artist=f"artist {i // 4}")
            track.embedding[:] = np.array(centre) + rng.normal(size=4)
            tracks.append(track)
    library.add(tracks)
    return library
