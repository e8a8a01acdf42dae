"""Scores of several models on clean and deformed audio, against labels that move, with intervals: a table and a figure.

    python experiments/moving_labels/report.py clean=EXPORT unmoved=EXPORT moved=EXPORT --manifest CORPUS/manifest.csv

It hears the tracks as `robustness.py` does, and shares its cache. Several strengths are one row: a track then counts
once a strength, and all of a track are drawn together in the bootstrap. All models meet the same draws.
"""

import argparse
import csv
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from musicrec.cli import TARGETS, module_settings, plain
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads import Head
from musicrec.robustness.answers import Answers
from musicrec.robustness.conditions import list_conditions
from musicrec.robustness.moving import moved
from musicrec.robustness.subjects import read_subjects

CONF = Path(__file__).parents[2] / "conf"
METRICS = {"key": "accuracy", "tempo": "acc1"}
STRENGTHS = {
    "key": {"pitch_shift": [-3, -1, 2], "time_stretch": [0.9, 1.1], "resample": [-2, 2]},
    "tempo": {"time_stretch": [0.9, 1.1], "resample": [-2, 2]},
}
COLOURS = {"clean": "#0072B2", "unmoved": "#D55E00", "moved": "#009E73"}  # Okabe and Ito


def resampled(head: Head, answers: list[Answers], target: torch.Tensor, bootstrap: Bootstrap) -> tuple:
    """Value and (resamples,) of the metric over all conditions of `answers`, against the labels as they are there."""
    probabilities = torch.cat([head.calibrated(of.probabilities[head.name]) for of in answers])
    labels = torch.cat(
        [moved(head, target, shift_semitones=of.shift_semitones, tempo_ratio=of.tempo_ratio) for of in answers]
    )
    metric, tracks = METRICS[head.name], np.tile(np.arange(len(target)), len(answers))
    drawn = bootstrap.scores(lambda weights: head.score(probabilities, labels, weights), tracks, classes=1)
    return head.metrics(probabilities, labels)[metric], drawn.overall[metric]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=EXPORT", help="the last one is compared with all others")
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--splits", nargs="+", default=["test", "test_shift"])
    parser.add_argument("--settings", nargs="*", default=[], help="of robustness.py, as measurement.excerpt_s=10")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table and the figure")
    arguments = parser.parse_args()

    names, paths = zip(*(given.split("=", 1) for given in arguments.models), strict=True)
    subjects, bootstrap = read_subjects(paths), Bootstrap(units=["track"])
    (head,) = subjects[0].model.heads
    strengths = STRENGTHS[head.name]
    overrides = [f"deformation=[{','.join(strengths)}]", "data=manifest", f"data.manifest={arguments.manifest}"]
    overrides += [f"deformation.{name}.strengths={values}" for name, values in strengths.items()]
    with initialize_config_dir(str(CONF)):
        cfg = compose("robustness", overrides=[*overrides, *arguments.settings])
    build = {"_execution_whitelist_": TARGETS}
    network = subjects[0].model.network
    settings = module_settings(cfg.data) | {"chunk_samples": network.chunk_samples, "test_splits": arguments.splits}
    data = instantiate(settings, heads=[head], frontend=subjects[0].model.frontend, **build)
    data.open(fit=False)
    sweeps = {name: instantiate(entry, **build) for name, entry in cfg.deformation.items()}
    conditions = list_conditions(sweeps, plain(cfg.deformation))

    rows = []
    for split in arguments.splits:
        frame = data.tracks(split)
        target, track_ids = data.labels(head, frame), frame["track_id"].to_list()
        measured = instantiate(cfg.measurement, **build).run(subjects, conditions, data.store, track_ids, title=split)
        groups = {"clean": [0], **{name: [n for n, one in enumerate(measured.conditions) if one.name == name]
                                   for name in strengths}}  # fmt: skip
        groups["all deformed"] = [n for name in strengths for n in groups[name]]
        for group, numbers in groups.items():
            found = [resampled(one.model.heads[0], [measured.answers[subject][n] for n in numbers], target, bootstrap)
                     for subject, one in enumerate(subjects)]  # fmt: skip
            for name, (value, drawn) in zip(names, found, strict=True):
                low, high = bootstrap.interval(drawn, value).tolist()
                ahead = found[-1][0] - value
                gap = bootstrap.interval(found[-1][1] - drawn, ahead).tolist()
                rows.append({"split": split, "audio": group, "model": name, "value": value, "low": low, "high": high,
                             "last_ahead": ahead, "ahead_low": gap[0], "ahead_high": gap[1]})  # fmt: skip
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / f"{head.name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({key: round(v, 4) if isinstance(v, float) else v for key, v in row.items()} for row in rows)
    show(rows, names)
    draw(rows, names, arguments.out / f"{head.name}.png", label=f"{head.name}, {METRICS[head.name]}")


def show(rows: list[dict], names: tuple[str, ...]) -> None:
    """A row for each split and kind of audio, a column for each model."""
    table = Table(box=MARKDOWN)
    for heading in ("split", "audio", *names):
        table.add_column(heading)
    for row in rows[:: len(names)]:
        cells = [f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})" for one in of(rows, row)]
        table.add_row(row["split"], row["audio"], *cells)
    Console(width=140).print(table)


def of(rows: list[dict], row: dict) -> list[dict]:
    """The rows of all models on the audio of one."""
    return [one for one in rows if (one["split"], one["audio"]) == (row["split"], row["audio"])]


def draw(rows: list[dict], names: tuple[str, ...], path: Path, *, label: str) -> None:
    """Values and intervals; a panel for each split."""
    matplotlib.use("agg")
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure, panels = plt.subplots(1, len(splits), figsize=(4.6 * len(splits), 3.4), sharey=True, squeeze=False)
    for panel, split in zip(panels[0], splits, strict=True):
        for number, name in enumerate(names):
            mine = [row for row in rows if (row["split"], row["model"]) == (split, name)]
            x = np.arange(len(mine)) + 0.22 * (number - (len(names) - 1) / 2)
            values = np.array([row["value"] for row in mine])
            ends = np.array([[row["low"], row["high"]] for row in mine])
            spread = np.nan_to_num(np.abs(ends.T - values))
            panel.errorbar(
                x, values, yerr=spread, fmt="os^D"[number % 4], color=COLOURS.get(name), capsize=2, label=name
            )
        panel.set_xticks(range(len(mine)), [row["audio"].replace("_", "\n").replace(" ", "\n") for row in mine])
        panel.set_title(split)
        panel.set_ylim(0, 1)
        panel.grid(axis="y", alpha=0.3)
    panels[0][0].set_ylabel(label)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", ncols=len(names), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.93))
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
