"""Prepare a command line for Hydra: quote file names, and spell out mixtures of datasets."""

import re
from collections.abc import Sequence

from musicrec.config.explain import one_message
from musicrec.errors import ConfigError

# Keys of recommend.py whose values are paths: a single one, or one or a list.
PATHS, PATH_LISTS = ("query", "source", "library"), ("exports",)

# Paths of the other programs that Hydra's grammar might misread, such as "My music (2020)" or 2020.
_PATH_VALUES = re.compile(
    r"(data\.(sets\.[^.=]+\.)?(root|labels|manifest|csv)|paths\.\w+)=(?![\w.-]*/[\w./-]*$)", re.ASCII
)


def quote_paths(arguments: Sequence[str], *, keys: Sequence[str], list_keys: Sequence[str] = ()) -> list[str]:
    """Quote values for Hydra, whose grammar cannot read a file name such as "Artist - Title (Extended Mix).mp3".

    Args:
        arguments: The command line. Values that are quoted already, and multiruns, stay as they are.
        keys: Keys whose values are paths.
        list_keys: Keys that take a path or a list of paths, [ONE,TWO]; in a list a comma always separates.

    Returns:
        The command line with quotes.
    """
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    quoted = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in list_keys and value.startswith("[") and value.endswith("]"):
            items = [_quoted(item.strip()) for item in value[1:-1].split(",")]
            # Quotes may enclose a comma: leave such a list to Hydra.
            argument = argument if re.search(r"[\[,]\s*['\"]", value) else f"{key}=[{','.join(items)}]"
        elif equals and key in (*keys, *list_keys):
            argument = f"{key}={_quoted(value)}"
        quoted.append(argument)
    return quoted


def _quoted(value: str) -> str:
    if not value or value[0] in "'\"" or value == "null" or "${" in value:
        return value
    # Within Hydra's quotes a backslash is special only before a quotation mark.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
    return f"'{escaped}'"


def spelled_out(arguments: list[str]) -> list[str]:
    """Write data=[a,b] as a mixture with one config group per dataset, and quote the names of files and folders.

    Args:
        arguments: The command line as a user types it.

    Returns:
        The command line as Hydra takes it.
    """
    out = []
    for argument in arguments:
        several = re.fullmatch(r"data=\[(.*)\]", argument)
        names = [name.strip() for name in several[1].split(",") if name.strip()] if several else []
        for name in names:
            if names.count(name) > 1:
                with one_message():
                    raise ConfigError(
                        f"{argument}: {name} is named twice; give each a name of its own, as in "
                        f"data=mixture +data@data.sets.MINE={name} +data@data.sets.OTHER={name}"
                    )
        out += ["data=mixture", *(f"+data@data.sets.{name}={name}" for name in names)] if several else [argument]
    return quote_paths(out, keys=[named[1] for named in map(_PATH_VALUES.match, out) if named])
