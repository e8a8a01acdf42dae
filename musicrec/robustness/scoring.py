"""How far a head falls under each condition: paired with its own answers to the clean audio of the same tracks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.progress import track as shown
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.metrics import Scores, whole
from musicrec.heads import Head
from musicrec.heads.tempo import TempoHead
from musicrec.robustness.answers import Answers
from musicrec.robustness.conditions import Condition
from musicrec.robustness.measuring import Measured
from musicrec.robustness.moving import agree, moved, share, went_along

Interval = tuple[float, float]
_NOTHING = (float("nan"), float("nan"))
WENT_RIGHT, WENT = "went_right", "went"


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
    by_class: a row a class. drops: (resamples,) of the primary metric, empty without a bootstrap.
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
    drops: Tensor

    @property
    def primary(self) -> Change:
        return self.changes[self.head.primary]


def score(
    measured: Measured,
    heads: Sequence[Sequence[Head]],
    targets: Sequence[Mapping[str, Tensor]],
    *,
    bootstrap: Bootstrap | None,
    artists: Sequence[str | None],
    progress: bool = True,
) -> list[Effect]:
    """Every labelled head of every model under every condition. heads, targets: of each model, {head: labels}."""
    clusters = clusters_of(bootstrap, artists)
    work = [
        (subject, head, number)
        for subject, of_subject in enumerate(heads)
        for head in of_subject
        if (~targets[subject][head.name].isnan()).any()
        for number in range(1, len(measured.conditions))
    ]
    bar = shown(work, "scoring", console=Console(stderr=True), transient=True, disable=not progress)
    return [
        effect(
            head,
            measured.answers[subject][0],
            measured.answers[subject][number],
            targets[subject][head.name],
            condition=measured.conditions[number],
            subject=subject,
            bootstrap=bootstrap,
            clusters=clusters,
        )
        for subject, head, number in bar
    ]


def clusters_of(bootstrap: Bootstrap | None, artists: Sequence[str | None]) -> np.ndarray | None:
    """(tracks,) what is drawn together, by the coarsest of the bootstrap's units; None where nothing can be drawn."""
    found = {} if bootstrap is None else bootstrap.clusters(artists)
    return list(found.values())[-1] if found else None


def effect(
    head: Head,
    clean: Answers,
    deformed: Answers,
    target: Tensor,
    *,
    condition: Condition,
    subject: int,
    bootstrap: Bootstrap | None,
    clusters: np.ndarray | None,
) -> Effect:
    """target: labels of the tracks, NaN where one is missing."""
    moves = {"shift_semitones": deformed.shift_semitones, "tempo_ratio": deformed.tempo_ratio}
    before, after = (head.calibrated(answers.probabilities[head.name]) for answers in (clean, deformed))
    there = moved(head, target, **moves)
    target = torch.where(there.isnan(), torch.nan, target)  # the same tracks on both sides
    stays = torch.equal(there.nan_to_num(), target.nan_to_num())
    right = agree(head, head.answer(before), target)
    along = went_along(head, head.answer(before), head.answer(after), **moves)

    def scores(weights: Tensor) -> Scores:
        at_first, now = (head.score(p, t, weights).overall for p, t in ((before, target), (after, there)))
        old = now if stays else head.score(after, target, weights).overall
        found = {WENT_RIGHT: share(along, right, weights), WENT: share(along, torch.ones_like(right), weights)}
        for name, value in at_first.items():
            lost = torch.where(value > 0, 1 - now[name] / value, torch.nan)
            found |= {f"clean/{name}": value, f"moved/{name}": now[name], f"original/{name}": old[name]}
            found |= {f"drop/{name}": lost, f"difference/{name}": now[name] - value}
        return Scores(overall=found)

    here, drawn = scores(whole(len(target))).values(), {}
    if clusters is not None:
        drawn = bootstrap.scores(scores, clusters, classes=len(head.classes)).overall

    def number(name: str) -> Number:
        if not drawn:
            return Number(value=here[name])
        return Number(value=here[name], interval=tuple(bootstrap.interval(drawn[name], here[name]).tolist()))

    names = [name.removeprefix("clean/") for name in here if name.startswith("clean/")]
    return Effect(
        subject=subject,
        head=head,
        condition=condition,
        tracks=int((~target.isnan()).reshape(len(target), -1).any(dim=1).sum()),
        moves=not stays,
        changes={
            name: Change(
                clean=here[f"clean/{name}"],
                moved=here[f"moved/{name}"],
                original=here[f"original/{name}"],
                drop=number(f"drop/{name}"),
                difference=number(f"difference/{name}"),
            )
            for name in names
        },
        went_right=number(WENT_RIGHT),
        went=number(WENT),
        right=int((right & ~along.isnan()).sum()),
        by_class=by_class(head, before, after, target, there),
        drops=drawn.get(f"drop/{head.primary}", torch.empty(0)),
    )


def by_class(head: Head, before: Tensor, after: Tensor, target: Tensor, there: Tensor) -> list[dict]:
    """[{"class", "tracks", "measure", "clean", "deformed"}]: of the tracks of each class (range of tempo) as it was on
    the clean audio, the share that is right; of each tag that can be scored, its ROC-AUC."""
    if not head.exclusive:
        one, two = (head.score(p, t, whole(len(t))) for p, t in ((before, target), (after, there)))
        pairs = zip(one.rows(), two.rows(), strict=True)
        return [
            {"class": row["class"], "tracks": row["positives"], "measure": "roc_auc", "clean": row["roc_auc"],
             "deformed": other["roc_auc"]}
            for row, other in pairs if None not in (row["roc_auc"], other["roc_auc"])
        ]  # fmt: skip
    right, still = agree(head, head.answer(before), target), agree(head, head.answer(after), there)
    return [
        {"class": name, "tracks": int(rows.sum()), "measure": "share right", "clean": float(right[rows].float().mean()),
         "deformed": float(still[rows].float().mean())}
        for name, rows in _groups(head, target)
    ]  # fmt: skip


def _groups(head: Head, target: Tensor) -> list[tuple[str, Tensor]]:
    if not isinstance(head, TempoHead):
        return [(head.label(value), target == value) for value in target[~target.isnan()].unique().tolist()]
    half_octave = (target.log2() * 2).floor()
    return [
        (f"{2 ** (value / 2):.0f}–{2 ** ((value + 1) / 2):.0f} BPM", half_octave == value)
        for value in half_octave[~half_octave.isnan()].unique().tolist()
    ]


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A deformation. drop: of the primary metrics, the mean over its strengths, and the heads and models. worst: the
    effect with the largest drop."""

    name: str
    title: str
    drop: Number
    worst: Effect


def rank(effects: Sequence[Effect], bootstrap: Bootstrap | None) -> list[Rank]:
    """The deformations, the one that costs most first."""
    by_name: dict[str, list[Effect]] = {}
    for one in effects:
        if one.primary.drop.value == one.primary.drop.value:
            by_name.setdefault(one.condition.name, []).append(one)
    ranks = []
    for name, found in by_name.items():
        value = float(np.mean([one.primary.drop.value for one in found]))
        drawn = torch.stack([one.drops for one in found]).nanmean(dim=0)
        interval = (
            tuple(bootstrap.interval(drawn, value).tolist()) if bootstrap is not None and len(drawn) else _NOTHING
        )
        worst = max(found, key=lambda one: one.primary.drop.value)
        ranks.append(Rank(name=name, title=found[0].condition.title, drop=Number(value=value, interval=interval),
                          worst=worst))  # fmt: skip
    return sorted(ranks, key=lambda one: -one.drop.value)
