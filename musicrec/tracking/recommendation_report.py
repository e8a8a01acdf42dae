"""Logs a comparison of rankings: numbers to every logger, tables and figures to Weights & Biases."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from musicrec.recommend.evaluation.comparison import Comparison
from musicrec.recommend.evaluation.report import difference_rows, score_rows
from musicrec.tracking.runs import wandb_runs, warn_on_failure


def log_comparison(
    loggers: Sequence[Logger], comparison: Comparison, pictures: Sequence[Path], *, about: Mapping[str, Any]
) -> None:
    """Log a comparison.

    Every logger gets `<ranking>/<measure>` of all measures. Weights & Biases also gets the tables and the figures.

    Args:
        loggers: The loggers.
        comparison: To log.
        pictures: Its figures, as PNG files.
        about: What it was made with, in plain JSON types.
    """
    values = {f"{_key(score.ranking)}/{score.measure}": score.estimate.value for score in comparison.scores}
    for logger in loggers:
        logger.log_hyperparams({"evaluation": {**about, **comparison.about}})
        logger.log_metrics(values)
        logger.save()
    for run in wandb_runs(loggers):
        with warn_on_failure("evaluation of recommendations"):
            import wandb  # takes seconds to import, which other loggers do not need

            logged: dict[str, object] = {f"recommend/{path.stem}": wandb.Image(str(path)) for path in pictures}
            for name, rows in (("scores", score_rows(comparison)), ("differences", difference_rows(comparison))):
                if rows:
                    data = [list(row.values()) for row in rows]
                    logged[f"recommend/{name}"] = wandb.Table(columns=list(rows[0]), data=data)
            run.log(logged)


def _key(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)
