"""Read options that take several words, and name options in messages."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from musicrec.errors import MusicrecError


def listed(text: str | None) -> list[str]:
    """Return the words between commas, such as ["house", "techno"] of "house, techno"; [] for None.

    Args:
        text: The value of an option; empty words do not count.
    """
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def listed_models(values: Iterable[str] | None) -> list[str]:
    """Return the models that an option names, which is given several times, or once with commas.

    Args:
        values: Names of models, and export folders; a folder that exists may have a comma in its name.
    """
    return [name for value in values or () if value for name in ([value] if Path(value).exists() else listed(value))]


@contextmanager
def named_options(options: Mapping[str, str]) -> Iterator[None]:
    """Name the options of a command in the messages of errors, where the library names its settings.

    Args:
        options: {setting: option}, such as {"towards": "--to"}; an argument without a name is "". A setting that ends
            in a dot, {"weights.": "--weights "}, stands for all that begin with it.

    Raises:
        MusicrecError: An error of the same kind, whose message says "--to X: …" for "towards=X: …".
    """
    try:
        yield
    except MusicrecError as error:
        raise type(error)(with_options(str(error), options)) from error


def with_options(message: str, options: Mapping[str, str]) -> str:
    """Return a message that begins with the option in place of the setting.

    Args:
        message: Such as "towards=X: there is no such file".
        options: As for `named_options`.
    """
    match = re.match(r"([\w.]+)(=|: )", message)
    if match is None:
        return message
    group, dot, name = match[1].partition(".")
    if group + dot in options and name:
        return f"{options[group + dot]}{name}{_as_written(message[match.end(1) :])}"
    if match[1] not in options:
        return message
    option, rest = options[match[1]], message[match.end() :]
    if match[2] == "=":
        return _as_written(f"{option} {rest}").lstrip()
    return f"{option}: {rest}" if option else rest


def _as_written(text: str) -> str:
    """Return a message whose first number has no ".0", which was read of a whole one."""
    return re.sub(r"^(\D*\d+)\.0(?=:)", r"\1", text)
