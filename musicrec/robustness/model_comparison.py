"""Models side by side on clean and deformed audio, for the heads that several models have."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musicrec.evaluation.comparison import same_question
from musicrec.heads import Head
from musicrec.robustness.effects import Effect
from musicrec.robustness.resampling import IntervalEstimate, ResampledScores

CLEAN, ALL = "clean", "all deformed"


@dataclass(frozen=True, kw_only=True)
class ComparedScore:
    """A metric of one model on one kind of audio, and how far it is ahead of the first model.

    Attributes:
        model: Index of the model.
        head: A head of the model.
        metric: A metric of the head.
        audio: "clean"; the name of a deformation, for the mean over its strengths; or "all deformed", for the mean over
            all conditions.
        title: The title of `audio`, in tables and figures.
        value: The value of the metric, against the moved labels.
        lead: `value` minus that of the first model with this head, paired on the same tracks; None for that model.
    """

    model: int
    head: Head
    metric: str
    audio: str
    title: str
    value: IntervalEstimate
    lead: IntervalEstimate | None


def compare_models(
    effects: Sequence[Effect], targets: Sequence[Mapping[str, Tensor]], resampled: ResampledScores
) -> tuple[list[ComparedScore], list[str]]:
    """Compare the models on every head that several of them have.

    Args:
        effects: The effects of all models.
        targets: For each model, {head: labels of the tracks}.
        resampled: Gives the intervals; all strengths of a track are in a resample equally often.

    Returns:
        The scores, by head, metric, audio and model; and for each head that cannot be compared, the reason.
    """
    scores, left_out = [], []
    for name in dict.fromkeys(effect.head.name for effect in effects):
        of_head = [effect for effect in effects if effect.head.name == name]
        first, *others = {effect.model: effect.head for effect in of_head}.items()
        if not others:
            continue
        if not all(_comparable(first, other, targets) for other in others):
            left_out.append(f"comparison of {name}: the heads of the models differ in their classes or range")
            continue
        for metric, (audio, title) in itertools.product(first[1].comparison_metrics, _kinds_of_audio(of_head)):
            values = {
                model: _mean(metric, audio, [effect for effect in of_head if effect.model == model])
                for model, _ in (first, *others)
            }
            scores += [
                ComparedScore(
                    model=model,
                    head=head,
                    metric=metric,
                    audio=audio,
                    title=title,
                    value=resampled.estimate(values[model]),
                    lead=None if model == first[0] else resampled.estimate(values[model] - values[first[0]]),
                )
                for model, head in (first, *others)
            ]
    return scores, left_out


def _comparable(first: tuple[int, Head], other: tuple[int, Head], targets: Sequence[Mapping[str, Tensor]]) -> bool:
    """Return whether the heads of two models, each (model, head), answer the same question about the tracks."""
    labels = [targets[model][head.name] for model, head in (first, other)]
    return same_question(first[1], other[1], *((target, target) for target in labels))


def _kinds_of_audio(effects: Sequence[Effect]) -> list[tuple[str, str]]:
    """Return the (audio, title) of each row of the comparison."""
    deformations = dict.fromkeys((effect.condition.name, effect.condition.title) for effect in effects)
    return [(CLEAN, CLEAN), *deformations, (ALL, ALL)]


def _mean(metric: str, audio: str, effects: Sequence[Effect]) -> Tensor:
    """Return the (1 + resamples,) values of a metric on one kind of audio.

    Args:
        metric: A metric of the head.
        audio: See `ComparedScore`.
        effects: On one head of one model.
    """
    if audio == CLEAN:
        # Conditions leave out tracks whose moved label is out of range; take the one that leaves out the fewest.
        return max(effects, key=lambda effect: effect.tracks).clean_values[metric]
    values = [effect.deformed_values[metric] for effect in effects if audio in (ALL, effect.condition.name)]
    return torch.stack(values).nanmean(dim=0)
