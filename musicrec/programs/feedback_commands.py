"""`musicrec like`, `dislike`, `rate`, `skip`, `pair`, `undo` and `history`: what a user thinks of tracks.

A command imports what it needs when it runs, like those of `command`.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musicrec.programs import startup
from musicrec.programs.option_words import named_options
from musicrec.programs.profile_options import (
    PANEL,
    Asked,
    JsonOption,
    LibraryOption,
    ProfilesOption,
    TracksArgument,
    UserOption,
    they_have,
)
from musicrec.recommend.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from musicrec.recommend.profiles.records import Event

app = typer.Typer(rich_markup_mode="rich")

OPTIONS = {"track": "", "query": "", "after": "--after", "rating": "STARS", "count": "--last"}
"""{setting that a message of the library may name: option or argument of these commands}; a track stands by itself."""

_SAID = {
    "liked": "liked",
    "disliked": "never again",
    "rated": "rated",
    "played": "played",
    "skipped": "skipped",
    "paired": "remembered",
}


@app.command(rich_help_panel=PANEL)
def like(
    tracks: TracksArgument,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you like tracks: more like these.

    Answers lean towards what you like; ten likes move much, one a little. What
    you say belongs to the sound: it stays when a file is moved or tagged anew.

      musicrec like "Ada – First" ~/Music/second.flac
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            _show_said(asked, feedback.like(*tracks))


@app.command(rich_help_panel=PANEL)
def dislike(
    tracks: TracksArgument,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say “never again”: these tracks are not recommended any more.

    They are left out of answers and sets, and what sounds like them comes less.
    They come back if you undo it, or like or rate them later. `musicrec skip`
    is the milder word: not now.

      musicrec dislike "Ada – Second"
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            _show_said(asked, feedback.dislike(*tracks))


@app.command(rich_help_panel=PANEL)
def rate(
    track: Annotated[str, typer.Argument(metavar="TRACK", help="A track of your library.")],
    stars: Annotated[int, typer.Argument(metavar="STARS", help="1 to 5.")],
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a track 1 to 5 stars.

    5 counts like a like, 3 as no opinion, 1 as much against it; but only
    `musicrec dislike` bans a track. The last opinion counts. Exports to DJ
    programs carry your stars.

      musicrec rate "Ada – First" 5
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            _show_said(asked, [feedback.rate(track, stars)])


@app.command(rich_help_panel=PANEL)
def skip(
    tracks: TracksArgument,
    after: Annotated[
        str | None, typer.Option(metavar="TRACK", help="What was playing, or was asked about, before them.")
    ] = None,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you skipped tracks: not now, or not after that one.

    It counts a third of a dislike, and bans nothing. With --after, musicrec
    also learns what does not go together.

      musicrec skip "Ada – Second" --after "Bo – Last"
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            _show_said(asked, feedback.skip(*tracks, after=after))


@app.command(rich_help_panel=PANEL)
def pair(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="The track that plays.")],
    then: Annotated[list[str], typer.Argument(metavar="THEN", help="Tracks that work after it.")],
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remember that a track works after another one.

    Ask with FIRST, and THEN comes higher; and all your pairs together teach
    what matters when one track follows another.

      musicrec pair "Ada – First" "Bo – Last"    [dim]Last works after First[/]
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            _show_said(asked, feedback.pair(first, *then))


@app.command(rich_help_panel=PANEL)
def undo(
    last: Annotated[
        int, typer.Option("--last", metavar="N", help="How many of the last words to take back.", min=1)
    ] = 1,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back what you said last: a like, dislike, rating, skip or pair.

    Again takes back the one before, and so on. Playlists have their own way
    back, which each of their commands prints.

      musicrec undo
      musicrec undo --last 3
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            events = feedback.undo(last)
            lines = [f"took back: {_text(event)}" for event in events] or [f"{user} has nothing to take back"]
            if events:
                lines[-1] += f"; to see what counts: {asked.command('history')}"
            asked.show({"user": user, "undone": [_plain(event) for event in events]}, *lines)


@app.command(rich_help_panel=PANEL)
def history(
    number: Annotated[int, typer.Option("-n", metavar="N", help="The most lines; the last comes first.", min=1)] = 20,
    undone: Annotated[bool, typer.Option("--undone", help="Also show what you took back.")] = False,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what you said, the last first.

    Times are in UTC.

      musicrec history -n 50
      musicrec history --user Anna --undone
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=True) as feedback:
            events = feedback.history(limit=number, undone=undone)
        shown: Any = (
            _table(events) if events else f"{they_have(user)} said nothing yet; begin with `musicrec like TRACK`"
        )
        asked.show({"user": user, "events": [_plain(event) for event in events]}, shown)


def _show_said(asked: Asked, events: "Sequence[Event]") -> None:
    way_back = asked.command("undo", *(["--last", len(events)] if len(events) > 1 else []))
    lines = [_text(event) for event in events]
    lines[-1] += f"; to undo: {way_back}"
    asked.show({"user": asked.user, "said": [_plain(event) for event in events], "undo": way_back}, *lines)


def _text(event: "Event") -> str:
    """Return what was said in words, such as "rated Ada – First: 4 stars"."""
    name, before = event.title or event.audio_hash[:8], event.after_title or (event.after_hash or "")[:8]
    if event.kind == "rated":
        return f"rated {name}: {counted(event.rating or 0, 'star')}"
    if event.kind == "paired":
        return f"remembered that {name} works after {before}"
    after = f" after {before}" if before else ""
    return f"never again {name}" if event.kind == "disliked" else f"{event.kind} {name}{after}"


def _table(events: "Sequence[Event]") -> "Table":
    from rich.text import Text

    from musicrec.system.console import answer_console, make_table

    some_undone = any(event.undone_at for event in events)
    table = make_table(
        answer_console(), "when (UTC)", "what", "track", "after", *(["taken back"] if some_undone else [])
    )
    for event in events:
        what = counted(event.rating, "star") if event.rating else {**_SAID, "paired": "works"}[event.kind]
        row = [f"{event.at:%Y-%m-%d %H:%M}" if event.at else "–", what, event.title or event.audio_hash[:8]]
        row += [event.after_title or (event.after_hash or "–")[:8]]
        if some_undone:
            row += [f"{event.undone_at:%Y-%m-%d %H:%M}" if event.undone_at else "–"]
        table.add_row(*(Text(cell) for cell in row))
    return table


def _plain(event: "Event") -> dict[str, Any]:
    """Return what was said in plain JSON types."""
    values = asdict(event)
    return values | {name: values[name] and values[name].isoformat() for name in ("at", "undone_at")}
