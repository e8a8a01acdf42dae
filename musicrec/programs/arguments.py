"""File names on the command line."""

import re
from collections.abc import Sequence

from musicrec.config.explain import one_message
from musicrec.errors import ConfigError

# Of recommend.py, keys whose values are paths, alone or in a list.
PATHS, PATH_LISTS = ("query", "source", "library"), ("exports",)

# Of the others, values that Hydra's grammar might take for something else: a folder "My music (2020)", or one
# called 2020.
_PATH_VALUES = re.compile(
    r"(data\.(sets\.[^.=]+\.)?(root|labels|manifest|csv)|paths\.\w+)=(?![\w.-]*/[\w./-]*$)", re.ASCII
)


def quote_paths(arguments: Sequence[str], *, keys: Sequence[str], list_keys: Sequence[str] = ()) -> list[str]:
    """Command-line arguments with the values of these keys quoted for Hydra, whose grammar would trip over a file
    called "Artist - Title (Extended Mix).mp3". Values that are quoted already, and multiruns, stay as they are.

    list_keys: those that also take [ONE,TWO], of which each item is quoted; a comma always separates there.
    """
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    quoted = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and key in list_keys and value.startswith("[") and value.endswith("]"):
            items = [_quoted(item.strip()) for item in value[1:-1].split(",")]
            # A quotation mark may be around a comma: then Hydra has to read the list by itself.
            argument = argument if re.search(r"[\[,]\s*['\"]", value) else f"{key}=[{','.join(items)}]"
        elif equals and key in (*keys, *list_keys):
            argument = f"{key}={_quoted(value)}"
        quoted.append(argument)
    return quoted


def _quoted(value: str) -> str:
    if not value or value[0] in "'\"" or value == "null" or "${" in value:
        return value
    # In Hydra's quotes a backslash is plain, except before a quotation mark.
    escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
    return f"'{escaped}'"


def spelled_out(arguments: list[str]) -> list[str]:
    """The command line as Hydra takes it: for data=[a,b] a mixture, and each dataset in a group of its own; names of
    files and folders in quotation marks."""
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
