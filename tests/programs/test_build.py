"""What a config builds."""

import pytest
from omegaconf import OmegaConf

from musicrec.deformations.resample import RandomResample
from musicrec.errors import ConfigError
from musicrec.heads.key import KeyHead
from musicrec.heads.tempo import TempoHead
from musicrec.programs.build import build_all, build_heads, plain


def test_entries_that_are_null_are_left_out_of_a_group():
    resample = {"_target_": "musicrec.deformations.resample.RandomResample", "max_semitones": 2}
    built = build_all(OmegaConf.create({"resample": resample, "other": None}))
    assert [type(part) for part in built] == [RandomResample] and built[0].max_semitones == 2
    assert build_all(None) == []


def test_heads_take_their_name_from_the_key_and_tuples_for_lists():
    task = {
        "heads": {
            "key": {"_target_": "musicrec.heads.key.KeyHead"},
            "genre": None,
            "speed": {"_target_": "musicrec.heads.tempo.TempoHead", "edges_bpm": [60, 90, 120]},
        }
    }
    assert build_heads(OmegaConf.create(task)) == [KeyHead(), TempoHead(name="speed", edges_bpm=(60, 90, 120))]


@pytest.mark.parametrize("task", [{}, {"heads": {}}])
def test_a_task_without_heads_says_how_to_choose_some(task: dict):
    with pytest.raises(ConfigError, match=r"task=\[tags\]"):
        build_heads(OmegaConf.create(task))


def test_plain_resolves_interpolations():
    assert plain(OmegaConf.create({"a": [1, 2], "b": "${a}"})) == {"a": [1, 2], "b": [1, 2]}
