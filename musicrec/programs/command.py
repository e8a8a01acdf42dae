"""The `musicrec` command: indexing and asking, the four programs and the tools, as subcommands.

Only Typer is imported before a subcommand is known. A subcommand imports what it needs, when it runs.
"""

from musicrec.programs import startup  # first: see there

# isort: split
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from musicrec.programs import (
    export_command,
    feedback_commands,
    models_command,
    playlist_commands,
    profile_commands,
    query_command,
    serve_command,
    tool_commands,
    upkeep_commands,
)
from musicrec.programs.option_words import named_options
from musicrec.programs.profile_options import PANEL, ForceOption, JsonOption, LibraryOption, ProfilesOption, UserOption
from musicrec.system.version import VERSION


class _YourMusicFirst(TyperGroup):
    """Lists what a DJ needs before the programs of researchers."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        names = super().list_commands(ctx)
        first = ["index", "query", "set", "serve", "status", "prune", "relocate", "verify"]
        feedback = [name for name in names if getattr(self.commands[name], "rich_help_panel", None) == PANEL]
        return list(dict.fromkeys([*(name for name in first if name in names), *feedback, *names]))


app = typer.Typer(
    cls=_YourMusicFirst,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

# The arguments of a program are Hydra's: they reach it untouched, also --help, -m and --cfg job.
UNTOUCHED = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
DJ = "Your music"
PROGRAMS = "Programs (settings: key=value; each program has its own --help)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit.

    Args:
        arguments: The words after `musicrec`; None takes those of this process.
    """
    app(None if arguments is None else list(arguments), prog_name="musicrec")


def _print_version(asked: bool) -> None:
    if asked:
        print(f"musicrec {VERSION}")
        raise typer.Exit()


@app.callback()
def _musicrec(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train music taggers, test how robust they are, and find tracks that go together.

    [bold]For DJs and producers:[/] index your music, then ask with an audio file.

      musicrec models get musicnn                     [dim]once: tags, 29 MB[/]
      musicrec index ~/Music
      musicrec query TRACK.mp3

    [bold]For research:[/] train a network, evaluate it, test its robustness.

      musicrec train debug=fast                       [dim]does it run here?[/]
      musicrec train data=gtzan data.root=FOLDER      [dim]a public dataset[/]
      musicrec train -m model=crnn,short_chunk_resnet [dim]every combination[/]
      musicrec evaluate export=RUN/export
      musicrec robustness export=RUN/export
    """


SET_OPTIONS = {
    "query": "",
    "start": "",
    "end": "--end",
    "tracks": "-n",
    "minutes": "--minutes",
    "curve": "--curve",
    "settings": "--settings",
    "locked.": "--lock ",
}
"""{setting that a message of the library may name: option of `musicrec set`}."""


@app.command("set", rich_help_panel=DJ)
def set_(
    start: Annotated[
        str, typer.Argument(metavar="TRACK", help="The first track: a file, title or “artist – title” of the library.")
    ],
    end: Annotated[str | None, typer.Option(metavar="TRACK", help="The last track; by default, any.")] = None,
    tracks: Annotated[
        int | None, typer.Option("-n", metavar="N", help="Number of tracks, with the first and the last; default: 12.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="MIN", help="About how long it lasts, in minutes, instead of -n.")
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            help="Energy, from 1 to 10, over the set: flat, rise, peak or wave; with limits, as in peak:4-9; or at "
            "equal distances, as in 4,6,8,5.",
        ),
    ] = None,
    lock: Annotated[
        list[str] | None,
        typer.Option(metavar="PLACE=TRACK", help="A track at a place, as in 5=TRACK; may be repeated."),
    ] = None,
    ban: Annotated[list[str] | None, typer.Option(metavar="TRACK", help="A track not to use; may be repeated.")] = None,
    picture: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Draw it, .png or .svg; replaces an older picture. May be repeated."),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="What decides, and how much: default, vinyl (no key lock), harmonic (keys first), or a .yaml file.",
        ),
    ] = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Write it, .xml, .nml, .m3u8, .csv or .json; may be repeated."),
    ] = None,
    key_notation: Annotated[
        str, typer.Option(metavar="HOW", help="Keys in these files: camelot (8A), open (1m) or name (Am).")
    ] = "camelot",
    force: ForceOption = False,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a set from tracks of your library, with a reason for each mix.

    Key, tempo, energy, genre and sound decide what goes after what. A score says
    how well each track leads into the next, from 0 to 1; weak transitions are
    avoided, and named where there are any. Tracks that you never want again
    (`musicrec dislike`) are left out.

      musicrec set "Ada – First" -n 8 --curve rise
      musicrec set "Ada – First" --end "Bo – Last" --minutes 60 --picture set.png
      musicrec set "Ada – First" --export set.xml --export set.m3u8
    """
    from musicrec.config.explain import one_message

    # The products are small: threads of the linear algebra would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with one_message(), named_options(SET_OPTIONS):
        from musicrec.programs import set_command
        from musicrec.recommend.recommender import Recommender

        startup.finish()
        with Recommender.open(library) as recommender:
            set_command.build(
                recommender,
                start,
                end=end,
                tracks=tracks,
                minutes=minutes,
                curve=curve,
                lock=lock or (),
                ban=ban or (),
                picture=picture or (),
                settings=settings,
                without=recommender.never_again(user, profiles=profiles),
                export=export or (),
                key_notation=key_notation,
                force=force,
                as_json=as_json,
            )


@app.command(context_settings=UNTOUCHED, rich_help_panel=PROGRAMS)
def train(context: typer.Context) -> None:
    """Train a network, test its best checkpoint, export it."""
    _launch(context)


@app.command(context_settings=UNTOUCHED, rich_help_panel=PROGRAMS)
def evaluate(context: typer.Context) -> None:
    """Measure exports or checkpoints on a dataset, or compare runs."""
    _launch(context)


@app.command(context_settings=UNTOUCHED, rich_help_panel=PROGRAMS)
def robustness(context: typer.Context) -> None:
    """Measure how well models keep their answers when the sound is deformed."""
    _launch(context)


@app.command(context_settings=UNTOUCHED, rich_help_panel=PROGRAMS)
def recommend(context: typer.Context) -> None:
    """Do what index and query do, with every setting."""
    _launch(context)


def _launch(context: typer.Context) -> None:
    from musicrec.programs.launch import launch

    launch(str(context.info_name), context.args)


app.add_typer(feedback_commands.app)
app.add_typer(profile_commands.app, name="profile", rich_help_panel=PANEL)
app.add_typer(playlist_commands.app, name="playlist", rich_help_panel=PANEL)
app.add_typer(export_command.app)
app.add_typer(query_command.app)
app.add_typer(serve_command.app)
app.add_typer(upkeep_commands.app)
app.add_typer(tool_commands.app)
app.add_typer(models_command.app, name="models", rich_help_panel=tool_commands.PANEL)
