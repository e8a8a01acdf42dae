"""Metrics as a table that a person can read."""

import math

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from musicrec.heads import Head

Predictions = dict[str, tuple[Tensor, Tensor]]  # head: (probabilities (tracks, classes), target)


def chance_level(head: Head, probabilities: Tensor, target: Tensor, *, repeats: int = 20) -> dict[str, float]:
    """The metrics when the answers are dealt out to the tracks at random: the mean over `repeats` shuffles."""
    generator = torch.Generator().manual_seed(0)
    shuffles = [torch.randperm(len(target), generator=generator) for _ in range(repeats)]
    scores = [head.metrics(probabilities[order], target) for order in shuffles]
    return {name: sum(s[name] for s in scores) / repeats for name in scores[0]}


def metrics_table(predictions: dict[str, Predictions], heads: list[Head], *, title: str) -> Table:
    """A row a metric, a column a split, and what chance gives on the first split."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    for split in predictions:
        table.add_column(split, justify="right", style="bold")
    table.add_column("chance", justify="right", style="dim")
    first = next(iter(predictions.values()))
    for head in heads:
        chance = chance_level(head, *first[head.name])
        by_split = [head.metrics(*scores[head.name]) for scores in predictions.values()]
        for name in by_split[0]:
            cells = [_number(scores[name]) for scores in by_split]
            table.add_row(f"{head.name} {name}", *cells, _number(chance[name]))
    return table


def print_metrics(predictions: dict[str, Predictions], heads: list[Head], *, title: str) -> None:
    Console().print(metrics_table(predictions, heads, title=title))


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
