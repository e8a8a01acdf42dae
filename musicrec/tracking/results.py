"""The results of a run in W&B: tables, confusion matrices, figures and examples to listen to."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from musicrec.data.datamodule import MusicDataModule
from musicrec.evaluation.head_scores import HeadScore, Predictions
from musicrec.export.description import Model
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.run_figures import predict_track
from musicrec.figures.scores import plot_scores
from musicrec.figures.style import image
from musicrec.figures.tracks import track_figure
from musicrec.tracking.runs import wandb_runs, warn_on_failure

_MAX_EXAMPLES = 8
_EXAMPLE_S = 10
_CONFUSION_CLASSES = 50  # with more classes, the interactive chart is unreadable


def log_results(
    loggers: Sequence[Logger],
    scores: Sequence[HeadScore],
    predictions: Mapping[str, Predictions],
    raw: Mapping[str, Mapping[str, Tensor]],
    *,
    dataset: str,
) -> None:
    """Log the results of every split and head to W&B.

    `per_class/…` are tables, `confusion/…` are interactive confusion matrices, and `pictures/…` are the figures that
    evaluate.py draws.

    Args:
        loggers: The loggers of the run, with or without W&B.
        scores: The scores of every split and head.
        predictions: {split: predictions} of the calibrated model.
        raw: {split: {head: probabilities}} before calibration.
        dataset: The name of the dataset, for the titles.
    """
    for run in wandb_runs(loggers):
        with warn_on_failure("results"), tempfile.TemporaryDirectory() as folder:
            import wandb  # here, so that only runs that use W&B import it

            paths = plot_scores(Path(folder), scores, predictions, dataset=dataset)
            paths += plot_reliability(Path(folder), scores, predictions, raw, dataset=dataset)
            run.log(_tables(scores, predictions) | {f"pictures/{path.stem}": wandb.Image(str(path)) for path in paths})


def log_examples(
    loggers: Sequence[Logger],
    model: Model,
    data: MusicDataModule,
    tracks: Sequence[str],
    *,
    device: torch.device | str,
) -> None:
    """Log the predictions for some tracks over time as figures, and ten seconds of each track as audio, to W&B.

    Args:
        loggers: The loggers of the run, with or without W&B.
        model: The trained model.
        data: The data that the tracks belong to.
        tracks: Ids of the tracks. At most eight of them are logged, to keep the run small.
        device: The device to run the model on.
    """
    for run in wandb_runs(loggers):
        with warn_on_failure("examples"):
            import wandb

            figures, sounds = [], []
            for track_id in tracks[:_MAX_EXAMPLES]:
                predicted = predict_track(model, data, track_id, device=device)
                figures.append(wandb.Image(image(track_figure(predicted)), caption=track_id))
                rate = model.sample_rate
                start = max(0, (len(predicted.waveform) - _EXAMPLE_S * rate) // 2)
                excerpt = predicted.waveform[start : start + _EXAMPLE_S * rate]
                sounds.append(wandb.Audio(excerpt, sample_rate=rate, caption=track_id))
            if tracks:
                run.log({"examples/pictures": figures, "examples/audio": sounds})


def _tables(scores: Sequence[HeadScore], predictions: Mapping[str, Predictions]) -> dict:
    """Return {key: table or confusion matrix} of every split and head that has labels."""
    import wandb

    tables = {}
    for score in scores:
        key = f"{score.split}/{score.head.name}"
        if score.labelled and score.per_class:
            rows = [list(row.values()) for row in score.per_class]
            tables[f"per_class/{key}"] = wandb.Table(columns=list(score.per_class[0]), data=rows)
        classes = len(score.head.classes)
        if score.labelled and score.head.picture().kind == "confusion" and classes <= _CONFUSION_CLASSES:
            probabilities, target = predictions[score.split][score.head.name]
            known = ~target.isnan()
            tables[f"confusion/{key}"] = wandb.plot.confusion_matrix(
                y_true=target[known].int().tolist(),
                preds=score.head.answer(probabilities[known]).int().tolist(),
                class_names=[score.head.label(index) for index in range(classes)],
                title=f"{score.head.name} on {score.split}",
            )
    return tables
