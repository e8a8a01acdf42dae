"""A library in LanceDB of invented tracks. Everything here is skipped without the extra `lance`."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from musicrec.recommend.track import Track

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary

GENRES = ("house", "jazz", "rock")
KEYS = ("A minor", "C major", "E minor", "F major")


@pytest.fixture
def lance(tmp_path: Path, heads: dict) -> "Iterator[LanceLibrary]":
    """An empty library."""
    pytest.importorskip("lancedb", reason="needs LanceDB: pip install 'musicrec[lance]'")
    from musicrec.recommend.lance.library import LanceLibrary

    made = LanceLibrary.create(tmp_path / "library", exports=[], heads=list(heads.values()), embedding_size=4)
    with made:
        yield made


@pytest.fixture
def make_tracks(make_track: Callable) -> Callable[[int], list[Track]]:
    """Return a function that makes different tracks, some of which lack something."""

    def make(count: int) -> list[Track]:
        rng = np.random.default_rng(0)
        tracks = []
        for i in range(count):
            sounds = " ".join(rng.choice(["drums", "flute", "piano", "sax"], size=rng.integers(1, 4), replace=False))
            bpm, key = float(rng.uniform(60, 180)), KEYS[rng.integers(4)]
            track = make_track(f"{i:04}", genre=GENRES[rng.integers(3)], bpm=bpm, key=key, instruments=sounds)
            track.embedding[:] = rng.normal(size=4)
            if i % 4:
                track.descriptors["energy"] = float(np.float32(rng.uniform(1, 10)))
            artist = None if i % 5 == 0 else f"D'Artagnan {rng.integers(7)}"
            year = None if i % 3 == 0 else int(rng.integers(1980, 2000))
            tracks.append(dataclasses.replace(track, artist=artist, album=artist and "Ä", year=year))
        return tracks

    return make
