"""Start a program: prepare its command line for Hydra, and find its config folder.

Nothing here imports torch or Lightning, so `--help` and a mistake in a command are answered at once.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import hydra
from hydra._internal import utils as hydra_utils
from hydra.errors import MissingConfigException
from omegaconf import DictConfig

import musicrec
from musicrec import sweeps
from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.programs import resolvers
from musicrec.programs.arguments import PATH_LISTS, PATHS, quote_paths, spelled_out
from musicrec.programs.guard import program

PROGRAMS = ("train", "evaluate", "robustness", "recommend")


def conf_folder() -> Path:
    """Return Hydra's config folder: `conf/` of a checkout, or the copy of it in an installed package."""
    return (Path(musicrec.__file__).parent / "conf").resolve()


def launch(name: str, arguments: Sequence[str] | None = None) -> None:
    """Run one of `PROGRAMS` and exit.

    Args:
        name: The program, which is also the name of its config.
        arguments: Its arguments; None for those of this process.
    """
    typed = sys.argv
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.argv = [f"{name}.py", *_for_hydra(name, given)]

    @program
    def task(cfg: DictConfig) -> object:
        sys.argv = typed  # other processes that Lightning starts must get the command as it was typed
        return import_module(f"musicrec.programs.{name}").main(cfg)

    resolvers.register()
    sweeps.register()
    try:
        with _unknown_options_in_one_message():
            hydra.main(config_path=str(conf_folder()), config_name=name, execution_whitelist=TARGETS)(task)()
    except BrokenPipeError:  # the reader of the output has ended, as in `… --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends
        sys.exit(1)


@contextmanager
def _unknown_options_in_one_message() -> Iterator[None]:
    """Report an unknown option of a config group as any other mistake.

    Hydra composes the config before it calls anything of this project, and prints its own text of several lines.
    """
    report = hydra_utils.run_and_report

    def run_and_report(step: Callable[[], object]) -> object:
        def guarded() -> object:
            try:
                return step()
            except MissingConfigException:
                with one_message():
                    raise

        return report(guarded)

    hydra_utils.run_and_report = run_and_report
    try:
        yield
    finally:
        hydra_utils.run_and_report = report


def _for_hydra(name: str, arguments: list[str]) -> list[str]:
    """Return arguments as Hydra takes them, with a user's own folder `conf` added to the search path."""
    quoted = quote_paths(arguments, keys=PATHS, list_keys=PATH_LISTS) if name == "recommend" else spelled_out(arguments)
    beside = Path("conf")
    named = any(argument.split("=")[0] in ("--config-dir", "-cd") for argument in arguments)
    if not named and beside.is_dir() and beside.resolve() != conf_folder().resolve():
        quoted.append(f"--config-dir={beside.resolve()}")
    return quoted
