"""Start a program: prepare its command line for Hydra, and find its config folder.

Nothing here imports torch or Lightning, so `--help` and a mistake in a command are answered at once.
"""

import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import hydra
import yaml
from hydra._internal import utils as hydra_utils
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import musicrec
from musicrec import sweeps
from musicrec.config.explain import one_message
from musicrec.config.targets import TARGETS
from musicrec.programs import resolvers
from musicrec.programs.arguments import quote_paths, spell_out_mixtures
from musicrec.programs.guard import program

_ABSENT = object()

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
    resolvers.register()
    sweeps.register()
    sys.argv = [f"{name}.py", *_for_hydra(name, given)]

    @program
    def task(cfg: DictConfig) -> object:
        sys.argv = typed  # other processes that Lightning starts must get the command as it was typed
        return import_module(f"musicrec.programs.{name}").main(cfg)

    try:
        with _config_mistakes_in_one_message():
            hydra.main(config_path=str(conf_folder()), config_name=name, execution_whitelist=TARGETS)(task)()
    except BrokenPipeError:  # the reader of the output has ended, as in `… --help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains again when it ends
        sys.exit(1)


@contextmanager
def _config_mistakes_in_one_message() -> Iterator[None]:
    """Report an unknown option of a config group, or a config file that is no YAML, as any other mistake.

    Hydra composes the config before it calls anything of this project. For the first it prints several lines, for the
    second a traceback.
    """
    report = hydra_utils.run_and_report

    def run_and_report(step: Callable[[], object]) -> object:
        def guarded() -> object:
            try:
                return step()
            except (MissingConfigException, yaml.YAMLError):
                with one_message():
                    raise

        return report(guarded)

    hydra_utils.run_and_report = run_and_report
    try:
        yield
    finally:
        hydra_utils.run_and_report = report


def takes_text(name: str, key: str, arguments: Sequence[str]) -> bool:
    """Return whether a setting takes text: it is text or null in the config, and no constructor wants a number.

    Args:
        name: The program.
        key: The setting.
        arguments: The other arguments of the command line.
    """
    from musicrec.config.validation import takes_numbers

    parser = OverridesParser.create()
    given = [argument for argument in arguments if "=" in argument and not argument.startswith("-")]
    try:
        overrides = [text for text in given if not parser.parse_override(text).is_sweep_override()]
        with hydra.initialize_config_dir(str(conf_folder())):
            cfg = hydra.compose(name, overrides=overrides, return_hydra_config=True)
        default = OmegaConf.select(cfg, key, default=_ABSENT, throw_on_resolution_failure=False)
    except (HydraException, OmegaConfBaseException):  # Hydra reports it
        return False
    return (default is None or isinstance(default, str)) and not takes_numbers(cfg, key, allowed=TARGETS)


def _for_hydra(name: str, arguments: list[str]) -> list[str]:
    """Return arguments as Hydra takes them, with a user's own folder `conf` added to the search path."""
    quoted = quote_paths(
        spell_out_mixtures(arguments),
        takes_text=functools.partial(takes_text, name),
        is_group=lambda key: (conf_folder() / key).is_dir(),
    )
    beside = Path("conf")
    named = any(argument.split("=")[0] in ("--config-dir", "-cd") for argument in arguments)
    if not named and beside.is_dir() and beside.resolve() != conf_folder().resolve():
        quoted.append(f"--config-dir={beside.resolve()}")
    return quoted
