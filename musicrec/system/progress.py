"""Progress of long work over many tracks: a bar in a terminal, otherwise a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from musicrec.system.console import error_console

_LINE_EVERY_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """How far work has come.

    Attributes:
        doing: The verb, such as "analysing".
        done: Number of tracks that are done.
        total: Number of all tracks.
        name: What was just done, such as a file; None if it has no name.
        problem: Why that failed; None if it did not.
    """

    doing: str
    done: int
    total: int
    name: str | None = None
    problem: str | None = None


StepListener = Callable[[Step], object]


class Advance(Protocol):
    """What is called after each track."""

    def __call__(self, name: str | None = None, problem: str | None = None) -> None:
        """Count a track, say which it was, and why it failed if it did."""


@contextmanager
def track_progress(
    doing: str,
    done: str,
    total: int,
    *,
    what: str = "tracks",
    shown: bool | StepListener = True,
    after_s: float = 0.0,
) -> Iterator[Advance]:
    """Show on standard error how far work on tracks has come.

    A terminal gets a bar. A log file or a pipe gets a line every 30 s, such as "analysed 120 of 3,000 tracks, 14 min
    left", and none if the work takes less.

    Args:
        doing: The verb in front of the bar, such as "analysing".
        done: The verb of the lines, such as "analysed".
        total: Number of tracks.
        what: What is counted, if not tracks.
        shown: False for no output; or what is told each step instead, before the first one, too.
        after_s: Show the bar only if the work takes longer than so many seconds.

    Yields:
        A function to call after each track.
    """
    console = error_console()
    count = 0

    def ignore(name: str | None = None, problem: str | None = None) -> None: ...

    if not shown or not total:
        yield ignore
    elif callable(shown):
        listener: StepListener = shown
        listener(Step(doing=doing, done=0, total=total))

        def tell(name: str | None = None, problem: str | None = None) -> None:
            nonlocal count
            count += 1
            listener(Step(doing=doing, done=count, total=total, name=name, problem=problem))

        yield tell
    elif console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(what))
        bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)
        task = bar.add_task(doing, total=total)
        due = time.monotonic() + after_s

        def move(name: str | None = None, problem: str | None = None) -> None:
            bar.advance(task)
            if not bar.live.is_started and time.monotonic() > due:
                bar.start()

        if not after_s:
            bar.start()
        try:
            yield move
        finally:
            if bar.live.is_started:
                bar.stop()
    else:
        begin = time.monotonic()
        due = begin + _LINE_EVERY_S

        def advance(name: str | None = None, problem: str | None = None) -> None:
            nonlocal count, due
            count += 1
            now = time.monotonic()
            if now >= due and count < total:
                left = time_text((now - begin) / count * (total - count))
                console.print(f"{done} {count:,} of {total:,} {what}, {left} left", highlight=False, soft_wrap=True)
                due = now + _LINE_EVERY_S

        yield advance


def time_text(seconds: float) -> str:
    """Return a duration in words, such as "14 min" or "2 h 10 min"."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than 1 min"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
