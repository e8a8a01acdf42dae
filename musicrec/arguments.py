"""File names on the command line."""

import re
from collections.abc import Sequence


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
