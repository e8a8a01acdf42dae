"""Learning curves of a run, from what it logged as CSV."""

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
    """What all parts of a run logged, a row a step: metrics_1.csv, metrics_2.csv … of the parts that were interrupted,
    then metrics.csv. Where a part began before the end of the one before, its values count. Empty without any file."""

    def number(path: Path) -> float:
        found = re.fullmatch(r"metrics_(\d+)\.csv", path.name)
        return int(found[1]) if found else float("inf")

    parts = [path for path in run.glob("metrics*.csv") if number(path) < float("inf") or path.name == "metrics.csv"]
    frames = []
    for path in sorted(parts, key=number):
        frame = pl.read_csv(path, glob=False, infer_schema=False, raise_if_empty=False, truncate_ragged_lines=True)
        if {"epoch", "step"} <= set(frame.columns) and len(frame):
            frame = frame.select(pl.all().cast(pl.Float64, strict=False))
            frames.append(frame.filter(pl.col("step") >= pl.col("step").cum_max()))  # a test begins at step 0 again
    if not frames:
        return pl.DataFrame(schema={"epoch": pl.Float64, "step": pl.Float64})
    joined = frames[0]
    for frame in frames[1:]:
        joined = joined.filter(pl.col("step") < frame["step"].min())
        joined = pl.concat([joined, frame], how="diagonal")
    return joined.group_by("step", maintain_order=True).agg(pl.all().drop_nulls().last()).sort("step")


def learning_figure(metrics: pl.DataFrame, heads: Sequence[Head], *, monitor: str = "val/score") -> Figure | None:
    """Losses, the heads' primary validation metrics and the learning rate over the epochs, the best epoch marked; None
    where no validation is logged.

    metrics: as `read_metrics` gives them. monitor: what the best epoch was chosen by; more is better.
    """
    epochs = metrics.filter(pl.col("val/loss").is_not_null()) if "val/loss" in metrics.columns else metrics.clear()
    if epochs.is_empty():
        return None
    # A step is logged with its epoch or without: the validation at the end of an epoch tells how long one is.
    steps_per_epoch = float(((epochs["step"] + 1) / (epochs["epoch"] + 1)).median())
    metrics = metrics.with_columns(at=(pl.col("step") + 1) / steps_per_epoch)
    figure = Figure(figsize=(7.5, 7.5), layout="constrained")
    loss, scores, rate = figure.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": [2, 2.4, 0.9]})

    _line(loss, metrics, "train/loss_step", color=COLOURS[0], alpha=0.3, linewidth=0.8)
    _line(loss, metrics, "train/loss_epoch", color=COLOURS[0], label="training", marker=".")
    _line(loss, metrics, "val/loss", color=COLOURS[1], label="validation", marker=".")
    loss.set_ylabel("loss")

    for index, head in enumerate(heads):
        style = ("-", "--", ":")[index // len(COLOURS) % 3]
        _line(scores, metrics, f"val/{head.name}/{head.primary}", color=COLOURS[index % len(COLOURS)], linestyle=style,
              marker=".", label=text(f"{head.name} {head.primary}"))  # fmt: skip
    _line(scores, metrics, "val/score", color=GREY, linewidth=2.6, alpha=0.6, label="score, their mean")
    if monitor in metrics.columns and not (known := metrics.filter(pl.col(monitor).is_finite())).is_empty():
        best = known.row(int(known[monitor].arg_max()), named=True)
        for axes in (loss, scores, rate):
            axes.axvline(best["at"], color=GREY, linestyle="--", linewidth=1)
        scores.plot(best["at"], best[monitor], "*", color="black", markersize=11,
                    label=f"best: {best[monitor]:.3f} after epoch {best['epoch'] + 1:.0f}")  # fmt: skip
    scores.set(ylim=(0, 1.02), ylabel="validation metrics")

    for name in [name for name in metrics.columns if name.startswith("lr-")]:
        _line(rate, metrics, name, color=COLOURS[2], label=text(name.removeprefix("lr-")))
    rate.set(ylabel="learning rate", xlabel="epochs")
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    rate.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axes in (loss, scores, rate):
        axes.grid(color="#eee")
        axes.set_axisbelow(True)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def _line(axes: Axes, metrics: pl.DataFrame, name: str, **style: object) -> None:
    if name in metrics.columns:
        known = metrics.filter(pl.col(name).is_finite())
        axes.plot(known["at"], known[name], **style)
