"""Learning curves of a run, from the CSV files that it logged."""

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from musicrec.figures.style import COLOURS, GREY, text
from musicrec.heads import Head


def read_metrics(run: Path) -> pl.DataFrame:
    """Read what all parts of a run logged.

    The interrupted parts of a run logged metrics_1.csv, metrics_2.csv and so on; the last part logged metrics.csv. If a
    part repeats steps of the part before it, its values replace theirs.

    Args:
        run: Folder of the run.

    Returns:
        One row per step, with the columns epoch and step and one column per metric; empty if nothing was logged.
    """

    def number(path: Path) -> float:
        found = re.fullmatch(r"metrics_(\d+)\.csv", path.name)
        return int(found[1]) if found else float("inf")

    parts = [path for path in run.glob("metrics*.csv") if number(path) < float("inf") or path.name == "metrics.csv"]
    frames = []
    for path in sorted(parts, key=number):
        frame = pl.read_csv(path, glob=False, infer_schema=False, raise_if_empty=False, truncate_ragged_lines=True)
        if {"epoch", "step"} <= set(frame.columns) and len(frame):
            frame = frame.select(pl.all().cast(pl.Float64, strict=False))
            frames.append(frame.filter(pl.col("step") >= pl.col("step").cum_max()))  # a test starts at step 0 again
    if not frames:
        return pl.DataFrame(schema={"epoch": pl.Float64, "step": pl.Float64})
    metrics = frames[0]
    for frame in frames[1:]:
        metrics = metrics.filter(pl.col("step") < frame["step"].min())
        metrics = pl.concat([metrics, frame], how="diagonal")
    return metrics.group_by("step", maintain_order=True).agg(pl.all().drop_nulls().last()).sort("step")


def learning_figure(metrics: pl.DataFrame, heads: Sequence[Head], *, monitor: str = "val/score") -> Figure | None:
    """Draw the losses, the primary validation metric of every head and the learning rate over the epochs.

    Args:
        metrics: As `read_metrics` returns them.
        heads: Heads of the network.
        monitor: The metric by which the best epoch was chosen (higher is better). That epoch is marked.

    Returns:
        The figure; None if no validation was logged.
    """
    epochs = metrics.filter(pl.col("val/loss").is_not_null()) if "val/loss" in metrics.columns else metrics.clear()
    if epochs.is_empty():
        return None
    # Not every row has an epoch. The validations, which end an epoch, show how many steps one has.
    steps_per_epoch = float(((epochs["step"] + 1) / (epochs["epoch"] + 1)).median())
    metrics = metrics.with_columns(at=(pl.col("step") + 1) / steps_per_epoch)
    figure = Figure(figsize=(7.5, 7.5), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 2.4, 0.9]})
    loss, scores, rate = panels
    _draw_losses(loss, metrics)
    _draw_scores(scores, metrics, heads)
    _draw_learning_rate(rate, metrics)
    if monitor in metrics.columns and not (known := metrics.filter(pl.col(monitor).is_finite())).is_empty():
        best = known.row(int(known[monitor].arg_max()), named=True)
        for axes in panels:
            axes.axvline(best["at"], color=GREY, linestyle="--", linewidth=1)
        label = f"best: {best[monitor]:.3f} after epoch {best['epoch'] + 1:.0f}"
        scores.plot(best["at"], best[monitor], "*", color="black", markersize=11, label=label)
    rate.set_xlabel("epochs")
    rate.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axes in panels:
        axes.grid(color="#eee")
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _draw_losses(axes: Axes, metrics: pl.DataFrame) -> None:
    _line(axes, metrics, "train/loss_step", color=COLOURS[0], alpha=0.3, linewidth=0.8)
    _line(axes, metrics, "train/loss_epoch", color=COLOURS[0], label="training", marker=".")
    _line(axes, metrics, "val/loss", color=COLOURS[1], label="validation", marker=".")
    axes.set_ylabel("loss")


def _draw_scores(axes: Axes, metrics: pl.DataFrame, heads: Sequence[Head]) -> None:
    for index, head in enumerate(heads):
        colour, style = COLOURS[index % len(COLOURS)], ("-", "--", ":")[index // len(COLOURS) % 3]
        name = f"val/{head.name}/{head.primary}"
        label = text(f"{head.name} {head.primary}")
        _line(axes, metrics, name, color=colour, linestyle=style, marker=".", label=label)
    _line(axes, metrics, "val/score", color=GREY, linewidth=2.6, alpha=0.6, label="score (mean of the heads)")
    axes.set(ylim=(0, 1.02), ylabel="validation metrics")


def _draw_learning_rate(axes: Axes, metrics: pl.DataFrame) -> None:
    for name in [name for name in metrics.columns if name.startswith("lr-")]:
        _line(axes, metrics, name, color=COLOURS[2], label=text(name.removeprefix("lr-")))
    axes.set_ylabel("learning rate")
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


def _line(axes: Axes, metrics: pl.DataFrame, name: str, **style: object) -> None:
    if name in metrics.columns:
        known = metrics.filter(pl.col(name).is_finite())
        axes.plot(known["at"], known[name], **style)
