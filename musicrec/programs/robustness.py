"""How models hold when the audio changes, scored against labels that move. `python robustness.py --help` shows how."""

import sys
import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import manifest_hash
from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.programs.build import build_all, listed, module_settings, plain
from musicrec.robustness.conditions import list_conditions
from musicrec.robustness.effects import Drawing, rank, score
from musicrec.robustness.excerpts import choose_tracks
from musicrec.robustness.measurement import Measured
from musicrec.robustness.overlap import Recommending
from musicrec.robustness.plots import plot_report
from musicrec.robustness.ranking_table import standings
from musicrec.robustness.report import Report, write_report
from musicrec.robustness.subjects import Split, Subject, left_out_of_comparison, read_split, read_subjects
from musicrec.robustness.tables import print_report, print_seconds, write_markdown
from musicrec.runs.find import find_export
from musicrec.system.hardware import keep_freed_memory
from musicrec.system.version import VERSION
from musicrec.tracking.robustness import log_report
from musicrec.tracking.runs import closing_wandb


@closing_wandb
def main(cfg: DictConfig) -> None:
    keep_freed_memory()
    run, bootstrap = Path(HydraConfig.get().runtime.output_dir), instantiate(cfg.bootstrap)
    measurement, recommender = instantiate(cfg.measurement), instantiate(cfg.recommender)
    chosen = {name: entry for name, entry in (cfg.get("deformation") or {}).items() if entry is not None}
    described = {name: plain(entry) for name, entry in chosen.items()}
    conditions = list_conditions({name: instantiate(entry) for name, entry in chosen.items()}, described)
    if not listed(cfg.splits):
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    subjects = read_subjects([find_export(named, runs=cfg.paths.runs) for named in listed(cfg.export)])
    measurement.check(subjects, conditions)
    if recommender:
        recommender.check(subjects)
    model = subjects[0].model
    settings = module_settings(cfg.data) | {"chunk_samples": model.network.chunk_samples}
    data = instantiate(settings, heads=model.heads, frontend=model.frontend)
    data.read(fit=False)
    read_splits(cfg, data, subjects, bootstrap)  # what is wrong with any of them is told before anything is decoded
    data.open(fit=False)
    splits = read_splits(cfg, data, subjects, bootstrap)
    loggers, reports = build_all(cfg.logger), []
    try:
        for split in splits:
            measured = measurement.run(
                subjects, conditions, data.store, split.frame["track_id"].to_list(),
                title=split.name, progress=sys.stderr.isatty(),
            )  # fmt: skip
            report = report_on(cfg, subjects, split, measured, data, bootstrap=bootstrap, recommender=recommender)
            reports.append(report)
            files = [*write_report(run, report), write_markdown(run, report, bootstrap=bootstrap)]
            pictures = plot_report(run, report) if cfg.figures else []
            log_report(loggers, report, pictures)
            print_report(report, bootstrap=bootstrap)
            print(f"report: {run} ({', '.join(path.name for path in files)}, {len(pictures)} pictures)")
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept: the same command goes on from there")
        sys.exit(130)
    print_seconds(reports)


def read_splits(
    cfg: DictConfig, data: MusicDataModule, subjects: list[Subject], bootstrap: Bootstrap | None
) -> list[Split]:
    """The tracks of every split that are heard, and what they are scored against. Raises ConfigError."""
    frames = {
        split: choose_tracks(data.tracks(split), cfg.tracks, stratify=cfg.stratify, seed=cfg.seed)
        for split in data.test_splits
    }
    return [read_split(name, data, subjects, frame, bootstrap) for name, frame in frames.items()]


def report_on(
    cfg: DictConfig,
    subjects: list[Subject],
    split: Split,
    measured: Measured,
    data: MusicDataModule,
    *,
    bootstrap: Bootstrap | None,
    recommender: Recommending | None,
) -> Report:
    """Compare what all models say of the tracks of a split with the labels, and with each other."""
    progress, drawing = sys.stderr.isatty(), Drawing(bootstrap, split.artists)
    begin, heads = time.perf_counter(), [one.model.heads for one in subjects]
    effects = score(measured, heads, split.labels, drawing=drawing, progress=progress)
    standing, not_compared = standings(effects, split.labels, drawing)
    scored, overlaps = time.perf_counter(), None
    if recommender:
        overlaps = recommender.run(subjects, measured, split.frame, drawing=drawing, progress=progress)
    about = {
        "exports": {one.name: one.fingerprint for one in subjects},
        "dataset": data.manifest_path.resolve().parent.name,
        "manifest": data.manifest_path.name,
        "split": split.name,
        "tracks": len(split.frame),
        "tracks_hash": manifest_hash(split.frame),
        "excerpt_s": measured.excerpt_s,
        "measurement": {name: value for name, value in plain(cfg.measurement).items() if name != "folder"},
        "bootstrap": plain(cfg.bootstrap) if bootstrap else None,
        "drawn_by": drawing.unit,
        "musicrec_version": VERSION,
    }
    return Report(
        names=[one.name for one in subjects],
        about=about,
        tracks=len(split.frame),
        measured=measured,
        effects=effects,
        ranks=rank(effects, drawing),
        standings=standing,
        overlaps=overlaps,
        left_out=[
            *split.left_out,
            *([] if recommender else ["recommendations: recommender=null"]),
            *not_compared,
            *left_out_of_comparison(subjects),
        ],
        scoring_s=scored - begin,
        recommending_s=time.perf_counter() - scored,
    )
