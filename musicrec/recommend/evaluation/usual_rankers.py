"""The rankings that a library is evaluated with: what a query does, and what it must be better than."""

from collections.abc import Mapping, Sequence

from musicrec.heads import Head
from musicrec.recommend.columns import Columns
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.mfcc import BLOCK
from musicrec.recommend.evaluation.rankers import (
    Ranker,
    random_ranker,
    same_class_ranker,
    similarity_ranker,
    two_step_ranker,
)
from musicrec.recommend.similarity import Similarity, default_weights

TWO_STEPS = "two steps before"
FEATURES = "two steps by features"
BEFORE = {"embedding": 3.0, "variation": 3.0, "energy": 2.0, "loudness": 2.0, "brightness": 2.0}
"""Weights of the default before the tag step became lenient and neighbours counted; those of features were 1."""


def baselines(search: ExactSearch, heads: Sequence[Head], columns: Columns, *, seed: int = 0) -> dict[str, Ranker]:
    """Return the rankings that recommendations must be better than, {name: ranker}.

    - random: any tracks.
    - same genre: any tracks of the genre that the models hear in the query.
    - MFCC: the nearest by mel-frequency cepstral coefficients, if the search has them.
    - two steps by features: tags, then the features (tempo, key and the like), each with weight 1.
    - two steps before: tags, then the default weights of earlier versions (`BEFORE`) and nothing else.

    Args:
        search: The tracks.
        heads: The heads of the library.
        columns: The facts of the tracks.
        seed: Seed of the draws.
    """
    blocks = [name for name in search.values if name not in {head.name for head in heads} and name != BLOCK]
    features = {head.name: 1.0 for head in heads if head.role == "feature"}
    before = {name: weight for name, weight in default_weights(heads, blocks).items() if weight}
    if any(head.role == "tag" for head in heads):
        before |= {name: weight for name, weight in BEFORE.items() if name in blocks}
    found: dict[str, Ranker] = {
        "random": random_ranker(seed),
        "same genre": same_class_ranker(columns.genre.tolist(), seed),
    }
    if BLOCK in search.values:
        found["MFCC"] = similarity_ranker(search, weighted(search, heads, {BLOCK: 1.0}))
    if features:
        found[FEATURES] = two_step_ranker(search, weighted(search, heads, features), heads=heads)
    found[TWO_STEPS] = two_step_ranker(search, weighted(search, heads, before), heads=heads)
    return found


def single_blocks(search: ExactSearch, heads: Sequence[Head]) -> dict[str, Ranker]:
    """Return the rankings by each block alone, {"block NAME": ranker}."""
    names = dict.fromkeys([*(head.name for head in heads), *search.values])
    return {
        f"block {name}": similarity_ranker(search, weighted(search, heads, {name: 1.0}))
        for name in names
        if name in search.values and name != BLOCK
    }


def weighted(search: ExactSearch, heads: Sequence[Head], weights: Mapping[str, float]) -> Similarity:
    """Return the similarity with these weights and no others."""
    blocks = [name for name in search.values if name not in {head.name for head in heads}]
    return Similarity(heads, blocks=blocks, weights={**dict.fromkeys(default_weights(heads, blocks), 0.0), **weights})
