"""Bars of the metrics of each class."""

import torch

from musicrec.evaluation.head_scores import HeadScore, score_heads
from musicrec.figures.class_bars import class_figure
from musicrec.heads import Head
from musicrec.heads.classes import ClassHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead


def scored(head: Head, probabilities: torch.Tensor, target: torch.Tensor) -> HeadScore:
    (score,) = score_heads({"test": {head.name: (probabilities, target)}}, [head])
    return score


def bars(score: HeadScore) -> tuple[list[str], list[list[float]]]:
    axes = class_figure(score, dataset="set").axes[0]
    widths = [[float(bar.get_width()) for bar in container] for container in axes.containers]
    return [tick.get_text() for tick in axes.get_yticklabels()], widths


def test_classes_are_sorted_by_recall():
    head = ClassHead(name="genre", column="genre", classes=("a", "b", "c"))
    answers, truth = torch.eye(3)[[0, 1, 1, 1]], torch.tensor([0.0, 0.0, 1.0, 1.0])
    names, (recall, precision) = bars(scored(head, answers, truth))
    assert names == ["b (2)", "a (2)"], "c has no recall"
    assert recall == [1.0, 0.5] and [round(value, 3) for value in precision] == [0.667, 1.0]


def test_tags_are_sorted_by_roc_auc_and_chance_is_drawn():
    head = TagHead(name="tags", classes=("worse", "better", "never"))
    answers = torch.tensor([[0.9, 0.1, 0.5], [0.8, 0.2, 0.5], [0.7, 0.9, 0.5]])
    truth = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    score = scored(head, answers, truth)
    names, (roc_auc, _) = bars(score)
    assert names == ["better (1)", "worse (1)"] and roc_auc == [1.0, 0.5]
    assert "chance (ROC-AUC)" in [t.get_text() for t in class_figure(score, dataset="s").legends[0].get_texts()]


def test_tempo_ranges_keep_their_order():
    answers = torch.eye(120)[[72, 72, 90]]  # 120, 120 and 170 BPM
    names, (acc2, acc1) = bars(scored(TempoHead(), answers, torch.tensor([61.0, 121.0, 171.0])))
    assert names == ["60–85 BPM (1)", "120–170 BPM (1)", "170–240 BPM (1)"]
    assert (acc2, acc1) == ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0])


def test_of_many_classes_the_best_and_the_worst_are_drawn_and_none_without_scores():
    classes = tuple(str(index) for index in range(60))
    target = torch.randint(0, 2, (50, 60), generator=torch.Generator().manual_seed(0)).float()
    names, _ = bars(scored(TagHead(name="tags", classes=classes), torch.rand(50, 60), target))
    assert len(names) == 40
    unknown = scored(TagHead(name="tags", classes=("a",)), torch.rand(3, 1), torch.zeros(3, 1))
    assert class_figure(unknown, dataset="set") is None
