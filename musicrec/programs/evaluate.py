"""Evaluate exports or checkpoints on the splits of a dataset. `python evaluate.py --help` shows how."""

import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError, ManifestError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import compare, print_comparison, write_comparison
from musicrec.evaluation.files import write_report
from musicrec.evaluation.measure import measure, write_calibrated
from musicrec.evaluation.report import HeadScore, score_heads
from musicrec.evaluation.result import Result, check_comparable, read_result
from musicrec.evaluation.setting_scores import Setting, score_settings
from musicrec.evaluation.setting_tables import print_settings, write_settings
from musicrec.evaluation.tables import print_calibration, print_per_class, print_scores
from musicrec.export.checkpoint import read_model
from musicrec.export.description import Model
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.run_figures import choose_tracks, draw_figures
from musicrec.figures.scores import plot_all
from musicrec.figures.setting_comparison import settings_figure
from musicrec.figures.style import save
from musicrec.programs.build import listed, module_settings
from musicrec.runs.by_setting import by_setting, mean_minutes
from musicrec.runs.compare import compare_runs, print_runs, write_runs
from musicrec.runs.find import ALL, find_all, find_export
from musicrec.system.hardware import check_accelerator, keep_freed_memory
from musicrec.training.pooling import POOLINGS


def main(cfg: DictConfig) -> None:
    if cfg.runs is not None:
        rows = compare_runs(listed(cfg.runs), sort=cfg.sort, mixed=cfg.mixed)
        print_runs(rows, sort=cfg.sort)
        print(f"table: {write_runs(Path(HydraConfig.get().runtime.output_dir), rows)}")
        return
    check(cfg)
    check_accelerator(cfg.trainer.accelerator)
    keep_freed_memory()
    run, bootstrap = Path(HydraConfig.get().runtime.output_dir), instantiate(cfg.bootstrap)
    if any(named.startswith(ALL) for named in listed(cfg.export)):
        evaluate_settings(cfg, run, bootstrap)
        return
    if cfg.compare:
        results = [read_result(folder) for folder in listed(cfg.compare)]
        check_comparable(results)
    else:
        paths = [find_export(named, runs=cfg.paths.runs) for named in listed(cfg.export)]
        models = [read_model(path) for path in paths]  # a mistake in any of them is told before the first one runs
        folders = [run] if len(paths) == 1 else [run / str(number) for number in range(len(paths))]
        results = [evaluate(cfg, *one, bootstrap) for one in zip(paths, models, folders, strict=True)]
    if rank_zero_only.rank != 0:
        return  # of several processes, all of which know the scores of all tracks, the first one tells them
    for number, other in enumerate(results[1:], start=1):
        folder = run if len(results) == 2 else run / f"0_{number}"
        differences, left_out = compare(results[0], other, bootstrap)
        print_comparison(results[0], other, differences, left_out, bootstrap)
        write_comparison(folder, results[0], other, differences, bootstrap)
        print(f"comparison: {folder} (comparison.json, comparison.csv)")


def evaluate(cfg: DictConfig, path: str, model: Model, folder: Path, bootstrap: Bootstrap | None) -> Result:
    """Measure one model, and report on it."""
    data = open_data(cfg, model, bootstrap)
    shown = choose_tracks(data, cfg.figure_tracks) if cfg.figures else []
    trainer = instantiate(cfg.trainer, enable_progress_bar=sys.stdout.isatty())
    result, model = measure(path, model, data, trainer, pooling=cfg.pooling, calibrate_on=cfg.calibrate)
    if trainer.is_global_zero:
        scores = report(cfg, result, folder, bootstrap)
        if cfg.figures:
            run = next((parent for parent in list(Path(path).parents)[:2] if (parent / "checkpoints").is_dir()), None)
            draw_figures(folder / "figures", model, data, scores, result.predictions, result.raw, tracks=shown, run=run,
                         device=trainer.strategy.root_device)  # fmt: skip
        if cfg.calibrate and cfg.pooling == "mean":
            print(f"export: {write_calibrated(model, result, folder / 'export')}")
    return result


def evaluate_settings(cfg: DictConfig, folder: Path, bootstrap: Bootstrap) -> None:
    """Measure every finished run of a sweep, and compare its settings."""
    runs = find_all(cfg.export if isinstance(cfg.export, str) else cfg.export[0], runs=cfg.paths.runs)
    settings, number = [], 0
    for params, members in by_setting(runs):
        results = []
        for member in members:
            number += 1
            print(f"{number} of {len(runs)}: {member.folder}", flush=True)
            path = str(member.folder / "export")
            model = read_model(path)
            trainer = instantiate(cfg.trainer, enable_progress_bar=sys.stdout.isatty())
            data = open_data(cfg, model, bootstrap)
            result, _ = measure(path, model, data, trainer, pooling=cfg.pooling, calibrate_on=cfg.calibrate)
            results.append(result)
        settings.append(Setting(params=params, results=results, minutes=mean_minutes(members)))
    if rank_zero_only.rank != 0:
        return
    scores, left_out = score_settings(settings, bootstrap)
    results = [result for setting in settings for result in setting.results]
    print_settings(results, scores, left_out, bootstrap)
    print(f"table: {write_settings(folder, scores, bootstrap)}")
    figure = settings_figure(scores, dataset=results[0].about["dataset"], confidence=bootstrap.confidence)
    if cfg.plots and figure is not None:
        print(f"picture: {save(figure, folder / 'settings.png')}")


def open_data(cfg: DictConfig, model: Model, bootstrap: Bootstrap | None) -> MusicDataModule:
    """The data as a model takes them. Raises ConfigError where their tracks give none of the intervals, ManifestError
    where they have no label."""
    settings = module_settings(cfg.data) | {"chunk_samples": model.network.chunk_samples}
    data = instantiate(settings, heads=model.heads, frontend=model.frontend)
    data.read(fit=False)
    labels = (data.labels(head, data.tracks(split)) for split in data.test_splits for head in data.heads)
    if all(label.isnan().all() for label in labels):
        raise ManifestError(
            f"{data.manifest_path}: no track of {', '.join(data.test_splits)} has a label for "
            f"{', '.join(head.name for head in data.heads)}, so there is nothing to measure; fill their columns"
        )
    for split in data.test_splits if bootstrap else ():
        bootstrap.check(data.tracks(split)["artist"].to_list(), split=split)
    data.open(fit=False)
    return data


def report(cfg: DictConfig, result: Result, folder: Path, bootstrap: Bootstrap | None) -> list[HeadScore]:
    """Score one model, write the report on it, and print its tables."""
    artists = {split: result.artists(split) for split in result.predictions}
    scores = score_heads(result.predictions, result.heads, bootstrap=bootstrap, artists=artists, raw=result.raw)
    write_report(folder, scores, result, bootstrap=bootstrap)
    pictures = []
    if cfg.plots:
        dataset = result.about["dataset"]
        pictures += plot_all(folder, scores, result.predictions, dataset=dataset)
        pictures += plot_reliability(folder, scores, result.predictions, result.raw, dataset=dataset)

    for score in scores:
        if score.labelled:
            print_per_class(score)
    print_calibration(scores)
    for split in result.predictions:
        of_split = [score for score in scores if score.split == split]
        print_scores(of_split, title="\n".join(result.title(split)), bootstrap=bootstrap)
        for remark in bootstrap.check(artists[split], split=split) if bootstrap else ():
            print(f"left out: {remark}")
    print(f"report: {folder} (metrics.json, metrics.csv, per_class_*.csv, predictions.csv, {len(pictures)} pictures)")
    return scores


def check(cfg: DictConfig) -> None:
    """Raises ConfigError for choices that cannot work."""
    exports, reports = listed(cfg.export), listed(cfg.compare)
    if not exports and not reports:
        raise ConfigError(
            "nothing to evaluate; give export=PATH, an export folder or a checkpoint of train.py, or runs=FOLDER"
        )
    if exports and reports:
        raise ConfigError("export= evaluates models, compare= reads reports that are there already; give one of them")
    if len(reports) == 1:
        raise ConfigError(f"compare={reports[0]}: a comparison takes two reports, as in compare=[A,B]")
    if len(exports) > 1 and any(named.startswith(ALL) for named in exports):
        raise ConfigError(f"export={','.join(exports)}: all:STUDY compares the settings of one sweep; give it alone")
    if cfg.figures and any(named.startswith(ALL) for named in exports):
        raise ConfigError(
            f"figures=true draws what one model says; name one instead of {exports[0]}, such as best:STUDY"
        )
    if exports and not listed(cfg.splits):
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    if cfg.pooling not in POOLINGS:
        raise ConfigError(f"pooling={cfg.pooling}: choose {', '.join(POOLINGS)}")
    if cfg.bootstrap is None and (len(exports) + len(reports) > 1 or exports[0].startswith(ALL)):
        raise ConfigError("bootstrap=null: a comparison needs it for its intervals")
