"""The best followers in a large library, against scores of all tracks."""

from collections.abc import Callable

import numpy as np
import pytest

from musicrec.recommend.columns import Columns
from musicrec.recommend.sets import followers as module
from musicrec.recommend.sets.axes import KeyAxis, LoudnessAxis, TempoAxis, TimbreAxis
from musicrec.recommend.sets.followers import Followers
from musicrec.recommend.sets.tempo import TempoRules
from musicrec.recommend.sets.transition import TransitionScore

TRACKS, COUNT = 3_000, 24
SCORINGS = {
    "default": TransitionScore(),
    "vinyl": TransitionScore(axes=(KeyAxis(mode="vinyl"), TempoAxis(), TimbreAxis())),
    "no tables": TransitionScore(axes=(TempoAxis(), LoudnessAxis()), tempo=TempoRules(over_budget=1.0)),
    "half of it unknown": TransitionScore(missing_costs=0.0),
    "harsh": TransitionScore(tempo=TempoRules(transition_percent=1.0, over_budget=0.0, half=0.0), missing_costs=1.0),
}


@pytest.fixture(scope="module")
def library() -> Columns:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(TRACKS, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[random.random(TRACKS) < 0.2] = 0
    return Columns(
        bpm=np.where(random.random(TRACKS) < 0.2, np.nan, random.uniform(60, 180, TRACKS)),
        key=random.integers(-1, 24, TRACKS),
        energy=np.where(random.random(TRACKS) < 0.2, np.nan, random.uniform(1, 10, TRACKS)),
        loudness=random.normal(-10, 3, TRACKS),
        year=np.full(TRACKS, -1),
        duration_s=np.full(TRACKS, 200.0),
        artist=np.full(TRACKS, ""),
        album=np.full(TRACKS, ""),
        genre=np.array(["", "house", "techno", "trance"])[random.integers(4, size=TRACKS)],
        vectors=vectors,
    )


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.parametrize("nearness", [None, 0.5])
def test_the_best_are_those_of_all_scores(
    library: Columns, name: str, nearness: float | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_FIRST", 400)
    scoring, random = SCORINGS[name], np.random.default_rng(5)
    leads = random.random(TRACKS).astype(np.float32)

    def toward(scores: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return (1 - nearness) * scores + nearness * leads[rows]

    blend: Callable | None = None if nearness is None else toward
    scored = 0
    for before in range(20):
        allowed = random.random(TRACKS) < 0.9
        pairs = scoring.pairs(library, [before], library.rows, target=7.0, step=0.5)
        wanted = scoring.scores(pairs)[0]
        wanted = wanted if blend is None else blend(wanted, library.rows)
        rows, scores = Followers(scoring, library).best(pairs, allowed=allowed, count=COUNT, blend=blend)
        scored += len(rows)
        assert (np.diff(rows) > 0).all() and allowed[rows].all()
        assert scores == pytest.approx(wanted[rows], abs=1e-6)
        least = np.sort(wanted[allowed])[-COUNT]
        assert set(np.flatnonzero(allowed & (wanted >= least + 1e-6))) <= set(rows)
        assert (scores >= least - 1e-6).sum() >= COUNT
    if name in ("default", "harsh") and nearness is None:
        assert scored < 0.6 * 20 * TRACKS, f"{scored}: most are not scored"


def test_bounds_are_bounds(library: Columns):
    for scoring in SCORINGS.values():
        pairs = scoring.pairs(library, range(0, 200, 7), library.rows, target=4.0, step=-1.0)
        assert (scoring.scores(pairs) <= scoring.bounds(pairs) * scoring.budget_factors(pairs) + 1e-5).all()


def test_fewer_than_asked_for(library: Columns):
    scoring, allowed = TransitionScore(), np.zeros(TRACKS, dtype=bool)
    pairs = scoring.pairs(library, [0], library.rows)
    assert len(Followers(scoring, library).best(pairs, allowed=allowed, count=5)[0]) == 0
    allowed[[7, 3]] = True
    assert Followers(scoring, library).best(pairs, allowed=allowed, count=5)[0].tolist() == [3, 7]
