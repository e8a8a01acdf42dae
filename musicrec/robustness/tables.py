"""A report on the terminal, or in a log file."""

import math
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.tables import console, interval_text, make_table, number
from musicrec.heads import Head
from musicrec.robustness.report import Report, moved_summary, sensitivity
from musicrec.robustness.scoring import Effect

_CLASSES = 5  # most sensitive ones of a head


def print_report(report: Report, *, bootstrap: Bootstrap | None) -> None:
    out = console()
    about = report.about
    out.print(f"\n[bold]{escape(about['dataset'])}, {escape(report.split)}, {report.tracks} tracks, "
              f"{about['measurement']['excerpts']} × {about['excerpt_s']:.4g} s of each[/] "
              f"(tracks and labels {about['tracks_hash'][:12]})")  # fmt: skip
    for subject, name in enumerate(report.names):
        _print_metrics(out, name, report.of(subject), bootstrap)
    _print_moved(out, report)
    _print_classes(out, report)
    _print_overlaps(out, report)
    _print_ranking(out, report)
    for reason in report.left_out:
        out.print(f"left out: {escape(reason)}")


def _print_metrics(out: Console, name: str, effects: Sequence[Effect], bootstrap: Bootstrap | None) -> None:
    """A row a condition, and for each head the primary metric against the moved label, and how much of it was lost."""
    heads = _heads(effects)
    table = make_table(out, "deformation")
    table.add_column("strength")
    for head in heads:
        table.add_column(escape(f"{head.name} {head.primary}"), justify="right")
        table.add_column("drop", justify="right", style="bold")
    found = {(one.condition.name, one.condition.strength, one.head.name): one for one in effects}
    first = [next(one for one in effects if one.head is head) for head in heads]
    table.add_row("clean", "", *(cell for one in first for cell in (number(one.primary.clean), "")))
    for condition in dict.fromkeys(one.condition for one in effects):
        cells = []
        for head in heads:
            change = found[condition.name, condition.strength, head.name].primary
            cells += [number(change.moved), _drop(change.drop.value, change.drop.interval)]
        table.add_row(escape(condition.title), escape(condition.label), *cells)
    out.print(f"\n[bold]{escape(name)}[/]: against the moved labels")
    out.print(table)
    if bootstrap is not None:
        out.print(f"drop: the share of the clean value that was lost; * where its {bootstrap.confidence:.0%} interval "
                  f"({bootstrap.resamples} paired resamples by {bootstrap.units[-1]}) leaves zero out")  # fmt: skip


def _print_moved(out: Console, report: Report) -> None:
    """Where labels move: against the moved and the original label, and how often the answer moved with it."""
    moving = [one for one in report.effects if one.moves]
    if not moving:
        return
    table = make_table(out, "head")
    columns = ("deformation", "strength", "clean", "moved label", "old label", "right before", "of these moved",
               "interval", "of all moved")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:2] else "right")
    for one in moving:
        change = one.primary
        table.add_row(
            escape(f"{_head_of(report, one)} {one.head.primary}"), escape(one.condition.title),
            escape(one.condition.label), number(change.clean), number(change.moved), number(change.original),
            str(one.right), number(one.went_right.value), interval_text(one.went_right.interval),
            number(one.went.value),
        )  # fmt: skip
    out.print("\n[bold]Where labels move: does the answer move along?[/]")
    out.print(table)
    for row in moved_summary(report):
        who = row["head"] if len(report.names) == 1 else f"{row['head']} of {row['export']}"
        out.print(f"{escape(who)} moved with {escape(row['deformation'])} in {row['went_right']:.1%} of the "
                  f"{row['right_before']} cases in which it was right before")  # fmt: skip


def _print_classes(out: Console, report: Report) -> None:
    table = make_table(out, "head")
    for column in ("class", "tracks", "measure", "clean", "mean", "worst", "under"):
        table.add_column(column, justify="left" if column in ("class", "measure", "under") else "right")
    for subject in range(len(report.names)):
        for head in _heads(report.of(subject)):
            of_head = [one for one in report.of(subject) if one.head is head]
            for row in sensitivity(of_head)[:_CLASSES]:
                table.add_row(escape(_head_of(report, of_head[0])), escape(row["class"]), str(row["tracks"]),
                              row["measure"], *(number(row[name]) for name in ("clean", "mean", "worst")),
                              escape(row["by"]))  # fmt: skip
    out.print(f"\n[bold]The most sensitive classes[/] ({_CLASSES} of each head; all are in the CSV)")
    out.print(table)


def _print_overlaps(out: Console, report: Report) -> None:
    overlaps = report.overlaps
    if overlaps is None:
        return
    table = make_table(out, "deformation")
    for column in ("strength", f"kept of {overlaps.k}", "interval", "same on top"):
        table.add_column(column, justify="left" if column == "strength" else "right")
    for one in overlaps.of:
        table.add_row(escape(one.condition.title), escape(one.condition.label), number(one.kept.value),
                      interval_text(one.kept.interval), number(one.first.value))  # fmt: skip
    out.print(f"\n[bold]Recommendations[/]: {overlaps.queries} queries, lists of {overlaps.k} from "
              f"{escape(overlaps.library)} ({overlaps.tracks} to choose from; by chance "
              f"{overlaps.by_chance:.3f} of a list would stay)")  # fmt: skip
    out.print(table)


def _print_ranking(out: Console, report: Report) -> None:
    table = make_table(out, "deformation")
    for column in ("mean drop", "interval", "largest drop", "of", "at"):
        table.add_column(column, justify="left" if column in ("of", "at") else "right")
    for rank in report.ranks:
        worst = rank.worst
        table.add_row(escape(rank.title), _drop(rank.drop.value), _drops(rank.drop.interval),
                      _drop(worst.primary.drop.value), escape(f"{_head_of(report, worst)} {worst.head.primary}"),
                      escape(worst.condition.label))  # fmt: skip
    out.print("\n[bold]Ranking[/]: the mean drop over strengths, heads and models")
    out.print(table)


def print_seconds(reports: Sequence[Report]) -> None:
    """What took the time."""
    out = console()
    rows: dict[str, dict] = {}
    for report in reports:
        for row in report.seconds():
            total = rows.setdefault(row["deformation"], dict.fromkeys(("audio_s", "deforming", "mel", "network"), 0.0))
            for name in total:
                total[name] += row[name]
    table = make_table(out, "deformation")
    for column in ("audio, s", "deforming, s", "ms per s of audio", "networks, s"):
        table.add_column(column, justify="right")
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["deforming"]):
        rate = 1000 * row["deforming"] / row["audio_s"]
        cells = [row["deforming"], rate, row["mel"] + row["network"]]
        table.add_row(name, f"{row['audio_s']:.0f}", *(f"{cell:.1f}" for cell in cells))
    out.print(
        "\n[bold]What took the time[/] (seconds of each process; the processes that deform run beside the networks)"
    )
    out.print(table)
    fresh = sum(len(report.measured.fresh) for report in reports)
    every = sum(len(report.measured.conditions) for report in reports)
    parts = {
        "deforming": sum(row["deforming"] for row in rows.values()),
        "mel spectrograms": sum(row["mel"] for row in rows.values()),
        "networks": sum(row["network"] for row in rows.values()),
    }
    told = ", ".join(f"{name} {value:.0f} s" for name, value in parts.items())
    waited = sum(report.measured.waiting_s for report in reports)
    wall = sum(report.measured.wall_s for report in reports)
    scoring = sum(report.scoring_s for report in reports)
    recommending = sum(report.recommending_s for report in reports)
    out.print(f"{told}; measured in this run: {fresh} of {every} conditions in {wall:.0f} s by the clock, "
              f"{waited:.0f} s of them waiting for deformed audio; scoring {scoring:.0f} s, recommendations "
              f"{recommending:.0f} s")  # fmt: skip


def _heads(effects: Sequence[Effect]) -> list[Head]:
    return list({id(one.head): one.head for one in effects}.values())


def _head_of(report: Report, one: Effect) -> str:
    return one.head.name if len(report.names) == 1 else f"{chr(ord('A') + one.subject)} {one.head.name}"


def _drops(interval: tuple[float, float]) -> str:
    return "–" if math.isnan(interval[0]) else "[" + ", ".join(_drop(value) for value in interval) + "]"


def _drop(value: float, interval: tuple[float, float] | None = None) -> str:
    if math.isnan(value):
        return "–"
    sure = interval is not None and (interval[0] > 0 or interval[1] < 0)
    return f"{value:.1%}".replace("-0.0%", "0.0%") + "*" * sure
