"""What came of what, in W&B: the run used a manifest, and gave an export."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from musicrec.data.datamodule import MusicDataModule
from musicrec.tracking.runs import forgiving, wandb_runs


def log_data(loggers: Sequence[Logger], data: MusicDataModule) -> None:
    """Say at the beginning of a run what it is trained on: the manifest's hash and the tracks of each split in the
    configuration, and the manifest as an artifact that the run uses. Only its path and checksum are logged."""
    for run in wandb_runs(loggers):
        with forgiving("manifest"):
            import wandb  # not at the top: runs that are logged elsewhere are spared it

            path, about = data.manifest_path.resolve(), data.summary()
            run.config.update({"manifest": about})
            artifact = wandb.Artifact(artifact_name("manifest", path.parent.name), type="dataset", metadata=about)
            artifact.add_reference(path.as_uri(), name=path.name)
            # What run.use_artifact does, but offline, too, where that refuses, and without waiting for the upload.
            run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


def log_export(loggers: Sequence[Logger], export: Path, *, name: str) -> None:
    """Give an export to W&B as an artifact that the run made. Its metadata name the manifest that it was trained on.

    name: of the series of artifacts, of which each export is a version.
    """
    for run in wandb_runs(loggers):
        with forgiving("export"):
            import wandb

            config = json.loads((export / "config.json").read_text())
            metrics = json.loads((export / "metrics.json").read_text())
            about = {key: config[key] for key in ("network", "data", "licence", "git_commit", "musicrec_version")}
            artifact = wandb.Artifact(
                artifact_name("export", name), type="model", metadata=about | {"metrics": metrics}
            )
            artifact.add_dir(str(export), policy="immutable")  # read where it lies: no second copy of the weights
            run.log_artifact(artifact)
            run.summary["export"] = str(export)


def artifact_name(kind: str, name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{kind}-{name}")[:128]
