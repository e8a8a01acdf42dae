"""Reliability diagrams."""

from pathlib import Path

import pytest
import torch

from musicrec.evaluation.head_scores import score_heads
from musicrec.figures.reliability import bins, plot_reliability, reliability_figure
from musicrec.heads.classes import ClassHead


def test_bins_have_mean_confidence_and_counts():
    confidences = torch.tensor([0.02, 0.04, 0.06, 0.5, 0.99, 1.0])
    right = torch.tensor([0, 1, 0, 1, 1, 0])
    found = bins(confidences, right)
    assert [(count, hits) for _, count, hits in found] == [(3, 1), (1, 1), (2, 1)]
    assert [at for at, _, _ in found] == pytest.approx([0.04, 0.5, 0.995])


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_head_with_a_temperature_is_drawn_with_and_without_it(tmp_path: Path, temperature: float):
    head = ClassHead(name="$genre", column="genre", classes=("a", "b"), temperature=temperature)
    raw = torch.tensor([[0.9, 0.1]] * 50)
    target = torch.tensor([0.0, 0, 0, 0, 1] * 10)
    predictions = {"test": {"$genre": (head.calibrated(raw), target)}}
    scores = score_heads(predictions, [head], raw={"test": {"$genre": raw}})
    figure = reliability_figure(scores[0], *predictions["test"]["$genre"], raw, dataset="set")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    if temperature == 1:
        assert labels == ["perfect calibration", "raw, ECE 0.100"]
    else:  # the probability 0.9 (odds of 9) becomes 0.75 (odds of 3), and 0.8 are right
        assert labels == ["perfect calibration", "raw, ECE 0.100", "temperature 2.00, ECE 0.050"]
    (path,) = plot_reliability(tmp_path, scores, predictions, {"test": {"$genre": raw}}, dataset="set")
    assert path.name == "test__genre_reliability.png" and path.stat().st_size < 200_000
