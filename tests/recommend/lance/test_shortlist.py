"""The tracks that LanceDB finds, against the exact search and the conditions on arrays."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from musicrec.errors import ConfigError, LibraryError
from musicrec.recommend import summaries
from musicrec.recommend.conditions import Condition
from musicrec.recommend.library import Changes
from musicrec.recommend.track_table import TrackTable, read_table
from tests.recommend.lance.changes import changes_of

if TYPE_CHECKING:
    from musicrec.recommend.lance.library import LanceLibrary

INF = float("inf")
CONDITIONS = [
    {},
    {"ranges": {"bpm": [(100, 140)]}},
    {"ranges": {"bpm": [(100, 110), (150, INF)], "energy": [(-INF, 5.5)]}},
    {"ranges": {"energy": [(3, 8)]}, "keep_unknown": ["energy"]},
    {"ranges": {"energy": [(-INF, INF)]}},
    {"ranges": {"year": [(1984.5, 1992)]}},
    {"ranges": {"year": [(1985, 1990)]}, "keep_unknown": ["year"]},
    {"ranges": {"bpm": []}},
    {"among": {"key": [0, 21]}},
    {"among": {"genre": ["house", "no such genre"]}},
    {"among": {"artist": ["D'Artagnan 1", "D'Artagnan 2"]}},
    {"among": {"artist": ["D'Artagnan 1"], "album": ["Ä"]}, "keep_unknown": ["artist", "album"]},
    {"among": {"genre": []}},
    {"not_among": {"artist": ["D'Artagnan 1", "D'Artagnan 2"]}},
    {"not_among": {"genre": ["rock"], "key": [0], "recording": [3]}},
    {"among": {"recording": [1]}, "keep_unknown": ["recording"]},
    {"tags_all": ["instruments: drums", "instruments: piano"]},
    {"tags_any": [["instruments: flute", "instruments: sax"], ["genre: jazz"]]},
    {"tags_none": ["instruments: drums"], "ranges": {"bpm": [(90, 170)]}},
]


@pytest.fixture
def filled(lance: "LanceLibrary", make_tracks: Callable) -> "LanceLibrary":
    lance.save(changes_of(make_tracks(60)))
    summaries.bring_up_to_date(lance)
    return lance


def expected(table: TrackTable, query: np.ndarray, condition: Condition, n: int) -> list[int]:
    """Return the ids that the exact search finds."""
    rows = np.flatnonzero(condition.mask(table.columns, table.tags))
    scores = table.vectors[rows].astype(np.float64) @ query.astype(np.float64)
    return table.ids[rows[np.lexsort((table.ids[rows], -scores.astype(np.float32)))][:n]].tolist()


@pytest.mark.parametrize("parts", CONDITIONS, ids=str)
def test_the_shortlist_is_that_of_the_exact_search(filled: "LanceLibrary", parts: dict):
    table, condition = read_table(filled), Condition(**parts)
    query = table.space.weighted(table.vectors[7], {"tempo": 2.0, "key": 1.0, "embedding": 1.0, "energy": 0.5})
    found, scores = filled.shortlist(query, condition=condition, n=12)
    assert found.ids.tolist() == expected(table, query, condition, 12)
    np.testing.assert_allclose(scores, found.vectors.astype(np.float32) @ query, atol=1e-5)


def test_the_rows_of_a_shortlist_are_those_of_the_whole_table(filled: "LanceLibrary"):
    whole = read_table(filled)
    found, _ = filled.shortlist(whole.vectors[0].astype(np.float32), n=60)
    same = whole.take(whole.rows_of(found.ids))
    assert len(found) == 60
    for name in ("ids", "vectors", "known", "unreliable"):
        np.testing.assert_array_equal(getattr(found, name), getattr(same, name), err_msg=name)
    np.testing.assert_array_equal(found.tags.bits, same.tags.bits)
    for name in ("bpm", "key", "energy", "loudness", "year", "duration_s", "artist", "album", "genre", "recording",
                 "vectors"):  # fmt: skip
        np.testing.assert_array_equal(getattr(found.columns, name), getattr(same.columns, name), err_msg=name)


def test_a_track_is_not_found_when_its_file_is_missing_or_its_answers_are_old(filled: "LanceLibrary", make_tracks):
    table = read_table(filled)
    path = filled.tracks(table.ids[:1].tolist())[0].path
    filled.save(Changes(missing=[path]))
    query = table.vectors[0].astype(np.float32)
    assert table.ids[0] not in filled.shortlist(query, n=60)[0].ids
    again = make_tracks(60)[1]
    filled.save(changes_of([again]))
    assert len(filled.shortlist(query, n=60)[0]) == 58
    summaries.bring_up_to_date(filled)
    assert len(filled.shortlist(query, n=60)[0]) == 59


def test_unknown_tags_and_a_library_without_vectors(filled: "LanceLibrary", lance: "LanceLibrary"):
    with pytest.raises(ConfigError, match="no track of this library has it"):
        filled.shortlist(np.zeros(filled.space().size, np.float32), condition=Condition(tags_all=["instruments: drum"]))


def test_before_the_first_summaries_there_is_no_shortlist(lance: "LanceLibrary"):
    with pytest.raises(LibraryError, match="has no vectors yet; run `musicrec index"):
        lance.shortlist(np.zeros(3, np.float32))


def test_with_an_index_of_the_vectors(lance: "LanceLibrary", make_tracks: Callable, monkeypatch: pytest.MonkeyPatch):
    from musicrec.recommend.lance import search

    monkeypatch.setattr(search, "INDEXED_FROM", 500)
    lance.save(changes_of(make_tracks(600)))
    summaries.bring_up_to_date(lance, progress=False)
    lance.tidy()
    assert lance.problems() == []
    table, condition = read_table(lance), Condition(ranges={"bpm": [(100, 140)]}, tags_all=["instruments: drums"])
    shares = []
    for row in range(0, 600, 60):
        query = table.space.weighted(table.vectors[row], dict.fromkeys(table.space.names, 1.0))
        for wanted in (Condition(), condition):
            found = lance.shortlist(query, condition=wanted, n=50)[0].ids[:10].tolist()
            shares.append(np.isin(expected(table, query, wanted, 10), found).mean())
    assert np.mean(shares) > 0.95
    more = make_tracks(620)[600:]
    lance.save(changes_of(more))
    summaries.bring_up_to_date(lance, progress=False)
    lance.tidy()
    table = read_table(lance)
    (new,) = lance.ids_of([more[3].audio_hash]).values()
    query = table.vectors[table.rows_of(np.array([new]))[0]].astype(np.float32)
    assert lance.shortlist(query, n=5)[0].ids[0] == new, "what came after the index was made is found, too"
