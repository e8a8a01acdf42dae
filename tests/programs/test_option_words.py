"""Options that take several words."""

from pathlib import Path

import pytest

from musicrec.programs.option_words import listed, listed_models


def test_words_between_commas():
    assert listed(" house, techno,,") == ["house", "techno"]
    assert listed(None) == listed("") == listed(" ,") == []


def test_a_folder_may_have_a_comma_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rock, pop").mkdir()
    assert listed_models(["rock, pop", "tempo,key", ""]) == ["rock, pop", "tempo", "key"]
    assert listed_models(None) == []
