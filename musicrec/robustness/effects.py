"""How far a head falls under each condition: paired with its own answers to the clean audio of the same tracks."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from rich.progress import track as shown
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads import Head
from musicrec.heads.metrics import Scores, unit_weights
from musicrec.robustness.answers import Answers
from musicrec.robustness.conditions import Condition
from musicrec.robustness.label_motion import moved, share, went_along
from musicrec.robustness.measurement import Measured
from musicrec.system.console import error_console

Interval = tuple[float, float]
_NOTHING = (float("nan"), float("nan"))


@dataclass(frozen=True, kw_only=True)
class Number:
    """A value of the tracks at hand, and its bootstrap interval; NaN where there is none."""

    value: float
    interval: Interval = _NOTHING


@dataclass(frozen=True, kw_only=True)
class Change:
    """One metric: of the clean audio; of the deformed audio against the moved and against the original labels; how
    much of the clean one was lost, as a share of it, and as a difference (negative: lost)."""

    clean: float
    moved: float
    original: float
    drop: Number
    difference: Number


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a condition does to a head of a model.

    subject: number of the model. tracks: that have a label, before and after. moves: whether the labels moved.
    changes: {metric: Change}. went_right, went: the share of answers (of tags: track by tag) that moved as the label
    does, or stayed where it stays, among those that were right before, and among all. right: how many were.
    by_class: a row a class. values, clean_values: {metric: (1 + resamples,)} against the moved label, and on the clean
    audio; that of the tracks at hand first.
    """

    subject: int
    head: Head
    condition: Condition
    tracks: int
    moves: bool
    changes: dict[str, Change]
    went_right: Number
    went: Number
    right: int
    by_class: list[dict]
    values: dict[str, Tensor]
    clean_values: dict[str, Tensor]

    @property
    def primary(self) -> Change:
        return self.changes[self.head.primary]

    @property
    def drops(self) -> Tensor:
        """Of the primary metric, (1 + resamples,)."""
        return lost(self.clean_values[self.head.primary], self.values[self.head.primary])


class Drawing:
    """Numbers of the tracks at hand together with those of resamples of them, of which every number meets the same.

    unit: by which tracks are drawn, the coarsest of the bootstrap's; None without a bootstrap, or with a single track:
    then they are not drawn at all.
    """

    def __init__(self, bootstrap: Bootstrap | None, artists: Sequence[str | None]) -> None:
        self.bootstrap = bootstrap
        found = {} if bootstrap is None else bootstrap.clusters(artists)
        self.unit, self.clusters = list(found.items())[-1] if found else (None, None)
        self._clean: dict[tuple, dict[str, Tensor]] = {}

    def values(self, score: Callable[[Tensor], Scores], tracks: int, *, classes: int = 1) -> dict[str, Tensor]:
        """(1 + resamples,) of everything that the score tells overall, the tracks at hand first. score: of weights."""
        here = score(unit_weights(tracks)).overall
        if self.clusters is None:
            return here
        # Without a bar: it would be one within that of the conditions.
        drawn = self.bootstrap.scores(score, self.clusters, classes=classes, progress=False).overall
        return {name: torch.cat([value, drawn[name]]) for name, value in here.items()}

    def clean(self, subject: int, head: Head, probabilities: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The values of the metrics on the clean audio, which are the same for nearly every condition."""
        key = subject, head.name, target.isnan().numpy().tobytes()
        if key not in self._clean:
            self._clean[key] = self.metrics(head, probabilities, target)
        return self._clean[key]

    def metrics(self, head: Head, probabilities: Tensor, target: Tensor) -> dict[str, Tensor]:
        return self.values(
            lambda weights: head.score(probabilities, target, weights), len(target), classes=len(head.classes)
        )

    def number(self, values: Tensor) -> Number:
        here = float(values[0])
        if len(values) == 1:
            return Number(value=here)
        return Number(value=here, interval=tuple(self.bootstrap.interval(values[1:], here).tolist()))


def score(
    measured: Measured,
    heads: Sequence[Sequence[Head]],
    targets: Sequence[Mapping[str, Tensor]],
    *,
    drawing: Drawing,
    progress: bool = True,
) -> list[Effect]:
    """Every labelled head of every model under every condition. heads, targets: of each model, {head: labels}."""
    work = [
        (subject, head, number)
        for subject, of_subject in enumerate(heads)
        for head in of_subject
        if (~targets[subject][head.name].isnan()).any()
        for number in range(1, len(measured.conditions))
    ]
    bar = shown(work, "scoring", console=error_console(), transient=True, disable=not progress)
    return [
        effect(
            head,
            measured.answers[subject][0],
            measured.answers[subject][number],
            targets[subject][head.name],
            condition=measured.conditions[number],
            subject=subject,
            drawing=drawing,
        )
        for subject, head, number in bar
    ]


def effect(
    head: Head,
    clean: Answers,
    deformed: Answers,
    target: Tensor,
    *,
    condition: Condition,
    subject: int,
    drawing: Drawing,
) -> Effect:
    """target: labels of the tracks, NaN where one is missing."""
    moves = {"shift_semitones": deformed.shift_semitones, "tempo_ratio": deformed.tempo_ratio}
    before, after = (head.calibrated(answers.probabilities[head.name]) for answers in (clean, deformed))
    there = moved(head, target, **moves)
    target = torch.where(there.isnan(), torch.nan, target)  # the same tracks on both sides
    stays = torch.equal(there.nan_to_num(), target.nan_to_num())
    right = head.agrees(head.answer(before), target)
    along = went_along(head, head.answer(before), head.answer(after), **moves)

    at_first, now = drawing.clean(subject, head, before, target), drawing.metrics(head, after, there)
    original = {name: float(values[0]) for name, values in now.items()} if stays else head.score(after, target).values()
    everything = torch.ones_like(right)
    shares = drawing.values(
        lambda weights: Scores(
            overall={"right": share(along, right, weights), "all": share(along, everything, weights)}
        ),
        len(target),
    )
    return Effect(
        subject=subject,
        head=head,
        condition=condition,
        tracks=int((~target.isnan()).reshape(len(target), -1).any(dim=1).sum()),
        moves=not stays,
        changes={
            name: Change(
                clean=float(value[0]),
                moved=float(now[name][0]),
                original=original[name],
                drop=drawing.number(lost(value, now[name])),
                difference=drawing.number(now[name] - value),
            )
            for name, value in at_first.items()
        },
        went_right=drawing.number(shares["right"]),
        went=drawing.number(shares["all"]),
        right=int((right & ~along.isnan()).sum()),
        by_class=by_class(head, before, after, target, there),
        values=now,
        clean_values=at_first,
    )


def lost(clean: Tensor, now: Tensor) -> Tensor:
    """The share of a metric that was lost; NaN where there was nothing to lose."""
    return torch.where(clean > 0, 1 - now / clean, torch.nan)


def by_class(head: Head, before: Tensor, after: Tensor, target: Tensor, there: Tensor) -> list[dict]:
    """[{"class", "tracks", "measure", "clean", "deformed"}]: of the tracks of each class (range of tempo) as it was on
    the clean audio, the share that is right; of each tag that can be scored, its ROC-AUC."""
    if not head.exclusive:
        one, two = (head.score(p, t) for p, t in ((before, target), (after, there)))
        pairs = zip(one.rows(), two.rows(), strict=True)
        return [
            {"class": row["class"], "tracks": row["positives"], "measure": "roc_auc", "clean": row["roc_auc"],
             "deformed": other["roc_auc"]}
            for row, other in pairs if None not in (row["roc_auc"], other["roc_auc"])
        ]  # fmt: skip
    right, still = head.agrees(head.answer(before), target), head.agrees(head.answer(after), there)
    return [
        {"class": name, "tracks": int(rows.sum()), "measure": "share right", "clean": float(right[rows].float().mean()),
         "deformed": float(still[rows].float().mean())}
        for name, rows in head.groups(target)
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A deformation. drop: of the primary metrics, the mean over its strengths, and the heads and models. worst: the
    effect with the largest drop."""

    name: str
    title: str
    drop: Number
    worst: Effect


def rank(effects: Sequence[Effect], drawing: Drawing) -> list[Rank]:
    """The deformations, the one that costs most first."""
    by_name: dict[str, list[Effect]] = {}
    for one in effects:
        if not math.isnan(one.primary.drop.value):
            by_name.setdefault(one.condition.name, []).append(one)
    ranks = [
        Rank(
            name=name,
            title=found[0].condition.title,
            drop=drawing.number(torch.stack([one.drops for one in found]).nanmean(dim=0)),
            worst=max(found, key=lambda one: one.primary.drop.value),
        )
        for name, found in by_name.items()
    ]
    return sorted(ranks, key=lambda one: -one.drop.value)
