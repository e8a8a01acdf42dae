"""Queries as rankings: they answer as `recommend` does, can leave parts out, and continue playlists."""

import dataclasses

import numpy as np
import pytest

from musicrec.recommend.evaluation.comparison import stored_query
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.loaded_library import in_memory
from musicrec.recommend.evaluation.query_rankers import QueryMaker, asked_track
from musicrec.recommend.evaluation.rankers import Query
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.presets import Preset
from musicrec.recommend.query_settings import QuerySettings, query_settings
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.sqlite_library import SqliteLibrary

PRESET = Preset(
    name="own",
    weights={"embedding": 1.0, "tempo": 1.0},
    tags=TagFilter(top=1),
    filters=MusicalFilters(bpm_percent=6, key=("compatible",)),
    reranking=Reranking(neighbours=2, hubs=0.5, balance=0.7),
)


@pytest.fixture
def search(corners: SqliteLibrary) -> ExactSearch:
    """The thirty tracks of the library: ten near each of two embeddings, ten elsewhere."""
    return ExactSearch(*corners.read())


@pytest.fixture
def maker(corners: SqliteLibrary, search: ExactSearch) -> QueryMaker:
    return QueryMaker(corners, MemoryIndex(corners), search.tracks)


def names(search: ExactSearch, rows: np.ndarray) -> list[str]:
    return [search.tracks[row].track_id for row in rows]


def others_than(*rows: int) -> np.ndarray:
    among = np.ones(30, dtype=bool)
    among[list(rows)] = False
    return among


def test_only_tracks_to_choose_from_are_found(corners: SqliteLibrary, search: ExactSearch, maker: QueryMaker):
    rank, among = maker.ranker(query_settings(corners, weights={"embedding": 1.0})), others_than(0, 1, 2)
    found = rank(stored_query(search, 0), among=among, k=7)
    assert sorted(names(search, found)) == [f"a{i}" for i in range(3, 10)]


def test_changed_audio_is_asked_with(corners: SqliteLibrary, search: ExactSearch, maker: QueryMaker):
    rank = maker.ranker(query_settings(corners, weights={"embedding": 1.0}))
    as_other = Query(row=0, values=stored_query(search, 15).values)
    found = rank(as_other, among=others_than(0), k=10)
    assert {name[0] for name in names(search, found)} == {"b"}


def test_each_part_can_be_left_out(corners: SqliteLibrary, search: ExactSearch, maker: QueryMaker):
    made = maker.with_parts("preset own", query_settings(corners, preset=PRESET), short="own")
    variants = {f"own without {part}" for part in ("tags first", "filters", "neighbours", "hubs", "diversity")}
    assert made.variants == variants and set(made.rankers) == {"preset own", *variants} == set(made.continuations)
    assert set(made.whole().rankers) == {"preset own"}
    everything = maker.presets()
    assert set(everything.whole().rankers) == {"preset mix", "preset inspire", "preset explore"}
    assert "mix without filters" in everything.rankers and "inspire without filters" not in everything.rankers
    plain = query_settings(corners, preset=dataclasses.replace(PRESET, reranking=Reranking(hubs=0.0)))
    assert set(maker.with_parts("x", plain).rankers) == {"x", "x without tags first", "x without filters"}


def test_what_is_left_out_has_no_effect(library: SqliteLibrary, make_track):
    house = [make_track(f"h{i}", bpm=120 + 3 * i) for i in range(4)]
    library.add([*house, *(make_track(f"j{i}", genre="jazz", instruments="flute", bpm=120) for i in range(4))])
    search = ExactSearch(*library.read())
    maker = QueryMaker(library, MemoryIndex(library), search.tracks, min_pool=1)
    filters = MusicalFilters(bpm_percent=4)
    own = Preset(name="own", weights={"tempo": 1.0}, tags=TagFilter(top=2), filters=filters)
    made = maker.with_parts("own", QuerySettings(**vars(query_settings(library, preset=own)) | {"soft": frozenset()}))
    among = np.arange(8) > 0
    found = {
        name: names(search, rank(stored_query(search, 0), among=among, k=3)) for name, rank in made.rankers.items()
    }
    assert found["own"] == ["h1"]
    assert found["own without tags first"][0][0] == "j" and len(found["own without tags first"]) == 3
    assert found["own without filters"] == ["h1", "h2", "h3"]


def test_a_playlist_is_continued_by_all_its_tracks(corners: SqliteLibrary, search: ExactSearch, maker: QueryMaker):
    continued = maker.continuation(query_settings(corners, weights={"embedding": 1.0}))
    seeds = [0, 1, 10, 11]
    found = continued([stored_query(search, row) for row in seeds], among=others_than(*seeds), k=10)
    assert len(found) == 10 and {name[0] for name in names(search, found)} == {"a", "b"}


def test_the_track_of_a_query_has_its_values(corners: SqliteLibrary, search: ExactSearch):
    values = stored_query(search, 3).values | {"energy": np.array([5.0]), "loudness": np.array([np.nan])}
    track = asked_track(search.tracks[0], Query(row=0, values=values), corners)
    assert track.audio_hash == search.tracks[0].audio_hash and track.descriptors == {"energy": 5.0}
    assert (track.embedding == search.tracks[3].embedding).all()


def test_a_library_in_memory_answers_the_same(corners: SqliteLibrary, search: ExactSearch):
    loaded, ids = in_memory(corners, search.tracks, search.values | {"mfcc": np.zeros((30, 1))}), [7, 3, 20]
    assert loaded.ids_of(["a0", "none"]) == corners.ids_of(["a0", "none"]) and len(loaded) == 30
    assert [track.path for track in loaded.tracks(ids)] == [track.path for track in corners.tracks(ids)]
    found, expected = loaded.values(ids), corners.values(ids)
    assert found.keys() == expected.keys() and loaded.heads == corners.heads
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
