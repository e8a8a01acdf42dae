"""Which setting of a sweep is better, on what, and by how much: over its seeds, on the same tracks."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import same_question
from musicrec.evaluation.report import chance_level
from musicrec.evaluation.result import Result, check_comparable
from musicrec.heads import Head
from musicrec.heads.metrics import Scores

Limits = dict[str, tuple[float, float]]  # {unit: (low, high)}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Runs that differ in their seed only. params: what sets them apart from the others. minutes: of a run, on average,
    where known."""

    params: dict[str, object]
    results: list[Result]
    minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class SettingScore:
    """One metric of one setting.

    values: of each run. intervals: of their mean, {unit: (low, high)}; they cover the choice of the test tracks and not
    that of the seeds. differences, p_values: of their mean minus that of the first setting; none for the first one.
    """

    split: str
    head: str
    metric: str
    primary: bool
    setting: Setting
    values: list[float]
    chance: float
    tracks: int
    units: dict[str, int]
    intervals: Limits
    difference: float | None
    differences: Limits
    p_values: dict[str, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the runs, of a sample; None of fewer than two."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def score_settings(settings: Sequence[Setting], bootstrap: Bootstrap) -> tuple[list[SettingScore], list[str]]:
    """The scores of all settings by split, head and metric, and why some heads have none.

    All runs meet the same resamples, so what the tracks have in common cancels out of the differences.
    Raises ConfigError when the runs were not tested on the same tracks.
    """
    results = [result for setting in settings for result in setting.results]
    check_comparable(results)
    scores, left_out = [], []
    heads = {head.name: head for result in results for head in result.heads}
    for split, artists in ((split, results[0].artists(split)) for split in results[0].predictions):
        for name in heads:
            reason = _why_not(name, split, results)
            if reason is None:
                scores += _of_head(name, split, settings, artists, bootstrap)
            else:
                left_out.append(f"{name}: {reason}")
    return scores, list(dict.fromkeys(left_out))


def _why_not(name: str, split: str, results: Sequence[Result]) -> str | None:
    """Why the results cannot be compared on a head, if so."""
    lacking = [result.name for result in results if name not in result.predictions[split]]
    if lacking:
        return f"{lacking[0]} does not have it"
    first, *others = [(_head(result, name), result.predictions[split][name]) for result in results]
    if not all(same_question(first[0], head, first[1], pair) for head, pair in others):
        return "the models answer other questions (classes, range)"
    known = _labelled(name, split, results)
    return None if known.any() else f"no track of {split} is labelled for it"


def _head(result: Result, name: str) -> Head:
    return next(head for head in result.heads if head.name == name)


def _labelled(name: str, split: str, results: Sequence[Result]) -> Tensor:
    """(tracks,) bool: those that every model has a label for."""
    targets = [result.predictions[split][name][1] for result in results]
    return torch.stack([(~target.isnan()).reshape(len(target), -1).any(dim=1) for target in targets]).all(dim=0)


def _of_head(
    name: str, split: str, settings: Sequence[Setting], artists: Sequence[str | None], bootstrap: Bootstrap
) -> list[SettingScore]:
    known = _labelled(name, split, [result for setting in settings for result in setting.results])
    named = [artist for artist, there in zip(artists, known.tolist(), strict=True) if there]
    clusters = bootstrap.clusters(named)
    found: dict[str, list[SettingScore]] = {}
    first: dict[str, dict[str, Tensor]] = {}
    for setting in settings:
        questions = [
            (_head(result, name), *(values[known] for values in result.predictions[split][name]))
            for result in setting.results
        ]

        def mean(weights: Tensor, questions: list = questions) -> Scores:
            of_runs = [head.score(p, t, weights).overall for head, p, t in questions]
            return Scores(
                overall={metric: torch.stack([run[metric] for run in of_runs]).mean(0) for metric in of_runs[0]}
            )

        drawn = {
            unit: bootstrap.scores(mean, of_tracks, classes=len(questions[0][0].classes)).overall
            for unit, of_tracks in clusters.items()
        }
        of_runs = [head.score(p, t).values() for head, p, t in questions]
        by_chance = [chance_level(head, p, t) for head, p, t in questions]
        for metric in of_runs[0]:
            values = [run[metric] for run in of_runs]
            earlier = found.setdefault(metric, [])
            at = {unit: resampled[metric] for unit, resampled in drawn.items()}
            gap = statistics.fmean(values) - earlier[0].mean if earlier else None
            apart = {unit: at[unit] - first[unit][metric] for unit in at} if earlier else {}
            earlier.append(
                SettingScore(
                    split=split,
                    head=name,
                    metric=metric,
                    primary=metric == questions[0][0].primary,
                    setting=setting,
                    values=values,
                    chance=statistics.fmean(run[metric] for run in by_chance),
                    tracks=len(named),
                    units={unit: int(of_tracks.max()) + 1 for unit, of_tracks in clusters.items()},
                    intervals=_limits(bootstrap, at, statistics.fmean(values)),
                    difference=gap,
                    differences=_limits(bootstrap, apart, gap),
                    p_values={unit: bootstrap.p_value(drawn_gaps, gap) for unit, drawn_gaps in apart.items()},
                )
            )
        first = first or drawn
    return [score for of_metric in found.values() for score in of_metric]


def _limits(bootstrap: Bootstrap, drawn: dict[str, Tensor], at: float | None) -> Limits:
    return {unit: tuple(bootstrap.interval(values, at).tolist()) for unit, values in drawn.items()}
