"""The settings of sets as YAML, read with and without Hydra."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate

from musicrec.config.targets import TARGETS
from musicrec.errors import ConfigError
from musicrec.recommend.key_relations import KeyTable
from musicrec.recommend.presets import read_key_table
from musicrec.recommend.sets.axes import KeyAxis
from musicrec.recommend.sets.build import SetSettings
from musicrec.recommend.sets.settings import PRESETS, preset_names, read_set_settings, set_settings
from musicrec.recommend.sets.tempo import TempoRules


def test_the_default_file_has_the_default_values_and_all_of_them():
    assert read_set_settings("default") == SetSettings() == set_settings()
    content = yaml.safe_load((PRESETS / "default.yaml").read_text())
    assert set(content["keys"]) == set(KeyTable().__dict__) and set(content["tempo"]) == set(TempoRules().__dict__)
    for axis in SetSettings().transitions.axes:
        assert set(content["axes"][axis.name]) == set(axis.__dict__) - {"table"}
    others = {"axes", "keys", "tempo", "missing_costs", "_target_"}
    assert set(content) - others == set(SetSettings().__dict__) - {"transitions"}


@pytest.mark.parametrize("name", preset_names())
def test_hydra_builds_the_same(name: str):
    assert preset_names() == ["default", "harmonic", "vinyl"]
    content = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())
    assert instantiate(content, _execution_whitelist_=TARGETS) == read_set_settings(name)


def test_a_file_of_the_user_says_what_differs(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "artist_gap: 0\naxes: {key: {weight: 1, mode: vinyl}}\nkeys: {relative: 1}\ntempo: {set_percent: 9}\n"
    )
    settings = read_set_settings(file)
    (key,) = [axis for axis in settings.transitions.axes if isinstance(axis, KeyAxis)]
    assert (settings.artist_gap, key.weight, key.mode, key.table.relative, key.table.same) == (0, 1, "vinyl", 1, 1)
    assert settings.transitions.tempo == TempoRules(set_percent=9) and settings.width == SetSettings().width
    file.write_text("keys: mixxx")
    assert read_set_settings(file).transitions.axes[0].table == read_key_table("mixxx")
    file.write_text("")
    assert read_set_settings(str(file)) == SetSettings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gap: 3", "gap: there is no such setting; choose artist_gap, mix_s, least, .* or missing_costs"),
        ("axes: {kye: {weight: 1}}", "axes=kye: choose key, bpm, energy, genre, timbre, loudness or curve"),
        ("axes: {key: {table: 1}}", "axes.key.table: there is no such setting; choose weight or mode"),
        ("axes: {key: {mode: tape}}", "axes.key.mode=tape: choose key_lock or vinyl"),
        ("keys: {same: 3}", "keys.same=3: give a number from 0 to 1"),
        ("tempo: fast", "tempo=fast: give settings by name, as in conf/set/default.yaml"),
        ("shortfall_costs: .inf", "set.shortfall_costs=inf: give a number from 0 to 100"),
        ("mix_s: -1", "set.mix_s=-1: give a number, 0 or more"),
        ("- 1", "give settings by name, as in conf/set/default.yaml"),
        ("a: [", "is no YAML"),
    ],
)
def test_mistakes_name_the_file_and_the_way_out(tmp_path: Path, text: str, message: str):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        read_set_settings(file)
    assert "mine.yaml" in str(error.value)


def test_what_is_neither_a_name_nor_a_file(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"settings=vinly: choose default, harmonic or vinyl, or name a \.yaml file"):
        read_set_settings("vinly")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_set_settings(tmp_path / "none.yaml")
