"""`musicrec index`, `status`, `prune`, `relocate` and `verify`: a library is made and kept in order.

A command imports what it needs when it runs, like those of `command`.
"""

from typing import Annotated

import typer

from musicrec.programs import startup
from musicrec.programs.option_words import listed_models
from musicrec.programs.profile_options import JsonOption, LibraryOption

app = typer.Typer(rich_markup_mode="rich")

_PANEL = "Your music"


@app.command(rich_help_panel=_PANEL)
def index(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, playlist (M3U8), collection (rekordbox XML, Traktor NML) or manifest (CSV).",
        ),
    ],
    library: LibraryOption = None,
    models: Annotated[list[str] | None, typer.Option(metavar="A,B", help="Names of models, or export folders.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto takes the GPU if there is one.")] = "auto",
    engine: Annotated[
        str,
        typer.Option(help="torch, onnx, openvino or fastest; auto takes what MUSICREC_ENGINE says, or the fastest."),
    ] = "auto",
    relocate: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Where a folder of a collection is here; can be given several times."),
    ] = None,
) -> None:
    """Analyse your music, so that you can ask for tracks that go together.

    Your files are only read. Run the same command again after you get new
    music: it analyses only audio that is new. Files that were moved, copied or
    tagged anew are recognised; files that are gone are kept as missing, and
    not recommended. Several sources can share a library. Ctrl-C stops it; the
    same command continues.

      musicrec index ~/Music
      musicrec index ~/Music/friday.m3u8
      musicrec index collection.nml --relocate C:/Users/me/Music=/mnt/music
      musicrec index ~/Vinyl --library vinyl.sqlite

    Without --models, a new library takes the models that ship with musicrec
    (tempo, key) and those that you have fetched, and keeps to them.
    `musicrec models` lists them; `musicrec models get musicnn` fetches the
    taggers, which make the answers much better.
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.index(
            source,
            library=library,
            models=listed_models(models),
            device=device,
            engine=engine,
            relocate=relocate or (),
        )


@app.command(rich_help_panel=_PANEL)
def status(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Show what a library holds: tracks, missing files, models, sources."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.status(library=library, as_json=as_json)


@app.command(rich_help_panel=_PANEL)
def prune(
    library: LibraryOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete files that are missing from a library for good.

    Shows them, and asks first. Without a terminal to ask, it only shows them;
    --yes deletes. Your music files are not touched.
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.prune(library=library, yes=yes, as_json=as_json)


@app.command(rich_help_panel=_PANEL)
def relocate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A folder or file, as the library knows it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where it is now.")],
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a library that a folder has moved, such as to another disk.

    Nothing is analysed again. `musicrec index` also recognises moved files,
    but must read them for that.

      musicrec relocate /media/old/Music ~/Music
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.relocate(old, new, library=library, as_json=as_json)


@app.command(rich_help_panel=_PANEL)
def verify(
    library: LibraryOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the audio files.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a library, and that its audio files are as they were.

    Reads all audio files and compares their bytes, which finds damage of a
    disk. The exit status is 1 if anything is wrong.
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.verify(library=library, content=not quick, as_json=as_json)
