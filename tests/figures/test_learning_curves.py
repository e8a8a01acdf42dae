"""Learning curves of runs with one part and with several parts."""

from pathlib import Path

import pytest

from musicrec.figures.learning_curves import learning_figure, read_metrics
from musicrec.heads.key import KeyHead

HEADER = "epoch,step,val/loss,val/score,val/key/accuracy,test/score\n"


def write(run: Path, name: str, *rows: str) -> None:
    (run / name).write_text(HEADER + "".join(f"{row}\n" for row in rows))


def test_rows_of_the_same_step_become_one_row(tmp_path: Path):
    write(tmp_path, "metrics.csv", "0,9,1.5,,,", "0,9,,0.4,0.3,")
    (row,) = read_metrics(tmp_path).to_dicts()
    assert (row["val/loss"], row["val/score"]) == (1.5, 0.4)


def test_repeated_steps_count_once(tmp_path: Path):
    write(tmp_path, "metrics_1.csv", "0,9,2.0,0.1,0.1,", "1,19,1.9,0.2,0.1,", "2,29,8.0,0.9,0.9,")
    write(tmp_path, "metrics_2.csv", "2,29,1.8,0.3,0.1,")
    write(tmp_path, "metrics_10.csv", "3,39,1.7,0.4,0.1,")
    write(tmp_path, "metrics.csv", "4,49,1.6,0.35,0.1,", "0,0,,,,0.99")  # the test, at step 0 of its own
    (tmp_path / "metrics_of_mine.csv").write_text("a,b\n1,2\n")
    frame = read_metrics(tmp_path)
    assert frame["step"].to_list() == [9, 19, 29, 39, 49]
    assert frame["val/score"].to_list() == [0.1, 0.2, 0.3, 0.4, 0.35]
    assert frame["test/score"].null_count() == 5


def test_the_next_part_replaces_all_later_steps_of_the_part_before(tmp_path: Path):
    write(tmp_path, "metrics_1.csv", "0,9,2.0,0.1,0.1,", "1,14,9.0,0.9,0.9,")
    write(tmp_path, "metrics.csv", "1,12,1.9,0.2,0.1,", "1,19,1.8,0.3,0.1,")
    frame = read_metrics(tmp_path)
    assert frame["step"].to_list() == [9, 12, 19] and frame["val/score"].to_list() == [0.1, 0.2, 0.3]


def test_a_part_that_logged_nothing_is_skipped(tmp_path: Path):
    (tmp_path / "metrics_1.csv").write_text("")
    write(tmp_path, "metrics_2.csv")
    write(tmp_path, "metrics.csv", "0,9,2.0,0.1,0.1,")
    assert read_metrics(tmp_path)["step"].to_list() == [9]


def test_curves_are_over_epochs_and_mark_the_best_one(tmp_path: Path):
    write(tmp_path, "metrics.csv", "0,9,2.0,0.1,0.2,", "1,19,1.9,0.3,0.4,", "2,29,1.8,nan,0.3,")
    figure = learning_figure(read_metrics(tmp_path), [KeyHead()])
    loss, scores, _ = figure.axes
    assert loss.lines[0].get_xdata().tolist() == pytest.approx([1, 2, 3])
    assert "best: 0.300 after epoch 2" in [text.get_text() for text in scores.get_legend().get_texts()]
    assert [line.get_ydata().tolist() for line in scores.lines if line.get_label() == "key accuracy"] == [
        [0.2, 0.4, 0.3]
    ]


def test_no_figure_without_a_validation(tmp_path: Path):
    assert learning_figure(read_metrics(tmp_path), []) is None
    write(tmp_path, "metrics.csv", "0,0,,,,0.5")
    assert learning_figure(read_metrics(tmp_path), []) is None
