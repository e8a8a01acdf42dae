"""The similarity compared with simple arithmetic in float64, and with what a DJ expects."""

import math

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.heads.attributes import AttributeHead
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import camelot
from musicrec.heads.tempo import TempoHead
from musicrec.recommend.similarity import METRICS, Similarity, matrix_root


def random_tracks(heads: dict, tracks: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(7)
    values = {name: generator.dirichlet(np.full(len(h.classes), 0.2), tracks) for name, h in heads.items()}
    values["instruments"] = generator.random((tracks, len(heads["instruments"].classes)))
    values["embedding"] = generator.normal(size=(tracks, 4))
    return {name: array.astype(np.float32) for name, array in values.items()}


def nearest_semidefinite(head) -> list[list[float]]:
    """Return the sum of the outer products of the eigenvectors times the positive eigenvalues, in float64."""
    values, vectors = np.linalg.eigh(head.compatibility().astype(float))
    return sum(v * np.outer(e, e) for v, e in zip(values, vectors.T, strict=True) if v > 0).tolist()


def product(p: list[float], q: list[float], matrix: list[list[float]] | None) -> float:
    if matrix is None:
        return math.fsum(a * b for a, b in zip(p, q, strict=True))
    return math.fsum(p[i] * matrix[i][j] * q[j] for i in range(len(p)) for j in range(len(q)) if p[i] and q[j])


def test_cosine_equals_a_double_loop(heads: dict):
    weights = {"tempo": 0.5, "key": 2.0, "instruments": 1.0, "embedding": 0.25}
    tracks = random_tracks(heads, 6)
    matrices = {"tempo": nearest_semidefinite(heads["tempo"]), "key": nearest_semidefinite(heads["key"])}
    similarity = Similarity(list(heads.values()), weights=weights)
    for query in range(3):
        total, by_block = similarity.compare({n: v[query] for n, v in tracks.items()}, tracks)
        for row in range(6):
            expected = {}
            for name in weights:
                p, q = (tracks[name][i].astype(float).tolist() for i in (query, row))
                if name == "instruments":  # each tag is a choice between two classes
                    p, q = p + [1 - x for x in p], q + [1 - x for x in q]
                k = matrices.get(name)
                expected[name] = product(p, q, k) / math.sqrt(product(p, p, k) * product(q, q, k))
                assert by_block[name][row] == pytest.approx(expected[name], abs=2e-6)
            mean = sum(weights[name] * expected[name] for name in weights) / sum(weights.values())
            assert total[row] == pytest.approx(mean, abs=2e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_equals_its_definition(heads: dict, metric: str):
    """Check on the vectors of the blocks put side by side, each times the root of its share of the weight."""
    weights = {"tempo": 1.0, "key": 3.0}
    tracks = random_tracks(heads, 5)
    total, _ = Similarity(list(heads.values()), blocks=[], weights=weights, metric=metric).compare(
        {name: values[0] for name, values in tracks.items()}, tracks
    )
    roots = {}
    for name in weights:
        values, vectors = np.linalg.eigh(np.array(nearest_semidefinite(heads[name])))
        roots[name] = vectors @ np.diag(np.sqrt(values.clip(0))) @ vectors.T
    rows = []
    for row in range(5):
        parts = []
        for name, weight in weights.items():
            part = tracks[name][row].astype(float) @ roots[name]
            if metric == "correlation":
                part = part - part.mean()
            if metric != "euclidean":
                part = part / math.sqrt(part @ part)
            parts.append(part * math.sqrt(weight / 4))
        rows.append(np.concatenate(parts))
    distances = [math.dist(rows[0], row) for row in rows]
    cosines = [float(rows[0] @ row) for row in rows]
    expected = [1 / (1 + d) for d in distances] if metric == "euclidean" else cosines
    assert total == pytest.approx(expected, abs=1e-3 if metric == "euclidean" else 1e-5)
    assert total[0] == pytest.approx(1.0, abs=1e-3)


def test_keys_are_ordered_as_on_the_camelot_wheel():
    head = KeyHead()
    sure = np.eye(24, dtype=np.float32)
    codes = [camelot(i % 12, "minor" if i >= 12 else "major") for i in range(24)]
    total, _ = Similarity([head]).compare({"key": sure[head.classes.index("A minor")]}, {"key": sure})
    score = dict(zip(codes, total, strict=True))
    assert score["8A"] == pytest.approx(1.0, abs=1e-5)
    assert score["9A"] == pytest.approx(score["7A"], abs=1e-5)
    assert score["8A"] > score["9A"] > score["8B"] > score["9B"] > score["10A"] > score["2A"]
    assert score["7B"] == pytest.approx(score["9B"], abs=1e-5)


def test_near_and_double_tempi_are_similar(make_track):
    similarity = Similarity([TempoHead()])
    tempi = {bpm: make_track("a", bpm=bpm).probabilities["tempo"] for bpm in (120, 123, 140, 240, 60, 90)}
    total, _ = similarity.compare({"tempo": tempi[120]}, {"tempo": np.stack(list(tempi.values()))})
    score = dict(zip(tempi, total, strict=True))
    assert score[120] > score[123] > score[240] > score[140]
    assert score[60] == pytest.approx(score[240], abs=1e-3)
    assert score[90] < 0.01


def test_two_tracks_that_lack_an_attribute_are_similar():
    head = AttributeHead(columns=("energy", "valence"))
    rows = np.array([[0.1, 0.1], [0.9, 0.9], [0.1, 0.9]], dtype=np.float32)
    total, _ = Similarity([head]).compare({"attributes": rows[0]}, {"attributes": rows})
    # cos of (.1, .1, .9, .9) with (.9, .9, .1, .1) and (.1, .9, .9, .1)
    assert total == pytest.approx([1.0, 0.36 / 1.64, 1.0 / 1.64], abs=1e-6)


def test_a_root_times_itself_is_the_matrix():
    matrix = TempoHead().compatibility().astype(float)
    root = matrix_root(matrix).astype(float)
    assert np.abs(root @ root - matrix).max() < 1e-4


def test_the_default_weights_are_those_of_what_the_library_has(heads: dict):
    tags, features = [heads["genre"], heads["instruments"]], [heads["tempo"], heads["key"]]
    descriptors = ["energy", "loudness", "brightness", "onset_rate"]
    everything = ["embedding", "embedding.tagger", "variation", *descriptors, "tempo"]
    assert Similarity([*tags, *features], blocks=everything).weights == {
        "tempo": 1, "key": 1, "embedding": 4, "variation": 3, "energy": 2, "loudness": 2, "brightness": 2,
    }  # fmt: skip
    assert Similarity(features, blocks=everything).weights == {"tempo": 1, "key": 1, "energy": 1}
    assert Similarity([*tags, *features]).weights == {"tempo": 1, "key": 1, "embedding": 4}
    assert Similarity(features).weights == {"tempo": 1, "key": 1}
    assert Similarity(tags).weights == {"embedding": 1}
    assert Similarity([], blocks=["embedding", "energy"]).weights == {"energy": 1}


def test_named_weights_replace_default_ones(heads: dict):
    chosen = Similarity(
        list(heads.values()), weights={"tempo": 0, "genre": 2, "metre": None, "key": None, "embedding": 0}
    )
    assert chosen.weights == {"genre": 2.0, "key": 1.0}


def test_an_embedding_is_centred_and_scaled_by_the_statistics_of_the_library():
    rows = np.array([[12.0, 0.5, 7.0], [8.0, 0.5, 7.0], [12.0, 0.1, 7.0]], dtype=np.float32)
    statistics = np.array([10.0, 0.3, 7.0], np.float32), np.array([2.0, 0.2, 0.0], np.float32)
    similarity = Similarity([], blocks=["embedding", "embedding.tagger"], weights={"embedding": {"tagger": 2.0}})
    assert similarity.weights == {"embedding.tagger": 2.0}
    assert similarity.scaled == ["embedding.tagger"]
    total, _ = similarity.compare(
        {"embedding.tagger": rows[0]}, {"embedding.tagger": rows}, {"embedding.tagger": statistics}
    )
    # (1, 1, 0) with itself, (-1, 1, 0) and (1, -1, 0); the constant dimension is centred, not divided by 0
    assert total == pytest.approx([1.0, 0.0, 0.0], abs=1e-6)
    plain, _ = similarity.compare({"embedding.tagger": rows[0]}, {"embedding.tagger": rows})
    cosine = (12 * 8 + 0.25 + 49) / math.sqrt((144 + 0.25 + 49) * (64 + 0.25 + 49))
    assert plain[1] == pytest.approx(cosine, abs=1e-6)


def test_a_descriptor_is_a_point_on_a_quarter_of_a_circle():
    """Energy goes from 2 to 9: a third of that is 30 degrees, and what lies outside counts as its end."""
    energy = np.array([[2.0], [2 + 7 / 3], [9.0], [10.0]], dtype=np.float32)
    total, _ = Similarity([], blocks=["energy"], weights={"energy": 1}).compare(
        {"energy": energy[0]}, {"energy": energy}
    )
    assert total == pytest.approx([1.0, math.cos(math.pi / 6), 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_a_missing_value_leaves_its_block_out_of_the_mean(make_track, metric: str):
    """A track that was indexed before there were descriptors is compared by what it has, not punished for the rest."""
    head = KeyHead()
    similarity = Similarity([head], blocks=["energy"], weights={"energy": 3.0}, metric=metric)
    keys = np.stack([make_track("a", key=key).probabilities["key"] for key in ("A minor", "A minor", "E minor")])
    tracks = {"key": keys, "energy": np.array([[5.0], [np.nan], [np.nan]], np.float32)}
    query = {"key": keys[0], "energy": np.array([9.0], np.float32)}
    total, by_block = similarity.compare(query, tracks)
    only_key, _ = Similarity([head], metric=metric).compare(query, tracks)
    assert total[1:] == pytest.approx(only_key[1:])
    assert total[0] < only_key[0] == pytest.approx(1.0, abs=1e-3)
    assert np.isnan(by_block["energy"]).tolist() == [False, True, True]
    without, shown = similarity.compare({"key": keys[0]}, tracks)
    assert without == pytest.approx(only_key)
    assert list(shown) == ["key"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": {"tmepo": 1.0}}, "weights.tmepo=1.0: no such block; choose from: genre, instruments, tempo, key"),
        ({"weights": {"tempo": -1.0}}, "weights.tempo=-1.0"),
        ({"weights": {"tempo": math.nan}}, "weights.tempo=nan"),
        ({"weights": {"tempo": "much"}}, "weights.tempo=much"),
        ({"weights": {"tempo": 0, "key": 0, "embedding": 0}}, "all are 0"),
        ({"metric": "manhattan"}, "similarity.metric=manhattan: choose cosine, euclidean or correlation"),
    ],
)
def test_wrong_settings_are_named(heads: dict, settings: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        Similarity(list(heads.values()), **settings)
