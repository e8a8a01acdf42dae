"""The tables of a report, on the terminal, in a log file, and as Markdown."""

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.report_files import file_name
from musicrec.evaluation.score_tables import interval_text, number_text
from musicrec.heads import Head
from musicrec.robustness.effects import Effect
from musicrec.robustness.model_comparison import ComparedScore
from musicrec.robustness.overlap import RecommendationOverlap
from musicrec.robustness.report import RobustnessReport, model_letter, moved_summary, sensitivity
from musicrec.robustness.resampling import IntervalEstimate
from musicrec.system.atomic_write import write_text
from musicrec.system.console import make_table, output_console

_SENSITIVE_CLASSES = 5  # shown per head
_MARKDOWN_WIDTH = 1000  # characters; wide enough that no cell of a Markdown table is wrapped
_NONE = "–"  # in place of a number that does not exist


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table of a report.

    Attributes:
        heading: Above the table.
        table: In the form of the console, or as Markdown.
        note: Below the table; "" for none.
    """

    heading: str
    table: Table
    note: str = ""


def print_report(report: RobustnessReport, *, bootstrap: Bootstrap | None) -> None:
    """Print the tables of a report.

    Args:
        report: To print.
        bootstrap: Settings of its intervals; None for none.
    """
    out = output_console()
    out.print(f"\n[bold]{escape(title(report))}[/]")
    _print_sections(out, sections(out, report, bootstrap=bootstrap))
    for reason in report.left_out:
        out.print(f"left out: {reason}", markup=False)


def print_seconds(reports: Sequence[RobustnessReport]) -> None:
    """Print how long each deformation took, over all reports."""
    out = output_console()
    _print_sections(out, [seconds_section(out, reports)])


def _print_sections(out: Console, found: Iterable[Section]) -> None:
    for section in found:
        out.print(f"\n[bold]{escape(section.heading)}[/]")
        out.print(section.table)
        if section.note:
            out.print(section.note, markup=False)


def write_markdown(folder: Path, report: RobustnessReport, *, bootstrap: Bootstrap | None) -> Path:
    """Write the printed tables to `<split>.md`.

    Args:
        folder: To write to.
        report: To write.
        bootstrap: Settings of its intervals; None for none.

    Returns:
        The file.

    Raises:
        MusicrecError: The file cannot be written.
    """
    text = io.StringIO()
    out = Console(file=text, width=_MARKDOWN_WIDTH, highlight=False, force_terminal=False)  # FORCE_COLOR would colour
    out.print(f"# {title(report)}\n", markup=False)
    for section in [*sections(out, report, bootstrap=bootstrap), seconds_section(out, [report])]:
        out.print(f"## {section.heading}\n", markup=False)
        out.print(section.table)
        if section.note:
            out.print(f"\n{section.note}\n", markup=False)
    for reason in report.left_out:
        out.print(f"- left out: {reason}", markup=False)
    path = folder / f"{file_name(report.split)}.md"
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    single_spaced = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    write_text(path, "\n".join(single_spaced).rstrip() + "\n")
    return path


def title(report: RobustnessReport) -> str:
    """Return the title of a report: data, split, number of tracks, and the excerpts of each track."""
    description = report.description
    return (
        f"{description['dataset']}, split {report.split}: {report.tracks} tracks, "
        f"{description['measurement']['excerpts']} × {description['excerpt_s']:.4g} s of each (checksum of tracks and "
        f"labels {description['tracks_hash'][:12]})"
    )


def sections(out: Console, report: RobustnessReport, *, bootstrap: Bootstrap | None) -> Iterator[Section]:
    """Yield the tables of a report, without that of computing times.

    Args:
        out: The console that the tables are made for.
        report: The report of one split.
        bootstrap: Settings of its intervals; None for none.
    """
    for model in range(len(report.names)):
        yield _metrics_section(out, report, model, bootstrap)
    if report.compared_scores:
        yield _models_section(out, report)
    if any(effect.label_moves for effect in report.effects):
        yield _moved_section(out, report)
        yield _moved_summary_section(out, report)
    yield _classes_section(out, report)
    if report.overlap is not None:
        yield _recommendations_section(out, report.overlap)
    yield _ranking_section(out, report)


def _metrics_section(out: Console, report: RobustnessReport, model: int, bootstrap: Bootstrap | None) -> Section:
    """Return one row per condition: for each head the primary metric against the moved labels, and its drop."""
    effects = report.effects_on(model)
    heads = _heads(effects)
    table = make_table(out, "deformation", "strength")
    for head in heads:
        table.add_column(escape(f"{head.name} {head.primary}"), justify="right")
        table.add_column("drop", justify="right", style="bold")
    first = [next(effect for effect in effects if effect.head is head) for head in heads]
    table.add_row("clean", "", *(cell for effect in first for cell in (number_text(effect.primary.clean), "")))
    by_place = {(effect.condition.name, effect.condition.strength, effect.head.name): effect for effect in effects}
    for condition in dict.fromkeys(effect.condition for effect in effects):
        cells = []
        for head in heads:
            change = by_place[condition.name, condition.strength, head.name].primary
            cells += [number_text(change.moved), _percent_with_star(change.drop)]
        table.add_row(escape(condition.title), escape(condition.label), *cells)
    note = "drop: the share of the clean score that was lost"
    if bootstrap is not None and report.description["drawn_by"] is not None:
        note += (
            f"; * marks a drop whose {bootstrap.confidence:.0%} interval excludes zero ({bootstrap.resamples} paired "
            f"resamples by {report.description['drawn_by']})"
        )
    heading = f"{report.prefix(model)}{report.names[model]}, scores against the moved labels"
    return Section(heading=heading, table=table, note=note)


def _models_section(out: Console, report: RobustnessReport) -> Section:
    """Return one row per head, metric and kind of audio, and one column per model."""
    models = sorted({score.model for score in report.compared_scores})
    table = make_table(out, "head", "audio")
    for model in models:
        table.add_column(model_letter(model), justify="right")
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for score in report.compared_scores:
        row = rows.setdefault((f"{score.head.name} {score.metric}", score.title), {})
        row[score.model] = _compared_cell(score)
    for (head, audio), cells in rows.items():
        table.add_row(escape(head), escape(audio), *(cells.get(model, _NONE) for model in models))
    note = (
        "Each cell: the score against the moved labels, and its interval in brackets. A deformation's row is the mean "
        'over its strengths, the row "all deformed" the mean over all conditions. Every model after the first has its '
        "difference from the first model, too, with an interval from the same resamples; * marks one that excludes "
        "zero."
    )
    return Section(heading="Models side by side", table=table, note=note)


def _compared_cell(score: ComparedScore) -> str:
    cell = f"{number_text(score.value.value)} {interval_text(score.value.interval)}"
    if score.lead is None:
        return cell
    star = "*" if score.lead.excludes_zero else ""
    return f"{cell} {score.lead.value:+.3f} {interval_text(score.lead.interval, signed=True)}{star}"


def _moved_section(out: Console, report: RobustnessReport) -> Section:
    """Return one row per model, head and condition that moves labels."""
    table = make_table(out, "head", "deformation", "strength")
    scores, shares = ("clean", "moved label", "original label"), ("followed, of these", "interval", "followed, of all")
    for column in (*scores, "right before", *shares):
        table.add_column(column, justify="right")
    for effect in report.effects:
        if not effect.label_moves:
            continue
        change = effect.primary
        table.add_row(
            escape(f"{_head_name(report, effect)} {effect.head.primary}"),
            escape(effect.condition.title),
            escape(effect.condition.label),
            number_text(change.clean),
            number_text(change.moved),
            number_text(change.original),
            str(effect.right_before),
            number_text(effect.followed_of_right.value),
            interval_text(effect.followed_of_right.interval),
            number_text(effect.followed.value),
        )
    note = (
        "moved label, original label: the score of the same answers against either label. followed: the share of "
        "answers that changed as the label did, of those right before and of all"
    )
    return Section(heading="Where labels move: do the answers follow?", table=table, note=note)


def _moved_summary_section(out: Console, report: RobustnessReport) -> Section:
    """Return one row per model, head and deformation that moves labels."""
    table = make_table(out, "head", "deformation")
    for column in ("right before", "followed"):
        table.add_column(column, justify="right")
    table.add_column("by strength")
    titles = {effect.condition.name: effect.condition.title for effect in report.effects}
    for row in moved_summary(report):
        head = row["head"] if len(report.names) == 1 else f"{model_letter(row['model'])} {row['head']}"
        by_strength = ", ".join(f"{strength}: {share:.1%}" for strength, share in row["by_strength"].items())
        table.add_row(
            escape(head),
            escape(titles[row["deformation"]]),
            str(row["right_before"]),
            f"{row['went_right']:.1%}",
            escape(by_strength),
        )
    return Section(heading="Answers that followed the label, of those right before", table=table)


def _classes_section(out: Console, report: RobustnessReport) -> Section:
    """Return the most sensitive classes of every head."""
    table = make_table(out, "head", "class")
    table.add_column("tracks", justify="right")
    table.add_column("measure")
    for column in ("clean", "mean", "worst"):
        table.add_column(column, justify="right")
    table.add_column("worst condition")
    for model in range(len(report.names)):
        effects = report.effects_on(model)
        for head in _heads(effects):
            of_head = [effect for effect in effects if effect.head is head]
            for row in sensitivity(of_head)[:_SENSITIVE_CLASSES]:
                table.add_row(
                    escape(_head_name(report, of_head[0])),
                    escape(row["class"]),
                    str(row["tracks"]),
                    row["measure"],
                    *(number_text(row[name]) for name in ("clean", "mean", "worst")),
                    escape(row["by"]),
                )
    heading = f"The most sensitive classes ({_SENSITIVE_CLASSES} per head; the CSV file has all)"
    return Section(heading=heading, table=table)


def _recommendations_section(out: Console, overlap: RecommendationOverlap) -> Section:
    """Return one row per condition: how much of the lists of recommendations stays."""
    table = make_table(out, "deformation", "strength")
    for column in (f"kept of {overlap.k}", "interval", "same first track"):
        table.add_column(column, justify="right")
    for one in overlap.by_condition:
        table.add_row(
            escape(one.condition.title),
            escape(one.condition.label),
            number_text(one.kept.value),
            interval_text(one.kept.interval),
            number_text(one.first.value),
        )
    note = (
        f"{overlap.queries} queries; lists of {overlap.k} from {overlap.library} ({overlap.candidates} candidates; a "
        f"random list would keep {overlap.by_chance:.3f})"
    )
    return Section(heading="Recommendations: the share of the clean list that stays", table=table, note=note)


def _ranking_section(out: Console, report: RobustnessReport) -> Section:
    """Return one row per deformation, the most harmful first."""
    table = make_table(out, "deformation")
    for column in ("mean drop", "interval", "largest drop"):
        table.add_column(column, justify="right")
    for column in ("of", "at strength"):
        table.add_column(column)
    for ranked in report.ranking:
        worst = ranked.worst
        table.add_row(
            escape(ranked.title),
            _percent(ranked.drop.value),
            _percent_interval(ranked.drop),
            _percent(worst.primary.drop.value),
            escape(f"{_head_name(report, worst)} {worst.head.primary}"),
            escape(worst.condition.label),
        )
    return Section(heading="Ranking: the mean drop over strengths, heads and models", table=table)


def seconds_section(out: Console, reports: Sequence[RobustnessReport]) -> Section:
    """Return one row per deformation: how long it took, over all reports.

    Args:
        out: The console that the table is made for.
        reports: The reports of all splits.
    """
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
    heading = "Computing time (summed over processes; deformations run in parallel with the networks)"
    return Section(heading=heading, table=table, note=_seconds_note(reports, rows.values()))


def _seconds_note(reports: Sequence[RobustnessReport], rows: Iterable[dict]) -> str:
    """Return the sums of the computing times, and the time on the clock."""
    deforming, mel, network = (sum(row[name] for row in rows) for name in ("deforming", "mel", "network"))
    measured = [report.measured for report in reports]
    new, every = sum(len(one.newly_measured) for one in measured), sum(len(one.conditions) for one in measured)
    wall_s, waiting_s = sum(one.wall_s for one in measured), sum(one.waiting_s for one in measured)
    scoring_s = sum(report.scoring_s for report in reports)
    recommending_s = sum(report.recommending_s for report in reports)
    return (
        f"deforming {deforming:.0f} s, mel spectrograms {mel:.0f} s, networks {network:.0f} s; measured in this run: "
        f"{new} of {every} conditions in {wall_s:.0f} s, of which the networks waited {waiting_s:.0f} s for deformed "
        f"audio; scoring {scoring_s:.0f} s, recommendations {recommending_s:.0f} s"
    )


def _heads(effects: Sequence[Effect]) -> list[Head]:
    """Return the different heads, in their order. Heads are compared by identity: models may have equal ones."""
    return list({id(effect.head): effect.head for effect in effects}.values())


def _head_name(report: RobustnessReport, effect: Effect) -> str:
    """Return the name of a head, after the letter of its model if there are several."""
    return effect.head.name if len(report.names) == 1 else f"{model_letter(effect.model)} {effect.head.name}"


def _percent(value: float) -> str:
    return _NONE if math.isnan(value) else f"{value:.1%}".replace("-0.0%", "0.0%")


def _percent_with_star(estimate: IntervalEstimate) -> str:
    """Return a percentage, with a star if its interval excludes zero."""
    text = _percent(estimate.value)
    return f"{text}*" if estimate.excludes_zero and text != _NONE else text


def _percent_interval(estimate: IntervalEstimate) -> str:
    low, high = estimate.interval
    return _NONE if math.isnan(low) else f"[{_percent(low)}, {_percent(high)}]"
