"""Small libraries with facts that were chosen by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from musicrec.heads.keys import key_index, parse_key
from musicrec.recommend.columns import Columns


@pytest.fixture
def columns() -> Callable[..., Columns]:
    """columns(bpm=[...], key=["8A", ""], …): what is not given is unknown."""

    def make(**facts) -> Columns:
        tracks = len(next(iter(facts.values())))
        unknown = np.full(tracks, np.nan)
        if "key" in facts:
            facts["key"] = [key_index(*parse_key(code)) if code else -1 for code in facts["key"]]
        texts = {name: np.full(tracks, "") for name in ("artist", "album", "genre")}
        defaults = {
            **{name: unknown for name in ("bpm", "energy", "loudness", "duration_s")},
            **{name: np.full(tracks, -1) for name in ("key", "year")},
            **texts,
            "vectors": np.zeros((tracks, 0)),
        }
        return Columns(**{**defaults, **facts})

    return make
