"""Paired comparison of the settings of a sweep: each is scored over its seeds, on the same test tracks."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap, count_clusters
from musicrec.evaluation.comparison import same_question
from musicrec.evaluation.head_scores import chance_level
from musicrec.evaluation.labelled_tracks import labelled_tracks
from musicrec.evaluation.result import Result, check_comparable
from musicrec.heads import Head
from musicrec.heads.metrics import Scores

Limits = dict[str, tuple[float, float]]  # {unit: (low, high)}


@dataclass(frozen=True, kw_only=True)
class SettingResults:
    """Results of the runs of one setting, which differ only in their seed.

    Attributes:
        params: {key: value} of the parameters that differ between the settings.
        results: One result per run.
        minutes: Mean duration of a run; None if unknown.
    """

    params: dict[str, object]
    results: list[Result]
    minutes: float | None = None


@dataclass(frozen=True, kw_only=True)
class SettingScore:
    """One metric of one setting.

    Attributes:
        split: Name of the split.
        head: Name of the head.
        metric: Name of the metric.
        primary: Whether this is the primary metric of the head.
        setting: The setting.
        values: The value of each run.
        chance: Mean of the chance levels of the runs.
        tracks: Number of labelled tracks.
        units: {unit: number of its clusters}.
        intervals: {unit: (low, high)} of the mean over the runs. They cover the choice of the test tracks, not the
            choice of the seeds.
        difference: The mean minus that of the first setting; None for the first setting.
        differences: {unit: (low, high)} of the difference; empty for the first setting.
        p_values: {unit: p-value} of the difference; empty for the first setting.
    """

    split: str
    head: str
    metric: str
    primary: bool
    setting: SettingResults
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
        """Mean over the runs."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the runs; None with fewer than two runs."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None


def score_settings(settings: Sequence[SettingResults], bootstrap: Bootstrap) -> tuple[list[SettingScore], list[str]]:
    """Score all settings, and compare each with the first one.

    All runs are scored on the same resamples, so tracks that are hard for all cancel out of the differences.

    Args:
        settings: The settings; the first one is the baseline.
        bootstrap: Settings of the intervals.

    Returns:
        The scores by split, head and metric, and the reasons why heads are left out.

    Raises:
        ConfigError: The runs were evaluated on different tracks or labels.
    """
    results = [result for setting in settings for result in setting.results]
    check_comparable(results)
    scores, left_out = [], []
    heads = {head.name: head for result in results for head in result.heads}
    for split in results[0].predictions:
        for name in heads:
            reason = _reason_to_leave_out(name, split, results)
            if reason is None:
                scores += _score_head(name, split, settings, bootstrap)
            else:
                left_out.append(f"{name}: {reason}")
    return scores, list(dict.fromkeys(left_out))


def _reason_to_leave_out(name: str, split: str, results: Sequence[Result]) -> str | None:
    """Return why the results cannot be compared on a head; None if they can."""
    lacking = [result.name for result in results if name not in result.predictions[split]]
    if lacking:
        return f"{lacking[0]} does not have it"
    first, *others = [(_head(result, name), result.predictions[split][name]) for result in results]
    if not all(same_question(first[0], head, first[1], pair) for head, pair in others):
        return "the classes or ranges of the models differ"
    return None if _labelled_in_all(name, split, results).any() else f"no track of {split} is labelled for it"


def _head(result: Result, name: str) -> Head:
    return next(head for head in result.heads if head.name == name)


def _labelled_in_all(name: str, split: str, results: Sequence[Result]) -> Tensor:
    """Return (tracks,) bool: the tracks that have a label which every model knows."""
    return torch.stack([labelled_tracks(result.predictions[split][name][1]) for result in results]).all(dim=0)


def _score_head(name: str, split: str, settings: Sequence[SettingResults], bootstrap: Bootstrap) -> list[SettingScore]:
    results = [result for setting in settings for result in setting.results]
    known = _labelled_in_all(name, split, results)
    artists = [artist for artist, is_known in zip(results[0].artists(split), known.tolist(), strict=True) if is_known]
    clusters = bootstrap.clusters(artists)
    found: dict[str, list[SettingScore]] = {}
    baseline: dict[str, dict[str, Tensor]] = {}  # {unit: {metric: (resamples,)}} of the first setting
    for setting in settings:
        runs = [
            (_head(result, name), *(values[known] for values in result.predictions[split][name]))
            for result in setting.results
        ]
        resampled = _resample_mean(runs, clusters, bootstrap)
        run_values = [head.score(p, t).values() for head, p, t in runs]
        run_chances = [chance_level(head, p, t) for head, p, t in runs]
        for metric in run_values[0]:
            values = [run[metric] for run in run_values]
            of_metric = found.setdefault(metric, [])
            means = {unit: by_metric[metric] for unit, by_metric in resampled.items()}
            difference = statistics.fmean(values) - of_metric[0].mean if of_metric else None
            differences = {unit: means[unit] - baseline[unit][metric] for unit in means} if of_metric else {}
            of_metric.append(
                SettingScore(
                    split=split,
                    head=name,
                    metric=metric,
                    primary=metric == runs[0][0].primary,
                    setting=setting,
                    values=values,
                    chance=statistics.fmean(run[metric] for run in run_chances),
                    tracks=len(artists),
                    units=count_clusters(clusters),
                    intervals=_limits(bootstrap, means, statistics.fmean(values)),
                    difference=difference,
                    differences=_limits(bootstrap, differences, difference),
                    p_values={unit: bootstrap.p_value(values, difference) for unit, values in differences.items()},
                )
            )
        baseline = baseline or resampled
    return [score for of_metric in found.values() for score in of_metric]


def _resample_mean(
    runs: Sequence[tuple[Head, Tensor, Tensor]], clusters: dict[str, np.ndarray], bootstrap: Bootstrap
) -> dict[str, dict[str, Tensor]]:
    """Return {unit: {metric: (resamples,)}}: the mean over the runs (head, probabilities, target)."""

    def mean(weights: Tensor) -> Scores:
        scores = [head.score(p, t, weights).overall for head, p, t in runs]
        return Scores(overall={metric: torch.stack([run[metric] for run in scores]).mean(0) for metric in scores[0]})

    classes = len(runs[0][0].classes)
    return {unit: bootstrap.scores(mean, of_tracks, classes=classes).overall for unit, of_tracks in clusters.items()}


def _limits(bootstrap: Bootstrap, resampled: dict[str, Tensor], estimate: float | None) -> Limits:
    return {unit: tuple(bootstrap.interval(values, estimate).tolist()) for unit, values in resampled.items()}
