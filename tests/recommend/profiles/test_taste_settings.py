import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.profiles.taste_settings import TasteSettings


@pytest.mark.parametrize("wrong", [{"half_life_days": 0}, {"strength": -1}, {"focus": 0}, {"most_recordings": 0}])
def test_settings_out_of_range_are_refused(wrong: dict):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TasteSettings(**wrong)
