"""`musicrec profile`: profiles are listed, exported, imported and deleted.

A command imports what it needs when it runs, like those of `command`.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from musicrec.programs import startup
from musicrec.programs.profile_options import (
    Asked,
    ForceOption,
    JsonOption,
    LibraryOption,
    ProfilesOption,
    UserOption,
    YesOption,
    agreed,
)
from musicrec.recommend.wording import counted

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
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


@app.command("list")
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


@app.command()
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


@app.command("import")
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


@app.command()
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
