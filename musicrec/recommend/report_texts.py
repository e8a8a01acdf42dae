"""What indexing and the upkeep of a library did, as text for people."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from musicrec.recommend.wording import counted, short_path
from musicrec.system.console import remark_text

if TYPE_CHECKING:
    from musicrec.recommend.index_report import IndexReport
    from musicrec.recommend.maintenance import LibraryStatus, PruneReport, RelocateReport, VerifyReport

_SHOWN = 20  # names of a kind; but each unreadable file is named
_NAMED = 3  # files with the same remark
_NUMBER = re.compile(r"-?\d+(\.\d+)?")  # lengths and levels, in which remarks of a kind differ

_MOST_PROBLEMS = 100


def index_text(report: "IndexReport", *, library: Path | str) -> Text:
    """Return what `index` did, in a few lines.

    Args:
        report: The return value of `index`.
        library: The file of the library.
    """
    text = Text()
    for what, names in report.notes:
        text.append(_with_names(what, names)).append("\n")
    for what, names in report.left_out:
        text.append("left out ", "yellow").append(_with_names(what.removesuffix(" left out"), names)).append("\n")
    for path, reason in report.unreadable:
        text.append("skipped ", "yellow").append(reason if path in reason else f"{path}: {reason}").append("\n")
    kinds: dict[str, list[tuple[str, str]]] = {}
    for path, remarks in report.remarked:
        said = "; ".join(remark.text for remark in remarks)
        kinds.setdefault(_NUMBER.sub("#", said), []).append((path, said))
    for alike in list(kinds.values())[:_SHOWN]:
        text.append("remark  ", "yellow").append(f"{_of_kind(alike)}\n")
    if len(kinds) > _SHOWN:
        more = sum(map(len, list(kinds.values())[_SHOWN:]))
        text.append("remark  ", "yellow").append(f"and {counted(more, 'more track')} with other remarks\n")
    counts = {
        "new": report.added,
        "changed": report.changed,
        "of an older version analysed again": report.completed,
        "with other tags": report.retagged,
        "moved": report.moved,
        "copies of known tracks": report.copies,
        "unchanged": report.unchanged,
        "back again": report.back,
        "missing": report.missing,
        "no longer listed": report.unlisted,
        "kept, as nobody could look": report.kept,
        "unreadable": len(report.unreadable),
    }
    changes = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"
    text.append(f"{library}: ", "bold").append(f"{counted(report.tracks)} ({changes})")
    if report.versions:
        sound = "is another encoding or remaster" if report.versions == 1 else "are other encodings or remasters"
        text.append(f"\n{report.versions:,} of them {sound} of a track of the library; these are recommended once")
    if report.missing:
        text.append("\nmissing files are kept and not recommended; `musicrec prune` deletes them for good")
    if report.remarked:
        unreliable = sum(any(remark.unreliable for remark in remarks) for _, remarks in report.remarked)
        text.append(f"\n{len(report.remarked):,} with a remark on their audio")
        text.append(f", {unreliable:,} of them silent or very short: by default not recommended" * (unreliable > 0))
    analysed = report.added + report.changed + report.completed
    if analysed:
        text.append(
            f"\nanalysed {report.audio_s / 60:.1f} min of audio in {report.wall_s:.0f} s, "
            f"{3600 * analysed / report.wall_s:,.0f} tracks per hour"
        )
    return text


def _of_kind(alike: Sequence[tuple[str, str]]) -> str:
    """Return remarks that differ in their numbers only as one: that of the first file, and how many have it, too."""
    (path, said), *others = alike
    if not others:
        return f"{path}: {said}"
    named = ", ".join(one for one, _ in others[: _NAMED - 1])
    more = f" and {len(others) - _NAMED + 1:,} more" if len(others) >= _NAMED else ""
    return f"{path}: {said}; and likewise {counted(len(others), 'other file')}: {named}{more}"


def _with_names(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else what


def status_text(status: "LibraryStatus") -> Group:
    """Return what a library holds, for people."""
    facts = Table.grid(padding=(0, 2))
    copies = status.files - status.tracks
    tracks = counted(status.tracks)
    tracks += f" in {status.files:,} files" if copies else ""
    tracks += f"; {status.unreliable:,} silent or very short" if status.unreliable else ""
    size = f", {status.size_bytes / 1e6:,.1f} MB" if status.size_bytes else ""
    missing = f"{counted(status.missing, 'file')}, kept and not recommended; `musicrec prune` deletes them" * (
        status.missing > 0
    )
    for name, text in (
        ("tracks", tracks),
        ("missing", missing),
        ("models", f"{', '.join(status.models)}; they hear {status.coverage:.0%} of each track"),
    ):
        if text:
            facts.add_row(Text(name, "bold"), Text(text, overflow="fold"))
    sources = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    sources.add_column("source", overflow="fold")
    for name in ("files", "missing"):
        sources.add_column(name, justify="right")
    sources.add_column("indexed (UTC)")
    for source in status.sources:
        when = (source.indexed_at or "–").replace("T", " ").removesuffix("Z")
        sources.add_row(Text(source.place), f"{source.files:,}", f"{source.missing:,}" if source.missing else "–", when)
    where = short_path(str(status.path)) + size
    # Not in the grid, which would break a long path.
    library = Text.assemble(("library  ", "bold"), where, overflow="ignore")
    return Group(library, facts, sources if status.sources else "", *map(remark_text, status.remarks))


def prune_text(report: "PruneReport") -> Text:
    """Return what `prune` deleted, or would delete."""
    if not report.files and not report.recordings:
        return Text("nothing to delete: no file is missing")
    text = Text()
    for path in report.files[:_SHOWN]:
        text.append("missing ", "yellow").append(f"{path}\n")
    if len(report.files) > _SHOWN:
        text.append(f"and {len(report.files) - _SHOWN:,} more\n")
    what = f"{counted(len(report.files), 'file')} and the answers for {counted(report.recordings)}"
    if report.deleted:
        return text.append(f"deleted {what}")
    return text.append(f"would delete {what}; --yes does it")


def relocate_text(report: "RelocateReport") -> Text:
    """Return what `relocate` changed."""
    text = Text(f"{counted(report.files, 'file')} relocated, {report.found:,} of them found there")
    if report.found < report.files:
        text.append("; the others are missing")
    for place in report.sources:
        text.append(f"\nsource  {place}")
    return text


def verify_text(report: "VerifyReport") -> Text:
    """Return what `verify` found."""
    text = Text()
    for problem in report.problems[:_MOST_PROBLEMS]:
        text.append(f"{problem.kind}  ", "yellow").append(f"{problem.text}\n")
    if len(report.problems) > _MOST_PROBLEMS:
        text.append(f"and {len(report.problems) - _MOST_PROBLEMS:,} more; --json names all\n")
    text.append(f"{counted(report.files, 'file')}, {report.compared:,} of them compared byte by byte with their hash: ")
    count = len(report.problems)
    text.append(counted(count, "problem") if count else "all is as it should be")
    if report.without_hash:
        text.append(
            f"\n{counted(report.without_hash, 'file')} without a hash, from an older format; index again to store them"
        )
    return text
