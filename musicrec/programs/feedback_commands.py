"""`musicrec like`, `dislike`, `rate`, `skip`, `pair`, `undo`, `history` and `profile`.

A command imports what it needs when it runs, like those of `command`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musicrec.programs import startup
from musicrec.programs.profile_options import (
    PANEL,
    Asked,
    ForceOption,
    JsonOption,
    LibraryOption,
    ProfilesOption,
    TracksArgument,
    UserOption,
    YesOption,
    agreed,
    they_have,
)
from musicrec.recommend.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from musicrec.recommend.profiles.records import Event

app = typer.Typer(rich_markup_mode="rich")
profile_app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

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

    with one_message():
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

    with one_message():
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

    with one_message():
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

    with one_message():
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

    with one_message():
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

    with one_message():
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

    with one_message():
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=True) as feedback:
            events = feedback.history(limit=number, undone=undone)
        shown: Any = (
            _table(events) if events else f"{they_have(user)} said nothing yet; begin with `musicrec like TRACK`"
        )
        asked.show({"user": user, "events": [_plain(event) for event in events]}, shown)


@profile_app.callback()
def profile() -> None:
    """List, export, import and delete profiles: everything said, and playlists.

    A profile is kept in the file of your library, or where --profiles or the
    environment variable MUSICREC_PROFILES says. It stays on your machine unless
    you name a server.

      musicrec profile list
      musicrec profile export me.json
      musicrec profile import me.json --user Anna
      musicrec profile delete Anna
    """


@profile_app.command("list")
def list_(library: LibraryOption = None, profiles: ProfilesOption = None, as_json: JsonOption = False) -> None:
    """List the profiles."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.system.console import answer_console, make_table

        startup.finish()
        asked = Asked(library=library, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=True) as feedback:
            users, place = feedback.users(), feedback.place
        table = make_table(answer_console(), "profile", "since (UTC)")
        for user in users:
            table.add_row(user.name, f"{user.created_at:%Y-%m-%d %H:%M}")
        content = {
            "profiles": place,
            "users": [{"name": user.name, "created_at": user.created_at.isoformat()} for user in users],
        }
        asked.show(content, *([table] if users else []), f"{counted(len(users), 'profile')} in {place}")


@profile_app.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A .json file; without it, print it.")] = None,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    force: ForceOption = False,
) -> None:
    """Write everything that is stored about a user as one JSON document.

    `musicrec profile import` reads it, also into another library.

      musicrec profile export me.json
      musicrec profile export --user Anna > anna.json
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ConfigError, ProfileError
        from musicrec.system.atomic_write import write_json

        startup.finish()
        if file is not None and file.suffix.lower() != ".json":
            raise ConfigError(f"{file}: give a file whose name ends in .json")
        if file is not None and file.exists() and not force:
            raise ConfigError(f"{file}: exists already; give another name, or replace it with --force")
        asked = Asked(library=library, user=user, profiles=profiles)
        with asked.feedback(read_only=True) as feedback:
            document = feedback.export_user()
        if file is None:
            print(json.dumps(document, indent=1, ensure_ascii=False))
            return
        write_json(file, document, error=ProfileError)
        said, lists = counted(len(document["events"]), "word"), counted(len(document["playlists"]), "playlist")
        asked.show(None, f"wrote the profile of {user} ({said}, {lists}) to {file}; delete the file to undo it")


@profile_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `musicrec profile export` wrote.")],
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Another name; by default the one in the file.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Delete what is stored about this user before.")] = False,
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a profile from a file. A user that exists is left alone without --replace."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ConfigError, ProfileError

        startup.finish()
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(f"{file}: is no JSON; give what `musicrec profile export` wrote") from None
        asked = Asked(library=library, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            if not replace and (user or _name_in(document)) in [known.name for known in feedback.users()]:
                name = user or _name_in(document)
                raise ProfileError(
                    f"{name}: has a profile here; import it as another with --user NAME, or --replace it"
                )
            made = feedback.import_user(document, name=user, replace=replace)
        way_back = asked.command("profile", "delete", made.name)
        asked.show({"user": made.name}, f"imported the profile of {made.name}; to undo it: {way_back}")


@profile_app.command()
def delete(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user.")],
    yes: YesOption = False,
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete everything that is stored about a user, for good.

    Asks first; where there is no terminal, only --yes deletes. In an SQLite
    file, the bytes are overwritten.
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ProfileError

        startup.finish()
        asked = Asked(library=library, user=name, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            document = feedback.export_user()
            said, lists = counted(len(document["events"]), "word"), counted(len(document["playlists"]), "playlist")
            question = f"Delete {name} with {said} and {lists} from {feedback.place}? This cannot be undone."
            if not agreed(question, yes=yes, as_json=as_json):
                kept = asked.command("profile", "export", f"{name}.json")
                raise ProfileError(f"{name}: nothing was deleted; --yes deletes it for good. To keep a copy: {kept}")
            feedback.delete_user()
        asked.show({"user": name, "deleted": True}, f"deleted {name} with {said} and {lists}; this cannot be undone")


def _name_in(document: Any) -> str:
    user = document.get("user") if isinstance(document, dict) else None
    return str(user.get("name", "")) if isinstance(user, dict) else ""


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
