"""The consoles of all programs: results go to standard output, errors and progress bars to standard error."""

import os
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 200  # characters; a log file or a pipe has no width of its own
_ANSWER_WIDTH = 100  # of an answer for people there, which may end up in a mail or on a page


def output_console() -> Console:
    """Return the console for standard output; it is wide where that is no terminal."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def answer_console() -> Console:
    """Return the console for answers to people; where it is no terminal, COLUMNS says how wide it is, or 100."""
    out = Console(highlight=False)
    if out.is_terminal:
        return out
    columns = os.environ.get("COLUMNS", "")
    return Console(highlight=False, width=int(columns) if columns.isdecimal() and int(columns) else _ANSWER_WIDTH)


def error_console() -> Console:
    """Return the console for standard error, on which progress bars are drawn."""
    return Console(stderr=True)


def make_table(out: Console, *columns: str) -> Table:
    """Return an empty table with these columns, in Markdown where the output is no terminal."""
    return Table(*columns, box=box.SIMPLE_HEAD if out.is_terminal else box.MARKDOWN)


def remark_text(text: str, *, width: int | None = None) -> Text:
    """Return a remark for `out.print(…, crop=False)`: broken between words only, so that a path can be copied.

    Args:
        text: The remark.
        width: Width of the output in characters; None breaks nowhere.
    """
    lines = [text] if width is None else wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return Text("\n".join(lines), "yellow", overflow="ignore")


def print_error(message: str) -> None:
    """Print one message to standard error, in the form that every program uses."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}")
