"""Join what `musicrec evaluate` scored with what benchmarks/networks.py measured: one table, one picture.

    python experiments/networks_all/leaderboard.py --scores FILE NETWORK=FILE … --cost COST.csv … --page README.md

The page has the comments `<!-- leaderboard -->` and `<!-- end of leaderboard -->`. What stands between them is replaced
by the tables. Beside the page go leaderboard.csv and leaderboard.png.
"""

import argparse
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from musicrec.figures.style import COLOURS, GREY, save
from musicrec.system.atomic_write import write_text

SETTING = "experiment/networks_all"
TAGGING = {("genre", "accuracy"): "genre accuracy", ("instruments", "roc_auc"): "instruments ROC-AUC"}
OTHERS = {("key", "accuracy"): "key accuracy", ("tempo", "acc1"): "tempo Acc1", ("beats", "f_measure"): "beats F"}
COST = {"gflop": "GFLOP", "training_s_per_s": "music/s in training", "clips_per_s": "clips/s in analysis"}
SPLITS = ("test", "test_shift")
BEGIN, END = "<!-- leaderboard -->", "<!-- end of leaderboard -->"

Row = dict[str, Any]


def read_cost(paths: list[Path]) -> pl.DataFrame:
    """One row per network: its parameters, GFLOP of a clip, music per second in training, clips/s in analysis."""
    table = pl.concat([pl.read_csv(path, infer_schema=False) for path in paths])
    numbers = table.select(pl.exclude("overlay").str.replace_all(",", "").cast(pl.Float64))
    return table.select(pl.col("overlay").str.split("=").list.last().alias("network")).hstack(
        numbers.select(
            pl.col("parameters").cast(pl.Int64),
            pl.col("GFLOP of a clip").alias("gflop"),
            (pl.col("chunks/s in training") * pl.col("s of audio")).alias("training_s_per_s"),
            pl.col("clips/s in analysis").alias("clips_per_s"),
        )
    )


def read_scores(files: list[str]) -> pl.DataFrame:
    """One row per network, head, metric and split, with mean, spread and interval by artist."""
    kept = ("split", "head", "metric", "runs", "mean", "std", "low_artist", "high_artist", "chance")
    parts = []
    for file in files:
        name, _, path = file.rpartition("=")
        table = pl.read_csv(path)
        parts.append(table.select((pl.lit(name) if name else pl.col(SETTING)).alias("network"), *kept))
    wanted = [f"{head} {metric}" for head, metric in (*TAGGING, *OTHERS)]
    return pl.concat(parts, how="vertical_relaxed").filter(pl.concat_str("head", "metric", separator=" ").is_in(wanted))


def number(row: Row | None, *, interval: bool) -> str:
    if row is None:
        return ""
    text = f"{row['mean']:.3f}"
    if interval:
        text += f" [{row['low_artist']:.2f}, {row['high_artist']:.2f}]"
        text += "" if row["std"] is None else f" ± {row['std']:.3f}"
    return text


def rounded(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Leaderboard:
    """cost: as `read_cost` returns it. scores: {(network, "head metric", split): row of `read_scores`}."""

    cost: list[Row]
    scores: dict[tuple[str, str, str], Row]

    def ranked(self, measure: str) -> list[Row]:
        """The costs of the networks that have a score in a measure, best on `test` first."""
        having = [row for row in self.cost if (row["network"], measure, "test") in self.scores]
        return sorted(having, key=lambda row: -self.scores[row["network"], measure, "test"]["mean"])

    def table(self, measures: dict[tuple[str, str], str]) -> str:
        columns = ["network", "parameters", *COST.values()]
        columns += [f"{title}, {split}" for title in measures.values() for split in SPLITS]
        lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        names = [f"{head} {metric}" for head, metric in measures]
        for row in self.ranked(names[0]):
            cells = [f"`{row['network']}`", f"{row['parameters']:,}", *(rounded(row[name]) for name in COST)]
            for name, split in product(names, SPLITS):
                cells.append(number(self.scores.get((row["network"], name, split)), interval=split == "test"))
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def figure(self) -> Figure:
        """Score against the time that a core takes to analyse a clip, with the interval by artist."""
        figure = Figure(figsize=(13, 6), layout="constrained")
        panels = zip(figure.subplots(1, 2), TAGGING.items(), COLOURS, strict=False)
        for axes, ((head, metric), title), colour in panels:
            rows = self.ranked(f"{head} {metric}")
            found = [self.scores[row["network"], f"{head} {metric}", "test"] for row in rows]
            seconds, means = [1 / row["clips_per_s"] for row in rows], [score["mean"] for score in found]
            below = [score["mean"] - score["low_artist"] for score in found]
            above = [score["high_artist"] - score["mean"] for score in found]
            axes.errorbar(seconds, means, [below, above], fmt="o", color=colour, elinewidth=0.6, alpha=0.8)
            for place, (row, x, y) in enumerate(zip(rows, seconds, means, strict=True)):
                # Networks come best first: below its point goes a label that would meet that of a better network.
                near = any(means[other] - y < 0.02 and 0.4 < seconds[other] / x < 2.5 for other in range(place))
                offset = (5, -10 if near else 3)
                axes.annotate(row["network"], (x, y), offset, textcoords="offset points", fontsize=8)
            axes.axhline(found[0]["chance"], color=GREY, linestyle="--", linewidth=0.8, zorder=0)
            axes.set_xmargin(0.15)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.set_xlabel("processor time to analyse a clip of 30 s (s)")
            axes.set_title(f"{title} (test)")
        return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scores",
        nargs="+",
        required=True,
        metavar="[NETWORK=]FILE",
        help="settings.csv of musicrec evaluate; one of a single network does not name it",
    )
    parser.add_argument("--cost", type=Path, nargs="+", required=True, help="what benchmarks/networks.py --out wrote")
    parser.add_argument("--page", type=Path, required=True)
    arguments = parser.parse_args()
    cost, scores = read_cost(arguments.cost), read_scores(arguments.scores)
    by_name = {
        (row["network"], f"{row['head']} {row['metric']}", row["split"]): row for row in scores.iter_rows(named=True)
    }
    board = Leaderboard(cost.to_dicts(), by_name)
    others = (board.table({measure: title}) for measure, title in OTHERS.items() if board.ranked(" ".join(measure)))
    tables = "\n\n".join((board.table(TAGGING), *others))
    before, _, rest = arguments.page.read_text().partition(BEGIN)
    write_text(arguments.page, f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    joined = scores.join(cost, on="network", how="left")
    joined = joined.sort("head", "metric", "split", "mean", descending=[False, False, False, True])
    write_text(arguments.page.with_name("leaderboard.csv"), joined.write_csv(float_precision=6))
    print(save(board.figure(), arguments.page.with_name("leaderboard.png")))


if __name__ == "__main__":
    main()
