"""What each deformation does to each head: clean and deformed answers to the same tracks, compared in pairs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.progress import track as with_progress
from torch import Tensor

from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise
from musicrec.heads.metrics import Scores
from musicrec.robustness.answer_cache import Answers
from musicrec.robustness.conditions import AudioCondition, keeps_time
from musicrec.robustness.label_motion import answer_followed, move_labels, right_answers, weighted_share
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.resampling import IntervalEstimate, ResampledScores
from musicrec.system.console import error_console


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """One metric of a head, on clean and on deformed audio.

    Attributes:
        clean: On the clean audio.
        moved: On the deformed audio, against the moved labels.
        original: On the deformed audio, against the original labels.
        drop: The share of the clean value that is lost against the moved labels; negative for a gain.
        difference: `moved` - `clean`.
    """

    clean: float
    moved: float
    original: float
    drop: IntervalEstimate
    difference: IntervalEstimate


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a condition does to one head of one model.

    Answers are counted per track; those of a head whose classes are not exclusive, per track and class; those of a
    frame-wise head, per beat that was found on the clean audio, and once more for whether it is a downbeat.

    Attributes:
        model: Index of the model.
        head: A head of the model.
        condition: What was done to the audio.
        tracks: Number of tracks with a label that the head can express, before and after it moves.
        label_moves: Whether the condition changes any label.
        changes: {metric: change}.
        right_before: Number of answers that were right on the clean audio.
        followed_of_right: The share of these that changed as the label does, or stayed if it stays.
        followed: The same share of all answers.
        by_class: One row per class, see `class_scores`.
        deformed_values: {metric: (1 + resamples,)} on the deformed audio, against the moved labels; the first value is
            that of the tracks themselves.
        clean_values: The same on the clean audio.
    """

    model: int
    head: Head
    condition: AudioCondition
    tracks: int
    label_moves: bool
    changes: dict[str, MetricChange]
    right_before: int
    followed_of_right: IntervalEstimate
    followed: IntervalEstimate
    by_class: list[dict]
    deformed_values: dict[str, Tensor]
    clean_values: dict[str, Tensor]

    @property
    def primary(self) -> MetricChange:
        """The change of the head's primary metric."""
        return self.changes[self.head.primary]

    @property
    def primary_drops(self) -> Tensor:
        """(1 + resamples,) relative drops of the head's primary metric."""
        return relative_drop(self.clean_values[self.head.primary], self.deformed_values[self.head.primary])


def measure_effects(
    measured: MeasuredAnswers,
    heads: Sequence[Sequence[Head]],
    targets: Sequence[Mapping[str, Tensor]],
    *,
    resampled: ResampledScores,
    progress: bool = True,
) -> list[Effect]:
    """Measure the effect of every condition on every head of every model.

    Heads without any label are left out, and frame-wise heads under deformations that do not keep the time.

    Args:
        measured: Answers of the models.
        heads: The heads of each model.
        targets: For each model, {head: labels of the tracks}; NaN where a label is missing.
        resampled: Computes the scores.
        progress: Whether to show a progress bar.
    """
    work = [
        (model, head, condition)
        for model, of_model in enumerate(heads)
        for head in of_model
        if (~targets[model][head.name].isnan()).any()
        for condition in range(1, len(measured.conditions))
        if not is_frame_wise(head) or keeps_time(measured.conditions[condition])
    ]
    bar = with_progress(work, "scoring", console=error_console(), transient=True, disable=not progress)
    return [
        measure_effect(
            head,
            measured.answers[model][0],
            measured.answers[model][condition],
            targets[model][head.name],
            condition=measured.conditions[condition],
            model=model,
            resampled=resampled,
        )
        for model, head, condition in bar
    ]


def measure_effect(
    head: Head,
    clean: Answers,
    deformed: Answers,
    target: Tensor,
    *,
    condition: AudioCondition,
    model: int,
    resampled: ResampledScores,
) -> Effect:
    """Measure the effect of a condition on a head.

    Args:
        head: A head of the model.
        clean: Answers of the model to the clean audio.
        deformed: Answers of the model under the condition, to the same tracks.
        target: Original labels of the tracks, NaN where one is missing.
        condition: What was done to the audio.
        model: Index of the model.
        resampled: Computes the scores.
    """
    motion = {"shift_semitones": deformed.shift_semitones, "tempo_ratio": deformed.tempo_ratio}
    before, after = (head.calibrated(answers.probabilities[head.name]) for answers in (clean, deformed))
    moved_target = move_labels(head, target, **motion)
    target = torch.where(moved_target.isnan(), torch.nan, target)  # both sides score the same tracks
    label_moves = not torch.equal(moved_target.nan_to_num(), target.nan_to_num())

    clean_values = resampled.clean_metrics(model, head, before, target)
    deformed_values = resampled.metrics(head, after, moved_target)
    if label_moves:
        original = head.score(after, target).values()
    else:
        original = {name: float(values[0]) for name, values in deformed_values.items()}

    answer_before = head.answer(before)
    right = right_answers(head, answer_before, target)
    followed = answer_followed(head, answer_before, head.answer(after), **motion)
    shares = _shares_followed(followed, right, resampled)
    return Effect(
        model=model,
        head=head,
        condition=condition,
        tracks=int((~target.isnan()).reshape(len(target), -1).any(dim=1).sum()),
        label_moves=label_moves,
        changes={
            name: MetricChange(
                clean=float(values[0]),
                moved=float(deformed_values[name][0]),
                original=original[name],
                drop=resampled.estimate(relative_drop(values, deformed_values[name])),
                difference=resampled.estimate(deformed_values[name] - values),
            )
            for name, values in clean_values.items()
        },
        right_before=int((right & ~followed.isnan()).sum()),
        followed_of_right=shares["right"],
        followed=shares["all"],
        by_class=class_scores(head, before, after, target, moved_target),
        deformed_values=deformed_values,
        clean_values=clean_values,
    )


def _shares_followed(followed: Tensor, right: Tensor, resampled: ResampledScores) -> dict[str, IntervalEstimate]:
    """Return the share of answers that followed the label, among the "right" ones and among "all"."""
    everything = torch.ones_like(right)

    def score(weights: Tensor) -> Scores:
        return Scores(
            overall={
                "right": weighted_share(followed, right, weights),
                "all": weighted_share(followed, everything, weights),
            }
        )

    return {name: resampled.estimate(values) for name, values in resampled.values(score, len(followed)).items()}


def relative_drop(clean: Tensor, deformed: Tensor) -> Tensor:
    """Return the share of a metric that is lost; NaN where the clean value is 0, so that nothing could be lost."""
    return torch.where(clean > 0, 1 - deformed / clean, torch.nan)


def class_scores(head: Head, before: Tensor, after: Tensor, target: Tensor, moved_target: Tensor) -> list[dict]:
    """Score each class of a head on clean and on deformed audio.

    Args:
        head: The head that has the classes.
        before: (tracks, classes) probabilities on the clean audio.
        after: (tracks, classes) probabilities on the deformed audio.
        target: Labels of the tracks on the clean audio.
        moved_target: Labels of the tracks on the deformed audio.

    Returns:
        One dict per class with keys "class", "tracks", "measure", "clean" and "deformed". The measure of exclusive
        classes is the share of right answers among the tracks that have the class (or range of numbers) on the clean
        audio. That of other classes is the ROC-AUC; classes without one are left out.
    """
    if not head.exclusive:
        return _tag_scores(head.score(before, target), head.score(after, moved_target))
    right_before = head.agrees(head.answer(before), target)
    right_after = head.agrees(head.answer(after), moved_target)
    return [
        {
            "class": name,
            "tracks": int(rows.sum()),
            "measure": "share right",
            "clean": float(right_before[rows].float().mean()),
            "deformed": float(right_after[rows].float().mean()),
        }
        for name, rows in head.groups(target)
    ]


def _tag_scores(clean: Scores, deformed: Scores) -> list[dict]:
    return [
        {
            "class": row["class"],
            "tracks": row["positives"],
            "measure": "roc_auc",
            "clean": row["roc_auc"],
            "deformed": other["roc_auc"],
        }
        for row, other in zip(clean.rows(), deformed.rows(), strict=True)
        if None not in (row["roc_auc"], other["roc_auc"])
    ]


@dataclass(frozen=True, kw_only=True)
class RankedDeformation:
    """A deformation in the ranking.

    Attributes:
        name: The name of the deformation.
        title: The title of the deformation, in tables and figures.
        drop: The relative drop of the primary metrics, the mean over strengths, heads and models.
        worst: The effect with the largest drop.
    """

    name: str
    title: str
    drop: IntervalEstimate
    worst: Effect


def rank_deformations(effects: Sequence[Effect], resampled: ResampledScores) -> list[RankedDeformation]:
    """Return the deformations, the one with the largest mean drop first."""
    by_name: dict[str, list[Effect]] = {}
    for effect in effects:
        if not math.isnan(effect.primary.drop.value):
            by_name.setdefault(effect.condition.name, []).append(effect)
    ranking = [
        RankedDeformation(
            name=name,
            title=of_deformation[0].condition.title,
            drop=resampled.estimate(torch.stack([effect.primary_drops for effect in of_deformation]).nanmean(dim=0)),
            worst=max(of_deformation, key=lambda effect: effect.primary.drop.value),
        )
        for name, of_deformation in by_name.items()
    ]
    return sorted(ranking, key=lambda ranked: -ranked.drop.value)
