"""The share of recommendations with the query's tags and near features, on tracks whose tags and tempi are known."""

import numpy as np
import pytest

from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.tags_and_features import TagsAndFeatures


def test_tags_must_be_all_there_and_features_near(make_track, heads: dict):
    kinds = [("house", "drums", 120), ("house", "drums piano", 121), ("house", "piano", 120), ("jazz", "drums", 122)]
    far = [("rock", "flute", 60 + 3 * number) for number in range(16)]
    tracks = [
        make_track(f"{number:02}", genre=genre, instruments=instruments, bpm=float(bpm))
        for number, (genre, instruments, bpm) in enumerate([*kinds, *far])
    ]
    values = {name: np.stack([one.probabilities[name] for one in tracks]) for name in tracks[0].probabilities}
    objective = TagsAndFeatures(ExactSearch(tracks, values), list(heads.values()), among=np.ones(20, dtype=bool))
    # Of the 19 other tracks, the nearest 10 % are two: 1 and 2, with the same key and nearly the same tempo.
    found = objective.shares(np.array([[1, 2, 3, 9], [1, -1, -1, -1]]), np.array([0, 0]))
    assert {name: of.tolist() for name, of in found.items()} == {
        "query_tags": [0.25, 1.0],  # only 1 is house with drums
        "near_features": [0.5, 1.0],
        "tags_and_features": [0.25, 1.0],
    }
    everything = TagsAndFeatures(ExactSearch(tracks, values), [heads["tempo"]], among=np.ones(20, dtype=bool))
    assert everything.shares(np.array([[1]]), np.array([0])) == {}


def test_about_a_tenth_of_random_tracks_is_near(make_track, heads: dict):
    generator = np.random.default_rng(0)
    tracks = [
        make_track(
            f"{number:02}", bpm=float(generator.uniform(60, 200)), key=f"{generator.choice(list('ABCDEFG'))} major"
        )
        for number in range(60)
    ]
    values = {name: np.stack([one.probabilities[name] for one in tracks]) for name in tracks[0].probabilities}
    objective = TagsAndFeatures(ExactSearch(tracks, values), list(heads.values()), among=np.ones(60, dtype=bool))
    everyone = np.array([[other for other in range(60) if other != row] for row in range(60)])
    found = objective.shares(everyone, np.arange(60))
    assert found["near_features"].mean() == pytest.approx(6 / 59, abs=0.01)
    assert found["query_tags"].tolist() == [1.0] * 60  # all are house with drums
