"""What a query sees of a library: the same whether summaries are stored, missing or partly there."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.recommend import summaries
from musicrec.recommend.evaluation.exact_search import ExactSearch, library_columns
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.space import Space
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.stored_passages import to_bytes
from musicrec.recommend.track_table import TrackTable, read_table

GENRES = ("house", "jazz", "rock")
TUNES = ("A minor", "C major", "E minor")


@pytest.fixture
def filled(library: SqliteLibrary, make_track: Callable) -> SqliteLibrary:
    """A library of 30 tracks, with embeddings that differ."""
    rng = np.random.default_rng(0)
    tracks = [
        make_track(f"{i:02}", genre=GENRES[i % 3], bpm=90 + 3 * i, key=TUNES[i % 3], instruments="drums piano")
        for i in range(30)
    ]
    for track in tracks:
        track.embedding[:] = rng.normal(size=4)
        track.descriptors["energy"] = float(rng.uniform(1, 10))
    library.add(reversed(tracks))
    return library


def same(one: TrackTable, other: TrackTable) -> None:
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    np.testing.assert_array_equal(one.tags.bits, other.tags.bits)
    for name in ("bpm", "key", "energy", "genre", "duration_s", "artist"):
        np.testing.assert_array_equal(getattr(one.columns, name), getattr(other.columns, name), err_msg=name)


def test_a_table_does_not_depend_on_stored_summaries(filled: SqliteLibrary):
    without = read_table(filled)
    summaries.bring_up_to_date(filled)
    stored = read_table(filled)
    same(without, stored)
    assert [track.track_id for track in filled.tracks(stored.ids.tolist())] == [f"{i:02}" for i in range(30)]
    filled._connection.execute("DELETE FROM summaries WHERE recording % 3 = 0")
    same(stored, read_table(filled))


def test_its_facts_are_those_of_the_answers(filled: SqliteLibrary, heads: dict):
    tracks, values = filled.read()
    expected, table = library_columns(ExactSearch(tracks, values), heads), read_table(filled)
    for name in ("bpm", "key", "energy", "genre", "duration_s", "artist", "year"):
        np.testing.assert_array_equal(getattr(table.columns, name), getattr(expected, name), err_msg=name)
    has = ("genre: house", "instruments: drums", "instruments: piano")
    assert table.tags.of_track(0) == (*has, *(f"may have {tag}" for tag in has))


def test_its_vectors_compare_as_the_answers_do(filled: SqliteLibrary, heads: dict):
    """All blocks are as large as they are, so the products are those of the answers, up to float16."""
    tracks, values = filled.read()
    exact = ExactSearch(tracks, values)
    weights = {"tempo": 2.0, "key": 1.0, "embedding": 3.0, "energy": 1.0, "genre": 0.5}
    similarity = Similarity(list(heads.values()), blocks=["embedding", "energy"], weights=weights | {"instruments": 0})
    table = read_table(filled)
    total, by_block = similarity.compare(
        {name: of_one[3] for name, of_one in values.items()},
        {name: values[name] for name in similarity.weights},
        {"embedding": exact.statistics("embedding")},
    )
    query = table.space.weighted(table.vectors[3], weights)
    scores = table.vectors.astype(np.float32) @ query / sum(weights.values())
    np.testing.assert_allclose(scores, total, atol=0.002)
    of_blocks = table.space.similarities(table.vectors[3], table.vectors)
    for name in weights:
        np.testing.assert_allclose(
            of_blocks[:, table.space.names.index(name)], by_block[name], atol=0.002, err_msg=name
        )


def test_a_projection_keeps_what_differs_most():
    """Vectors in a plane of many dimensions: two directions hold all of it, so no product changes."""
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(2, 400)).astype(np.float32)
    points = rng.normal(size=(50, 2)).astype(np.float32)
    space = summaries.Space.fit([], {"embedding": points @ plane}, reliable=np.ones(50, dtype=bool))
    assert space.size == 96
    vectors, known = space.vectors({"embedding": points @ plane}, dtype=np.float32)
    assert known.all()
    raw = points @ plane
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    unit = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors @ vectors.T, unit @ unit.T, atol=1e-4)
    np.testing.assert_allclose(space.mean, vectors.mean(axis=0), atol=1e-6)


def test_what_a_track_lacks_is_marked(filled: SqliteLibrary, make_track: Callable):
    track = make_track("zz")
    filled.add([track])  # without energy
    table = read_table(filled)
    names = table.space.names
    assert not table.known_blocks(np.array([30]))[0, names.index("energy")]
    assert table.known_blocks(np.array([0])).all()
    assert np.isnan(table.columns.energy[30])
    assert not table.vectors[30, table.space.blocks["energy"]].any()


def test_some_tracks_have_vectors_of_unit_length(filled: SqliteLibrary):
    some = read_table(filled).take(np.array([4, 2]))
    np.testing.assert_allclose(np.linalg.norm(some.columns.vectors, axis=1), 1, atol=1e-5)
    assert some.rows_of(some.ids[::-1]).tolist() == [1, 0] and some.rows_of(np.array([10**9])).tolist() == [-1]


def test_damaged_summaries_are_named(filled: SqliteLibrary):
    summaries.bring_up_to_date(filled)
    filled._connection.execute("UPDATE summaries SET content = x'00'")
    with pytest.raises(LibraryError, match="is damaged: a summary has 1 bytes instead of"):
        read_table(filled)
    summaries.bring_up_to_date(filled)
    read_table(filled)
    filled._connection.execute("UPDATE space SET arrays = x'00'")
    with pytest.raises(LibraryError, match="the space of the library is damaged"):
        read_table(filled)
    summaries.bring_up_to_date(filled)
    assert len(read_table(filled)) == 30


def test_an_empty_library_has_an_empty_table(library: SqliteLibrary):
    summaries.bring_up_to_date(library)
    table = read_table(library)
    assert len(table) == 0 and len(table.tags) == 0 and table.space.size == 0


def test_the_space_is_fitted_again_when_a_library_grows(filled: SqliteLibrary, make_track: Callable):
    summaries.bring_up_to_date(filled)
    space = filled.space()
    filled.add([make_track("zz")])
    summaries.bring_up_to_date(filled)
    again = filled.space()
    assert space is not None and again is not None
    assert (space.fitted_on, again.fitted_on) == (30, 31)
    assert sum(len(ids) for ids, _ in filled.summaries()) == 31


def test_passages_are_fitted_again_as_an_old_library_is_completed(filled: SqliteLibrary):
    """Analysing a library of format 6 again may be interrupted as often as one likes."""
    rng = np.random.default_rng(1)
    hashes = sorted(track.audio_hash for track in filled.read()[0])

    def store(hashes: Sequence[str]) -> None:
        for name in hashes:
            starts = np.arange(5, dtype=np.float32) * 10
            values = rng.normal(5, 1, (5, 4)).astype(np.float32)
            blob = to_bytes(Passages(values=values, start_s=starts, end_s=starts + 10))
            filled._connection.execute("UPDATE recordings SET passages = ? WHERE audio_hash = ?", (blob, name))
        summaries.bring_up_to_date(filled)

    def fitted() -> tuple[float, float]:
        """The share of tracks of which it knows the ends alone, and what it takes for the mean."""
        statistics = filled.space().passages
        return statistics.share_of_ends, round(float(statistics.mean.mean()))

    for name in hashes:
        ends = rng.normal(0, 1, (2, 4)).astype("<f2").tobytes()
        filled._connection.execute("UPDATE recordings SET ends = ? WHERE audio_hash = ?", (ends, name))
    summaries.bring_up_to_date(filled)
    assert fitted() == (1, 0)
    store(hashes[:2])
    assert fitted() == (1, 0), "too few to be worth new summaries"
    store(hashes[2:15])
    assert fitted() == (0.5, 4)
    store(hashes[15:17])
    assert fitted()[0] == 0.5
    store(hashes[17:29])
    assert fitted()[0] == pytest.approx(1 / 30)
    store(hashes[29:])
    assert fitted() == (0, 5)


def test_a_block_without_dimensions_is_similar_to_nothing(heads: dict):
    """As the embedding of a network of size 0."""
    values = {"embedding": np.zeros((3, 0), np.float32), "key": np.eye(24, dtype=np.float32)[:3]}
    space = Space.fit([heads["key"]], values, reliable=np.ones(3, dtype=bool))
    vectors, _ = space.vectors(values)
    similar = space.similarities(vectors[0], vectors)
    assert similar[:, space.names.index("embedding")].tolist() == [0, 0, 0]
    assert similar[0, space.names.index("key")] == pytest.approx(1, abs=1e-3)


def test_space_and_vectors_are_of_one_state(filled: SqliteLibrary, make_track: Callable, monkeypatch):
    """Another program fits a new space between two looks of a reader."""
    summaries.bring_up_to_date(filled, progress=False)
    before = read_table(filled)
    with SqliteLibrary.open(filled.path) as reader, SqliteLibrary.open(filled.path) as writer:
        look = reader.space

        def space_before_a_change() -> Space | None:
            found = look()
            new = [make_track(f"new {i}") for i in range(10)]
            for i, track in enumerate(new):
                track.embedding[:] = np.eye(4)[i % 4] * 100
            writer.add(new)
            summaries.bring_up_to_date(writer, progress=False)
            return found

        monkeypatch.setattr(reader, "space", space_before_a_change)
        same(before, read_table(reader))


def test_everything_shares_what_it_does_not_compute(filled: SqliteLibrary):
    """A copy of the vectors of a million tracks would take hundreds of megabytes."""
    index = MemoryIndex(filled)
    everything, taken = index.everything(), index.all.take(index.all.rows)
    same(everything, taken)
    np.testing.assert_array_equal(everything.columns.vectors, taken.columns.vectors)
    np.testing.assert_allclose(np.linalg.norm(everything.columns.vectors, axis=1), 1, atol=1e-6)
    assert everything.vectors is index.all.vectors and everything.columns.bpm is index.all.columns.bpm
