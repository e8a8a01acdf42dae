"""Measure how models cope with changed audio, whose labels change with it. `musicrec robustness --help` shows how."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import manifest_hash
from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads.frames import by_track, is_frame_wise
from musicrec.programs.build import build_all, build_data, listed, plain
from musicrec.robustness.conditions import AudioCondition, keeps_time, list_conditions
from musicrec.robustness.effects import measure_effects, rank_deformations
from musicrec.robustness.excerpts import choose_tracks
from musicrec.robustness.figures import plot_report
from musicrec.robustness.labelled_split import LabelledSplit, labels_of_excerpts, read_split
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.model_comparison import compare_models
from musicrec.robustness.models_under_test import ModelUnderTest, comparison_remarks, read_models, without_frames
from musicrec.robustness.overlap import OverlapMeasurement
from musicrec.robustness.report import RobustnessReport, write_report
from musicrec.robustness.report_tables import print_report, print_seconds, write_markdown
from musicrec.robustness.resampling import ResampledScores
from musicrec.runs.find import find_export
from musicrec.system.memory import keep_freed_memory
from musicrec.system.version import VERSION
from musicrec.tracking.robustness_report import log_report
from musicrec.tracking.runs import closing_wandb


@closing_wandb
def main(cfg: DictConfig) -> None:
    """Measure models under every condition, and report on each split."""
    keep_freed_memory()
    run, bootstrap = Path(HydraConfig.get().runtime.output_dir), instantiate(cfg.bootstrap)
    measurement, recommender = instantiate(cfg.measurement), instantiate(cfg.recommender)
    if not listed(cfg.splits):
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    conditions = build_conditions(cfg)
    models = read_models([find_export(name, runs=cfg.paths.runs) for name in listed(cfg.export)])
    models, not_scored = without_frames(models, excerpts=measurement.excerpts)
    measurement.check(models, conditions)
    not_scored += timeless_remarks(models, conditions)
    if recommender and not any(by_track(tested.model.heads) for tested in models):
        recommender, not_scored = None, [*not_scored, "recommendations: no head answers once per track"]
    if recommender:
        recommender.check(models)
    data, splits = open_splits(cfg, models, bootstrap)
    loggers, reports = build_all(cfg.logger), []
    try:
        for split in splits:
            tracks = split.frame["track_id"].to_list()
            measured = measurement.run(
                models, conditions, data.store, tracks, title=split.name, progress=sys.stderr.isatty()
            )
            labels = labels_of_excerpts(split, models, measured.excerpts, sample_rate=data.store.sample_rate)
            split = replace(split, labels=labels, left_out=[*split.left_out, *not_scored])
            reports.append(report_on(cfg, models, split, measured, data, bootstrap=bootstrap, recommender=recommender))
            publish(cfg, reports[-1], run, bootstrap=bootstrap, loggers=loggers)
    except KeyboardInterrupt:
        print("\ninterrupted; finished measurements are kept: run the same command again to continue")
        sys.exit(130)
    print_seconds(reports)


def build_conditions(cfg: DictConfig) -> list[AudioCondition]:
    """Build the deformations, and list every strength of each as a condition."""
    chosen = {name: entry for name, entry in (cfg.get("deformation") or {}).items() if entry is not None}
    settings = {name: plain(entry) for name, entry in chosen.items()}
    return list_conditions({name: instantiate(entry) for name, entry in chosen.items()}, settings)


def timeless_remarks(models: Sequence[ModelUnderTest], conditions: Sequence[AudioCondition]) -> list[str]:
    """Return which heads are not scored under which deformations, one remark or none."""
    heads = dict.fromkeys(head.name for tested in models for head in tested.model.heads if is_frame_wise(head))
    moving = dict.fromkeys(condition.name for condition in conditions if not keeps_time(condition))
    return [f"{', '.join(heads)} under {', '.join(moving)}: times do not stay"] if heads and moving else []


def open_splits(
    cfg: DictConfig, models: list[ModelUnderTest], bootstrap: Bootstrap | None
) -> tuple[MusicDataModule, list[LabelledSplit]]:
    """Open the data, and choose the tracks of every split.

    Raises:
        ConfigError: The tracks of a split cannot be scored.
    """
    model = models[0].model
    chunk_samples = model.network.chunk_samples
    data = build_data(cfg.data, heads=model.heads, frontend=model.frontend, chunk_samples=chunk_samples)
    data.read(fit=False)
    read_splits(cfg, data, models, bootstrap)  # finds mistakes before anything is decoded
    data.open(fit=False)
    return data, read_splits(cfg, data, models, bootstrap)  # without tracks that cannot be decoded


def read_splits(
    cfg: DictConfig, data: MusicDataModule, models: list[ModelUnderTest], bootstrap: Bootstrap | None
) -> list[LabelledSplit]:
    """Choose the tracks of every split, and read the labels that they are scored against.

    Raises:
        ConfigError: The tracks of a split cannot be scored.
    """
    frames = {
        split: choose_tracks(data.tracks(split), cfg.tracks, stratify=cfg.stratify, seed=cfg.seed)
        for split in data.test_splits
    }
    return [read_split(name, data, models, frame, bootstrap) for name, frame in frames.items()]


def publish(
    cfg: DictConfig, report: RobustnessReport, folder: Path, *, bootstrap: Bootstrap | None, loggers: list[Logger]
) -> None:
    """Write the report on a split, draw its pictures, log and print it."""
    files = [*write_report(folder, report), write_markdown(folder, report, bootstrap=bootstrap)]
    pictures = plot_report(folder, report) if cfg.figures else []
    log_report(loggers, report, pictures)
    print_report(report, bootstrap=bootstrap)
    print(f"report: {folder} ({', '.join(path.name for path in files)}, {len(pictures)} pictures)")


def report_on(
    cfg: DictConfig,
    models: list[ModelUnderTest],
    split: LabelledSplit,
    measured: MeasuredAnswers,
    data: MusicDataModule,
    *,
    bootstrap: Bootstrap | None,
    recommender: OverlapMeasurement | None,
) -> RobustnessReport:
    """Compare the predictions of all models for a split with the labels, and with each other."""
    progress, resampled = sys.stderr.isatty(), ResampledScores(bootstrap, split.artists)
    begin, heads = time.perf_counter(), [tested.model.heads for tested in models]
    effects = measure_effects(measured, heads, split.labels, resampled=resampled, progress=progress)
    compared_scores, not_compared = compare_models(effects, split.labels, resampled)
    scored, overlap = time.perf_counter(), None
    if recommender:
        overlap = recommender.run(models, measured, split.frame, resampled=resampled, progress=progress)
    return RobustnessReport(
        names=[tested.name for tested in models],
        description=describe(cfg, models, split, measured, data, resampled),
        tracks=len(split.frame),
        measured=measured,
        effects=effects,
        ranking=rank_deformations(effects, resampled),
        compared_scores=compared_scores,
        overlap=overlap,
        left_out=[
            *split.left_out,
            *([] if recommender or cfg.recommender else ["recommendations: not measured (recommender=null)"]),
            *not_compared,
            *comparison_remarks(models),
        ],
        scoring_s=scored - begin,
        recommending_s=time.perf_counter() - scored,
    )


def describe(
    cfg: DictConfig,
    models: list[ModelUnderTest],
    split: LabelledSplit,
    measured: MeasuredAnswers,
    data: MusicDataModule,
    resampled: ResampledScores,
) -> dict:
    """Describe how a report came about: models, data, measurement and version."""
    return {
        "exports": {tested.name: tested.fingerprint for tested in models},
        "dataset": data.manifest_path.resolve().parent.name,
        "manifest": data.manifest_path.name,
        "split": split.name,
        "tracks": len(split.frame),
        "tracks_hash": manifest_hash(split.frame),
        "excerpt_s": measured.excerpt_s,
        "measurement": {name: value for name, value in plain(cfg.measurement).items() if name != "folder"},
        "bootstrap": plain(cfg.bootstrap) if cfg.bootstrap else None,
        "drawn_by": resampled.unit,
        "musicrec_version": VERSION,
    }
