"""Train a network, test its best checkpoint, export it. `musicrec train --help` shows how."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, WandbLogger
from torch import nn

from musicrec.config.value_check import check_value
from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError, ExportError
from musicrec.evaluation.calibration import calibrate, concatenate_predictions
from musicrec.evaluation.head_scores import score_heads
from musicrec.evaluation.score_tables import print_scores
from musicrec.export.checkpoint import read_checkpoint
from musicrec.export.compatibility import check_chunk, check_parts
from musicrec.export.description import no_audio
from musicrec.export.folder import read_export, write_export
from musicrec.export.onnx_extras import require
from musicrec.export.onnx_file import write_onnx
from musicrec.export.transfer import start_from
from musicrec.figures.run_figures import choose_tracks, draw_figures
from musicrec.models.frontends import Frontend
from musicrec.programs.build import (
    build_all,
    build_augmentation,
    build_data,
    build_encoder,
    build_heads,
    build_network,
    listed,
    settings_of,
)
from musicrec.programs.trainers import best_score, build_scorer, build_trainer
from musicrec.runs.find import find_export
from musicrec.runs.run_record import RunRecord
from musicrec.sweeps.pruning import was_pruned
from musicrec.system.hardware import check_accelerator
from musicrec.system.memory import keep_freed_memory
from musicrec.tracking.lineage import log_data, log_export
from musicrec.tracking.results import log_examples, log_results
from musicrec.tracking.runs import closing_wandb, keep_earlier_metrics, resume_hint
from musicrec.training.module import MusicModule


@closing_wandb
def main(cfg: DictConfig) -> float:
    """Train, and keep the record of the run; returns the score of the best checkpoint."""
    hydra_config = HydraConfig.get()
    run = Path(hydra_config.runtime.output_dir)
    with RunRecord(run, name=cfg.name, config=settings_of(cfg), overrides=hydra_config.overrides.task) as record:
        return train(cfg, run, record)


def train(cfg: DictConfig, run: Path, record: RunRecord) -> float:
    """Train, test, export and report.

    Args:
        cfg: The config of train.py.
        run: Folder of the run.
        record: The record of the run.

    Returns:
        The validation score of the best checkpoint.
    """
    checkpoint = find_checkpoint(cfg, run)
    check(cfg)
    keep_freed_memory()
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)

    heads, encoder = build_heads(cfg.get("task")), build_encoder(cfg)
    hears_audio = encoder is None or encoder.probe["encoder"] is not None
    if cfg.figures and not hears_audio:
        raise ConfigError("figures=true draws what a model hears, and this probe cannot hear; leave it out")
    frontend = encoder.frontend if encoder else instantiate(cfg.frontend)
    augmentation = build_augmentation(cfg.augment)
    data = build_data(cfg.data, heads=heads, frontend=frontend, augmentation=augmentation, encoder=encoder)
    data.read()
    network = build_network(cfg.model, data.heads, encoder)
    check_parts(network, data.heads, frontend)
    if encoder is None:
        check_chunk(network, frontend)
    data.open()
    shown = choose_tracks(data, cfg.figure_tracks) if hears_audio else []
    origin = load_start_weights(cfg, network, frontend) | ({"encoder": encoder.about} if encoder else {})
    recipe = instantiate(cfg.optim)
    frozen = listed(cfg.freeze)
    module = MusicModule(network, data.heads, recipe, channels_last=cfg.channels_last, seed=cfg.seed, frozen=frozen)

    loggers = start_loggers(cfg, run, data)
    callbacks = build_all(cfg.callbacks)
    trainer = build_trainer(cfg.trainer, run=run, callbacks=callbacks, loggers=loggers)
    tester, calibrator = build_scorer(cfg.trainer, loggers=loggers), build_scorer(cfg.trainer)
    with resume_hint(trainer):
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
        score = best_score(trainer, cfg.trainer)
        note_training(record, trainer, data)
        if was_pruned(callbacks):
            record.note(status="pruned")
            return score
        calibration = calibrate_best(module, data, calibrator, path=trainer.checkpoint_callback.best_model_path)
        tester.test(module, data, verbose=False)
        record.note(metrics=module.metrics)

    if trainer.is_global_zero:
        about = data.summary() | origin
        export = export_model(cfg, module, frontend, folder=run / "export", calibration=calibration, data=about)
        report(cfg, module, data, trainer, export=export, loggers=loggers, shown=shown)
    return score


def find_checkpoint(cfg: DictConfig, run: Path) -> Path | str | None:
    """Return the checkpoint to continue from; None to train from the beginning.

    Raises:
        MusicrecError: The checkpoint cannot be read; its message says why, before anything is built.
    """
    checkpoint = cfg.ckpt_path
    if cfg.resume:
        last = run / "checkpoints" / "last.ckpt"
        checkpoint = last if last.is_file() else None
        print(f"resume: {f'from {last}' if checkpoint else f'no checkpoint in {run}, so from the beginning'}")
    if checkpoint is not None:
        read_checkpoint(checkpoint)
    return checkpoint


def check(cfg: DictConfig) -> None:
    """Check what no constructor checks.

    Raises:
        ConfigError: There is no test split, or no such accelerator.
        ExportError: `export.onnx` is true, but the extra `onnx` is not installed.
    """
    if not cfg.data.test_splits:
        raise ConfigError("data.test_splits is empty; name some, as in data.test_splits=[test]")
    check_accelerator(cfg.trainer.accelerator)
    check_value("export.onnx", cfg.export.onnx, bool)
    if cfg.export.onnx:
        require(
            "onnx", what="export.onnx=true", otherwise="leave it out and run `musicrec models onnx RUN/export` later"
        )


def load_start_weights(cfg: DictConfig, network: nn.Module, frontend: Frontend) -> dict:
    """Copy the weights of the export `start_from` into the network.

    Returns:
        What the model card says about it: {} if the network begins with random weights.
    """
    if cfg.start_from is None:
        return {}
    start = start_from(find_export(cfg.start_from, runs=cfg.paths.runs), network, frontend)
    print(f"start_from={cfg.start_from}: {start.copied} tensors taken, new: {', '.join(start.new) or 'nothing'}")
    return {"began_with": start.origin}


def start_loggers(cfg: DictConfig, run: Path, data: MusicDataModule) -> list[Logger]:
    """Build the loggers, and log the settings and the data."""
    keep_earlier_metrics(run)
    loggers = build_all(cfg.logger)
    for logger in loggers:
        logger.log_hyperparams(settings_of(cfg))
    log_data(loggers, data)
    return loggers


def note_training(record: RunRecord, trainer: lightning.Trainer, data: MusicDataModule) -> None:
    """Add to the record what the training reached, on which data, and its run in W&B."""
    best = trainer.checkpoint_callback
    record.note(
        objective={"metric": best.monitor, "mode": best.mode, "value": float(best.best_model_score)},
        data=data.summary(),
        wandb=next((logger.version for logger in trainer.loggers if isinstance(logger, WandbLogger)), None),
    )


def calibrate_best(module: MusicModule, data: MusicDataModule, trainer: lightning.Trainer, *, path: str) -> dict:
    """Load the best checkpoint and fit temperatures and thresholds to its predictions of the validation split.

    Args:
        module: Gets the weights of the checkpoint, and heads with the temperatures and thresholds.
        data: The data.
        trainer: Scores the validation split.
        path: The checkpoint.

    Returns:
        What was fitted, for the export.
    """
    trainer.validate(module, data, ckpt_path=path, weights_only=True, verbose=False)
    split = data.splits.valid
    predictions = concatenate_predictions([module.predictions.pop(subsplit) for subsplit in data.subsplits(split)])
    module.heads, fitted = calibrate(data.heads, predictions)
    return {"split": split, "heads": fitted}


def export_model(
    cfg: DictConfig, module: MusicModule, frontend: Frontend, *, folder: Path, calibration: dict, data: dict
) -> Path:
    """Write the export of a trained and tested module, also as ONNX if that is wanted; returns its folder."""
    export = write_export(
        folder,
        network=module.network,
        heads=module.heads,
        frontend=frontend,
        metrics=module.metrics,
        calibration=calibration,
        data=data,
        licence=cfg.licence,
    )
    if cfg.export.onnx:
        try:
            write_onnx(export)
        except ExportError as error:  # the training is done, and the export is there
            print(f"export.onnx=true: no model.onnx was written: {error}")
    return export


def report(
    cfg: DictConfig,
    module: MusicModule,
    data: MusicDataModule,
    trainer: lightning.Trainer,
    *,
    export: Path,
    loggers: Sequence[Logger],
    shown: Sequence[str],
) -> None:
    """Print the scores of the test splits, log them with the export and some examples, and draw the figures."""
    scores = score_heads(module.predictions, module.heads, raw=module.raw)
    epochs = trainer.current_epoch
    print_scores(scores, title=f"{cfg.name}: best of {epochs} epoch{'s' * (epochs != 1)}")
    print(f"export: {export}")
    log_export(loggers, export, name=cfg.name)
    dataset = data.manifest_path.resolve().parent.name
    log_results(loggers, scores, module.predictions, module.raw, dataset=dataset)
    model, device = read_export(export), trainer.strategy.root_device
    if not model.hears_audio:
        print(f"note: {no_audio(export)}")
    log_examples(loggers, model, data, shown, device=device)
    if cfg.figures:
        run = export.parent
        draw_figures(
            run / "figures",
            model,
            data,
            scores,
            module.predictions,
            module.raw,
            tracks=shown,
            device=device,
            run=run,
        )
