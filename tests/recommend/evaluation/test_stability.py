"""Queries whose audio was changed."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.deformations.gain import Gain
from musicrec.recommend.evaluation.stability import changed_queries
from musicrec.recommend.exports import ExportRef
from tests.counting_analyzer import RATE, CountingAnalyzer


class Analyzer(CountingAnalyzer):
    @property
    def settings(self) -> dict[str, float]:
        return {"coverage": 1.0}


@pytest.fixture
def tracks(make_track, tmp_path: Path) -> list:
    import dataclasses

    made = []
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        tone = 0.1 * (number + 1) * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)
        soundfile.write(path, tone, RATE, subtype="PCM_16")
        made.append(dataclasses.replace(make_track(str(number)), path=str(path)))
    return made


def test_each_query_is_analysed_once_as_it_is_and_once_per_change(tracks: list, heads: dict, tmp_path: Path):
    exports = [ExportRef(path="x", sha256="1" * 64, name="x", embedding_size=4)]
    seen: list[float] = []

    def more(waveform: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(float(np.abs(waveform).max()))
        return {"peak": np.array([seen[-1]])}

    def run() -> object:
        return changed_queries(
            tracks,
            [0, 2],
            analyzer=Analyzer(heads),
            exports=exports,
            changes={"quiet": Gain(gain_db=-6.0)},
            cache=tmp_path / "cache",
            more=more,
        )

    found = run()
    assert [query.row for query in found.clean] == [query.row for query in found.by_change["quiet"]] == [0, 2]
    peaks = [[query.values["peak"][0] for query in queries] for queries in (found.clean, found.by_change["quiet"])]
    assert peaks[0] == pytest.approx([0.1, 0.3], rel=1e-3)
    assert peaks[1] == pytest.approx([0.1 * 10**-0.3, 0.3 * 10**-0.3], rel=1e-3)
    assert set(found.clean[0].values) >= {*heads, "embedding", "embedding.x"}
    again = run()
    assert len(seen) == 4  # the second time, everything is read from the folder
    assert again.clean[1].values["embedding"].tolist() == found.clean[1].values["embedding"].tolist()
