"""Train a network, test its best checkpoint, export it. `python train.py --help` shows how."""

from pathlib import Path

import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import WandbLogger

from musicrec.errors import ConfigError
from musicrec.evaluation.calibration import calibrate, joined
from musicrec.evaluation.report import score_heads
from musicrec.evaluation.tables import print_scores
from musicrec.export.checkpoint import read_checkpoint
from musicrec.export.compatibility import check_parts
from musicrec.export.folder import read_export, write_export
from musicrec.export.transfer import start_from
from musicrec.figures.run_figures import choose_tracks, draw_figures
from musicrec.programs.build import build_all, build_heads, module_settings, plain
from musicrec.programs.guard import in_multirun
from musicrec.runs.find import find_export
from musicrec.runs.run_record import RunRecord
from musicrec.sweeps.pruning import was_pruned
from musicrec.system.hardware import best_precision, check_accelerator, keep_freed_memory
from musicrec.tracking.lineage import log_data, log_export
from musicrec.tracking.results import log_examples, log_results
from musicrec.tracking.runs import closing_wandb, finishing, keep_earlier_metrics
from musicrec.training.module import MusicModule


@closing_wandb
def main(cfg: DictConfig) -> float:
    hydra_config = HydraConfig.get()
    run = Path(hydra_config.runtime.output_dir)
    with RunRecord(run, name=cfg.name, config=plain(cfg), overrides=hydra_config.overrides.task) as record:
        return train(cfg, run, record)


def last_checkpoint(run: Path) -> Path | None:
    """The checkpoint from which a run can go on; None, said aloud, for a run that has none yet."""
    last = run / "checkpoints" / "last.ckpt"
    print(f"resume: {f'from {last}' if last.is_file() else f'no checkpoint in {run}, so from the beginning'}")
    return last if last.is_file() else None


def train(cfg: DictConfig, run: Path, record: RunRecord) -> float:
    checkpoint = last_checkpoint(run) if cfg.resume else cfg.ckpt_path
    if checkpoint is not None:
        read_checkpoint(checkpoint)  # says in one line what is wrong with it, before anything is built
    if not cfg.data.test_splits:
        raise ConfigError("data.test_splits is empty; name some, as in data.test_splits=[test]")
    check_accelerator(cfg.trainer.accelerator)
    keep_freed_memory()
    lightning.seed_everything(cfg.seed, workers=True, verbose=False)

    data = instantiate(
        module_settings(cfg.data),
        heads=build_heads(cfg.get("task")),
        frontend=instantiate(cfg.frontend),
        augment=build_all(cfg.augment.waveform),
        move_labels=cfg.augment.move_labels,
        mixup=instantiate(cfg.augment.mixup),
        spec_augment=instantiate(cfg.augment.spectrogram),
    )
    data.open()
    shown = choose_tracks(data, cfg.figure_tracks)
    network = instantiate(cfg.model)({head.name: len(head.classes) for head in data.heads})
    check_parts(network, data.heads, data.frontend)
    began = {}
    if cfg.start_from is not None:
        start = start_from(find_export(cfg.start_from, runs=cfg.paths.runs), network, data.frontend)
        print(f"start_from={cfg.start_from}: {start.copied} tensors taken, new: {', '.join(start.new) or 'nothing'}")
        began = {"began_with": start.origin}
    module = MusicModule(
        network, data.heads, instantiate(cfg.optim), channels_last=cfg.channels_last, seed=cfg.seed, frozen=cfg.freeze
    )

    keep_earlier_metrics(run)
    loggers = build_all(cfg.logger)
    for logger in loggers:
        logger.log_hyperparams(plain(cfg))
    log_data(loggers, data)
    callbacks = build_all(cfg.callbacks)
    precision = best_precision(cfg.trainer.precision, accelerator=cfg.trainer.accelerator)
    trainer = instantiate(cfg.trainer, precision=precision, callbacks=callbacks, logger=loggers, default_root_dir=run)
    if in_multirun() and (trainer.world_size > 1 or trainer.strategy.launcher is not None):
        raise ConfigError(
            f"trainer.strategy={cfg.trainer.strategy} trainer.devices={cfg.trainer.devices}: several processes a job "
            "would each run the whole multirun; use trainer.strategy=auto trainer.devices=1, or start the jobs one by "
            "one, without -m"
        )
    # The export computes in float32, so the figures that go with it are measured in float32.
    tester, calibrator = (
        instantiate(cfg.trainer, precision="32-true", logger=logger, enable_checkpointing=False)
        for logger in (loggers, False)  # what is validated once more is logged already
    )
    with finishing(trainer):
        trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True)
        best = trainer.checkpoint_callback
        if best.best_model_score is None:
            raise ConfigError(
                f"trainer.max_epochs={cfg.trainer.max_epochs}, trainer.max_time={cfg.trainer.max_time}, "
                f"trainer.limit_train_batches={cfg.trainer.limit_train_batches}: the training ended before a "
                f"validation, so that no checkpoint is the best by {best.monitor}; let it go on longer"
            )
        objective = float(best.best_model_score)
        record.note(
            objective={"metric": best.monitor, "mode": best.mode, "value": objective},
            data=data.summary(),
            wandb=next((logger.version for logger in loggers if isinstance(logger, WandbLogger)), None),
        )
        if was_pruned(callbacks):
            record.note(status="pruned")
            return objective
        calibrator.validate(module, data, ckpt_path=best.best_model_path, weights_only=True, verbose=False)
        of_validation = [module.predictions.pop(split) for split in data.splits(data.valid_split)]
        module.heads, calibration = calibrate(data.heads, joined(of_validation))
        tester.test(module, data, verbose=False)
        record.note(metrics=module.metrics)

    if trainer.is_global_zero:
        export = write_export(
            run / "export",
            network=network,
            heads=module.heads,
            frontend=data.frontend,
            metrics=module.metrics,
            calibration={"split": data.valid_split, "heads": calibration},
            data=data.summary() | began,
            licence=cfg.licence,
        )
        scores = score_heads(module.predictions, module.heads, raw=module.raw)
        epochs = trainer.current_epoch
        print_scores(scores, title=f"{cfg.name}: best of {epochs} epoch{'s' * (epochs != 1)}")
        print(f"export: {export}")
        log_export(loggers, export, name=cfg.name)
        dataset = data.manifest_path.resolve().parent.name
        log_results(loggers, scores, module.predictions, module.raw, dataset=dataset)
        model, device = read_export(export), trainer.strategy.root_device
        log_examples(loggers, model, data, shown, device=device)
        if cfg.figures:
            draw_figures(run / "figures", model, data, scores, module.predictions, module.raw, tracks=shown,
                         device=device, run=run)  # fmt: skip
    return objective
