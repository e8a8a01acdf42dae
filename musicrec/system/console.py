"""The one console: tables and messages for a terminal, and plain text where the output is a file or a pipe."""

from rich.console import Console
from rich.markup import escape


def print_error(message: str) -> None:
    """Print one message to standard error, in the form that every program uses."""
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[bold red]error:[/] {escape(message)}")
