"""Metrics against scikit-learn, mir_eval and arithmetic."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from musicrec.evaluation import metrics
from musicrec.evaluation.aggregate import TrackMean
from musicrec.keys import KEYS_24


def test_tag_metrics_equal_scikit_learn_and_leave_out_what_cannot_be_scored():
    rng = np.random.default_rng(0)
    target = (rng.random((60, 4)) < 0.3).astype("float32")
    target[:, 2] = 0  # no positive
    scores = rng.random((60, 4)).astype("float32")
    target[:10, 3] = math.nan
    rows = metrics.per_tag(torch.tensor(scores), torch.tensor(target), tuple("abcd"))
    for index in (0, 1):
        assert rows[index]["roc_auc"] == pytest.approx(roc_auc_score(target[:, index], scores[:, index]), abs=1e-6)
        assert rows[index]["pr_auc"] == pytest.approx(
            average_precision_score(target[:, index], scores[:, index]), abs=1e-6
        )
    assert rows[2]["roc_auc"] is None and rows[2]["positives"] == 0
    assert rows[3]["tracks"] == 50
    assert rows[3]["roc_auc"] == pytest.approx(roc_auc_score(target[10:, 3], scores[10:, 3]), abs=1e-6)
    assert metrics.macro(rows, "roc_auc") == pytest.approx(np.mean([rows[i]["roc_auc"] for i in (0, 1, 3)]))


def test_classification_equals_scikit_learn():
    rng = np.random.default_rng(1)
    scores, target = torch.tensor(rng.random((50, 5))), torch.tensor(rng.integers(0, 5, 50)).float()
    predicted = scores.argmax(dim=1)
    result = metrics.classification(scores, target, 5)
    assert result["accuracy"] == pytest.approx(float((predicted == target).float().mean()))
    assert result["f1_macro"] == pytest.approx(f1_score(target, predicted, average="macro"), abs=1e-6)
    target[:25] = math.nan
    assert metrics.classification(scores, target, 5)["accuracy"] == pytest.approx(
        float((predicted[25:] == target[25:]).float().mean())
    )
    assert metrics.confusion_matrix(scores.argmax(dim=1), target, 5).sum() == 25


def test_tempo_accuracy_by_hand():
    truth = torch.tensor([100.0, 100.0, 100.0, 100.0, 90.0, math.nan])
    estimate = torch.tensor([103.9, 104.1, 200.0, 34.0, 30.0, 100.0])
    #                       right   wrong  double  third  third  unlabelled
    assert metrics.tempo_accuracy(estimate, truth) == {"acc1": pytest.approx(1 / 5), "acc2": pytest.approx(4 / 5)}


def test_key_score_by_the_rules():
    truth = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0])  # C major
    said = ["C major", "G major", "A minor", "C minor", "D major"]
    scores = torch.eye(24)[[KEYS_24.index(name) for name in said]]
    assert metrics.mirex_key_score(scores, truth, KEYS_24) == pytest.approx((1 + 0.5 + 0.3 + 0.2 + 0) / 5)


def test_track_mean_is_the_mean_over_chunks_in_any_order():
    chunks = torch.rand(7, 3)
    track = torch.tensor([0, 1, 1, 0, 1, 1, 0])
    mean = TrackMean(3, 3)
    mean.update(chunks[4:], track[4:])
    mean.update(chunks[:4], track[:4])
    result = mean.compute()
    torch.testing.assert_close(result[0], chunks[track == 0].mean(dim=0))
    torch.testing.assert_close(result[1], chunks[track == 1].mean(dim=0))
    assert result[2].isnan().all()
