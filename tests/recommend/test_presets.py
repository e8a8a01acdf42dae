"""The presets and tables of compatible keys that ship, and files of the user."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from musicrec.errors import ConfigError
from musicrec.recommend.conditions import Condition
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.key_relations import KeyTable
from musicrec.recommend.presets import (
    Preset,
    filters_from,
    key_table_names,
    preset_from,
    preset_names,
    read_key_table,
    read_preset,
)
from musicrec.recommend.tag_bits import TagBits

CONF = Path(__file__).parents[2] / "conf"
BLOCKS = {"tempo", "key", "energy", "loudness", "brightness", "embedding", "variation", "genre", "instruments"}
BLOCKS |= {"tags_mtt", "tags_msd"}


def test_the_names():
    assert preset_names() == ["explore", "inspire", "mix"]
    assert key_table_names() == ["mixxx", "music_assistant", "reklawdbox"]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset(name: str):
    preset = read_preset(name)
    assert preset.name == name and preset.about
    assert set(preset.weights) <= BLOCKS
    # Each setting stands in the file, so that a person sees what can be changed.
    settings = yaml.safe_load((CONF / "preset" / f"{name}.yaml").read_text())
    assert set(settings) == {"about", "weights", "tags", "filters", "reranking", "passage"}


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_as_a_group_of_hydra_is_the_same(name: str):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        cfg = compose("recommend", overrides=[f"preset={name}"])
    settings = OmegaConf.to_container(cfg.preset, resolve=True)
    assert preset_from(settings, name=name) == read_preset(name)


def test_mix_is_for_djs():
    mix = read_preset("mix")
    first = sorted(mix.weights, key=lambda block: -mix.weights[block])[:3]
    assert first == ["tempo", "key", "energy"]
    assert mix.filters.bpm_percent == 6 and mix.filters.multiples == ("half", "double")
    assert mix.filters.key == ("compatible",) and mix.filters.key_table == read_key_table("reklawdbox")
    assert mix.reranking.balance == 1


def test_inspire_is_for_producers():
    inspire = read_preset("inspire")
    assert max(inspire.weights, key=lambda block: inspire.weights[block]) == "embedding"
    assert inspire.filters.bpm_percent is None and inspire.filters.key == ()
    assert "key" not in inspire.weights and inspire.weights["tempo"] < 0.1 * inspire.weights["embedding"]
    assert inspire.reranking.neighbours > 0


def test_explore_is_diverse():
    explore = read_preset("explore")
    assert explore.reranking.balance < 1 and explore.reranking.hubs > 0 and explore.filters.max_per_artist == 1


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("reklawdbox", {"same": 1, "neighbour": 0.9, "relative": 0.8, "diagonal": 0.55, "two_steps": 0.45}),
        ("music_assistant", {"same": 1, "neighbour": 0.9, "relative": 0.9, "diagonal": 0.45, "two_steps": 0.55}),
        ("mixxx", {"same": 1, "neighbour": 1, "relative": 1, "diagonal": 1, "two_steps": 0, "other": 0}),
    ],
)
def test_the_published_tables(name: str, scores: dict):
    table = read_key_table(name)
    assert {relation: getattr(table, relation) for relation in scores} == scores


def test_weights_of_the_blocks_of_a_library():
    mix = read_preset("mix")
    assert mix.weights_for(["tempo", "onset_rate"]) == {"tempo": 4.0, "onset_rate": 0.0}
    with pytest.raises(ConfigError, match=r"preset mix: the library has none of its blocks .* it has: onset_rate"):
        mix.weights_for(["onset_rate"])


def test_the_first_step_as_a_condition():
    names = ("tags: flute", "tags: Piano", "instruments: piano", "tags: vocals")
    tags = TagBits.pack(names, np.zeros((1, 4)))
    step = TagFilter(any=["flute", "piano"], all=["piano", "tags: flute"], none="Vocals")
    assert step.chosen(tags) == Condition(
        tags_any=[names[:3], names[1:3], names[:1]],
        tags_none=["tags: vocals"],
    )
    assert not TagFilter().chosen(tags)
    with pytest.raises(ConfigError, match="tag flut: no track of this library has it; did you mean: flute"):
        TagFilter(none=["flut"]).chosen(tags)


def test_a_file_of_ones_own(tmp_path: Path):
    file = tmp_path / "vinyl.yaml"
    file.write_text(
        "weights: {tempo: 1, key: null}\n"
        "filters: {bpm_percent: 4, key: same, key_lock: false, key_table: {diagonal: 1}}\n"
    )
    preset = read_preset(file)
    assert preset.name == "vinyl" and preset.weights == {"tempo": 1} and preset.tags == TagFilter()
    assert preset.filters.key_table == KeyTable(diagonal=1) and not preset.filters.key_lock


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights: {tempo: 1}\nfilter: {}", "no setting 'filter'; choose from: about, weights, tags, filters"),
        ("weights: {tempo: 1}\nname: x", "no setting 'name'"),
        ("weights: {tempo: -1}", "preset.weights.tempo=-1: give a number, 0 or more"),
        ("weights: {tempo: loud}", "preset.weights.tempo=loud: give a number, 0 or more"),
        ("weights: {tempo: 0}", "give a weight above 0 to at least one block"),
        ("about: nothing", "give a weight above 0 to at least one block"),
        ("weights: 3", "weights=3: give settings, one per line"),
        ("weights: {tempo: 1}\nfilters: [1]", r"filters=\[1\]: give settings, one per line"),
        ("weights: {tempo: 1}\nfilters: {tempo: 1}", "filters: no setting 'tempo'; choose from: genre, bpm"),
        ("weights: {tempo: 1}\nfilters: {bpm: [9]}", r"filters.bpm=\[9\]: give a range"),
        (
            "weights: {tempo: 1}\nfilters: {key_table: x}",
            "key_table=x: choose from: mixxx, music_assistant, reklawdbox",
        ),
        ("weights: {tempo: 1}\nfilters: {key_table: {fifth: 1}}", "key_table: no setting 'fifth'; choose from: same"),
        ("weights: {tempo: 1}\nfilters: {key_table: {same: 2}}", "keys.same=2: give a number from 0 to 1"),
        ("weights: {tempo: 1}\ntags: {match: some}", "filter.match=some: choose any or all"),
        ("weights: {tempo: 1}\nreranking: {balance: 2}", "reranking.balance=2: give a number from 0 to 1"),
        ("weights: {tempo: 1}\nreranking: {mmr: 2}", "no setting 'mmr'; choose from: neighbours, hubs, balance"),
        (
            "weights: {tempo: 1}\npassage: intro",
            "preset.passage=intro: choose whole, outro_to_intro, intro_to_outro or best",
        ),
        ("weights: {tempo: 1", "line 1: it is no YAML"),
        ("- 1", "give settings, as in the file .*explore.yaml"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message) as found:
        read_preset(file)
    assert str(file) in str(found.value)


def test_names_that_do_not_exist(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"preset=mixx: choose from: explore, inspire, mix; or give a file of your own"
    ):
        read_preset("mixx")
    with pytest.raises(ConfigError, match=r"preset .*none.yaml cannot be read: No such file or directory"):
        read_preset(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match=r"weights\.tempo=nan"):
        Preset(name="x", weights={"tempo": float("nan")})


def test_filters_of_a_config():
    assert filters_from({"key_table": "mixxx"}).key_table == read_key_table("mixxx")
    assert filters_from({"key_table": None}).key_table == KeyTable()
    with pytest.raises(ConfigError, match=r"^filters.bpm=\[9\]: give a range"):
        filters_from({"bpm": [9]})
