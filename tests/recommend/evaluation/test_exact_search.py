import dataclasses

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.space import LEAST_TRACKS
from musicrec.recommend.sqlite_library import SqliteLibrary


def test_matches_are_all_tracks_sorted_by_similarity(library: SqliteLibrary, make_track, heads: dict):
    generator = np.random.default_rng(1)
    tracks = [make_track(f"{i:02}", bpm=float(generator.uniform(80, 160))) for i in range(30)]
    library.add(tracks)
    search = ExactSearch(*library.read())
    similarity = Similarity([heads["tempo"]])
    query = tracks[4].probabilities
    expected, _ = similarity.compare(query, {"tempo": np.stack([t.probabilities["tempo"] for t in tracks])})
    found = search.search(query, similarity=similarity, k=30)
    assert [match.similarity for match in found] == pytest.approx(sorted(expected.tolist(), reverse=True))
    assert found[0].row == 4 and search.tracks[4].track_id == "04"
    even = np.arange(30) % 2 == 0
    among = search.search(query, similarity=similarity, k=5, among=even)
    assert [m.row for m in among] == [m.row for m in found if m.row % 2 == 0][:5]
    assert search.search(query, similarity=similarity, k=5, among=np.zeros(30, bool)) == []


def test_equally_similar_tracks_come_in_the_order_of_their_paths(library: SqliteLibrary, make_track, heads: dict):
    library.add([make_track(name) for name in "cabd"])
    search = ExactSearch(*library.read())
    found = search.search(make_track("q").probabilities, similarity=Similarity([heads["key"]]), k=3)
    assert [search.tracks[match.row].track_id for match in found] == ["a", "b", "c"]


def test_statistics_are_those_of_the_tracks_whose_answers_count(library: SqliteLibrary, make_track):
    rows = [[1.0, 5, 0, 0], [3, 5, 0, 0], [100, 5, 0, 0]]
    remarks = [(), (), (Remark("the audio is silent", unreliable=True),)]
    described = [{"energy": 2.0}, {}, {"energy": 9.0}]
    library.add(
        dataclasses.replace(
            make_track(str(i)), embedding=np.float32(rows[i]), remarks=remarks[i], descriptors=described[i]
        )
        for i in range(3)
    )
    search = ExactSearch(*library.read())
    mean, deviation = search.statistics("embedding")
    assert mean.tolist() == [2, 5, 0, 0] and deviation.tolist() == [1, 0, 0, 0]
    mean, deviation = search.statistics("energy")
    assert (mean.tolist(), deviation.tolist()) == ([2], [0]), "a track without the descriptor does not count"


def test_statistics_of_no_tracks(library: SqliteLibrary):
    mean, deviation = ExactSearch(*library.read()).statistics("embedding")
    assert mean.tolist() == [0] * 4 and deviation.tolist() == [1] * 4


def test_embeddings_are_scaled_only_in_a_library_that_is_large_enough(make_track):
    """Two tracks apart from a crowd: centred, they are as unlike as can be; as they are, all tracks are alike."""
    crowd = [make_track(f"crowd{number:02}") for number in range(LEAST_TRACKS - 2)]
    apart = [dataclasses.replace(make_track(name), embedding=np.array(values, np.float32)) for name, values in
             {"low": [99.0, 99.0], "high": [101.0, 101.0]}.items()]  # fmt: skip
    tracks = [*(dataclasses.replace(track, embedding=np.array([100.0, 100.0], np.float32)) for track in crowd), *apart]
    similarity = Similarity([], weights={"embedding": 1})

    def of_pair(tracks: list) -> float:
        search = ExactSearch(tracks, {"embedding": np.stack([track.embedding for track in tracks])})
        matches = search.search({"embedding": tracks[-2].embedding}, similarity=similarity, k=len(tracks))
        return next(match.similarity for match in matches if tracks[match.row].track_id == "high")

    assert of_pair(tracks) == pytest.approx(-1.0)
    assert of_pair(tracks[1:]) == pytest.approx(1.0)
