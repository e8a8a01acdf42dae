"""Metrics against scikit-learn, torchmetrics, mir_eval and arithmetic, of a split and of weighted resamples."""

import itertools
import math

import mir_eval
import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, top_k_accuracy_score
from torchmetrics.functional.classification import multilabel_auroc, multilabel_average_precision

from musicrec.heads import metrics
from musicrec.heads.keys import KEYS_24

HALVES = (0.5,) * 4


@pytest.fixture
def tags() -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties, and targets: the third tag has no positive, the fourth is unknown of ten tracks."""
    rng = np.random.default_rng(0)
    target = (rng.random((60, 4)) < 0.3).astype("float32")
    target[:, 2] = 0
    target[:10, 3] = math.nan
    return rng.random((60, 4)).astype("float32").round(1), target


def score_tags(scores: np.ndarray, target: np.ndarray, weights: torch.Tensor) -> metrics.Scores:
    return metrics.multi_label(
        torch.tensor(scores), torch.tensor(target), weights, classes=tuple("abcd"), thresholds=HALVES
    )


def check_metrics_are_known(values: dict[str, float], expected: dict[str, float]) -> None:
    """Fail with the line to add if a metric has no expected value."""
    missing = [
        f'add "{name}": … to tests/heads/test_metrics.py (in expected)' for name in values.keys() - expected.keys()
    ]
    assert not missing, "\n".join(missing)


def test_tag_metrics_equal_scikit_learn_and_leave_out_what_cannot_be_scored(tags):
    scores, target = tags
    result = score_tags(scores, target, metrics.unit_weights(60))
    rows = result.rows()
    for index in (0, 1, 3):
        known = ~np.isnan(target[:, index])
        truth, score = target[known, index], scores[known, index]
        assert rows[index]["roc_auc"] == pytest.approx(roc_auc_score(truth, score))
        assert rows[index]["pr_auc"] == pytest.approx(average_precision_score(truth, score))
        assert rows[index]["f1"] == pytest.approx(f1_score(truth, score >= 0.5))
    assert rows[2] == {"class": "c", "tracks": 60, "positives": 0, "threshold": 0.5} | dict.fromkeys(
        ("roc_auc", "pr_auc", "f1")
    )
    assert rows[3]["tracks"] == 50
    used = ~np.isnan(target) & (np.arange(4) != 2)
    truth, score = target[used], scores[used]
    expected = {
        "roc_auc": np.mean([rows[i]["roc_auc"] for i in (0, 1, 3)]),
        "pr_auc": np.mean([rows[i]["pr_auc"] for i in (0, 1, 3)]),
        "roc_auc_micro": roc_auc_score(truth, score),
        "pr_auc_micro": average_precision_score(truth, score),
        "f1_macro": np.mean([rows[i]["f1"] for i in (0, 1, 3)]),
        "f1_micro": f1_score(truth, score >= 0.5),
    }
    check_metrics_are_known(result.values(), expected)
    assert result.values() == pytest.approx(expected)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_tag_metrics_equal_torchmetrics(average: str):
    generator = torch.Generator().manual_seed(1)
    scores, target = torch.rand(200, 4, generator=generator), torch.randint(0, 2, (200, 4), generator=generator)
    result = metrics.multi_label(
        scores, target.float(), metrics.unit_weights(200), classes=tuple("abcd"), thresholds=HALVES
    ).values()
    suffix = "" if average == "macro" else "_micro"
    assert result[f"roc_auc{suffix}"] == pytest.approx(float(multilabel_auroc(scores, target, 4, average)), abs=1e-6)
    expected = multilabel_average_precision(scores, target, 4, average)
    assert result[f"pr_auc{suffix}"] == pytest.approx(float(expected), abs=1e-6)


def test_a_resample_scores_as_its_weights_do_in_scikit_learn(tags):
    scores, target = tags
    weights = np.random.default_rng(2).multinomial(60, np.full(60, 1 / 60), size=5).astype(float)
    result = score_tags(scores, target, torch.tensor(weights))
    assert (weights == 0).any() and (weights > 1).any()
    for resample, index in itertools.product(range(5), (0, 3)):
        known = ~np.isnan(target[:, index])
        given = {"sample_weight": weights[resample, known]}
        truth, score = target[known, index], scores[known, index]
        found = {name: float(values[resample, index]) for name, values in result.by_class.items()}
        assert found == pytest.approx(
            {
                "roc_auc": roc_auc_score(truth, score, **given),
                "pr_auc": average_precision_score(truth, score, **given),
                "f1": f1_score(truth, score >= 0.5, **given),
            }
        )


def test_a_resample_without_a_positive_leaves_the_class_out_of_its_mean():
    truth = torch.tensor([[1.0, 1], [0, 0], [0, 1]])
    scores = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]])
    weights = torch.tensor([[1.0, 1, 1], [0, 1, 1], [0, 2, 0]], dtype=torch.float64)
    result = metrics.multi_label(scores, truth, weights, classes=("a", "b"), thresholds=HALVES[:2])
    assert result.by_class["roc_auc"].nan_to_num(-1).tolist() == [[1, 0.5], [-1, 1], [-1, -1]]
    assert result.overall["roc_auc"].nan_to_num(-1).tolist() == [0.75, 1, -1]


def test_exclusive_classes_equal_scikit_learn():
    rng = np.random.default_rng(1)
    scores, target = torch.tensor(rng.random((50, 5))), torch.tensor(rng.integers(0, 5, 50)).float()
    predicted = scores.argmax(dim=1)
    result = metrics.single_label(scores, target, metrics.unit_weights(50), classes=tuple("abcde")).values()
    expected = {
        "accuracy": float((predicted == target).float().mean()),
        "top3_accuracy": top_k_accuracy_score(target, scores, k=3),
        "f1_macro": f1_score(target, predicted, average="macro"),
    }
    check_metrics_are_known(result, expected)
    assert result == pytest.approx(expected)
    weights = torch.tensor(rng.integers(0, 3, (1, 50))).double()
    resampled = metrics.single_label(scores, target, weights, classes=tuple("abcde")).values()
    assert resampled["f1_macro"] == pytest.approx(
        f1_score(target, predicted, average="macro", sample_weight=weights[0])
    )
    target[:25] = math.nan
    assert metrics.single_label(scores, target, metrics.unit_weights(50), classes=tuple("abcde")).values()[
        "accuracy"
    ] == pytest.approx(float((predicted[25:] == target[25:]).float().mean()))
    assert metrics.confusion_matrix(scores.argmax(dim=1), target, 5).sum() == 25


def test_tempo_accuracy_by_hand():
    truth = torch.tensor([100.0, 100.0, 100.0, 100.0, 90.0, 100.0, math.nan])
    estimate = torch.tensor([103.9, 104.1, 200.0, 34.2, 30.0, 98.1, 100.0])
    #                        4 %    wrong  double third third  2 %   unlabelled
    result = metrics.tempo_accuracy(estimate, truth, metrics.unit_weights(7), limits_bpm=[50, 95, 110, 200])
    assert result.values() == pytest.approx({"acc1": 2 / 6, "acc2": 5 / 6, "acc1_2pct": 1 / 6, "acc2_2pct": 3 / 6})
    assert [(row["class"], row["tracks"], row["acc2"]) for row in result.rows()] == [
        ("50–95 BPM", 1, 1.0),
        ("95–110 BPM", 5, pytest.approx(4 / 5)),
    ]


def test_key_score_by_the_rules_and_both_conventions_of_the_fifth():
    said = ["C major", "G major", "F major", "A minor", "C minor", "D major"]
    predicted = torch.tensor([float(KEYS_24.index(name)) for name in said])
    points, either = metrics.mirex_points(predicted, torch.zeros(6), KEYS_24)  # the truth is C major
    assert points.tolist() == [1, 0.5, 0, 0.3, 0.2, 0]
    assert either.tolist() == [1, 0.5, 0.5, 0.3, 0.2, 0]


def test_key_score_equals_mir_eval_for_all_pairs():
    pairs = torch.cartesian_prod(torch.arange(24), torch.arange(24)).float()
    points, _ = metrics.mirex_points(pairs[:, 1], pairs[:, 0], KEYS_24)
    expected = [mir_eval.key.weighted_score(truth, said) for truth in KEYS_24 for said in KEYS_24]
    assert points.tolist() == expected


@pytest.mark.parametrize("kind", ["tags", "classes", "tempo"])
def test_no_labelled_track_gives_no_number_and_no_error(kind: str):
    nothing = torch.empty(0)
    unlabelled = torch.full((3, 2), math.nan)
    result = {
        "tags": lambda: metrics.multi_label(
            torch.rand(3, 2), unlabelled, None, classes=("a", "b"), thresholds=HALVES[:2]
        ),
        "classes": lambda: metrics.single_label(torch.empty(0, 3), nothing, None, classes=tuple("abc")),
        "tempo": lambda: metrics.tempo_accuracy(nothing, nothing, None, limits_bpm=[30, 300]),
    }[kind]()
    assert result.overall and all(math.isnan(value) for value in result.values().values())
