"""The rankings that are compared."""

import dataclasses

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.recommend.evaluation.comparison import candidates, stored_query
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.query_rankers import QueryMaker
from musicrec.recommend.evaluation.rankers import (
    random_ranker,
    ranked_lists,
    same_class_ranker,
    similarity_ranker,
    two_step_ranker,
)
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.query_settings import query_settings
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary


def search_of(tracks: list) -> ExactSearch:
    values = {name: np.stack([track.probabilities[name] for track in tracks]) for name in tracks[0].probabilities}
    return ExactSearch(tracks, values)


def queries_of(search: ExactSearch) -> list:
    return [stored_query(search, row) for row in range(len(search.tracks))]


def test_neither_the_query_nor_copies_nor_silence_is_recommended(make_track, heads: dict):
    tracks = [make_track(name, bpm=bpm) for name, bpm in zip("abcd", (120, 121, 122, 150), strict=True)]
    copy = dataclasses.replace(tracks[0], path="/music/copy.wav", track_id="copy")
    silent = dataclasses.replace(make_track("s", bpm=120), remarks=(Remark("it is silent", unreliable=True),))
    search = search_of([*tracks, copy, silent])
    among = candidates(search)
    assert among.tolist() == [True, True, True, True, False, False]
    ranker = similarity_ranker(search, Similarity([heads["tempo"]]))
    found = ranked_lists(ranker, queries_of(search)[:4], among=among, k=2)
    assert found.tolist() == [[1, 2], [2, 0], [1, 0], [2, 1]]
    assert ranked_lists(ranker, queries_of(search)[:1], among=among, k=4).tolist() == [[1, 2, 3, -1]]


def test_an_artist_can_be_left_out(make_track, heads: dict):
    search = search_of([make_track(name, bpm=bpm) for name, bpm in zip("abcd", (120, 121, 122, 150), strict=True)])
    ranker, among = similarity_ranker(search, Similarity([heads["tempo"]])), np.ones(4, dtype=bool)
    artists = np.array(["x", "x", "", ""], dtype=object)
    found = ranked_lists(ranker, queries_of(search), among=among, k=2, apart=artists)
    assert found.tolist() == [[2, 3], [2, 3], [1, 0], [2, 1]]


def test_two_steps_are_those_of_a_query_with_sure_tags_alone(library: SqliteLibrary, make_track):
    generator = np.random.default_rng(0)
    tracks = [
        make_track(
            f"{number:02}",
            genre=generator.choice(["house", "jazz", "rock"]),
            instruments=generator.choice(["drums", "flute", "piano sax"]),
            bpm=float(generator.uniform(90, 150)),
        )
        for number in range(30)
    ]
    for track in tracks:
        track.embedding[:] = generator.normal(size=4)
    library.add(tracks)
    stored, values = library.read()
    search, everything = ExactSearch(stored, values), list(library.heads.values())
    maker, among = QueryMaker(library, MemoryIndex(library), stored), np.ones(30, dtype=bool)
    others = [name for name in library.blocks() if name not in library.heads]
    similarity = Similarity(everything, blocks=others)
    for tag_filter in (TagFilter(possible=False), TagFilter(match="all", possible=False)):
        expected = two_step_ranker(search, similarity, heads=everything, tag_filter=tag_filter)
        asked = maker.ranker(query_settings(library, tags=tag_filter, neighbours=0))
        lists = [ranked_lists(one, queries_of(search), among=among, k=5) for one in (expected, asked)]
        assert lists[0].tolist() == lists[1].tolist()


def test_draws_depend_on_the_query_and_the_seed_alone(make_track):
    search = search_of([make_track(f"{number:02}") for number in range(20)])
    queries, among = queries_of(search), np.ones(20, dtype=bool)
    first, second = (ranked_lists(random_ranker(seed), queries, among=among, k=5) for seed in (0, 1))
    assert (first != second).any()
    assert ranked_lists(random_ranker(0), queries[::-1], among=among, k=5)[::-1].tolist() == first.tolist()
    classes = ["a"] * 3 + ["b"] * 16 + [""]
    found = ranked_lists(same_class_ranker(classes), queries, among=among, k=5)
    assert all(set(found[row][:2]) == {0, 1, 2} - {row} for row in range(3))
    assert all(classes[other] == "b" for other in found[5])
    assert len(set(found[19])) == 5
