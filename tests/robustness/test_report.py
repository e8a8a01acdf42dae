"""The files, tables and figures of a report on made-up answers, whose numbers are worked out by hand."""

import csv
import dataclasses
import itertools
import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads.key import KeyHead
from musicrec.robustness.answer_cache import AnswerCache, Answers
from musicrec.robustness.conditions import CLEAN, AudioCondition
from musicrec.robustness.effects import measure_effects, rank_deformations
from musicrec.robustness.excerpts import Excerpts
from musicrec.robustness.figures import head_figure, models_figure, overview_figure
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.model_comparison import compare_models
from musicrec.robustness.report import RobustnessReport, write_report
from musicrec.robustness.report_tables import write_markdown
from musicrec.robustness.resampling import ResampledScores

KEY, TRUTH = KeyHead(), torch.tensor([0.0, 2.0, 4.0, 5.0])  # C, D, E and F major
CONDITIONS = [
    CLEAN,
    AudioCondition(
        name="pitch_shift", title="pitch shift", deformation=None, description="1", unit="semitones", strength=2
    ),
    AudioCondition(name="gain", title="gain", deformation=None, description="2", unit="dB", strength=-10),
]
# The keys that each model answers for the four tracks: clean, two semitones higher, and 10 dB lower.
KEYS = {
    "follower": [[0, 2, 4, 5], [2, 4, 6, 5], [0, 2, 0, 0]],  # follows three of four; gain makes two wrong
    "constant": [[0, 2, 7, 7], [0, 2, 7, 7], [0, 2, 7, 7]],  # two of four right, and never changes
}


def make_answers(keys: list[int], shift: float, *, seconds: float = 1.0) -> Answers:
    return Answers(
        probabilities={"key": KEY.one_hot(torch.tensor(keys, dtype=torch.float32))},
        embedding=torch.zeros(4, 1),
        shift_semitones=torch.full((4,), shift),
        tempo_ratio=torch.ones(4),
        seconds={"deforming": seconds, "mel": 2 * seconds, "network": 4 * seconds},
        audio_s=60.0,
    )


def make_report(bootstrap: Bootstrap | None = None, labels: Tensor = TRUTH) -> RobustnessReport:
    measured = MeasuredAnswers(
        conditions=CONDITIONS,
        answers=[
            [make_answers(clean, 0), make_answers(shifted, 2), make_answers(quiet, 0)]
            for clean, shifted, quiet in KEYS.values()
        ],
        newly_measured=[0, 1, 2],
        excerpt_s=15.0,
        excerpts=Excerpts(track=np.zeros(0), row=np.zeros(0), start=np.zeros(0), length=np.zeros(0), name=[]),
        waiting_s=1.0,
        wall_s=20.0,
    )
    resampled, targets = ResampledScores(bootstrap, [None] * 4), [{"key": labels}] * 2
    effects = measure_effects(measured, [[KEY], [KEY]], targets, resampled=resampled, progress=False)
    description = {
        "dataset": "keys",
        "split": "test",
        "tracks_hash": "0" * 64,
        "excerpt_s": 15.0,
        "measurement": {"excerpts": 1},
        "drawn_by": resampled.unit,
        "bootstrap": {"confidence": bootstrap.confidence} if bootstrap else None,
    }
    return RobustnessReport(
        names=list(KEYS),
        description=description,
        tracks=4,
        measured=measured,
        effects=effects,
        ranking=rank_deformations(effects, resampled),
        compared_scores=compare_models(effects, targets, resampled)[0],
        overlap=None,
        left_out=["recommendations: not measured (recommender=null)"],
        scoring_s=3.0,
        recommending_s=0.0,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, report = tmp_path_factory.mktemp("report"), make_report()
    write_report(folder, report)
    write_markdown(folder, report, bootstrap=None)
    return folder


def rows(folder: Path, name: str, *columns: str) -> list[tuple[str, ...]]:
    with (folder / f"test_{name}.csv").open() as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def test_scores_against_the_moved_and_the_original_labels(folder: Path):
    """Two semitones up the labels are 2, 4, 6 and 7: the constant model is right about one by chance."""
    columns = ("export", "deformation", "strength", "clean", "moved", "original", "drop", "difference")
    found = [row[1:] for row in rows(folder, "metrics", "metric", *columns) if row[0] == "accuracy"]
    assert found == [
        ("follower", "pitch_shift", "2", "1.0", "0.75", "0.25", "0.25", "-0.25"),
        ("follower", "gain", "-10", "1.0", "0.5", "0.5", "0.5", "-0.5"),
        ("constant", "pitch_shift", "2", "0.5", "0.25", "0.5", "0.5", "-0.25"),
        ("constant", "gain", "-10", "0.5", "0.5", "0.5", "0.0", "0.0"),
    ]


def test_share_of_answers_that_followed(folder: Path):
    columns = ("export", "deformation", "label_moves", "right_before", "went_right", "went")
    assert rows(folder, "moved", *columns) == [
        ("follower", "pitch_shift", "1", "4", "0.75", "0.75"),
        ("follower", "gain", "0", "4", "0.5", "0.5"),
        ("constant", "pitch_shift", "1", "2", "0.0", "0.0"),
        ("constant", "gain", "0", "2", "1.0", "1.0"),
    ]
    summary = json.loads((folder / "test.json").read_text())["moved_summary"]
    assert [(row["export"], row["right_before"], row["went_right"], row["by_strength"]) for row in summary] == [
        ("follower", 4, 0.75, {"2 semitones": 0.75}),
        ("constant", 2, 0.0, {"2 semitones": 0.0}),
    ]


def test_the_ranking_is_the_mean_over_models(folder: Path):
    columns = ("rank", "deformation", "drop", "worst_export", "worst_strength", "worst_drop")
    assert rows(folder, "ranking", *columns) == [
        ("1", "pitch_shift", "0.375", "constant", "2", "0.5"),
        ("2", "gain", "0.25", "follower", "-10", "0.5"),
    ]


def test_models_side_by_side(folder: Path):
    assert rows(folder, "models", "audio", "export", "value", "ahead") == [
        ("clean", "follower", "1.0", ""),
        ("clean", "constant", "0.5", "-0.5"),
        ("pitch_shift", "follower", "0.75", ""),
        ("pitch_shift", "constant", "0.25", "-0.5"),
        ("gain", "follower", "0.5", ""),
        ("gain", "constant", "0.5", "0.0"),
        ("all deformed", "follower", "0.625", ""),
        ("all deformed", "constant", "0.375", "-0.25"),
    ]


def test_classes_have_one_row_each_and_one_column_per_condition(folder: Path):
    columns = ("export", "class", "tracks", "clean", "pitch_shift 2", "gain -10")
    found = rows(folder, "classes", *columns)
    assert len(found) == 8 and found[2:5] == [
        ("follower", "E major", "1", "1.0", "1.0", "0.0"),
        ("follower", "F major", "1", "1.0", "0.0", "0.0"),
        ("constant", "C major", "1", "1.0", "0.0", "1.0"),
    ]


def test_seconds_count_deforming_once_and_networks_per_model(folder: Path):
    assert rows(folder, "seconds", "deformation", "audio_s", "deforming", "mel", "network") == [
        (name, "60.0", "1.0", "4.0", "8.0") for name in ("clean", "pitch_shift", "gain")
    ]


def test_markdown_has_the_numbers_of_the_csv_files(folder: Path):
    lines = [" ".join(line.split()) for line in (folder / "test.md").read_text().splitlines()]
    assert lines[0] == "# keys, split test: 4 tracks, 1 × 15 s of each (checksum of tracks and labels 000000000000)"
    for line in (
        "| pitch shift | 2 semitones | 0.750 | 25.0% |",
        "| A key | pitch shift | 4 | 75.0% | 2 semitones: 75.0% |",
        "| A key accuracy | pitch shift | 2 semitones | 1.000 | 0.750 | 0.250 | 4 | 0.750 | – | 0.750 |",
        "| pitch shift | 37.5% | – | 50.0% | B key accuracy | 2 semitones |",
        "| key accuracy | all deformed | 0.625 – | 0.375 – -0.250 – |",
        "- left out: recommendations: not measured (recommender=null)",
    ):
        assert line in lines
    assert "" in lines and not any(a == b == "" for a, b in itertools.pairwise(lines))


def test_markdown_has_no_colour_codes_even_if_colour_is_forced(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    write_markdown(tmp_path, make_report(), bootstrap=None)
    assert (tmp_path / "test.md").read_text() == (folder / "test.md").read_text()


def test_models_figure_draws_a_head_that_only_some_models_have():
    """Two models have one metric, three another; the numbers of the second are copied, as only marks are counted."""
    report = make_report()
    tempo = [dataclasses.replace(one, metric="mirex") for one in report.compared_scores]
    tempo += [dataclasses.replace(one, model=2) for one in tempo if one.model == 1]
    three = dataclasses.replace(
        report, names=[*report.names, "tempo"], compared_scores=[*report.compared_scores, *tempo]
    )
    marks = [[len(line.get_xdata()) for line in axes.get_lines()] for axes in models_figure(three).axes]
    assert marks == [[4, 4], [4, 4, 4]], "clean, two deformations, and all"


@pytest.mark.parametrize(("confidence", "unit"), [(None, None), (0.9, "track"), (0.9, "artist")])
def test_figures_name_the_confidence_of_their_intervals(confidence: float | None, unit: str | None):
    """Tracks without artists cannot be drawn by artist, so there are no intervals."""
    report = make_report(Bootstrap(resamples=100, confidence=confidence, units=[unit]) if confidence else None)
    legends = [figure.legends[0].get_texts() for figure in (overview_figure(report), head_figure(report, "key"))]
    texts = [label.get_text() for labels in legends for label in labels] + [models_figure(report).get_suptitle()]
    intervals = [text for text in texts if "interval" in text]
    if unit == "track":
        assert len(intervals) == 3 and all("90 % interval" in text for text in intervals)
    else:
        assert not intervals


def test_models_are_compared_on_the_same_resamples():
    bootstrap = Bootstrap(resamples=200, units=["track"])
    found = {(one.audio, one.model): one for one in make_report(bootstrap).compared_scores}
    (weights,) = bootstrap.weights(np.arange(4), rows_at_once=200)
    follower, constant = (torch.tensor(right, dtype=torch.float64) for right in ([1, 1, 1, 1], [1, 1, 0, 0]))
    difference = weights @ (constant - follower) / 4
    lead = found["clean", 1].lead
    assert lead.value == -0.5 and lead.interval == pytest.approx(bootstrap.interval(difference, -0.5).tolist())
    assert math.isnan(found["clean", 0].value.interval[0]), (
        "a model that is always right scores the same in every resample"
    )


def test_heads_with_different_labels_are_not_compared():
    effects = [one for one in make_report().effects if one.model == 0]
    assert compare_models(effects, [{"key": TRUTH}], ResampledScores(None, [])) == ([], []), "one model"
    both = make_report().effects
    targets = [{"key": TRUTH}, {"key": (TRUTH + 1) % 12}]
    reason = "comparison of key: the heads of the models differ in their classes or range"
    assert compare_models(both, targets, ResampledScores(None, [])) == ([], [reason])


def test_cached_answers_have_the_permissions_of_the_user_and_leftovers_are_removed(tmp_path: Path):
    cache, mask = AnswerCache(tmp_path, {}), os.umask(0o027)
    try:
        cache.write("export", "clean", make_answers([0, 0, 0, 0], 0))
    finally:
        os.umask(mask)
    (cached,) = tmp_path.iterdir()
    assert stat.S_IMODE(cached.stat().st_mode) == 0o640
    torch.testing.assert_close(cache.read("export", "clean", heads=["key"]).probabilities["key"][:, 0], torch.ones(4))
    old, new = tmp_path / ".killed-00000000.part", tmp_path / ".beside-11111111.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.remove_leftovers()
    assert sorted(tmp_path.iterdir()) == sorted([cached, new]), "the file of a run at work stays"
