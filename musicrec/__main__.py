"""What needs no config: `python -m musicrec --help`."""

from musicrec.programs import startup  # first: see there

# isort: split
import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path

from musicrec.errors import ConfigError, MusicrecError

IMPORT_HELP = """\
Turn a checkpoint of sota-music-tagging-models (a .pth state dict) into an export folder, which musicrec.load,
evaluate.py and recommend.py read. Nothing in the checkpoint is run.

  python -m musicrec import-checkpoint best_model.pth --architecture crnn --classes tags.txt --out exports/mtat_crnn

Its one head is called "tags". tags.txt names the outputs in their order, a name a line."""

RENDER_HELP = """\
Render a folder of MIDI files with FluidSynth and General MIDI sound fonts into audio and a manifest: instruments,
tempo, metre and key come from the files, artists and titles from their names (docs/midi.md).

  python -m musicrec render-midi MIDI_FOLDER --sound-font FluidR3_GM.sf2 --out rendered
  python train.py data=manifest data.manifest=rendered/manifest.csv 'task=[instruments,features]'

Interrupted, the same command goes on where it was."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit status."""
    options = _parser().parse_args(arguments)
    startup.over()
    try:
        return options.command(options)
    except MusicrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m musicrec",
        description="Tools beside the programs train.py, evaluate.py, robustness.py and recommend.py.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = functools.partial(commands.add_parser, formatter_class=argparse.RawDescriptionHelpFormatter)
    command = add("import-checkpoint", help="turn public weights into an export", description=IMPORT_HELP)
    command.add_argument("weights", metavar="WEIGHTS", help="the .pth file")
    command.add_argument("--architecture", required=True, help="crnn or short_chunk_resnet")
    command.add_argument("--classes", required=True, metavar="FILE", help="names of the outputs, one a line, in order")
    command.add_argument("--out", required=True, metavar="DIR", help="the export folder to write")
    command.add_argument("--licence", help="of the weights; goes into the model card")
    command.set_defaults(command=_import_checkpoint)

    command = add("render-midi", help="turn MIDI files into audio with labels", description=RENDER_HELP)
    command.add_argument("source", metavar="FOLDER", help="of MIDI files")
    command.add_argument("--sound-font", required=True, nargs="+", metavar="FILE", help=".sf2; each makes a variant")
    command.add_argument("--out", required=True, metavar="DIR", help="the folder to write audio and manifest into")
    command.add_argument(
        "--duration-s", type=float, default=60.0, metavar="S", help="of each file, from its first note"
    )
    command.add_argument("--sample-rate", type=int, default=16_000, metavar="HZ")
    command.add_argument("--genre-folders", action="store_true", help="the folders just below FOLDER are genres")
    command.add_argument("--seed", type=int, default=0, help="of the splits, which keep artists apart")
    command.add_argument("--workers", type=int, metavar="N", help="files at a time; all cores if left out")
    command.set_defaults(command=_render_midi)
    return parser


def _import_checkpoint(options: argparse.Namespace) -> int:
    from musicrec import import_checkpoint  # torch takes seconds to import, --help should not

    licence = {} if options.licence is None else {"licence": options.licence}
    export = import_checkpoint(
        options.weights,
        architecture=options.architecture,
        classes=_names(options.classes),
        out=options.out,
        **licence,
    )
    print(f"export: {export}")
    return 0


def _render_midi(options: argparse.Namespace) -> int:
    try:
        from musicrec.data.midi.collection import render_folder
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error}; install it with: pip install -c constraints.txt -e .[midi]") from None

    done = render_folder(
        options.source,
        sound_fonts=options.sound_font,
        out=options.out,
        duration_s=options.duration_s,
        sample_rate=options.sample_rate,
        genre_folders=options.genre_folders,
        seed=options.seed,
        workers=options.workers,
    )
    for line in done.told():
        print(line)
    return 0


def _names(path: str) -> list[str]:
    """The lines of a text file that are not blank."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ConfigError(f"--classes {path} cannot be read: {reason}") from None
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    sys.exit(main())
