import pytest

from musicrec.recommend.profiles import collaborative
from musicrec.recommend.profiles.collaborative import CollaborativeSettings
from musicrec.recommend.profiles.other_listeners import OtherListeners
from musicrec.recommend.profiles.store import ProfileStore
from musicrec.recommend.profiles.taste_settings import TasteSettings
from tests.recommend.profiles.camps import two_camps

FEW = CollaborativeSettings(least_listeners=5, least_likes=3, factors=4)


def test_what_those_with_a_similar_taste_like(library, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("implicit", reason="implicit is not installed; pip install 'musicrec[implicit]'")
    with ProfileStore.open(library) as store:
        two_camps(store)
        too_few = OtherListeners(store, taste=TasteSettings(), settings=CollaborativeSettings())
        assert too_few.liking("me", ["a"]) is None
        listeners = OtherListeners(store, taste=TasteSettings(), settings=FEW)
        liking = listeners.liking("me", ["e", "j", "unheard"])
        assert liking[0] > 0.1 > liking[1] and liking[2] == 0
        assert listeners.liking("nobody", ["e"]) is None
        monkeypatch.setattr(collaborative, "available", lambda: False)
        assert OtherListeners(store, taste=TasteSettings(), settings=FEW).liking("me", ["e"]) is None
