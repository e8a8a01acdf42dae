"""`musicrec import-checkpoint`, `publish`, `render-midi` and `render-corpus`.

A command imports what it needs when it runs, like those of `command`.
"""

from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from musicrec.errors import ConfigError
from musicrec.programs import startup

app = typer.Typer(rich_markup_mode="rich")

PANEL = "Tools"


@app.command(rich_help_panel=PANEL)
def import_checkpoint(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="The checkpoint, a .pth file.")],
    architecture: Annotated[
        str,
        typer.Option(metavar="NAME", help="crnn, short_chunk_resnet … (docs/networks.md), or the name it has there."),
    ],
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


@app.command(rich_help_panel=PANEL)
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


@app.command(cls=_SeveralSoundFonts, rich_help_panel=PANEL)
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


@app.command(cls=_SeveralSoundFonts, rich_help_panel=PANEL)
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
