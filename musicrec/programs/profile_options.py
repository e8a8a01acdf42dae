"""The options that commands about feedback, playlists and exports share, and how these open a library."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musicrec.system.console import answer_console

if TYPE_CHECKING:
    from musicrec.recommend.feedback import Feedback
    from musicrec.recommend.recommender import Recommender

PANEL = "Feedback, playlists and exports"

LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        metavar="FILE",
        help="The file of the library, or lance:FOLDER; by default a file in your data folder, or MUSICREC_LIBRARY.",
    ),
]
UserOption = Annotated[str, typer.Option("--user", metavar="NAME", help="Whose profile; one is made when needed.")]
ProfilesOption = Annotated[
    str | None,
    typer.Option(
        "--profiles",
        metavar="WHERE",
        help="A file for profiles, or postgresql://…; by default the library itself, or MUSICREC_PROFILES.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
TracksArgument = Annotated[
    list[str], typer.Argument(metavar="TRACK", help="Tracks of your library: file, title, or “artist – title”.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Whose profile of which library a command is about.

    Attributes:
        library: The file of the library; None for the default.
        user: The user.
        profiles: Where profiles are; None for the default.
        as_json: Print JSON.
    """

    library: str | None = None
    user: str = "me"
    profiles: str | None = None
    as_json: bool = False

    @contextmanager
    def feedback(self, *, read_only: bool = False) -> Iterator["Feedback"]:
        """Open the feedback of the user."""
        with self.both(read_only=read_only) as (_, feedback):
            yield feedback

    @contextmanager
    def both(self, *, read_only: bool = False) -> "Iterator[tuple[Recommender, Feedback]]":
        """Open the recommender and the feedback of the user."""
        from musicrec.recommend.recommender import Recommender

        with (
            Recommender.open(self.library) as recommender,
            recommender.feedback(self.user, profiles=self.profiles, read_only=read_only) as feedback,
        ):
            yield recommender, feedback

    def command(self, *words: object) -> str:
        """Return a command for the same profile, ready to be pasted, such as "musicrec undo --user Anna"."""
        from musicrec.recommend.feedback import USUAL_USER

        more: list[object] = [] if self.user == USUAL_USER else ["--user", self.user]
        more += [] if self.library is None else ["--library", self.library]
        if self.profiles is not None:  # it may hold a password
            more += ["--profiles", "…" if "://" in self.profiles else self.profiles]
        return " ".join(shlex.quote(str(word)) if word != "…" else "…" for word in ("musicrec", *words, *more))

    def show(self, content: Any, *lines: Any) -> None:
        """Print what was done: the content as JSON, or the lines, which are texts or tables."""
        if self.as_json:
            print(json.dumps(content, indent=1, ensure_ascii=False))
            return
        out = answer_console()
        for line in lines:
            out.print(line, soft_wrap=isinstance(line, str), markup=False)


def agreed(question: str, *, yes: bool, as_json: bool) -> bool:
    """Return whether something that cannot be undone may be done: after --yes, or a yes on the terminal."""
    if yes:
        return True
    if as_json or not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def they_have(user: str) -> str:
    """Return "you have" for the usual user, else "Anna has"."""
    return "you have" if user == "me" else f"{user} has"
