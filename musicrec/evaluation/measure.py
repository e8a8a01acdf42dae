"""Measurement of a model on the splits of a dataset."""

import dataclasses
from pathlib import Path

import polars as pl
import pytorch_lightning as lightning

from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import manifest_hash
from musicrec.evaluation.calibration import calibrate, uncalibrated
from musicrec.evaluation.result import Result
from musicrec.export.description import Model
from musicrec.export.folder import write_export
from musicrec.system.version import VERSION
from musicrec.training.module import MusicModule


def measure(
    name: str,
    model: Model,
    data: MusicDataModule,
    trainer: lightning.Trainer,
    *,
    pooling: str = "mean",
    calibrate_on: str | None = None,
) -> tuple[Result, Model]:
    """Predict the tracks of the test splits.

    The temperatures and thresholds of an export are fitted for the mean over chunks. With another pooling, and none
    fitted for it here, none are applied (temperature 1, thresholds 0.5).

    Args:
        name: The model as the user named it.
        model: The model.
        data: The opened data. If `calibrate_on` is not a test split, it is added to its test splits.
        trainer: Runs the network.
        pooling: How the chunks of a track are combined: mean, max or attention.
        calibrate_on: Split on which temperatures and thresholds are fitted again; None takes those of the model. The
            result contains this split only if it is a test split.

    Returns:
        The result, and the model with the heads that gave it.
    """
    wanted = list(data.test_splits)
    fitting = calibrate_on is not None
    if fitting and calibrate_on not in wanted:
        data.test_splits.append(calibrate_on)
    heads = model.heads if pooling == "mean" and not fitting else [uncalibrated(head) for head in model.heads]
    module = MusicModule(model.network, heads, pooling=pooling)
    trainer.test(module, data, verbose=False)
    predictions, fitted = module.predictions, model.config.get("calibration")
    if fitting:
        heads, found = calibrate(heads, predictions[calibrate_on])
        fitted = {"split": calibrate_on, "heads": found}
        predictions = {
            split: {head.name: (head.calibrated(by_head[head.name][0]), by_head[head.name][1]) for head in heads}
            for split, by_head in predictions.items()
        }
    trained = model.config.get("data") or {}
    tracks = [data.tracks(split).select(pl.lit(split).alias("split"), "track_id", "artist") for split in wanted]
    result = Result(
        name=name,
        heads=heads,
        predictions={split: predictions[split] for split in wanted},
        tracks=pl.concat(tracks),
        about={
            "export": name,
            "network": type(model.network).__name__,
            "dataset": data.manifest_path.resolve().parent.name,
            "manifest": data.manifest_path.name,
            "manifest_hash": data.manifest_hash,
            "split_hashes": {split: manifest_hash(data.tracks(split)) for split in wanted},
            "pooling": pooling,
            "eval_chunks": data.sampling.eval_chunks,
            "trained_on": {name: trained.get(name) for name in ("manifest", "manifest_hash")},
            "calibrated_on": fitted["split"] if fitted and (pooling == "mean" or fitting) else None,
            "musicrec_version": VERSION,
        },
        raw={split: module.raw[split] for split in wanted},
    )
    return result, dataclasses.replace(model, heads=heads, config={**model.config, "calibration": fitted})


def write_calibrated(model: Model, result: Result, folder: Path) -> Path:
    """Write an export of a model that was calibrated again.

    Args:
        model: The model with its new temperatures and thresholds.
        result: Its result, whose metrics go into the export.
        folder: Folder of the export.

    Returns:
        The folder.
    """
    metrics: dict[str, dict[str, float]] = {split: {} for split in result.predictions}
    for split, by_head in result.predictions.items():
        for head in result.heads:
            values = head.score(*by_head[head.name]).values()
            metrics[split] |= {f"{head.name}/{name}": value for name, value in values.items()}
    return write_export(
        folder,
        network=model.network,
        heads=model.heads,
        frontend=model.frontend,
        metrics=metrics,
        data=model.config.get("data") or {},
        calibration=model.config["calibration"],
        licence=model.config.get("licence", "unspecified"),
    )
