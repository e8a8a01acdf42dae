"""A report on the terminal, in a log file, and as Markdown."""

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.files import file_name
from musicrec.evaluation.tables import interval_text, number_text
from musicrec.heads import Head
from musicrec.robustness.effects import Effect
from musicrec.robustness.report import Report, moved_summary, sensitivity
from musicrec.system.atomic_write import write_text
from musicrec.system.console import make_table, output_console

Section = tuple[str, Table, Sequence[str]]  # heading, table, and lines below it

_CLASSES = 5  # most sensitive ones of a head
_WIDE = 1000  # characters: no cell of a Markdown table may break


def print_report(report: Report, *, bootstrap: Bootstrap | None) -> None:
    out = output_console()
    _print(out, title(report), sections(out, report, bootstrap=bootstrap), report.left_out)


def print_seconds(reports: Sequence[Report]) -> None:
    """What took the time."""
    out = output_console()
    _print(out, "", [seconds_section(out, reports)], [])


def write_markdown(folder: Path, report: Report, *, bootstrap: Bootstrap | None) -> Path:
    """Write <split>.md: what is printed. Raises MusicrecError where it cannot."""
    text = io.StringIO()
    out = Console(file=text, width=_WIDE, highlight=False, force_terminal=False)  # also where FORCE_COLOR is set
    found = [*sections(out, report, bootstrap=bootstrap), seconds_section(out, [report])]
    out.print(f"# {title(report)}\n", markup=False)
    for heading, table, notes in found:
        out.print(f"## {heading}\n", markup=False)
        out.print(table)
        out.print("".join(f"\n{note}\n" for note in notes), markup=False)
    out.print("".join(f"- left out: {reason}\n" for reason in report.left_out), markup=False)
    path = folder / f"{file_name(report.split)}.md"
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    write_text(path, "\n".join(kept).rstrip() + "\n")
    return path


def _print(out: Console, heading: str, found: Sequence[Section] | Iterator[Section], left_out: Sequence[str]) -> None:
    if heading:
        out.print(f"\n[bold]{escape(heading)}[/]")
    for name, table, notes in found:
        out.print(f"\n[bold]{escape(name)}[/]")
        out.print(table)
        for note in notes:
            out.print(note, markup=False)
    for reason in left_out:
        out.print(f"left out: {reason}", markup=False)


def title(report: Report) -> str:
    about = report.about
    return (
        f"{about['dataset']}, {report.split}, {report.tracks} tracks, {about['measurement']['excerpts']} × "
        f"{about['excerpt_s']:.4g} s of each (tracks and labels {about['tracks_hash'][:12]})"
    )


def sections(out: Console, report: Report, *, bootstrap: Bootstrap | None) -> Iterator[Section]:
    for subject, name in enumerate(report.names):
        who = name if len(report.names) == 1 else f"{_letter(subject)}: {name}"
        yield f"{who}: against the moved labels", *_metrics(out, report.of(subject), report, bootstrap)
    if report.standings:
        yield "Models side by side", _standings(out, report), (
            "In brackets the interval; of a deformation the mean over its strengths, of all that over all conditions. "
            "After the first model also how far ahead of it, and the interval of that, on the same draws; * where it "
            "leaves zero out.",
        )  # fmt: skip
    if any(one.moves for one in report.effects):
        yield "Where labels move: does the answer move along?", _moved(out, report), ()
        yield "Moved along, of what was right before", _moved_summary(out, report), ()
    yield f"The most sensitive classes ({_CLASSES} of each head; all are in the CSV)", _classes(out, report), ()
    if report.overlaps is not None:
        yield "Recommendations", *_overlaps(out, report)
    yield "Ranking: the mean drop over strengths, heads and models", _ranking(out, report), ()


def _metrics(
    out: Console, effects: Sequence[Effect], report: Report, bootstrap: Bootstrap | None
) -> tuple[Table, Sequence[str]]:
    """A row a condition, and for each head the primary metric against the moved label, and how much of it was lost."""
    heads = _heads(effects)
    table = make_table(out, "deformation")
    table.add_column("strength")
    for head in heads:
        table.add_column(escape(f"{head.name} {head.primary}"), justify="right")
        table.add_column("drop", justify="right", style="bold")
    found = {(one.condition.name, one.condition.strength, one.head.name): one for one in effects}
    first = [next(one for one in effects if one.head is head) for head in heads]
    table.add_row("clean", "", *(cell for one in first for cell in (number_text(one.primary.clean), "")))
    for condition in dict.fromkeys(one.condition for one in effects):
        cells = []
        for head in heads:
            change = found[condition.name, condition.strength, head.name].primary
            cells += [number_text(change.moved), _drop(change.drop.value, change.drop.interval)]
        table.add_row(escape(condition.title), escape(condition.label), *cells)
    if bootstrap is None or report.about["drawn_by"] is None:
        return table, ("drop: the share of the clean value that was lost",)
    return table, (
        f"drop: the share of the clean value that was lost; * where its {bootstrap.confidence:.0%} interval "
        f"({bootstrap.resamples} paired resamples by {report.about['drawn_by']}) leaves zero out",
    )


def _standings(out: Console, report: Report) -> Table:
    """A row a head and kind of audio, a column a model."""
    subjects = sorted({one.subject for one in report.standings})
    table = make_table(out, "head")
    table.add_column("audio")
    for subject in subjects:
        table.add_column(_letter(subject), justify="right")
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for one in report.standings:
        cell = f"{number_text(one.value.value)} {interval_text(one.value.interval)}"
        if one.ahead is not None:
            low, high = one.ahead.interval
            cell += f" {one.ahead.value:+.3f} {interval_text((low, high), signed=True)}{'*' * (low > 0 or high < 0)}"
        rows.setdefault((f"{one.head.name} {one.metric}", one.title), {})[one.subject] = cell
    for (head, audio), cells in rows.items():
        table.add_row(escape(head), escape(audio), *(cells.get(subject, "–") for subject in subjects))
    return table


def _moved(out: Console, report: Report) -> Table:
    """Where labels move: against the moved and the original label, and how often the answer moved with it."""
    table = make_table(out, "head")
    columns = ("deformation", "strength", "clean", "moved label", "old label", "right before", "of these moved",
               "interval", "of all moved")  # fmt: skip
    for column in columns:
        table.add_column(column, justify="left" if column in columns[:2] else "right")
    for one in (one for one in report.effects if one.moves):
        change = one.primary
        table.add_row(
            escape(f"{_head_of(report, one)} {one.head.primary}"), escape(one.condition.title),
            escape(one.condition.label), number_text(change.clean), number_text(change.moved),
            number_text(change.original), str(one.right),
            number_text(one.went_right.value), interval_text(one.went_right.interval),
            number_text(one.went.value),
        )  # fmt: skip
    return table


def _moved_summary(out: Console, report: Report) -> Table:
    table = make_table(out, "head")
    for column in ("deformation", "right before", "moved along", "by strength"):
        table.add_column(column, justify="right" if column in ("right before", "moved along") else "left")
    titles = {one.condition.name: one.condition.title for one in report.effects}
    for row in moved_summary(report):
        head = row["head"] if len(report.names) == 1 else f"{_letter(row['model'])} {row['head']}"
        by_strength = ", ".join(f"{strength}: {share:.1%}" for strength, share in row["by_strength"].items())
        table.add_row(escape(head), escape(titles[row["deformation"]]), str(row["right_before"]),
                      f"{row['went_right']:.1%}", escape(by_strength))  # fmt: skip
    return table


def _classes(out: Console, report: Report) -> Table:
    table = make_table(out, "head")
    for column in ("class", "tracks", "measure", "clean", "mean", "worst", "under"):
        table.add_column(column, justify="left" if column in ("class", "measure", "under") else "right")
    for subject in range(len(report.names)):
        for head in _heads(report.of(subject)):
            of_head = [one for one in report.of(subject) if one.head is head]
            for row in sensitivity(of_head)[:_CLASSES]:
                table.add_row(escape(_head_of(report, of_head[0])), escape(row["class"]), str(row["tracks"]),
                              row["measure"], *(number_text(row[name]) for name in ("clean", "mean", "worst")),
                              escape(row["by"]))  # fmt: skip
    return table


def _overlaps(out: Console, report: Report) -> tuple[Table, Sequence[str]]:
    overlaps, table = report.overlaps, make_table(out, "deformation")
    for column in ("strength", f"kept of {overlaps.k}", "interval", "same on top"):
        table.add_column(column, justify="left" if column == "strength" else "right")
    for one in overlaps.of:
        table.add_row(escape(one.condition.title), escape(one.condition.label), number_text(one.kept.value),
                      interval_text(one.kept.interval), number_text(one.first.value))  # fmt: skip
    return table, (
        f"{overlaps.queries} queries, lists of {overlaps.k} from {overlaps.library} ({overlaps.tracks} to choose from; "
        f"by chance {overlaps.by_chance:.3f} of a list would stay)",
    )


def _ranking(out: Console, report: Report) -> Table:
    table = make_table(out, "deformation")
    for column in ("mean drop", "interval", "largest drop", "of", "at"):
        table.add_column(column, justify="left" if column in ("of", "at") else "right")
    for rank in report.ranks:
        worst = rank.worst
        table.add_row(escape(rank.title), _drop(rank.drop.value), _drops(rank.drop.interval),
                      _drop(worst.primary.drop.value), escape(f"{_head_of(report, worst)} {worst.head.primary}"),
                      escape(worst.condition.label))  # fmt: skip
    return table


def seconds_section(out: Console, reports: Sequence[Report]) -> Section:
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
    note = (
        f"{told}; measured in this run: {fresh} of {every} conditions in {wall:.0f} s by the clock, {waited:.0f} s of "
        f"them waiting for deformed audio; scoring {scoring:.0f} s, recommendations {recommending:.0f} s"
    )
    heading = "What took the time (seconds of each process; the processes that deform run beside the networks)"
    return heading, table, (note,)


def _heads(effects: Sequence[Effect]) -> list[Head]:
    return list({id(one.head): one.head for one in effects}.values())


def _head_of(report: Report, one: Effect) -> str:
    return one.head.name if len(report.names) == 1 else f"{_letter(one.subject)} {one.head.name}"


def _letter(subject: int) -> str:
    return chr(ord("A") + subject)


def _drops(interval: tuple[float, float]) -> str:
    return "–" if math.isnan(interval[0]) else "[" + ", ".join(_drop(value) for value in interval) + "]"


def _drop(value: float, interval: tuple[float, float] | None = None) -> str:
    if math.isnan(value):
        return "–"
    sure = interval is not None and (interval[0] > 0 or interval[1] < 0)
    return f"{value:.1%}".replace("-0.0%", "0.0%") + "*" * sure
