from pathlib import Path

import pytest

from musicrec.errors import ConfigError
from musicrec.recommend.exports import coverage_of, model_names


def test_models_are_named_by_their_folder_or_their_run_and_never_twice():
    folders = ["/p/tempo", "/runs/tempo/export", "/x/tempo-2", "runs/key/export", "/q/tempo/"]
    assert model_names(folders) == ["tempo", "tempo-2", "tempo-2-2", "key", "tempo-3"]


def test_a_library_keeps_its_coverage():
    library = Path("l.sqlite")
    assert coverage_of({"coverage": 0.5}, None, library=library) == 0.5
    assert coverage_of({"coverage": 0.5}, 0.5, library=library) == 0.5
    assert coverage_of({}, None, library=library) == 1.0, "libraries of older formats heard whole tracks"
    with pytest.raises(ConfigError, match=r"coverage=0.3: l\.sqlite was made with coverage=1, .* leave coverage out"):
        coverage_of({}, 0.3, library=library)
