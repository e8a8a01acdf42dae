"""What users with a similar taste like."""

import numpy as np
import pytest

from musicrec.errors import ConfigError, ProfileError
from musicrec.recommend.profiles import collaborative
from musicrec.recommend.profiles.collaborative import CollaborativeSettings, Listeners, count_listeners, fit_listeners
from musicrec.recommend.profiles.evidence import Evidence

NONE = np.empty((0, 2), dtype=np.int64)


def likes(rows: np.ndarray, weight: float = 1.0) -> Evidence:
    none = np.empty(0, dtype=np.int64)
    return Evidence(rows=np.sort(rows), weights=np.full(len(rows), weight), banned=none, pairs=NONE, skips=NONE)


@pytest.fixture(scope="module")
def two_groups() -> dict[str, Evidence]:
    """100 users: half of them like tracks among the first 20, the others among the next 20. Tracks 40 to 49: nobody."""
    rng = np.random.default_rng(0)
    return {str(user): likes(rng.choice(20, 8, replace=False) + 20 * (user % 2)) for user in range(100)}


def test_users_like_what_their_group_likes(two_groups: dict[str, Evidence]):
    pytest.importorskip("implicit", reason="implicit is not installed; pip install 'musicrec[implicit]'")
    model = Listeners(two_groups, tracks=50, settings=CollaborativeSettings(factors=2))
    for user in ("0", "1", "42", "99"):
        scores, own = model.scores(user), slice(0, 20) if int(user) % 2 == 0 else slice(20, 40)
        other = slice(20, 40) if own.start == 0 else slice(0, 20)
        assert scores[own].min() > scores[other].max()
        assert not scores[40:].any() and abs(scores).max() <= 1
        assert scores[:40].mean() == pytest.approx(0, abs=1e-6)
    assert not model.scores("unknown").any()
    again = Listeners(two_groups, tracks=50, settings=CollaborativeSettings(factors=2))
    assert (again.scores("7") == model.scores("7")).all(), "the same bits every time"


def test_users_without_likes_do_no_harm(two_groups: dict[str, Evidence]):
    pytest.importorskip("implicit", reason="implicit is not installed; pip install 'musicrec[implicit]'")
    empty = likes(np.empty(0, dtype=np.int64))
    model = Listeners({**two_groups, "new": empty, "grumpy": likes(np.array([1, 2]), -1)}, tracks=50)
    assert np.isfinite(model.scores("new")).all()
    assert not Listeners({"new": empty}, tracks=50).scores("new").any()


def test_who_counts_as_a_listener(two_groups: dict[str, Evidence]):
    more = {**two_groups, "few": likes(np.arange(4)), "grumpy": likes(np.arange(9), -1)}
    assert count_listeners(more, CollaborativeSettings(least_likes=5)) == 100


def test_below_the_threshold_others_have_no_say(two_groups: dict[str, Evidence], monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("implicit", reason="implicit is not installed; pip install 'musicrec[implicit]'")
    assert fit_listeners(two_groups, tracks=50, settings=CollaborativeSettings(least_listeners=101)) is None
    model = fit_listeners(two_groups, tracks=50, settings=CollaborativeSettings(least_listeners=100, factors=2))
    assert model is not None and model.scores("0").any()
    monkeypatch.setattr(collaborative, "find_spec", lambda name: None)
    assert fit_listeners(two_groups, tracks=50, settings=CollaborativeSettings(least_listeners=100)) is None


def test_without_implicit_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collaborative, "find_spec", lambda name: None)
    with pytest.raises(ProfileError, match=r"pip install 'musicrec\[implicit\]'"):
        Listeners({}, tracks=1)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"others\.share"):
        CollaborativeSettings(share=2)
