import dataclasses

import pytest

from musicrec.audio.remark import Remark
from musicrec.errors import ConfigError
from musicrec.recommend.answer import describe, tempo_change
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.ranking import recommend
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary


def ask(library: SqliteLibrary, query, *, k: int = 10, **settings):
    heads = list(library.heads.values())
    return recommend(
        ExactSearch(*library.read()),
        {**query.probabilities, "embedding": query.embedding},
        heads=heads,
        k=k,
        tag_filter=settings.pop("tag_filter", TagFilter(top=1)),
        similarity=Similarity(heads),
        **settings,
    )


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
    found = ask(crate, query, k=3, tag_filter=TagFilter(top=2))
    assert {tag.name for tag in found.tags[:2]} == {"jazz", "flute"} and found.tags[2].name == "drums"
    assert [track.track_id for track in found.tracks] == ["flute", "near", "far"]
    assert set(found.shared[1]) == {"jazz", "flute", "drums"} and found.shared[0] == ["flute"]
    assert [(len(step.tags), step.tracks) for step in found.steps] == [(2, 3)]
    match = found.matches[0]
    parts = match.by_block
    assert match.similarity == pytest.approx((parts["tempo"] + parts["key"] + 3 * parts["embedding"]) / 5)


def test_too_small_a_pool_is_widened_and_reported(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", instruments="drums flute", bpm=120, key="A minor")
    found = ask(crate, query, k=5, tag_filter=TagFilter(top=2))
    assert [step.tracks for step in found.steps] == [3, 7]  # drums, which the houses have too
    assert found.tracks[0].track_id == "house0" and len(found.tracks) == 5
    assert [step.tracks for step in ask(crate, query, k=1, min_pool=4, tag_filter=TagFilter(top=2)).steps] == [3, 7]


def test_in_a_small_library_the_tags_still_choose(crate: SqliteLibrary, make_track):
    """Where fewer than 2 k tracks can be chosen, the filter is only relaxed until half of them stay."""
    crate.add([make_track("third", genre="jazz", bpm=100)])
    query = make_track("q", genre="jazz", instruments="drums flute")
    found = ask(crate, query, k=10, tag_filter=TagFilter(top=2))
    assert found.min_pool == 4 and [step.tracks for step in found.steps] == [4]
    assert {track.track_id for track in found.tracks} == {"near", "far", "flute", "third"}
    strict = ask(crate, query, k=10, min_pool=10, tag_filter=TagFilter(top=2))
    assert strict.min_pool == 10 and len(strict.tracks) == 8, "a number that was asked for holds"
    assert ask(crate, query, k=2).min_pool == 2


def test_silent_and_very_short_tracks_are_left_out_unless_asked_for(crate: SqliteLibrary, make_track):
    query = make_track("q", genre="jazz", bpm=120)
    silent = Remark("the audio is silent", unreliable=True)
    near = dataclasses.replace(make_track("near", genre="jazz", bpm=120), remarks=(silent,))
    inverted = dataclasses.replace(make_track("far", genre="jazz", bpm=140), remarks=(Remark("one channel", False),))
    crate.add([near, inverted])
    found = ask(crate, query, k=1)
    assert [track.track_id for track in found.tracks] == ["far"] and found.left_out == 1
    found = ask(crate, query, k=1, include_unreliable=True)
    assert [track.track_id for track in found.tracks] == ["near"] and found.left_out == 0
    assert ask(crate, near, k=1, path=near.path).left_out == 0, "the query itself does not count"


def test_the_query_and_copies_are_left_out(crate: SqliteLibrary, make_track):
    copy = dataclasses.replace(make_track("copy"), audio_hash="house0")
    crate.add([copy])
    query = make_track("house1")
    by_path = ask(crate, query, path=query.path)
    assert "house1" not in [track.track_id for track in by_path.tracks]
    assert sum(track.audio_hash == "house0" for track in by_path.tracks) == 1
    by_audio = ask(crate, query, path="/elsewhere/house0.flac", audio_hash="house0")
    assert not {"house0", "copy"} & {track.track_id for track in by_audio.tracks}
    assert "house1" in [track.track_id for track in by_audio.tracks]


def test_min_pool_must_be_a_count(crate: SqliteLibrary, make_track):
    with pytest.raises(ConfigError, match="min_pool=0: give a whole number, 1 or more"):
        ask(crate, make_track("q"), min_pool=0)


@pytest.mark.parametrize("k", [0, -1, 1.5, "ten", True])
def test_k_must_be_a_count(crate: SqliteLibrary, make_track, k):
    with pytest.raises(ConfigError, match="k="):
        ask(crate, make_track("q"), k=k)


def test_an_empty_library_says_so(library: SqliteLibrary, make_track):
    with pytest.raises(ConfigError, match="holds no tracks"):
        ask(library, make_track("q"))


def test_a_library_without_tag_heads_is_only_ranked(tmp_path, heads: dict, make_track):
    features = {name: heads[name] for name in ("tempo", "key")}
    with SqliteLibrary.create(tmp_path / "l", exports=[], heads=list(features.values()), embedding_size=4) as library:
        library.add([make_track("a", bpm=90), make_track("b", bpm=121)])
        found = ask(library, make_track("q"))
    assert [track.track_id for track in found.tracks] == ["b", "a"] and found.tags == []


def test_descriptions_in_the_terms_of_a_dj(heads: dict, make_track):
    said = describe(heads, make_track("a", bpm=128.0, key="F# minor".replace("F#", "Gb")))
    assert said.bpm == pytest.approx(128, abs=0.5)
    assert (said.key, said.camelot) == ("Gb minor", "11A")


@pytest.mark.parametrize(
    ("bpm", "query", "change", "multiple"),
    [(126, 120, 5.0, 1), (60, 120, 0.0, 2), (174, 88, -1.136, 0.5), (140, 120, 16.667, 1)],
)
def test_change_of_tempo(bpm: float, query: float, change: float, multiple: float):
    assert tempo_change(bpm, query) == (pytest.approx(change, abs=1e-3), multiple)
    assert tempo_change(None, query) == (None, None)
