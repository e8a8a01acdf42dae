"""What needs no config: `python -m musicrec --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from musicrec.errors import ConfigError, MusicrecError

IMPORT_HELP = """\
Turn a checkpoint of sota-music-tagging-models (a .pth state dict) into an export folder, which musicrec.load,
evaluate.py and recommend.py read. Nothing in the checkpoint is run.

  python -m musicrec import-checkpoint best_model.pth --architecture crnn --classes tags.txt --out exports/mtat_crnn

Its one head is called "tags". tags.txt names the outputs in their order, a name a line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the answer is the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except MusicrecError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m musicrec",
        description="Tools beside the programs train.py, evaluate.py and recommend.py.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "import-checkpoint",
        help="turn public weights into an export",
        description=IMPORT_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("weights", metavar="WEIGHTS", help="the .pth file")
    command.add_argument("--architecture", required=True, help="crnn or short_chunk_resnet")
    command.add_argument("--classes", required=True, metavar="FILE", help="names of the outputs, one a line, in order")
    command.add_argument("--out", required=True, metavar="DIR", help="the export folder to write")
    command.add_argument("--licence", help="of the weights; goes into the model card")
    command.set_defaults(command=_import_checkpoint)
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
