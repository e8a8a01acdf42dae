"""A library whose file is replaced while the server runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from musicrec.errors import LibraryError
from musicrec.heads import Head
from musicrec.recommend.recommender import Recommender
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track
from musicrec.web.kept_recommender import KeptRecommender
from musicrec.web.settings import ServerSettings
from tests.web.conftest import TRACKS, track_id


@pytest.fixture
def smaller(make_track: Callable[[int], Track], heads: dict[str, Head], tmp_path: Path) -> Path:
    """A library of three tracks."""
    path = tmp_path / "smaller.sqlite"
    with SqliteLibrary.create(path, exports=[], heads=list(heads.values()), embedding_size=4) as made:
        made.add([make_track(number) for number in range(3)])
    return path


def test_a_copy_that_is_put_back_is_read(library: Path, smaller: Path):
    kept = KeptRecommender(lambda: Recommender.open(library))
    first = kept.get()
    assert kept.get() is first and len(first) == TRACKS
    os.replace(smaller, library)
    assert len(kept.get()) == 3
    library.unlink()
    assert len(kept.get()) == 3, "until there is another one"
    library.write_bytes(b"no library" * 100)
    with pytest.raises(LibraryError):
        kept.get()
    kept.close()


def test_a_library_that_is_made_later_is_found(library: Path, tmp_path: Path):
    kept = KeptRecommender(lambda: Recommender.open(tmp_path / "new.sqlite"))
    first = kept.get()
    with pytest.raises(LibraryError):
        len(first)
    library.rename(tmp_path / "new.sqlite")
    assert kept.get() is first and len(first) == TRACKS, "it keeps its models"
    kept.close()


@pytest.mark.parametrize("processes", [0, 1])
def test_every_way_of_asking_reads_it(serve, settings: ServerSettings, library: Path, smaller: Path, processes: int):
    client = serve(settings, processes=processes)

    def answers() -> list[int]:
        query = client.post("/api/v1/query", json={"tracks": [track_id(1)], "k": 100})
        made = client.post("/api/v1/sets/order", json={"tracks": [track_id(0), track_id(1)]})
        export = client.post("/api/v1/export", json={"format": "csv"})
        assert query.status_code == made.status_code == 200, (query.text, made.text)
        return [client.get("/api/v1/tracks").json()["total"], len(query.json()["results"]), export.text.count(".wav")]

    assert answers() == [TRACKS, TRACKS - 1, TRACKS]
    os.replace(smaller, library)
    assert answers() == [3, 2, 3]
