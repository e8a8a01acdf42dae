"""What a run has learned, in W&B: tables, confusion matrices, pictures and examples to listen to."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from musicrec.data.datamodule import MusicDataModule
from musicrec.evaluation.report import HeadScore, Predictions
from musicrec.export.description import Model
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.run_figures import hear_track
from musicrec.figures.scores import plot_all
from musicrec.figures.style import image
from musicrec.figures.tracks import track_figure
from musicrec.tracking.runs import forgiving, wandb_runs

_EXAMPLES, _EXAMPLE_S = 8, 10
_CONFUSION_CLASSES = 50  # of more, the interactive chart has too many cells to be read


def log_results(
    loggers: Sequence[Logger],
    scores: Sequence[HeadScore],
    predictions: Mapping[str, Predictions],
    raw: Mapping[str, Mapping[str, Tensor]],
    *,
    dataset: str,
) -> None:
    """Log the scores of every split and head: `per_class/…` as tables, `confusion/…` as charts that one can sort, and
    `pictures/…`, those that evaluate.py draws. raw: {split: {head: probabilities}} before any temperature."""
    for run in wandb_runs(loggers):
        with forgiving("results"), tempfile.TemporaryDirectory() as folder:
            import wandb  # not at the top: runs that are logged elsewhere are spared it

            paths = plot_all(Path(folder), scores, predictions, dataset=dataset)
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
    """Log what the model says of some tracks, as pictures over time, and ten seconds of each to listen to; at most
    eight tracks, so that a run stays small."""
    for run in wandb_runs(loggers):
        with forgiving("examples"):
            import wandb

            pictures, sounds = [], []
            for track_id in tracks[:_EXAMPLES]:
                hearing = hear_track(model, data, track_id, device=device)
                pictures.append(wandb.Image(image(track_figure(hearing)), caption=track_id))
                rate = model.sample_rate
                start = max(0, (len(hearing.waveform) - _EXAMPLE_S * rate) // 2)
                middle = hearing.waveform[start : start + _EXAMPLE_S * rate]
                sounds.append(wandb.Audio(middle, sample_rate=rate, caption=track_id))
            if tracks:
                run.log({"examples/pictures": pictures, "examples/audio": sounds})


def _tables(scores: Sequence[HeadScore], predictions: Mapping[str, Predictions]) -> dict:
    import wandb

    tables = {}
    for score in scores:
        where = f"{score.split}/{score.head.name}"
        if score.labelled and score.per_class:
            rows = [list(row.values()) for row in score.per_class]
            tables[f"per_class/{where}"] = wandb.Table(columns=list(score.per_class[0]), data=rows)
        classes = len(score.head.classes)
        if score.labelled and score.head.picture().kind == "confusion" and classes <= _CONFUSION_CLASSES:
            probabilities, target = predictions[score.split][score.head.name]
            known = ~target.isnan()
            tables[f"confusion/{where}"] = wandb.plot.confusion_matrix(
                y_true=target[known].int().tolist(),
                preds=score.head.answer(probabilities[known]).int().tolist(),
                class_names=[score.head.label(index) for index in range(classes)],
                title=f"{score.head.name} on {score.split}",
            )
    return tables
