"""Options that take several words, and options in messages."""

from pathlib import Path

import pytest

from musicrec.errors import ConfigError, LibraryError
from musicrec.programs.option_words import listed, listed_models, named_options, with_options


def test_words_between_commas():
    assert listed(" house, techno,,") == ["house", "techno"]
    assert listed(None) == listed("") == listed(" ,") == []


def test_a_folder_may_have_a_comma_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rock, pop").mkdir()
    assert listed_models(["rock, pop", "tempo,key", ""]) == ["rock, pop", "tempo", "key"]
    assert listed_models(None) == []


OPTIONS = {"query": "", "towards": "--to", "k": "-k", "models": "--models", "weights.": "--weights "}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("towards=a = b: there is none", "--to a = b: there is none"),
        ("query=a: there is none", "a: there is none"),
        ("query: name at least one track", "name at least one track"),
        ("models: name one", "--models: name one"),
        ("k=0: give a whole number, 1 or more", "-k 0: give a whole number, 1 or more"),
        ("k=0.0: give a whole number", "-k 0: give a whole number"),
        ("weights.tempoo=3.0: no such block", "--weights tempoo=3: no such block"),
        ("key=0: another setting stays", "key=0: another setting stays"),
        ("/music/a.wav: towards=b stays", "/music/a.wav: towards=b stays"),
    ],
)
def test_a_message_names_the_option_and_not_the_setting(message: str, shown: str):
    assert with_options(message, OPTIONS) == shown


def test_the_error_stays_of_its_kind():
    with pytest.raises(LibraryError, match=r"^--to x: gone$"), named_options(OPTIONS):
        raise LibraryError("towards=x: gone")
    with pytest.raises(ConfigError, match=r"^-k 0: give more$"), named_options(OPTIONS):
        raise ConfigError("k=0: give more")
