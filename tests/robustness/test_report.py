"""The files of a report on made-up answers, every number of which is known by arithmetic."""

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
from musicrec.robustness.answers import Answers, AnswerStore
from musicrec.robustness.conditions import CLEAN, Condition
from musicrec.robustness.effects import Drawing, rank, score
from musicrec.robustness.measurement import Measured
from musicrec.robustness.plots import head_figure, models_figure, overview
from musicrec.robustness.ranking_table import standings
from musicrec.robustness.report import Report, write_report
from musicrec.robustness.tables import write_markdown

KEY, TRUTH = KeyHead(), torch.tensor([0.0, 2.0, 4.0, 5.0])  # C, D, E and F major
CONDITIONS = [
    CLEAN,
    Condition(name="pitch_shift", title="pitch shift", deformation=None, described="1", unit="semitones", strength=2),
    Condition(name="gain", title="gain", deformation=None, described="2", unit="dB", strength=-10),
]
# What each model says of the four tracks: clean, two semitones higher, and 10 dB lower.
SAID = {
    "hears": [[0, 2, 4, 5], [2, 4, 6, 5], [0, 2, 0, 0]],  # goes along with three of four; in gain it loses two
    "deaf": [[0, 2, 7, 7], [0, 2, 7, 7], [0, 2, 7, 7]],  # half right, and always says the same
}


def answers(said: list[int], shift: float, *, seconds: float = 1.0) -> Answers:
    return Answers(
        probabilities={"key": KEY.one_hot(torch.tensor(said, dtype=torch.float32))},
        embedding=torch.zeros(4, 1),
        shift_semitones=torch.full((4,), shift),
        tempo_ratio=torch.ones(4),
        seconds={"deforming": seconds, "mel": 2 * seconds, "network": 4 * seconds},
        audio_s=60.0,
    )


def made_up(bootstrap: Bootstrap | None = None, labels: Tensor = TRUTH) -> Report:
    measured = Measured(
        conditions=CONDITIONS,
        answers=[[answers(said[0], 0), answers(said[1], 2), answers(said[2], 0)] for said in SAID.values()],
        fresh=[0, 1, 2],
        excerpt_s=15.0,
        waiting_s=1.0,
        wall_s=20.0,
    )
    drawing, targets = Drawing(bootstrap, [None] * 4), [{"key": labels}] * 2
    effects = score(measured, [[KEY], [KEY]], targets, drawing=drawing, progress=False)
    about = {"dataset": "keys", "split": "test", "tracks_hash": "0" * 64, "excerpt_s": 15.0,
             "measurement": {"excerpts": 1}, "drawn_by": drawing.unit,
             "bootstrap": {"confidence": bootstrap.confidence} if bootstrap else None}  # fmt: skip
    return Report(names=list(SAID), about=about, tracks=4, measured=measured, effects=effects,
                  ranks=rank(effects, drawing), standings=standings(effects, targets, drawing)[0], overlaps=None,
                  left_out=["recommendations: recommender=null"], scoring_s=3.0, recommending_s=0.0)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, report = tmp_path_factory.mktemp("report"), made_up()
    write_report(folder, report)
    write_markdown(folder, report, bootstrap=None)
    return folder


def rows(folder: Path, name: str, *columns: str) -> list[tuple[str, ...]]:
    with (folder / f"test_{name}.csv").open() as file:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]


def test_against_the_moved_and_against_the_original_label(folder: Path):
    """Two semitones up the labels are 2, 4, 6 and 7: the deaf model is right about one of them by luck."""
    columns = ("export", "deformation", "strength", "clean", "moved", "original", "drop", "difference")
    found = [row[1:] for row in rows(folder, "metrics", "metric", *columns) if row[0] == "accuracy"]
    assert found == [
        ("hears", "pitch_shift", "2", "1.0", "0.75", "0.25", "0.25", "-0.25"),
        ("hears", "gain", "-10", "1.0", "0.5", "0.5", "0.5", "-0.5"),
        ("deaf", "pitch_shift", "2", "0.5", "0.25", "0.5", "0.5", "-0.25"),
        ("deaf", "gain", "-10", "0.5", "0.5", "0.5", "0.0", "0.0"),
    ]


def test_how_often_the_answer_moved(folder: Path):
    columns = ("export", "deformation", "label_moves", "right_before", "went_right", "went")
    assert rows(folder, "moved", *columns) == [
        ("hears", "pitch_shift", "1", "4", "0.75", "0.75"),
        ("hears", "gain", "0", "4", "0.5", "0.5"),
        ("deaf", "pitch_shift", "1", "2", "0.0", "0.0"),
        ("deaf", "gain", "0", "2", "1.0", "1.0"),
    ]
    summary = json.loads((folder / "test.json").read_text())["moved_summary"]
    assert [(row["export"], row["right_before"], row["went_right"], row["by_strength"]) for row in summary] == [
        ("hears", 4, 0.75, {"2 semitones": 0.75}), ("deaf", 2, 0.0, {"2 semitones": 0.0}),
    ]  # fmt: skip


def test_the_ranking_is_the_mean_over_models(folder: Path):
    columns = ("rank", "deformation", "drop", "worst_export", "worst_strength", "worst_drop")
    assert rows(folder, "ranking", *columns) == [
        ("1", "pitch_shift", "0.375", "deaf", "2", "0.5"), ("2", "gain", "0.25", "hears", "-10", "0.5"),
    ]  # fmt: skip


def test_models_side_by_side(folder: Path):
    assert rows(folder, "models", "audio", "export", "value", "ahead") == [
        ("clean", "hears", "1.0", ""), ("clean", "deaf", "0.5", "-0.5"),
        ("pitch_shift", "hears", "0.75", ""), ("pitch_shift", "deaf", "0.25", "-0.5"),
        ("gain", "hears", "0.5", ""), ("gain", "deaf", "0.5", "0.0"),
        ("all deformed", "hears", "0.625", ""), ("all deformed", "deaf", "0.375", "-0.25"),
    ]  # fmt: skip


def test_a_row_a_class_and_a_column_a_condition(folder: Path):
    columns = ("export", "class", "tracks", "clean", "pitch_shift 2", "gain -10")
    found = rows(folder, "classes", *columns)
    assert len(found) == 8 and found[2:5] == [
        ("hears", "E major", "1", "1.0", "1.0", "0.0"),
        ("hears", "F major", "1", "1.0", "0.0", "0.0"),
        ("deaf", "C major", "1", "1.0", "0.0", "1.0"),
    ]


def test_seconds_are_deformed_once_and_heard_twice(folder: Path):
    assert rows(folder, "seconds", "deformation", "audio_s", "deforming", "mel", "network") == [
        (name, "60.0", "1.0", "4.0", "8.0") for name in ("clean", "pitch_shift", "gain")
    ]


def test_the_markdown_holds_the_same(folder: Path):
    lines = [" ".join(line.split()) for line in (folder / "test.md").read_text().splitlines()]
    assert lines[0] == "# keys, test, 4 tracks, 1 × 15 s of each (tracks and labels 000000000000)"
    for line in (
        "| pitch shift | 2 semitones | 0.750 | 25.0% |",
        "| A key | pitch shift | 4 | 75.0% | 2 semitones: 75.0% |",
        "| A key accuracy | pitch shift | 2 semitones | 1.000 | 0.750 | 0.250 | 4 | 0.750 | – | 0.750 |",
        "| pitch shift | 37.5% | – | 50.0% | B key accuracy | 2 semitones |",
        "| key accuracy | all deformed | 0.625 – | 0.375 – -0.250 – |",
        "- left out: recommendations: recommender=null",
    ):
        assert line in lines
    assert "" in lines and not any(a == b == "" for a, b in itertools.pairwise(lines))


def test_the_markdown_is_plain_where_colour_is_forced(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    write_markdown(tmp_path, made_up(), bootstrap=None)
    assert (tmp_path / "test.md").read_text() == (folder / "test.md").read_text()


def test_a_head_that_only_some_models_have_is_drawn_for_these():
    """Two models have a key, three a tempo; its numbers are those of the key here, for none is looked at."""
    report = made_up()
    tempo = [dataclasses.replace(one, metric="mirex") for one in report.standings]
    tempo += [dataclasses.replace(one, subject=2) for one in tempo if one.subject == 1]
    three = dataclasses.replace(report, names=[*report.names, "tempo"], standings=[*report.standings, *tempo])
    marks = [[len(line.get_xdata()) for line in axes.get_lines()] for axes in models_figure(three).axes]
    assert marks == [[4, 4], [4, 4, 4]], "clean, two deformations, and all"


@pytest.mark.parametrize(("confidence", "unit"), [(None, None), (0.9, "track"), (0.9, "artist")])
def test_figures_call_intervals_what_they_are(confidence: float | None, unit: str | None):
    """Of tracks without artists, none are drawn by artist."""
    report = made_up(Bootstrap(resamples=100, confidence=confidence, units=[unit]) if confidence else None)
    legends = [figure.legends[0].get_texts() for figure in (overview(report), head_figure(report, "key"))]
    said = [label.get_text() for labels in legends for label in labels] + [models_figure(report).get_suptitle()]
    intervals = [text for text in said if "interval" in text]
    if unit == "track":
        assert len(intervals) == 3 and all("90 % interval" in text for text in intervals)
    else:
        assert not intervals


def test_models_are_compared_on_the_same_draws():
    bootstrap = Bootstrap(resamples=200, units=["track"])
    found = {(one.audio, one.subject): one for one in made_up(bootstrap).standings}
    (weights,) = bootstrap.weights(np.arange(4), rows_at_once=200)
    hears, deaf = (torch.tensor(right, dtype=torch.float64) for right in ([1, 1, 1, 1], [1, 1, 0, 0]))
    difference = weights @ (deaf - hears) / 4
    ahead = found["clean", 1].ahead
    assert ahead.value == -0.5 and ahead.interval == pytest.approx(bootstrap.interval(difference, -0.5).tolist())
    assert math.isnan(found["clean", 0].value.interval[0]), "all resamples of a model that is always right agree"


def test_other_questions_are_not_compared():
    effects = [one for one in made_up().effects if one.subject == 0]
    assert standings(effects, [{"key": TRUTH}], Drawing(None, [])) == ([], []), "one model"
    both = made_up().effects
    targets = [{"key": TRUTH}, {"key": (TRUTH + 1) % 12}]
    assert standings(both, targets, Drawing(None, [])) == (
        [], ["a comparison of key: the models answer other questions (classes, range)"],
    )  # fmt: skip


def test_kept_answers_have_the_mode_of_the_user_and_leftovers_go(tmp_path: Path):
    store, mask = AnswerStore(tmp_path, {}), os.umask(0o027)
    try:
        store.write("export", "clean", answers([0, 0, 0, 0], 0))
    finally:
        os.umask(mask)
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640
    torch.testing.assert_close(store.read("export", "clean").probabilities["key"][:, 0], torch.ones(4))
    old, new = tmp_path / ".killed-00000000.part", tmp_path / ".beside-11111111.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    store.tidy()
    assert sorted(tmp_path.iterdir()) == sorted([kept, new]), "what another run is writing stays"
