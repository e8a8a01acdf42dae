"""How well a model did: scores of every head, and tables of them for the terminal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from musicrec.heads import Head

Predictions = dict[str, tuple[Tensor, Tensor]]  # head: (probabilities (tracks, classes), target)

_PIPE_WIDTH = 160  # of a terminal that is none: a log file or a pipe
_WHOLE_TABLE = 24  # classes; of more, the terminal shows the ends


@dataclass(frozen=True, kw_only=True)
class HeadScore:
    """What a head scored on a split.

    tracks: in the split. labelled: of them, those that have a label for this head; only they count.
    metrics, chance: {metric: value}; chance is what the same answers score when dealt out to the tracks at random.
    per_class: rows as the head gives them. NaN and None are values that the split cannot tell.
    """

    split: str
    head: Head
    tracks: int
    labelled: int
    metrics: dict[str, float]
    chance: dict[str, float]
    per_class: list[dict]

    @property
    def classes_left_out(self) -> list[str]:
        """Classes that the means over classes leave out: tags that no track has or that all have, and exclusive
        classes that are neither the label nor the answer of any track."""
        return [row["class"] for row in self.per_class if row.get("roc_auc", row.get("f1", 0.0)) is None]


def chance_level(head: Head, probabilities: Tensor, target: Tensor) -> dict[str, float]:
    """The metrics when the answers are dealt out to the tracks at random: the mean over 20 shuffles, or over fewer
    of many tracks, where one tells more and takes longer."""
    repeats = max(3, min(20, 4000 // max(1, len(target))))
    generator = torch.Generator().manual_seed(0)
    shuffles = [torch.randperm(len(target), generator=generator) for _ in range(repeats)]
    scores = [head.metrics(probabilities[order], target) for order in shuffles]
    return {name: sum(s[name] for s in scores) / repeats for name in scores[0]}


def score_heads(predictions: Mapping[str, Predictions], heads: Sequence[Head]) -> list[HeadScore]:
    """The scores of every split and head, in this order. predictions: {split: {head: (probabilities, target)}}."""
    scores = []
    for split, by_head in predictions.items():
        for head in heads:
            probabilities, target = by_head[head.name]
            known = (~target.isnan()).reshape(len(target), -1).any(dim=1)
            probabilities, target = probabilities[known], target[known]
            scores.append(
                HeadScore(
                    split=split,
                    head=head,
                    tracks=len(known),
                    labelled=len(target),
                    metrics=head.metrics(probabilities, target),
                    chance=chance_level(head, probabilities, target),
                    per_class=head.per_class(probabilities, target),
                )
            )
    return scores


def print_metrics(predictions: Mapping[str, Predictions], heads: Sequence[Head], *, title: str) -> None:
    """Print a row a metric, and for every split its value, what chance gives, and the number of labelled tracks."""
    print_scores(score_heads(predictions, heads), title=title)


def print_scores(scores: Sequence[HeadScore], *, title: str) -> None:
    """The same for scores that are there already. A head that no track is labelled for gets a line of its own."""
    out = _console()
    splits = list(dict.fromkeys(score.split for score in scores))
    found = {(score.split, score.head.name): score for score in scores}
    table = _table(out, "metric")
    for split in splits:
        table.add_column(escape(split), justify="right", style="bold")
        table.add_column("chance", justify="right", style="dim")
        table.add_column("tracks", justify="right", style="dim")
    for name in dict.fromkeys(score.head.name for score in scores if score.labelled):
        of_splits = [found[split, name] for split in splits]
        for metric in of_splits[0].metrics:
            cells = [(_number(s.metrics[metric]), _number(s.chance[metric]), str(s.labelled)) for s in of_splits]
            table.add_row(escape(f"{name} {metric}"), *(cell for triple in cells for cell in triple))
    out.print(f"\n[bold]{escape(title)}[/]")
    if table.row_count:
        out.print(table)
    for split in splits:
        unlabelled = [score.head.name for score in scores if score.split == split and not score.labelled]
        if unlabelled:
            out.print(f"{escape(split)}: no track is labelled for {escape(', '.join(unlabelled))}; left out")
        partly = [s for s in scores if s.split == split and 0 < s.labelled < s.tracks]
        if partly:
            counts = ", ".join(f"{score.head.name} {score.labelled}" for score in partly)
            out.print(f"{escape(split)}: of {partly[0].tracks} tracks, those count that have a label the model knows: "
                      f"{escape(counts)}")  # fmt: skip


def print_per_class(score: HeadScore) -> None:
    """Print a row a class; of many classes, the most and the least successful."""
    out = _console()
    name, split = escape(score.head.name), escape(score.split)
    rows, left_out = score.per_class, score.classes_left_out
    if not rows:
        return
    columns = list(rows[0])
    if len(rows) > _WHOLE_TABLE:
        key = "roc_auc" if "roc_auc" in columns else columns[-1]
        known = sorted((row for row in rows if row[key] is not None), key=lambda row: -row[key])
        rows = [*known[: _WHOLE_TABLE // 2], *known[-(_WHOLE_TABLE // 2) :]] if len(known) > _WHOLE_TABLE else known
    table = _table(out, name)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(escape(row["class"]), *(_cell(row[column]) for column in columns[1:]))
    out.print(f"\n[bold]{name} on {split}, by class[/]")
    out.print(table)
    if len(rows) < len(score.per_class):
        out.print(f"{len(score.per_class) - len(rows)} more classes in per_class_{name}.csv")
    if left_out:
        shown = ", ".join(left_out[:10]) + (f" and {len(left_out) - 10} more" if len(left_out) > 10 else "")
        out.print(f"no metric counts these, as {split} cannot tell: {escape(shown)}")


def _console() -> Console:
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def _table(out: Console, first_column: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD if out.is_terminal else box.MARKDOWN)
    table.add_column(first_column)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _cell(value: float | int | None) -> str:
    return str(value) if isinstance(value, int) else _number(value)
