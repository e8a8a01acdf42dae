"""Sentences that say why a track is recommended, word for word."""

import math

import pytest

from musicrec.heads.keys import key_index, parse_key
from musicrec.recommend.reasons import reason
from musicrec.recommend.track_facts import TrackFacts


def key(code: str) -> int:
    return key_index(*parse_key(code))


QUERY = TrackFacts(bpm=125.0, key=key("8A"), energy=6.0, loudness=-9.0, genre="techno")
TRACK = TrackFacts(bpm=127.1, key=key("9A"), energy=6.4, loudness=-9.4, genre="techno")
MIX = {"tempo": 4, "key": 4, "energy": 3, "embedding": 3, "variation": 1, "loudness": 1, "brightness": 1}
INSPIRE = {"embedding": 4, "variation": 3, "tags_mtt": 2, "brightness": 2, "energy": 1}
SCORES = {
    "tempo": 0.95, "key": 0.9, "energy": 0.97, "loudness": 0.95, "brightness": 0.97,
    "embedding": 0.7, "variation": 0.65, "tags_mtt": 0.8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"tempo_change": (1.7, 1.0)},
            "Both techno at 127 BPM (+1.7 %), 9A after 8A (neighbour on the Camelot wheel), as energetic; sounds alike",
        ),
        (
            {"tempo_change": (1.7, 1.0), "most": 2},
            "Both techno at 127 BPM (+1.7 %), 9A after 8A (neighbour on the Camelot wheel)",
        ),
        (
            {"tempo_change": (0.04, 1.0), "track": TrackFacts(bpm=125.05, key=key("8A"))},
            "The same tempo (125 BPM), in the same key (8A), as bright; sounds alike",
        ),
        (
            {"tempo_change": (-0.8, 2.0), "track": TrackFacts(bpm=62, key=key("8B"), energy=3.5)},
            "62 BPM (×2, -0.8 %), 8B after 8A (relative major), calmer (3.5 after 6.0); sounds alike",
        ),
        (
            {
                "tempo_change": (5.9, 1),
                "shift_semitones": -1,
                "vinyl": True,
                "track": TrackFacts(bpm=132, key=key("3A")),
            },
            "132 BPM (+5.9 %), 3A after 8A (which sounds as 8A at this tempo: same key), as bright; sounds alike",
        ),
        (
            {"shift_semitones": 1, "track": TrackFacts(key=key("1A"), energy=7)},
            "1A after 8A (a semitone up with the key shift: same key), slightly more energetic, as bright; "
            "sounds alike",
        ),
        (
            {"weights": INSPIRE, "shared_tags": ["techno", "synth", "drums", "dance"]},
            "Both techno, synth and drums, as energetic, as bright; sounds alike and changes as much over time",
        ),
        (
            {"tempo_change": (1.7, 1.0), "shared_tags": ["techno", "synth"], "scores": {"tempo": 0.9}},
            "Both techno at 127 BPM (+1.7 %)",
        ),
        (
            {"track": TrackFacts(loudness=-13), "scores": {"loudness": 0.5}, "shared_tags": ["piano", "strings", "x"]},
            "Both piano and strings",
        ),
    ],
)
def test_sentence(given, sentence):
    given = {"track": TRACK, "scores": SCORES, "weights": MIX, **given}
    assert reason(QUERY, given.pop("track"), **given) == sentence


def test_tempo_and_key_are_said_before_what_many_tracks_share():
    """By their part of the similarity alone, sound, variation, energy and loudness would be said."""
    usual = {"embedding": 3, "variation": 3, "energy": 2, "loudness": 2, "brightness": 2, "tempo": 1, "key": 1}
    same = TrackFacts(bpm=125.0, key=key("8A"), energy=6.0, loudness=-9.0, genre="techno")
    scores = {**SCORES, "key": 0.8}
    assert reason(QUERY, same, scores=scores, weights=usual, tempo_change=(0.0, 1.0)) == (
        "Both techno at the same tempo (125 BPM), in the same key (8A), as energetic; sounds alike"
    )


def test_a_fault_that_matters_is_named():
    track = TrackFacts(bpm=140, key=key("2B"))
    scores = {"embedding": 0.4, "tempo": 0.2, "key": 0.1}
    assert reason(QUERY, track, scores=scores, weights=MIX, tempo_change=(12.0, 1.0)) == (
        "Sounds somewhat alike; but +12.0 % tempo and 2B after 8A (keys that do not go together)"
    )
    quiet = TrackFacts(loudness=-13, genre="techno")
    assert reason(QUERY, quiet, scores=scores, weights={"loudness": 1, "embedding": 1}) == (
        "Both techno; sounds somewhat alike; but 4 LU quieter"
    )
    # Where tempo and key do not count, they are no faults.
    assert reason(QUERY, track, scores=scores, weights=INSPIRE, tempo_change=(12.0, 1.0)) == "Sounds somewhat alike"


def test_what_is_unknown_is_not_spoken_of():
    assert reason(QUERY, TrackFacts(), scores={"tempo": math.nan}, weights=MIX) == (
        "Nearest of all, and nothing stands out"
    )
    assert reason(TrackFacts(), TRACK, scores=SCORES, weights={"tempo": 1}) == "Nearest of all, and nothing stands out"


def test_embeddings_of_several_models_are_one_sound():
    weights = {"embedding": 0, "embedding.a": 1, "embedding.b": 3}
    for scores, sentence in (((0.3, 0.8), "Sounds alike"), ((0.8, 0.3), "Sounds somewhat alike")):
        given = dict(zip(("embedding.a", "embedding.b"), scores, strict=True))
        assert reason(QUERY, TrackFacts(), scores=given, weights=weights) == sentence
