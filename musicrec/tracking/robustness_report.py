"""Logs a robustness report: numbers to every logger, tables and figures to Weights & Biases."""

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from musicrec.robustness.report import (
    RobustnessReport,
    class_rows,
    metric_rows,
    model_rows,
    moved_rows,
    ranking_rows,
    recommendation_rows,
)
from musicrec.tracking.runs import wandb_runs, warn_on_failure


def log_report(loggers: Sequence[Logger], report: RobustnessReport, pictures: Sequence[Path]) -> None:
    """Log a report.

    Every logger gets `<split>/drop/<deformation>`, the mean drop of the primary metrics, and
    `<split>/kept/<deformation>`, the mean share of the recommendations that stays. Weights & Biases also gets the
    tables and the figures.

    Args:
        loggers: The loggers of the run.
        report: To log.
        pictures: Figures of the report, as PNG files.
    """
    values = {f"{report.split}/drop/{ranked.name}": ranked.drop.value for ranked in report.ranking}
    kept: dict[str, list[float]] = {}
    for overlap in report.overlap.by_condition if report.overlap else []:
        kept.setdefault(f"{report.split}/kept/{overlap.condition.name}", []).append(overlap.kept.value)
    values |= {name: sum(shares) / len(shares) for name, shares in kept.items()}
    for logger in loggers:
        logger.log_hyperparams({"report": report.description})
        logger.log_metrics(values)
        logger.save()
    tables = {
        "metrics": metric_rows(report),
        "models": model_rows(report),
        "moved": moved_rows(report),
        "classes": class_rows(report),
        "ranking": ranking_rows(report),
        "recommendations": recommendation_rows(report),
    }
    for run in wandb_runs(loggers):
        with warn_on_failure("robustness report"):
            import wandb  # takes seconds to import, which other loggers do not need

            logged: dict[str, object] = {f"robustness/{path.stem}": wandb.Image(str(path)) for path in pictures}
            for name, rows in tables.items():
                if rows:
                    data = [list(_with_text_strengths(row).values()) for row in rows]
                    logged[f"robustness/{report.split}/{name}"] = wandb.Table(columns=list(rows[0]), data=data)
            run.log(logged)


def _with_text_strengths(row: dict) -> dict:
    """Return a row whose strengths are text: they are numbers or names, and a column of W&B holds only one type."""
    return {name: str(value) if name.endswith("strength") else value for name, value in row.items()}
