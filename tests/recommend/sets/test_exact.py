"""The beam search against the exact best set, which OR-Tools finds and proves."""

import importlib.util
from pathlib import Path

import pytest

from musicrec.recommend.sets.build import SetSettings, build_set
from musicrec.recommend.sets.curve import EnergyCurve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def benchmark():
    pytest.importorskip("ortools", reason="OR-Tools is not installed: pip install -e .[dev]")
    file = Path(__file__).parents[3] / "benchmarks" / "sets.py"
    spec = importlib.util.spec_from_file_location("benchmark_sets", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("seed", "end", "shape"), [(0, None, None), (1, 1, "peak")])
def test_within_five_percent_of_the_exact_set_of_30_tracks(benchmark, seed, end, shape):
    columns, settings = benchmark.make_tracks(30, seed=seed, artists=20), SetSettings()
    curve = shape and EnergyCurve(shape=shape)
    made = build_set(columns, start=0, end=end, tracks=8, curve=curve, settings=settings)
    worths = benchmark.place_worths(columns, 8, 0, curve, settings)
    best, bound = benchmark.exact_set(
        worths, columns.artist_codes, start=0, end=end, gap=settings.artist_gap, limit_s=300
    )
    assert 0.95 * bound <= benchmark.set_worth(made, settings) <= bound + 1e-4
    assert best == pytest.approx(bound, abs=1e-3), "OR-Tools proves that there is no better one"
