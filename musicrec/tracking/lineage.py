"""Lineage in W&B: which manifest a run used, and which export it produced."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from musicrec.data.datamodule import MusicDataModule
from musicrec.tracking.runs import wandb_runs, warn_on_failure


def log_data(loggers: Sequence[Logger], data: MusicDataModule) -> None:
    """Log the data of a run to W&B, at its start.

    The hash of the manifest and the number of tracks of each split become part of the run's configuration. The manifest
    becomes an artifact that the run uses; only its path and checksum are logged.

    Args:
        loggers: The loggers of the run, with or without W&B.
        data: The data, whose manifest has been read.
    """
    for run in wandb_runs(loggers):
        with warn_on_failure("manifest"):
            import wandb  # here, so that only runs that use W&B import it

            path, summary = data.manifest_path.resolve(), data.summary()
            run.config.update({"manifest": summary})
            artifact = wandb.Artifact(_artifact_name("manifest", path.parent.name), type="dataset", metadata=summary)
            artifact.add_reference(path.as_uri(), name=path.name)
            # run.use_artifact would do the same, but it refuses to work offline and waits for the upload.
            run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


def log_export(loggers: Sequence[Logger], export: Path, *, name: str) -> None:
    """Log an export to W&B as an artifact that the run produced, with the manifest in its metadata.

    Args:
        loggers: The loggers of the run, with or without W&B.
        export: The export folder.
        name: The name of the artifact. Exports with the same name become its versions.
    """
    for run in wandb_runs(loggers):
        with warn_on_failure("export"):
            import wandb

            config = json.loads((export / "config.json").read_text())
            metrics = json.loads((export / "metrics.json").read_text())
            metadata = {key: config[key] for key in ("network", "data", "licence", "git_commit", "musicrec_version")}
            metadata["metrics"] = metrics
            artifact = wandb.Artifact(_artifact_name("export", name), type="model", metadata=metadata)
            artifact.add_dir(str(export), policy="immutable")  # do not copy the weights
            run.log_artifact(artifact)
            run.summary["export"] = str(export)


def _artifact_name(kind: str, name: str) -> str:
    """Return a name with only the characters, and at most the length, that W&B accepts."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{kind}-{name}")[:128]
