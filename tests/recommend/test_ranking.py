import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from musicrec.audio.remark import Remark
from musicrec.errors import ConfigError
from musicrec.export.passages import Passages
from musicrec.recommend.answer import describe
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library import Changes
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.musical_filters import MusicalFilters, set_filters
from musicrec.recommend.reranking.expansion import expanded_query
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.stored_passages import to_bytes
from tests.recommend.ask import ask, ids, of_embedding


@pytest.fixture
def crate(library: SqliteLibrary, make_track) -> SqliteLibrary:
    """Three tracks with jazz or a flute, and four that have neither but the tempo and key of the query."""
    library.add(
        [
            make_track("near", genre="jazz", instruments="drums flute", bpm=123, key="E minor"),  # 9A
            make_track("far", genre="jazz", instruments="drums flute", bpm=140, key="Eb major"),  # 5B
            make_track("flute", genre="rock", instruments="flute", bpm=120, key="C major"),  # 8B
            *(make_track(f"house{i}", instruments="drums", bpm=120, key="A minor") for i in range(4)),
        ]
    )
    return library


def test_tags_first_then_similarity(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", instruments="drums flute", bpm=120, key="A minor")
    found = ask(crate, query, k=3, tags=TagFilter(top=2))
    assert {tag.name for tag in found.tags[:2]} == {"jazz", "flute"} and found.tags[2].name == "drums"
    assert ids(found) == ["flute", "near", "far"]
    assert set(found.matches[1].shared_tags) == {"jazz", "flute", "drums"}
    assert found.matches[0].shared_tags == ["flute"]
    assert [(len(step.tags), step.tracks) for step in found.steps] == [(2, 3)]
    match = found.matches[0]
    parts = match.by_block
    assert match.similarity == pytest.approx((parts["tempo"] + parts["key"] + 3 * parts["embedding"]) / 5)


def test_too_small_a_pool_is_widened_and_reported(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", instruments="drums flute", bpm=120, key="A minor")
    found = ask(crate, query, k=5, tags=TagFilter(top=2))
    assert [step.tracks for step in found.steps] == [3, 7]  # drums, which the houses have too
    assert ids(found)[0] == "house0" and len(found.matches) == 5
    assert [step.tracks for step in ask(crate, query, k=1, min_pool=4, tags=TagFilter(top=2)).steps] == [3, 7]


def test_in_a_small_library_the_tags_still_choose(crate: SqliteLibrary, make_track):
    """Where fewer than 2 k tracks can be chosen, the filter is only relaxed until half of them stay."""
    crate.add([make_track("third", genre="jazz", bpm=100)])
    query = make_track("q", genre="jazz", instruments="drums flute")
    found = ask(crate, query, k=10, tags=TagFilter(top=2))
    assert found.min_pool == 4 and [step.tracks for step in found.steps] == [4]
    assert set(ids(found)) == {"near", "far", "flute", "third"}
    strict = ask(crate, query, k=10, min_pool=10, tags=TagFilter(top=2))
    assert strict.min_pool == 10 and len(strict.matches) == 8, "a number that was asked for holds"
    assert ask(crate, query, k=2).min_pool == 2


def test_silent_and_very_short_tracks_are_left_out_unless_asked_for(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", bpm=120)
    silent = Remark("the audio is silent", unreliable=True)
    near = dataclasses.replace(make_track("near", genre="jazz", bpm=120), remarks=(silent,))
    inverted = dataclasses.replace(make_track("far", genre="jazz", bpm=140), remarks=(Remark("one channel", False),))
    crate.add([near, inverted])
    found = ask(crate, query, k=1)
    assert ids(found) == ["far"] and found.left_out == 1
    found = ask(crate, query, k=1, include_unreliable=True)
    assert ids(found) == ["near"] and found.left_out == 0
    assert ask(crate, near, k=1).left_out == 0, "the query itself does not count"


def test_the_query_and_copies_are_left_out(crate: SqliteLibrary, make_track):
    copy = dataclasses.replace(make_track("copy"), audio_hash="house0")
    crate.add([copy])
    by_itself = ask(crate, make_track("house1"))
    assert "house1" not in ids(by_itself)
    assert sum(match.track.audio_hash == "house0" for match in by_itself.matches) == 1
    of_copy = ask(crate, dataclasses.replace(make_track("elsewhere"), audio_hash="house0"))
    assert not {"house0", "copy"} & set(ids(of_copy))
    assert "house1" in ids(of_copy)


def test_min_pool_must_be_a_count(crate: SqliteLibrary, make_track):
    with pytest.raises(ConfigError, match="min_pool=0: give a whole number or null, 1 or more"):
        ask(crate, make_track("q"), min_pool=0)


@pytest.mark.parametrize("k", [0, -1, 1.5, "ten", True])
def test_k_must_be_a_count(crate: SqliteLibrary, make_track, k):
    with pytest.raises(ConfigError, match="k="):
        ask(crate, make_track("q"), k=k)


def test_an_empty_library_has_nothing(library: SqliteLibrary, make_track):
    assert ask(library, make_track("q")).matches == []


def test_a_library_without_tag_heads_is_only_ranked(tmp_path, heads: dict, make_track):
    features = {name: heads[name] for name in ("tempo", "key")}
    with SqliteLibrary.create(tmp_path / "l", exports=[], heads=list(features.values()), embedding_size=4) as library:
        library.add([make_track("a", bpm=90), make_track("b", bpm=121)])
        found = ask(library, make_track("q"))
    assert ids(found) == ["b", "a"] and found.tags == []


def test_descriptions_in_the_terms_of_a_dj(heads: dict, make_track):
    said = describe(heads, make_track("a", bpm=128.0, key="F# minor".replace("F#", "Gb")))
    assert said.bpm == pytest.approx(128, abs=0.5)
    assert (said.key, said.camelot) == ("Gb minor", "11A")


def test_versions_of_a_recording_come_once_and_not_for_themselves(crate: SqliteLibrary, make_track):
    crate._connection.execute("UPDATE recordings SET version_of = 'house0' WHERE audio_hash IN ('house1', 'house2')")
    found = ids(ask(crate, make_track("q", bpm=120), k=10))
    assert len({"house0", "house1", "house2"} & set(found)) == 1 and "house3" in found
    assert not {"house0", "house1", "house2"} & set(ids(ask(crate, make_track("house1"))))


def test_musical_filters_leave_what_fits(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", instruments="drums flute", bpm=120, key="A minor")  # 8A
    by_bpm = ask(crate, query, filters=MusicalFilters(bpm=(122, 130)))
    assert ids(by_bpm) == ["near"] and by_bpm.filtered == 1 and by_bpm.dropped == ()
    assert by_bpm.matches[0].tempo_change == (pytest.approx(2.5, abs=0.3), 1)
    by_key = ask(crate, query, filters=MusicalFilters(key=["relative"]))
    assert ids(by_key) == ["flute"]
    assert ids(ask(crate, query, filters=MusicalFilters(genre=["Rock"]))) == ["flute"]
    with pytest.raises(ConfigError, match="genre polka"):
        ask(crate, query, filters=MusicalFilters(genre=["polka"]))


def test_filters_of_a_preset_are_dropped_if_hardly_a_track_is_left(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", bpm=120, key="A minor")
    filters = MusicalFilters(bpm=(122, 130), key=["same"])
    soft = ask(crate, query, filters=filters, soft=set_filters(filters))
    assert soft.dropped == ("key", "bpm") and soft.filtered == 7
    assert ask(crate, query, filters=filters).matches == [], "what a user asked for is never dropped"
    enough = MusicalFilters(bpm=(118, 122))
    assert ask(crate, query, filters=enough, soft=set_filters(enough)).dropped == ()


def test_chosen_tags_replace_those_of_the_query(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="house")
    assert set(ids(ask(crate, query, tags=TagFilter(any=["flute"])))) == {"near", "far", "flute"}
    assert set(ids(ask(crate, query, tags=TagFilter(all=["flute", "Jazz"])))) == {"near", "far"}
    assert set(ids(ask(crate, query, tags=TagFilter(any=["flute"], none=["rock"])))) == {"near", "far"}
    assert ids(ask(crate, query, tags=TagFilter(all=["sax"]))) == [], "they are never dropped"
    assert set(ids(ask(crate, make_track("q", genre="jazz"), k=3, tags=TagFilter(none=["drums"])))) == {"flute"}


def test_required_tags_are_not_relaxed(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="rock", instruments="flute")
    found = ask(crate, query, k=5, tags=TagFilter(top=1, required=True))
    assert ids(found) == ["flute"] and len(found.steps) == 1


def test_several_queries_find_what_is_like_one_of_them(corners: SqliteLibrary):
    alike = of_embedding(corners, "a0", "b0")
    found = ids(ask(corners, *alike, k=10, weights={"embedding": 1}))
    assert {name[0] for name in found} == {"a", "b"} and not {"a0", "b0"} & set(found)
    both = [sum(name[0] == letter for name in found) for letter in "ab"]
    assert min(both) >= 3, "not only one of them"


def test_tracks_to_be_unlike_are_avoided(corners: SqliteLibrary):
    alike, unlike = of_embedding(corners, "a0", "b0"), of_embedding(corners, "b1")
    found = ids(ask(corners, *alike, unlike=unlike, k=8, weights={"embedding": 1}))
    assert sum(name[0] == "a" for name in found) >= 7 and "b1" not in found


def test_a_playlist_goes_on_from_its_end(corners: SqliteLibrary):
    """The last track counts most: the request lists the tracks of a playlist from the last to the first."""
    tracks = of_embedding(corners, "a0", "a1", "a2", "b0", "b1", "b2")
    towards = [
        sum(name[0] == "b" for name in ids(ask(corners, *order, playlist=True, k=6, weights={"embedding": 1})))
        for order in (tracks[::-1], tracks)
    ]
    assert towards[0] > towards[1]


def test_at_most_n_tracks_of_an_artist(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    found = ask(corners, query, k=6, weights={"embedding": 1}, filters=MusicalFilters(max_per_artist=2))
    names = [match.track.artist for match in found.matches]
    assert len(names) == 6 and max(names.count(name) for name in names) == 2


def test_diversity_changes_the_order_and_not_the_first(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    plain = ids(ask(corners, query, k=8, weights={"embedding": 1}))
    diverse = ids(ask(corners, query, k=8, weights={"embedding": 1}, reranking=Reranking(hubs=0.0, balance=0.3)))
    assert plain[0] == diverse[0] and {name[0] for name in plain} == {"a"} < {name[0] for name in diverse}


def test_the_tracks_around_a_query_change_how_it_sounds_and_nothing_else(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    settings = {"k": 29, "tags": TagFilter(any=["house"]), "weights": {"embedding": 3.0, "tempo": 1.0}}
    plain = {match.track.track_id: match for match in ask(corners, query, **settings).matches}
    found = ask(corners, query, **settings, reranking=Reranking(neighbours=3)).matches
    space = MemoryIndex(corners).space
    tracks, values = corners.read()
    vectors, _ = space.vectors(values)
    weights = space.weighted(np.ones(space.size, np.float32), {"embedding": 3.0, "tempo": 1.0})
    compared = vectors.astype(np.float32) * np.sqrt(weights / 4)
    names = [track.track_id for track in tracks]
    own = compared[names.index("a0")]
    near = np.argsort(-(compared @ own), kind="stable")
    expanded = expanded_query(compared[[names.index("a0"), *(row for row in near if names[row] != "a0")]], neighbours=3)
    sound = space.blocks["embedding"]
    for match in found:
        change = (expanded - own)[sound] @ compared[names.index(match.track.track_id), sound]
        before = plain[match.track.track_id]
        assert match.similarity == before.similarity and match.by_block == before.by_block
        assert match.score == pytest.approx(before.score + change, abs=1e-3)
    assert any(match.score != match.similarity for match in found)


@pytest.mark.parametrize(
    "settings", [{"weights": {"tempo": 1.0}}, {"similarity": "euclidean"}, {"several": True}], ids=str
)
def test_where_the_tracks_around_a_query_do_not_count(corners: SqliteLibrary, heads: dict, settings: dict):
    """Without a block of sound, with another metric than the cosine, and of several queries."""
    alike = of_embedding(corners, "a0", "a1") if settings.pop("several", False) else of_embedding(corners, "a0")
    if metric := settings.get("similarity"):
        settings["similarity"] = Similarity(list(heads.values()), weights={"embedding": 1.0}, metric=metric)
    lists = [
        [match.score for match in ask(corners, *alike, **settings, reranking=Reranking(neighbours=n)).matches]
        for n in (0, 3)
    ]
    assert lists[0] == lists[1]


def test_neighbours_need_not_fit_the_filters(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    settings = {"k": 9, "weights": {"embedding": 1.0}, "reranking": Reranking(neighbours=3)}
    everything = {match.track.track_id: match.score for match in ask(corners, query, **settings).matches}
    filters = MusicalFilters(not_artist=[one.artist for one in of_embedding(corners, "a1", "a2", "a3") if one.artist])
    fewer = ask(corners, query, **settings, filters=filters).matches
    same = [match for match in fewer if match.track.track_id in everything]
    assert 0 < len(same) < len(everything)
    assert all(match.score == everything[match.track.track_id] for match in same)


def with_passages(corners: SqliteLibrary, passages: dict[str, np.ndarray]) -> None:
    """Give tracks passages of 15 s."""
    for name, values in passages.items():
        starts = 15 * np.arange(len(values), dtype=np.float32)
        heard = Passages(values=np.asarray(values, np.float32), start_s=starts, end_s=starts + 15)
        blob = to_bytes(heard)
        corners._connection.execute("UPDATE recordings SET passages = ? WHERE audio_hash = ?", (blob, name))


PASSAGES = {"weights": {"tempo": 0.1}, "tags": TagFilter(any=["house"]), "k": 3}


def test_the_end_of_the_query_meets_the_beginning_of_others(corners: SqliteLibrary):
    rng = np.random.default_rng(1)
    passages = {f"{letter}{i}": rng.normal(size=(5, 40)) for letter in "abc" for i in range(10)}
    passages["a7"][:2] = 3 * passages["a0"][-2:].mean(axis=0)
    passages["a8"][-2:] = 3 * passages["a0"][:2].mean(axis=0)
    with_passages(corners, passages)
    (query,) = of_embedding(corners, "a0")
    found = ask(corners, query, passage="outro_to_intro", **PASSAGES)
    assert ids(found)[0] == "a7" and found.matches[0].by_block["passage"] > 0.9
    assert (found.matches[0].passage.query_s, found.matches[0].passage.track_s) == ((45, 75), (0, 30))
    assert found.matches[0].why.endswith("; its 0:00–0:30 fits 0:45–1:15 of the query")
    before = ask(corners, query, passage="intro_to_outro", **PASSAGES)
    assert ids(before)[0] == "a8" and before.matches[0].passage.track_s == (45, 75)
    plain = ask(corners, query, **PASSAGES).matches[0]
    assert "passage" not in plain.by_block and plain.passage is None and "fits" not in plain.why


def test_the_passages_that_fit_best(corners: SqliteLibrary, make_track: Callable):
    rng = np.random.default_rng(1)
    passages = {f"{letter}{i}": rng.normal(size=(5, 40)) for letter in "abc" for i in range(10)}
    passages["a6"][3] = 2 * passages["a0"][1]
    with_passages(corners, passages)
    (query,) = of_embedding(corners, "a0")
    (first, *_) = ask(corners, query, passage="best", **PASSAGES).matches
    assert first.track.track_id == "a6" and first.passage.similarity > 0.99
    assert (first.passage.query_s, first.passage.track_s) == ((15, 30), (45, 60))
    values = np.float32(passages["a6"][2:3])
    new = Passages(values=values, start_s=np.float32([100]), end_s=np.float32([110]))
    other = dataclasses.replace(query, audio_hash="new", passages=new)
    (first, *_) = ask(corners, other, passage="best", **PASSAGES).matches
    assert first.track.track_id == "a6" and first.passage.query_s == (100, 110), "a file that is not in the library"


def test_tracks_without_passages_keep_their_similarity(corners: SqliteLibrary):
    with_passages(corners, {f"a{i}": np.random.default_rng(i).normal(size=(5, 4)) for i in range(9)})
    (query,) = of_embedding(corners, "a0")
    found = ask(corners, query, passage="best", weights={"embedding": 1}, tags=TagFilter(any=["house"]), k=9)
    (without,) = [match for match in found.matches if match.track.track_id == "a9"]
    assert without.passage is None and without.similarity == pytest.approx(without.by_block["embedding"])


def test_a_taste_changes_the_order_and_bans(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    plain = ids(ask(corners, query, k=3, weights={"embedding": 1}))

    def taste(table, scores, query):
        assert np.linalg.norm(query) == pytest.approx(1, abs=1e-3)
        names = [track.track_id for track in corners.tracks(table.ids.tolist())]
        changed = np.where(np.array(names) == plain[0], -np.inf, scores) + 9.0 * (np.array(names) == "c3")
        return changed, ["you like it" if name == "c3" else "" for name in names]

    found = ask(corners, query, k=3, weights={"embedding": 1}, taste=taste)
    assert ids(found) == ["c3", *plain[1:3]] and found.matches[0].taste == "you like it"


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "correlation"])
def test_the_shortlist_holds_what_a_comparison_with_all_tracks_finds(corners: SqliteLibrary, metric: str, heads: dict):
    (query,) = of_embedding(corners, "b0")
    weights = {"tempo": 1.0, "key": 0.5, "embedding": 2.0, "genre": 0.0, "instruments": 0.0}
    similarity = Similarity(list(heads.values()), weights=weights, metric=metric)
    found = ask(corners, query, k=5, similarity=similarity, tags=TagFilter(any=["house"]))
    tracks, values = corners.read()
    space = MemoryIndex(corners).space
    total, _ = similarity.compare({**query.probabilities, "embedding": query.embedding}, values, space.statistics)
    order = [tracks[row].track_id for row in np.argsort(-total, kind="stable") if tracks[row].track_id != "b0"]
    assert ids(found) == order[:5]
    assert [match.similarity for match in found.matches] == pytest.approx(np.sort(total)[::-1][1:6], abs=1e-6)


@pytest.mark.parametrize("search", ["exact", "kdtree", "balltree"])
def test_every_search_finds_the_same(corners: SqliteLibrary, search: str):
    (query,) = of_embedding(corners, "b0")
    index = MemoryIndex(corners, search=search)
    vector, _ = index.space.vectors({"embedding": query.embedding[None]}, dtype=np.float32)
    found = index.shortlist(vector[0], {"embedding": 1.0}, TagFilter(any=["house"]).chosen(index.tags), n=7)
    exact = MemoryIndex(corners).shortlist(vector[0], {"embedding": 1.0}, TagFilter().chosen(index.tags), n=7)
    assert found.ids.tolist() == exact.ids.tolist()


def test_what_a_track_lacks_is_weighed_again(corners: SqliteLibrary):
    """A track without a block is ranked by the others, as if it were as similar in the block as in those."""
    (query,) = of_embedding(corners, "b0")
    query.descriptors["energy"] = 5.0
    corners._connection.execute("UPDATE recordings SET descriptors = '{\"energy\": 5.0}' WHERE audio_hash <> 'b3'")
    alone = {m.track.track_id: m for m in ask(corners, query, k=29, weights={"embedding": 1}).matches}["b3"]
    both = {m.track.track_id: m for m in ask(corners, query, k=29, weights={"embedding": 1, "energy": 2}).matches}
    assert both["b3"].similarity == pytest.approx(alone.similarity) and "energy" not in both["b3"].by_block
    assert both["b4"].by_block["energy"] == pytest.approx(1)


def test_a_limit_per_artist_looks_further_than_the_shortlist(library: SqliteLibrary, make_track):
    """The nearest 150 tracks are of one artist; others are found all the same."""
    tracks = [dataclasses.replace(make_track(f"near{i:03}"), artist="Ada") for i in range(150)]
    tracks += [dataclasses.replace(make_track(f"far{i}", bpm=140), artist=f"artist {i}") for i in range(12)]
    library.add(tracks)
    found = ask(library, make_track("q"), k=10, weights={"tempo": 1}, filters=MusicalFilters(max_per_artist=1))
    assert len(found.matches) == 10 and ids(found)[0].startswith("near") and ids(found)[1].startswith("far")


def test_a_longer_shortlist_compares_only_what_is_new(library: SqliteLibrary, make_track, monkeypatch):
    """And finds what one look at everything finds."""
    tracks = [dataclasses.replace(make_track(f"near{i:03}", bpm=120 + i / 10), artist="Ada") for i in range(150)]
    tracks += [dataclasses.replace(make_track(f"far{i}", bpm=140 + i), artist=f"artist {i}") for i in range(12)]
    library.add(tracks)
    read, values = [], library.values
    monkeypatch.setattr(library, "values", lambda ids: read.append(ids) or values(ids))
    asked = {"k": 10, "weights": {"tempo": 1, "key": 1}, "filters": MusicalFilters(max_per_artist=1)}
    found = ask(library, make_track("q"), **asked)
    first, more = read[-2:]
    assert (len(first), len(more)) == (100, 62) and not set(first) & set(more)
    monkeypatch.setattr("musicrec.recommend.ranking._LONGER", (50,))
    at_once = ask(library, make_track("q"), **asked)
    assert ids(found) == ids(at_once)
    assert [one.similarity for one in found.matches] == pytest.approx([one.similarity for one in at_once.matches])
    assert [one.by_block for one in found.matches] == [pytest.approx(one.by_block) for one in at_once.matches]


def test_versions_of_all_that_is_named_are_left_out(corners: SqliteLibrary):
    """Also of the second query, of the end of a path, of banned recordings, and of a query whose file is gone."""
    corners._connection.execute("UPDATE recordings SET version_of = 'b0' WHERE audio_hash = 'b1'")
    start, first, version = of_embedding(corners, "a0", "b0", "b1")
    number = corners.ids_of(["b0"])["b0"]
    for found in (
        ask(corners, start, first, k=28),
        ask(corners, start, version, k=28),
        ask(corners, start, k=28, unlike=[first]),
        ask(corners, start, k=28, towards=first),
        ask(corners, start, k=28, banned=[number]),
    ):
        assert not {"b0", "b1"} & set(ids(found)) and "b2" in ids(found)
    same = MusicalFilters(same_recording=True)
    assert "b1" in ids(ask(corners, start, first, k=28, filters=same)), "that was asked for"
    assert "b1" not in ids(ask(corners, start, k=28, banned=[number], filters=same))
    corners.save(Changes(missing=["/music/b0.wav"]))
    assert "b1" not in ids(ask(corners, first, k=28))


def test_an_artist_to_leave_out_is_found_in_any_case(corners: SqliteLibrary):
    (query,) = of_embedding(corners, "a0")
    found = ask(corners, query, k=30, filters=MusicalFilters(not_artist=["ARTIST 1", "Nobody"]))
    assert {match.track.artist for match in found.matches} == {"artist 0", "artist 2"}
    assert found.remarks == ["no track of the library has the artist Nobody"]
