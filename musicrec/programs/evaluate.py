"""Evaluate exports or checkpoints on the splits of a dataset. `musicrec evaluate --help` shows how."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.utilities import rank_zero_only

from musicrec.config.value_check import check_choice
from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError, ManifestError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.comparison import compare, print_comparison, write_comparison
from musicrec.evaluation.head_scores import HeadScore, score_heads
from musicrec.evaluation.measure import measure, write_calibrated
from musicrec.evaluation.report_files import write_report
from musicrec.evaluation.result import Result, check_comparable, read_result
from musicrec.evaluation.score_tables import print_calibration, print_per_class, print_scores
from musicrec.evaluation.setting_scores import SettingResults, score_settings
from musicrec.evaluation.setting_tables import print_settings, write_settings
from musicrec.export.checkpoint import read_model
from musicrec.export.description import Model
from musicrec.figures.reliability import plot_reliability
from musicrec.figures.run_figures import choose_tracks, draw_figures
from musicrec.figures.scores import plot_scores
from musicrec.figures.setting_comparison import settings_figure
from musicrec.figures.style import save
from musicrec.programs.build import build_data, listed, model_embeddings
from musicrec.runs.compare import compare_runs, print_runs, write_runs
from musicrec.runs.find import ALL, find_export, find_sweep_runs
from musicrec.runs.setting_groups import group_by_setting, mean_minutes
from musicrec.system.hardware import check_accelerator
from musicrec.system.memory import keep_freed_memory
from musicrec.training.pooling import POOLINGS


def main(cfg: DictConfig) -> None:
    """Evaluate models, compare them, or list recorded runs, as configured."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    if cfg.runs is not None:
        list_runs(cfg, folder)
        return
    check(cfg)
    check_accelerator(cfg.trainer.accelerator)
    keep_freed_memory()
    bootstrap = instantiate(cfg.bootstrap)
    if any(name.startswith(ALL) for name in listed(cfg.export)):
        evaluate_settings(cfg, folder, bootstrap)
        return
    results = read_reports(cfg) if cfg.compare else evaluate_models(cfg, folder, bootstrap)
    if rank_zero_only.rank == 0:  # all processes have the same scores; the first one reports them
        compare_with_first(results, folder, bootstrap)


def list_runs(cfg: DictConfig, folder: Path) -> None:
    """Print and write a table of recorded runs; no model is evaluated."""
    rows = compare_runs(listed(cfg.runs), sort=cfg.sort, mixed=cfg.mixed)
    print_runs(rows, sort=cfg.sort)
    print(f"table: {write_runs(folder, rows)}")


def read_reports(cfg: DictConfig) -> list[Result]:
    """Read the results of earlier evaluations.

    Raises:
        ConfigError: A folder is not a report, or the results cannot be compared.
    """
    results = [read_result(report) for report in listed(cfg.compare)]
    check_comparable(results)
    return results


def evaluate_models(cfg: DictConfig, folder: Path, bootstrap: Bootstrap | None) -> list[Result]:
    """Evaluate one model or several. With several, each gets a numbered folder below `folder`."""
    paths = [find_export(name, runs=cfg.paths.runs) for name in listed(cfg.export)]
    models = [read_model(path) for path in paths]  # all of them first, so that a missing one is reported at once
    folders = [folder] if len(paths) == 1 else [folder / str(number) for number in range(len(paths))]
    return [evaluate(cfg, *one, bootstrap) for one in zip(paths, models, folders, strict=True)]


def compare_with_first(results: Sequence[Result], folder: Path, bootstrap: Bootstrap | None) -> None:
    """Compare the first model with each of the others; do nothing if there is a single model."""
    for number, other in enumerate(results[1:], start=1):
        own_folder = folder if len(results) == 2 else folder / f"0_{number}"
        differences, left_out = compare(results[0], other, bootstrap)
        print_comparison(results[0], other, differences, left_out, bootstrap)
        write_comparison(own_folder, results[0], other, differences, bootstrap)
        print(f"comparison: {own_folder} (comparison.json, comparison.csv)")


def evaluate(cfg: DictConfig, path: str, model: Model, folder: Path, bootstrap: Bootstrap | None) -> Result:
    """Measure one model and report on it.

    Args:
        cfg: The config of evaluate.py.
        path: The export or checkpoint that the model was read from.
        model: The model.
        folder: Where the report is written.
        bootstrap: Settings of the intervals; None for no intervals.

    Returns:
        The result of the model.
    """
    data = open_data(cfg, model, bootstrap)
    figure_tracks = choose_tracks(data, cfg.figure_tracks) if cfg.figures else []
    result, model, trainer = measure_model(cfg, path, model, data)
    if not trainer.is_global_zero:
        return result
    scores = report(cfg, result, folder, bootstrap)
    if cfg.figures:
        draw_figures(
            folder / "figures",
            model,
            data,
            scores,
            result.predictions,
            result.raw,
            tracks=figure_tracks,
            run=run_of(path),
            device=trainer.strategy.root_device,
        )
    if cfg.calibrate and cfg.pooling == "mean":
        print(f"export: {write_calibrated(model, result, folder / 'export')}")
    return result


def evaluate_settings(cfg: DictConfig, folder: Path, bootstrap: Bootstrap) -> None:
    """Measure every finished run of a sweep, and compare the settings of the sweep."""
    runs = find_sweep_runs(cfg.export if isinstance(cfg.export, str) else cfg.export[0], runs=cfg.paths.runs)
    settings, number = [], 0
    for params, members in group_by_setting(runs):
        results = []
        for member in members:
            number += 1
            print(f"{number} of {len(runs)}: {member.folder}", flush=True)
            path = str(member.folder / "export")
            model = read_model(path)
            result, _, _ = measure_model(cfg, path, model, open_data(cfg, model, bootstrap))
            results.append(result)
        settings.append(SettingResults(params=params, results=results, minutes=mean_minutes(members)))
    if rank_zero_only.rank == 0:
        report_settings(cfg, settings, folder, bootstrap)


def report_settings(cfg: DictConfig, settings: Sequence[SettingResults], folder: Path, bootstrap: Bootstrap) -> None:
    """Score the settings of a sweep over their runs, and print, write and draw the scores."""
    scores, left_out = score_settings(settings, bootstrap)
    results = [result for setting in settings for result in setting.results]
    print_settings(results, scores, left_out, bootstrap)
    print(f"table: {write_settings(folder, scores, bootstrap)}")
    figure = settings_figure(scores, dataset=results[0].about["dataset"], confidence=bootstrap.confidence)
    if cfg.plots and figure is not None:
        print(f"figure: {save(figure, folder / 'settings.png')}")


def measure_model(
    cfg: DictConfig, path: str, model: Model, data: MusicDataModule
) -> tuple[Result, Model, lightning.Trainer]:
    """Predict the tracks of the test splits.

    Returns:
        The result, the model with the heads that gave it, and the trainer that ran the network.
    """
    trainer = instantiate(cfg.trainer, enable_progress_bar=sys.stdout.isatty())
    result, model = measure(path, model, data, trainer, pooling=cfg.pooling, calibrate_on=cfg.calibrate)
    return result, model, trainer


def run_of(path: str) -> Path | None:
    """Return the run folder that contains an export or checkpoint; None if there is none."""
    return next((parent for parent in list(Path(path).parents)[:2] if (parent / "checkpoints").is_dir()), None)


def open_data(cfg: DictConfig, model: Model, bootstrap: Bootstrap | None) -> MusicDataModule:
    """Open the data with the heads, front end and chunk length of a model.

    Raises:
        ManifestError: No track has a label for any head of the model.
        ConfigError: The tracks give no interval, see `Bootstrap.check`.
    """
    chunk_samples = model.network.chunk_samples
    encoder = model_embeddings(cfg, model)
    data = build_data(
        cfg.data, heads=model.heads, frontend=model.frontend, chunk_samples=chunk_samples, encoder=encoder
    )
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
    """Score one model, write its report and figures, and print its tables.

    Returns:
        The scores of all splits and heads.
    """
    artists = {split: result.artists(split) for split in result.predictions}
    scores = score_heads(result.predictions, result.heads, bootstrap=bootstrap, artists=artists, raw=result.raw)
    write_report(folder, scores, result, bootstrap=bootstrap)
    figures = []
    if cfg.plots:
        dataset = result.about["dataset"]
        figures += plot_scores(folder, scores, result.predictions, dataset=dataset)
        figures += plot_reliability(folder, scores, result.predictions, result.raw, dataset=dataset)

    for score in scores:
        if score.labelled:
            print_per_class(score)
    print_calibration(scores)
    for split in result.predictions:
        of_split = [score for score in scores if score.split == split]
        print_scores(of_split, title="\n".join(result.title(split)), bootstrap=bootstrap)
        for remark in bootstrap.check(artists[split], split=split) if bootstrap else ():
            print(f"left out: {remark}")
    print(f"report: {folder} (metrics.json, metrics.csv, per_class_*.csv, predictions.csv, {len(figures)} figures)")
    return scores


def check(cfg: DictConfig) -> None:
    """Check that the settings can be combined.

    Raises:
        ConfigError: They cannot.
    """
    exports, reports = listed(cfg.export), listed(cfg.compare)
    sweeps = [name for name in exports if name.startswith(ALL)]
    if not exports and not reports:
        raise ConfigError(
            "nothing to evaluate; give export=PATH (an export folder or a checkpoint of train.py), or runs=FOLDER"
        )
    if exports and reports:
        raise ConfigError("export= evaluates models, compare= reads earlier reports; give one of them")
    if len(reports) == 1:
        raise ConfigError(f"compare={reports[0]}: a comparison requires two reports, as in compare=[A,B]")
    if sweeps and len(exports) > 1:
        raise ConfigError(
            f"export={','.join(exports)}: all:STUDY compares the settings of one sweep and cannot be combined "
            "with other exports"
        )
    if sweeps and cfg.figures:
        raise ConfigError(
            f"figures=true draws the predictions of one model; name one instead of {sweeps[0]}, such as best:STUDY"
        )
    if exports and not listed(cfg.splits):
        raise ConfigError("splits is empty; name some, as in splits=[test]")
    check_choice("pooling", cfg.pooling, POOLINGS)
    if cfg.bootstrap is None and (len(exports) + len(reports) > 1 or sweeps):
        raise ConfigError("bootstrap=null: a comparison requires the bootstrap for its intervals")
