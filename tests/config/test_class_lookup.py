import pytest

from musicrec.config.class_lookup import find_class, find_classes
from musicrec.errors import ConfigError
from musicrec.models.crnn import CRNN


def test_finds_the_networks_and_nothing_they_are_built_from():
    found = find_classes("musicrec.models")
    assert {"CRNN", "ShortChunkResNet"} <= set(found)
    assert not {"Classifier", "Tensor", "ConfigError", "_Block"} & set(found)


def test_finds_a_class_by_name():
    assert find_class("musicrec.models", "CRNN") is CRNN


@pytest.mark.parametrize("name", ["CRNNN", "Tensor", "ConfigError", "_Block", "crnn"])
def test_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ConfigError, match=f"no class '{name}'; choose from: .*CRNN.*ShortChunkResNet"):
        find_class("musicrec.models", name)


@pytest.mark.parametrize("package", ["os", "torch.nn", "musicrecx.models"])
def test_never_imports_foreign_packages(package):
    with pytest.raises(ValueError, match="own packages only"):
        find_class(package, "system")


def test_finds_a_file_dropped_into_the_package(tmp_path, monkeypatch):
    import musicrec.models

    (tmp_path / "dropped_in.py").write_text("class DroppedIn:\n    pass\n")
    monkeypatch.setattr(musicrec.models, "__path__", [*musicrec.models.__path__, str(tmp_path)])
    assert find_class("musicrec.models", "DroppedIn").__module__ == "musicrec.models.dropped_in"
