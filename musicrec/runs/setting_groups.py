"""The runs of a sweep, grouped by their settings."""

import datetime
import statistics
from collections.abc import Sequence

from musicrec.runs.find import Run
from musicrec.runs.overrides import SEED_KEY, Value, differing_settings, identifying_overrides


def group_by_setting(runs: Sequence[Run]) -> list[tuple[dict[str, Value], list[Run]]]:
    """Group runs that differ in nothing but the seed.

    Args:
        runs: The runs of a sweep.

    Returns:
        For each group, {key: value} of the overrides in which the groups differ, and its runs. The groups are in the
        order of their first runs.
    """
    groups: dict[tuple, list[Run]] = {}
    settings = differing_settings([sorted(identifying_overrides(run.record["overrides"])) for run in runs])
    for run, params in zip(runs, settings, strict=True):
        setting = tuple((key, value) for key, value in params.items() if key != SEED_KEY)
        groups.setdefault(setting, []).append(run)
    return [(dict(setting), members) for setting, members in groups.items()]


def mean_minutes(runs: Sequence[Run]) -> float | None:
    """Return the mean duration of the runs in minutes; None if a record lacks its start or end."""
    times = [(run.record.get("started"), run.record.get("ended")) for run in runs]
    if not all(started and ended for started, ended in times):
        return None
    parse = datetime.datetime.fromisoformat
    return statistics.fmean((parse(ended) - parse(started)).total_seconds() / 60 for started, ended in times)
