"""File names on the command line."""

import re
from collections.abc import Sequence


def quote_paths(arguments: Sequence[str], *, keys: Sequence[str]) -> list[str]:
    """Command-line arguments with the values of these keys quoted for Hydra, whose grammar would trip over a file
    called "Artist - Title (Extended Mix).mp3". Values that are quoted already, and multiruns, stay as they are."""
    if {"-m", "--multirun"} & set(arguments):
        return list(arguments)
    quoted = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if equals and value and key in keys and value[0] not in "'\"" and value != "null" and "${" not in value:
            # In Hydra's quotes a backslash is plain, except before a quotation mark.
            escaped = re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), value)
            argument = f"{key}='{escaped}'"
        quoted.append(argument)
    return quoted
