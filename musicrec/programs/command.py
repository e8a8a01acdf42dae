"""The `musicrec` command: indexing and asking, the four programs and the tools, as subcommands.

Only Typer is imported before a subcommand is known. A subcommand imports what it needs, when it runs.
"""

from musicrec.programs import startup  # first: see there

# isort: split
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from musicrec.errors import ConfigError
from musicrec.programs import (
    export_command,
    feedback_commands,
    models_command,
    playlist_commands,
    query_command,
    serve_command,
)
from musicrec.programs.option_words import listed_models
from musicrec.programs.profile_options import PANEL, ForceOption, ProfilesOption, UserOption
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
TOOLS = "Tools"


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


_Library = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="The file of the library, or lance:FOLDER; by default a file in your data folder, or MUSICREC_LIBRARY.",
    ),
]
_Models = Annotated[list[str] | None, typer.Option(metavar="A,B", help="Names of models, or export folders.")]
_Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto takes the GPU if there is one.")]


@app.command(rich_help_panel=DJ)
def index(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, playlist (M3U8), collection (rekordbox XML, Traktor NML) or manifest (CSV).",
        ),
    ],
    library: _Library = None,
    models: _Models = None,
    device: _Device = "auto",
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
            relocate=relocate or (),
        )


_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("set", rich_help_panel=DJ)
def set_(
    start: Annotated[str, typer.Argument(metavar="TRACK", help="The first track, one of the library.")],
    end: Annotated[str | None, typer.Option(metavar="TRACK", help="The last track.")] = None,
    tracks: Annotated[int | None, typer.Option("-n", metavar="N", help="Number of tracks; default: 12.")] = None,
    minutes: Annotated[float | None, typer.Option(metavar="MIN", help="Length instead of a number.")] = None,
    curve: Annotated[
        str | None,
        typer.Option(help="Energy over the set: flat, rise, peak, wave, with limits as in peak:4-9, or 4,6,8,5."),
    ] = None,
    lock: Annotated[
        list[str] | None, typer.Option(metavar="PLACE=TRACK", help="A track at a place; may be repeated.")
    ] = None,
    ban: Annotated[list[str] | None, typer.Option(metavar="TRACK", help="A track not to use; may be repeated.")] = None,
    picture: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Draw it, .png or .svg; may be repeated.")
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE", help="default, vinyl, harmonic, or a .yaml file: what decides, and how much."
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
    library: _Library = None,
    profiles: ProfilesOption = None,
    as_json: _Json = False,
) -> None:
    """Build a set from tracks of your library, with a reason for each mix.

    Key, tempo, energy, genre and sound decide what goes after what. Tracks that
    you never want again (`musicrec dislike`) are left out.

      musicrec set "Ada – First" -n 8 --curve rise
      musicrec set "Ada – First" --end "Bo – Last" --minutes 60 --picture set.png
      musicrec set "Ada – First" --export set.xml --export set.m3u8
    """
    from musicrec.config.explain import one_message

    with one_message():
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


@app.command(rich_help_panel=DJ)
def status(library: _Library = None, as_json: _Json = False) -> None:
    """Show what a library holds: tracks, missing files, models, sources."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.programs import library_commands

        startup.finish()
        library_commands.status(library=library, as_json=as_json)


@app.command(rich_help_panel=DJ)
def prune(
    library: _Library = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: _Json = False,
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


@app.command(rich_help_panel=DJ)
def relocate(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A folder or file, as the library knows it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Where it is now.")],
    library: _Library = None,
    as_json: _Json = False,
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


@app.command(rich_help_panel=DJ)
def verify(
    library: _Library = None,
    quick: Annotated[bool, typer.Option("--quick", help="Do not read the audio files.")] = False,
    as_json: _Json = False,
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
app.add_typer(feedback_commands.profile_app, name="profile", rich_help_panel=PANEL)
app.add_typer(playlist_commands.app, name="playlist", rich_help_panel=PANEL)
app.add_typer(export_command.app)
app.add_typer(query_command.app)
app.add_typer(serve_command.app)
app.add_typer(models_command.app, name="models", rich_help_panel=TOOLS)


@app.command(rich_help_panel=TOOLS)
def import_checkpoint(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="The checkpoint, a .pth file.")],
    architecture: Annotated[str, typer.Option(metavar="NAME", help="crnn or short_chunk_resnet.")],
    classes: Annotated[
        Path, typer.Option(metavar="FILE", help="Text file that names the network's outputs in order, one per line.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The export folder to write.")],
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, for the model card.")] = None,
) -> None:
    """Turn a public checkpoint into an export.

    Reads a checkpoint of sota-music-tagging-models (a state dict) and writes an
    export folder, for musicrec.load, `musicrec evaluate` and
    `musicrec recommend`.
    Code in the checkpoint is never executed. The export has one head, "tags".

      musicrec import-checkpoint best_model.pth --architecture crnn
        --classes tags.txt --out exports/mtat_crnn
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.export import public_weights

        startup.finish()
        known = {} if licence is None else {"licence": licence}
        export = public_weights.import_checkpoint(
            weights, architecture=architecture, classes=_read_names(classes), out=out, **known
        )
        print(f"export: {export}")


@app.command(rich_help_panel=TOOLS)
def publish(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="The export folder of a run, or a model's name.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write.")],
    card: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON for the model card: title, about, measured (docs/models.md)."),
    ] = None,
) -> None:
    """Make a copy of an export that can be passed on.

    The copy has no date and no git commit, so that a training that gives the
    same weights gives the same files. The model card says what was measured
    elsewhere, such as on music that may not be passed on.

      musicrec publish RUN/export --out tempo --card tempo_card.json
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.export.publish import publish_export

        startup.finish()
        print(f"{publish_export(export, out, card=card)}  {out / 'model.safetensors'}")


def _read_names(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ConfigError(f"--classes {path} cannot be read: {reason}") from None
    return [line.strip() for line in lines if line.strip()]


class _SeveralSoundFonts(TyperCommand):
    """Accepts several files after one --sound-font, where Typer wants the option repeated."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        repeated: list[str] = []
        for word in args:
            if Path(word).suffix.lower() in (".sf2", ".sf3") and repeated[-2:-1] == ["--sound-font"]:
                repeated.append("--sound-font")
            repeated.append(word)
        return super().parse_args(ctx, repeated)


_RenderedFolder = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="The folder to write audio and manifest.csv into.")
]
_Workers = Annotated[int | None, typer.Option(metavar="N", help="Files rendered at once; default: all cores.")]


@app.command(cls=_SeveralSoundFonts, rich_help_panel=TOOLS)
def render_midi(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of MIDI files.")],
    sound_font: Annotated[
        list[Path], typer.Option(metavar="FILE", help="Sound font (.sf2, .sf3); several make several variants.")
    ],
    out: _RenderedFolder,
    duration_s: Annotated[float, typer.Option(metavar="S", help="Seconds of each file, from its first note.")] = 60.0,
    sample_rate: Annotated[int, typer.Option(metavar="HZ", help="Sample rate of the audio.")] = 16_000,
    genre_folders: Annotated[
        bool, typer.Option("--genre-folders", help="Take the folders directly below FOLDER as genres.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the splits; an artist is in one split only.")] = 0,
    workers: _Workers = None,
) -> None:
    r"""Render a folder of MIDI files into audio with labels.

    Uses FluidSynth and General MIDI sound fonts. Instruments, tempo, metre and
    key come from the files, artists and titles from their names (docs/midi.md).
    If it is interrupted, run the same command again to continue.

      musicrec render-midi MIDI_FOLDER --sound-font FluidR3_GM.sf2 --out rendered
      musicrec train data=manifest data.manifest=rendered/manifest.csv
        'task=\[instruments,features]'
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.data.midi.collection import render_folder

        startup.finish()
        done = render_folder(
            source,
            sound_fonts=sound_font,
            out=out,
            duration_s=duration_s,
            sample_rate=sample_rate,
            genre_folders=genre_folders,
            seed=seed,
            workers=workers,
        )
        for line in done.report():
            print(line)


@app.command(cls=_SeveralSoundFonts, rich_help_panel=TOOLS)
def render_corpus(
    out: _RenderedFolder,
    clips_per_genre: Annotated[
        int, typer.Option(metavar="N", help="Arranged clips of each of the twelve genres; about 600 KB per clip.")
    ] = 100,
    composed: Annotated[
        int, typer.Option(metavar="N", help="Composed clips besides: modes, drones, loud drums; for train and valid.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Another seed makes another corpus in the same styles.")] = 0,
    sound_font: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Sound font (.sf2, .sf3); one of several is drawn per clip.  "
            "[default: FluidR3_GM and TimGM6mb, where Debian puts them]",
            show_default=False,
        ),
    ] = None,
    shift_sound_font: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Sound font for half of the test clips, as split test_shift."),
    ] = None,
    workers: _Workers = None,
) -> None:
    r"""Render a labelled corpus from nothing.

    Chords and a lead line are written by rule, arranged by MMA in the styles of
    twelve genres, and played by FluidSynth. Genre, instruments, tempo, key,
    mode and metre are known for certain. A style is in one split only, the same
    for every seed (docs/corpus.md). The same command gives the same samples.
    If it is interrupted, run the same command again to continue.

      apt install mma fluidsynth fluid-soundfont-gm timgm6mb-soundfont
      musicrec render-corpus --out corpus --clips-per-genre 100 --composed 300
      musicrec train data=manifest data.manifest=corpus/manifest.csv
        'task=\[genre,features]'
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.data.rendering import corpus

        startup.finish()
        done = corpus.render_corpus(
            out,
            clips_per_genre=clips_per_genre,
            composed=composed,
            seed=seed,
            sound_fonts=sound_font or corpus.SOUND_FONTS,
            shift_sound_font=shift_sound_font,
            workers=workers,
        )
        for line in done.report():
            print(line)
