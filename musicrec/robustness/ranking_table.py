"""Models side by side on clean and deformed audio, wherever several have a head in common."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musicrec.evaluation.comparison import same_question
from musicrec.heads import Head
from musicrec.robustness.effects import Drawing, Effect, Number

CLEAN, ALL = "clean", "all deformed"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A metric of a model on one kind of audio.

    audio: "clean", the name of a deformation (the mean over its strengths), or "all deformed" (over all conditions).
    title: that in words. value: of the metric, against the moved labels. ahead: of the first model that
    has the head, by how much, paired on the same tracks; None for that model itself.
    """

    subject: int
    head: Head
    metric: str
    audio: str
    title: str
    value: Number
    ahead: Number | None


def standings(
    effects: Sequence[Effect], targets: Sequence[Mapping[str, Tensor]], drawing: Drawing
) -> tuple[list[Standing], list[str]]:
    """By head, metric, audio and model; and why a head that several have is not compared.

    targets: of each model, {head: labels}. All numbers meet the same resamples, in which all strengths of a track are
    drawn together.
    """
    found, left_out = [], []
    for name in dict.fromkeys(one.head.name for one in effects):
        of_head = [one for one in effects if one.head.name == name]
        first, *others = {one.subject: one.head for one in of_head}.items()
        if not others:
            continue
        if not all(_same(first, other, targets) for other in others):
            left_out.append(f"a comparison of {name}: the models answer other questions (classes, range)")
            continue
        for metric, (audio, title) in itertools.product(first[1].comparison_metrics, _kinds(of_head)):
            values = {
                subject: _mean(metric, audio, [one for one in of_head if one.subject == subject])
                for subject, _ in (first, *others)
            }
            found += [
                Standing(
                    subject=subject,
                    head=head,
                    metric=metric,
                    audio=audio,
                    title=title,
                    value=drawing.number(values[subject]),
                    ahead=None if subject == first[0] else drawing.number(values[subject] - values[first[0]]),
                )
                for subject, head in (first, *others)
            ]
    return found, left_out


def _same(one: tuple[int, Head], other: tuple[int, Head], targets: Sequence[Mapping[str, Tensor]]) -> bool:
    pairs = [targets[subject][head.name] for subject, head in (one, other)]
    return same_question(one[1], other[1], *((target, target) for target in pairs))


def _kinds(effects: Sequence[Effect]) -> list[tuple[str, str]]:
    """(audio, title), from clean to all."""
    deformations = dict.fromkeys((one.condition.name, one.condition.title) for one in effects)
    return [(CLEAN, CLEAN), *deformations, (ALL, ALL)]


def _mean(metric: str, audio: str, effects: Sequence[Effect]) -> Tensor:
    """(1 + resamples,) of a model."""
    if audio == CLEAN:  # a tempo that leaves the range under a condition is not counted there, but here
        return max(effects, key=lambda one: one.tracks).clean_values[metric]
    return torch.stack([one.values[metric] for one in effects if audio in (ALL, one.condition.name)]).nanmean(dim=0)
