"""One value is checked against a type or a list of choices, and the message names the setting."""

import subprocess
import sys
from typing import Annotated, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Lt

from musicrec.config.number_types import Count, Natural, Positive, Seed, Share
from musicrec.config.value_check import check_choice, check_choices, check_value, describe, fits
from musicrec.errors import ConfigError


@pytest.mark.parametrize(
    ("annotation", "fitting", "wrong"),
    [
        (Count, [1, 10**12], [0, -1, True, 1.0, "1", None, [1], np.int64(1)]),
        (Count | None, [None, 3], [0, "three"]),
        (Natural, [0], [-1, False]),
        (Seed, [0, 2**32 - 1], [2**32]),
        (Share, [0, 0.5, 1, np.float64(0.5)], [1.1, True, "0.5", float("nan")]),
        (Positive, [1e-9, float("inf")], [0, float("nan")]),
        (Annotated[float, Ge(0.1)] | None, [0.1, None], [0]),
        (bool, [True], [1, "true"]),
        (Literal["any", "all"], ["all"], ["none", None, ["any"]]),
    ],
)
def test_values_fit_their_type_or_not(annotation: object, fitting: list, wrong: list):
    assert [value for value in fitting if not fits(value, annotation)] == []
    assert [value for value in wrong if fits(value, annotation)] == []


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Count | None, "a whole number or null, 1 or more"),
        (Share, "a number from 0 to 1"),
        (Annotated[float, Gt(0), Lt(1)], "a number, above 0 and below 1"),
        (Share | None, "a number or null, from 0 to 1"),
        (int | float | None, "a number or null"),
        (bool, "true or false"),
        (str | None, "text or null"),
        (Literal["any", "all"], "any or all"),
        (Natural | Literal["auto"], "a whole number or auto, 0 or more"),
        (Literal["one"], "one"),
    ],
)
def test_a_type_is_described(annotation: object, words: str):
    assert describe(annotation) == words


def test_the_message_names_the_key_the_value_and_the_way_out():
    check_value("data.batch_size", 16, Count)
    with pytest.raises(ConfigError, match=r"^data\.batch_size=0: give a whole number, 1 or more$"):
        check_value("data.batch_size", 0, Count)
    with pytest.raises(ConfigError, match=r"^excerpt_s=0: give seconds$"):
        check_value("excerpt_s", 0, Positive, expected="seconds")


@pytest.mark.parametrize("value", ["three", None, ["a"], True])
def test_a_choice_is_one_of_those_listed(value: object):
    check_choice("data.fold", 0, range(5))
    check_choice("k", "a", {"a": 1})
    with pytest.raises(ConfigError, match=r"^data\.fold=.+: choose 0, 1 or 2$"):
        check_choice("data.fold", value, range(3))


@pytest.mark.parametrize("values", [[], ["rock"], ["track", "rock"], ["track", []]])
def test_choices_are_some_of_those_listed(values: list):
    check_choices("units", ["track"], ("track", "artist"))
    with pytest.raises(ConfigError, match=r"^units=\[.*\]: choose one or more of track, artist$"):
        check_choices("units", values, ("track", "artist"))


def test_the_types_of_numbers_are_cheap_to_import():
    """A class that only annotates its parameters imports neither pydantic nor Hydra nor torch."""
    told = "import sys, musicrec.config.number_types, musicrec.config.value_check\n"
    told += "print(sorted({'pydantic', 'hydra', 'omegaconf', 'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout == "[]\n"
