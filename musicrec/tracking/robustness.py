"""A robustness report in the loggers: the numbers everywhere, tables and pictures in W&B."""

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from musicrec.robustness.report import (
    Report,
    class_rows,
    metric_rows,
    moved_rows,
    overlap_rows,
    ranking_rows,
    standing_rows,
)
from musicrec.tracking.runs import wandb_runs, warn_on_failure


def log_report(loggers: Sequence[Logger], report: Report, pictures: Sequence[Path]) -> None:
    """Log `<split>/drop/<deformation>`, what is lost of the primary metrics in the mean, and of the recommendations
    `<split>/kept/<deformation>`; to W&B also the tables and pictures of the report."""
    values = {f"{report.split}/drop/{rank.name}": rank.drop.value for rank in report.ranks}
    kept: dict[str, list[float]] = {}
    for one in report.overlaps.of if report.overlaps else []:
        kept.setdefault(f"{report.split}/kept/{one.condition.name}", []).append(one.kept.value)
    values |= {name: sum(found) / len(found) for name, found in kept.items()}
    for logger in loggers:
        logger.log_hyperparams({"report": report.about})
        logger.log_metrics(values)
        logger.save()
    tables = {"metrics": metric_rows(report), "models": standing_rows(report), "moved": moved_rows(report),
              "classes": class_rows(report), "ranking": ranking_rows(report),
              "recommendations": overlap_rows(report)}  # fmt: skip
    for run in wandb_runs(loggers):
        with warn_on_failure("robustness report"):
            import wandb  # not at the top: runs that are logged elsewhere are spared it

            logged: dict[str, object] = {f"robustness/{path.stem}": wandb.Image(str(path)) for path in pictures}
            for name, rows in tables.items():
                if rows:
                    # Strengths are numbers and names: one column of W&B takes one of them.
                    texts = [
                        [str(value) if key.endswith("strength") else value for key, value in row.items()]
                        for row in rows
                    ]
                    logged[f"robustness/{report.split}/{name}"] = wandb.Table(columns=list(rows[0]), data=texts)
            run.log(logged)
