"""Prepare a command line for Hydra, so that names of files and folders may contain any character.

1. The exact name of an existing file or folder is text, and so is what Hydra's grammar cannot read. Every other value
   means what it means to Hydra. So do null and quoted values, and numbers, true and false if the setting takes them.
2. Commas separate in a list [ONE,TWO] and, with -m, in a sweep, but not within the name of an existing file or folder.
   Elsewhere a comma is text, unless it separates plain words or existing files or folders: Hydra then explains how to
   write a list or a sweep.
   Hydra's own settings, such as hydra.run.dir, are never swept.
3. A leading ~/ is the home folder.
4. The options of a config group, such as model=crnn or task=[tags], are never files.

A new file or folder with a plain name in an existing folder counts as existing.
"""

import os
import re
from collections.abc import Callable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException

from musicrec.config.explain import one_message
from musicrec.errors import ConfigError

_OVERRIDE = re.compile(r"((?:~|\+{1,2})?[\w$][\w$.:/@\[\]-]*=)(.*)", re.ASCII | re.DOTALL)
_WORDS = re.compile(r"[\w.:+-]+(,[\w.:+-]+)*", re.ASCII)  # such as seed=0,1 or export=best:A,best:B
_PLAIN = re.compile(r"[\w./-]*", re.ASCII)
# Options of Hydra whose value, a name, is the next argument.
_OPTIONS_WITH_VALUE = {"--config-dir", "-cd", "--config-name", "-cn", "--config-path", "-cp"}
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_UNREADABLE = object()


def quote_paths(
    arguments: Sequence[str],
    *,
    takes_text: Callable[[str, Sequence[str]], bool] = lambda key, others: False,
    is_group: Callable[[str], bool] = lambda key: False,
) -> list[str]:
    """Quote the values that Hydra's grammar would not read as they are meant, as the rules of this module say.

    Args:
        arguments: The command line as a user types it.
        takes_text: Tells whether a setting takes text. It gets the key and the other arguments, quoted. It is only
            called for a number, true or false that is the name of an existing file or folder.
        is_group: Tells whether a key is a config group.

    Returns:
        The command line with quotes.
    """
    multirun = not {"-m", "--multirun", "hydra.mode=MULTIRUN"}.isdisjoint(arguments)
    prepared = list(arguments)
    for number, argument in enumerate(arguments):
        override = _OVERRIDE.fullmatch(argument)
        if override and (number == 0 or arguments[number - 1] not in _OPTIONS_WITH_VALUE):
            key, text = override.groups()
            if is_group(key[:-1].lstrip("~+").partition("@")[0]):
                continue
            others = [*arguments[:number], *arguments[number + 1 :]]
            swept = multirun and not key.startswith("hydra.")  # Hydra does not sweep over its own settings
            prepared[number] = key + _Value(key[:-1], others, takes_text, multirun=swept).prepare(text)
    return prepared


class _Value:
    """Prepares the value of one argument.

    Args:
        key: The setting.
        others: The other arguments.
        takes_text: As for `quote_paths`.
        multirun: Whether commas may separate the values of a sweep.
    """

    def __init__(
        self, key: str, others: Sequence[str], takes_text: Callable[[str, Sequence[str]], bool], *, multirun: bool
    ) -> None:
        self.key, self.others, self.takes_text, self.multirun = key, others, takes_text, multirun

    def prepare(self, text: str) -> str:
        """Return the text of a value, quoted if necessary."""
        if _exists(text) or ("," not in text and not _is_list(text)):
            return text if self._is_understood(text) else _quoted(text)
        if _is_list(text):
            return self._each(text[1:-1], "[{}]")
        read = _read(text)
        if read is not _UNREADABLE and not _is_simple_sweep(read):  # quoted, or a function such as range(1,3)
            return text
        if self.multirun or all(map(_exists, _elements(text))):
            return self._each(text, "{}")
        return text if _WORDS.fullmatch(text) and read is not _UNREADABLE else _quoted(text)

    def _is_understood(self, text: str) -> bool:
        """Return whether Hydra reads a single value as it is meant."""
        read = _read(text)
        if read is _UNREADABLE or _is_simple_sweep(read):
            return False
        if read is None or isinstance(read, QuotedString) or not _exists(text):
            return True
        if isinstance(read, bool | int | float):
            return not self.takes_text(self.key, quote_paths(self.others))
        return read == text and "${" not in text and not text.endswith("\\")

    def _each(self, text: str, form: str) -> str:
        """Prepare each of the elements that commas separate."""
        whole, elements = form.format(text), _elements(text)
        if elements == [whole]:
            return _quoted(whole) if _read(whole) is _UNREADABLE else whole
        prepared = form.format(",".join(map(self.prepare, elements)))
        if prepared == form.format(",".join(elements)):
            prepared = whole  # as it was typed
        return _quoted(whole) if _read(prepared) is _UNREADABLE else prepared


def _read(text: str) -> object:
    """Return what Hydra reads, or _UNREADABLE."""
    try:
        return OverridesParser.create().parse_override(f"key={text}")._value
    except HydraException:
        return _UNREADABLE


def _is_simple_sweep(read: object) -> bool:
    return isinstance(read, ChoiceSweep) and read.simple_form


def _exists(text: str) -> bool:
    """Return whether a file or folder exists, or would be a new one with a plain name in a folder that exists."""
    ends = [len(text), *(match.start() for match in re.finditer("/", text))]
    try:
        return any(
            os.path.lexists(text[:end]) and _PLAIN.fullmatch(text[end:])
            for end in ends
            if text[:end] not in ("", ".", "..", "~")
        )
    except ValueError:  # a null character
        return False


def _is_list(text: str) -> bool:
    """Return whether a text is a list, and not a name such as [ONE] [TWO]."""
    if len(text) < 2 or (text[0], text[-1]) != ("[", "]") or _exists(text):
        return False
    inner = text[1:-1]
    return _is_balanced(inner) or any(map(_exists, _elements(inner)))


def _elements(text: str) -> list[str]:
    """Split at commas, but not in the name of an existing file or folder, and not within brackets or quotes."""
    pieces, elements = text.split(","), []
    while pieces:
        joined = [",".join(pieces[: end + 1]) for end in range(len(pieces))]
        starts = [start if _exists(start) else start.strip() for start in joined]
        existing = [end for end, start in enumerate(starts) if _exists(start)]
        balanced = [end for end, start in enumerate(starts) if _is_balanced(start)]
        end = existing[-1] if existing else (balanced or [0])[0]
        elements.append(starts[end])
        pieces = pieces[end + 1 :]
    return elements


def _is_balanced(text: str) -> bool:
    """Return whether all brackets are paired, except within quotes that enclose the text."""
    if text[:1] in ("'", '"'):
        return isinstance(_read(text), QuotedString)
    closing: list[str] = []
    for character in text:
        if character in _BRACKETS:
            closing.append(_BRACKETS[character])
        elif character in _BRACKETS.values() and (not closing or closing.pop() != character):
            return False
    return not closing


def _quoted(text: str) -> str:
    literal = _exists(text)
    if text.startswith("~"):
        home = text if literal and text[:2] != "~/" else os.path.expanduser(text)
        text = f"./{text}" if home.startswith("~") else home  # a file called ~x is not the home folder of a user x
    if literal or not re.search(r"\$\{[^{}]*\}", text):  # otherwise it has an interpolation, ${paths.runs}
        text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    # Within Hydra's quotes a backslash is special only before a quotation mark.
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + (m[2] and "\\'"), text)
    return f"'{escaped}'"


def spell_out_mixtures(arguments: Sequence[str]) -> list[str]:
    """Write data=[a,b] as a mixture with one config group per dataset.

    Args:
        arguments: The command line as a user types it.

    Returns:
        The command line as Hydra takes it.

    Raises:
        SystemExit: A dataset is named twice, which a message has said.
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
    return out
