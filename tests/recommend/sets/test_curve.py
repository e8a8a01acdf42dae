"""Energy curves against arithmetic."""

import math

import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.sets.curve import EnergyCurve


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"shape": "flat"}, [4, 4, 4, 4, 4]),
        ({"shape": "flat", "low": 7}, [7, 7, 7, 7, 7]),
        ({"shape": "rise"}, [4, 4.75, 5.5, 6.25, 7]),
        ({"shape": "rise", "low": 8, "high": 4}, [8, 7, 6, 5, 4]),
        ({"shape": "peak", "peak_at": 0.5, "high": 8}, [4, 6, 8, 6, 4]),
        ({"shape": "peak", "peak_at": 1.0, "high": 8}, [4, 5, 6, 7, 8]),
        ({"shape": "wave", "high": 8}, [4, 8, 4, 8, 4]),
        ({"shape": "points", "points": [(0, 2), (0.5, 6), (1, 5)]}, [2, 4, 6, 5.5, 5]),
    ],
)
def test_targets_of_five_tracks(settings, expected):
    assert EnergyCurve(**settings).targets(5, 4.0).tolist() == pytest.approx(expected, abs=1e-5)


def test_where_the_first_energy_is_unknown_or_high():
    assert EnergyCurve().targets(1, math.nan).tolist() == [5]
    assert EnergyCurve(shape="rise").targets(2, 9.0).tolist() == [9, 10]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shape": "up"}, "curve.shape=up: choose flat, rise, peak, wave or points"),
        ({"low": 0}, "curve.low=0: give a number or null, from 1 to 10|curve.low=0"),
        ({"shape": "points"}, "curve.points: give a list"),
        ({"shape": "rise", "points": [(0, 2)]}, "curve.points: give a list"),
        ({"shape": "points", "points": [(0, 2), (0, 3)]}, "places that rise"),
        ({"shape": "points", "points": [(0, 11)]}, "energies from 1 to 10"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        EnergyCurve(**settings)
