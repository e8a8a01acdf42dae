"""The runs of a sweep by their settings."""

import datetime
import statistics
from collections.abc import Sequence

from musicrec.runs.find import Run
from musicrec.runs.overrides import SPREAD_OVER, Value, differing_settings, identity


def by_setting(runs: Sequence[Run]) -> list[tuple[dict[str, Value], list[Run]]]:
    """What sets the runs apart but the seed, and the runs with it; in the order of the first run of each."""
    groups: dict[tuple, list[Run]] = {}
    settings = differing_settings([sorted(identity(run.record["overrides"])) for run in runs])
    for run, params in zip(runs, settings, strict=True):
        groups.setdefault(tuple((k, v) for k, v in params.items() if k != SPREAD_OVER), []).append(run)
    return [(dict(key), members) for key, members in groups.items()]


def mean_minutes(runs: Sequence[Run]) -> float | None:
    """How long the runs took, on average; None where that is not known."""
    times = [[run.record.get(name) for name in ("started", "ended")] for run in runs]
    if not all(begun and ended for begun, ended in times):
        return None
    spans = [datetime.datetime.fromisoformat(e) - datetime.datetime.fromisoformat(b) for b, e in times]
    return statistics.fmean(span.total_seconds() / 60 for span in spans)
