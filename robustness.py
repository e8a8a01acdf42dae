"""How models hold when the audio changes, scored against labels that move. `python robustness.py --help` shows how."""

import itertools
import sys
import time
from pathlib import Path

import hydra
import polars as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec import sweeps
from musicrec.cli import TARGETS, build_all, listed, module_settings, plain, program, spelled_out
from musicrec.data.datamodule import MusicDataModule
from musicrec.data.manifest import manifest_hash
from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.export import package_version
from musicrec.robustness.conditions import Condition, list_conditions
from musicrec.robustness.excerpts import choose_tracks
from musicrec.robustness.plots import plot_report
from musicrec.robustness.report import Report, write_report
from musicrec.robustness.scoring import Drawing, rank, score
from musicrec.robustness.subjects import Subject, left_out_of_comparison, read_labels, read_subjects
from musicrec.robustness.tables import print_report, print_seconds
from musicrec.runs.find import find_export
from musicrec.tracking import closing_wandb
from musicrec.tracking.robustness import log_report


@hydra.main(config_path="conf", config_name="robustness", execution_whitelist=TARGETS)
@program
@closing_wandb
def main(cfg: DictConfig) -> None:
    run, bootstrap = Path(HydraConfig.get().runtime.output_dir), instantiate(cfg.bootstrap)
    chosen = cfg.get("deformation") or {}
    conditions = list_conditions({name: instantiate(chosen[name]) for name in chosen}, plain(cfg).get("deformation"))
    if not listed(cfg.splits):
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    subjects = read_subjects([find_export(named, runs=cfg.paths.runs) for named in listed(cfg.export)])
    model = subjects[0].model
    settings = module_settings(cfg.data) | {"chunk_samples": model.network.chunk_samples}
    data = instantiate(settings, heads=model.heads, frontend=model.frontend)
    data.open(fit=False)
    frames = [
        choose_tracks(data.tracks(split), cfg.tracks, stratify=cfg.stratify, seed=cfg.seed)
        for split in data.test_splits
    ]
    loggers, reports = build_all(cfg.logger), []
    try:
        for frame in frames:
            report = report_on(cfg, subjects, conditions, data, frame, bootstrap)
            reports.append(report)
            files = write_report(run, report)
            pictures = plot_report(run, report) if cfg.figures else []
            log_report(loggers, report, pictures)
            print_report(report, bootstrap=bootstrap)
            print(f"report: {run} ({', '.join(path.name for path in files)}, {len(pictures)} pictures)")
    except KeyboardInterrupt:
        print("\ninterrupted; what is finished is kept: the same command goes on from there")
        sys.exit(130)
    print_seconds(reports)


def report_on(
    cfg: DictConfig,
    subjects: list[Subject],
    conditions: list[Condition],
    data: MusicDataModule,
    frame: pl.DataFrame,
    bootstrap: Bootstrap | None,
) -> Report:
    """Measure all models on the tracks of a split, and compare what they say with the labels and with each other."""
    split, progress = frame["split"][0], sys.stderr.isatty()
    labels, left_out = zip(*(read_labels(data, one, frame) for one in subjects), strict=True)
    recommender = instantiate(cfg.recommender)
    if recommender:
        recommender.check(subjects)
    measured = instantiate(cfg.measurement).run(
        subjects, conditions, data.store, frame["track_id"].to_list(), title=split, progress=progress
    )
    begin, drawing = time.perf_counter(), Drawing(bootstrap, frame["artist"].to_list())
    effects = score(measured, [one.model.heads for one in subjects], labels, drawing=drawing, progress=progress)
    scored, overlaps = time.perf_counter(), None
    if recommender:
        overlaps = recommender.run(subjects, measured, frame, drawing=drawing, progress=progress)
    about = {
        "exports": {one.name: one.fingerprint for one in subjects},
        "dataset": data.manifest_path.resolve().parent.name,
        "manifest": data.manifest_path.name,
        "split": split,
        "tracks": len(frame),
        "tracks_hash": manifest_hash(frame),
        "excerpt_s": measured.excerpt_s,
        "measurement": {name: value for name, value in plain(cfg.measurement).items() if name != "folder"},
        "bootstrap": plain(cfg.bootstrap) if bootstrap else None,
        "musicrec_version": package_version(),
    }
    return Report(
        names=[one.name for one in subjects],
        about=about,
        tracks=len(frame),
        measured=measured,
        effects=effects,
        ranks=rank(effects, drawing),
        overlaps=overlaps,
        left_out=[
            *itertools.chain(*left_out),
            *([] if recommender else ["recommendations: recommender=null"]),
            *left_out_of_comparison(subjects),
        ],
        scoring_s=scored - begin,
        recommending_s=time.perf_counter() - scored,
    )


if __name__ == "__main__":
    sys.argv = spelled_out(sys.argv)
    sweeps.register()
    main()
