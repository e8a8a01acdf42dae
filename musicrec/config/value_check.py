"""Check one value against a type with limits, or against a list of choices, and name the setting that is wrong."""

from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, get_origin, get_type_hints

from musicrec.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "null": "null",
}
_LIMITS = {
    "minimum": "{} or more",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def check_value(key: str, value: object, annotation: Any, *, expected: str | None = None) -> None:
    """Check that a value fits a type.

    Args:
        key: The setting, as a user writes it, such as "data.batch_size".
        value: Its value.
        annotation: A type such as `Count | None` (see `number_types`) or `Literal["any", "all"]`.
        expected: What to give instead, in words. The default is derived from the type.

    Raises:
        ConfigError: The value does not fit, as in "data.batch_size=0: give a whole number, 1 or more".
    """
    if not fits(value, annotation):
        raise ConfigError(f"{key}={value}: give {expected or describe(annotation)}")


def check_fields(key: str, settings: Any) -> None:
    """Check the fields of a dataclass whose types have limits, such as `Share` or `Count | None`.

    Args:
        key: What the settings are called, as a user writes it, such as "curve".
        settings: The dataclass. Fields of other types than numbers with limits are not checked.

    Raises:
        ConfigError: A value does not fit, as in "curve.periods=0: give a whole number, 1 or more".
    """
    hints = get_type_hints(type(settings), include_extras=True)
    for field in fields(settings):
        annotation = hints[field.name]
        if any(get_origin(part) is Annotated for part in (annotation, *getattr(annotation, "__args__", ()))):
            check_value(f"{key}.{field.name}", getattr(settings, field.name), annotation)


def check_choice(key: str, value: object, choices: Sequence) -> None:
    """Check that a value is one of the choices.

    Args:
        key: The setting, as a user writes it.
        value: Its value.
        choices: All values that it may have.

    Raises:
        ConfigError: The value is none of them; the message lists the choices.
    """
    if isinstance(value, bool) or value not in list(choices):
        raise ConfigError(f"{key}={value}: choose {join_alternatives(choices)}")


def check_choices(key: str, values: Sequence, choices: Sequence) -> None:
    """Check that a list holds one or more of the choices and nothing else.

    Args:
        key: The setting, as a user writes it.
        values: The list.
        choices: All values that its items may have.

    Raises:
        ConfigError: The list is empty, or one of its items is no choice; the message lists the choices.
    """
    if not values or not all(value in list(choices) for value in values):
        raise ConfigError(f"{key}={list(values)}: choose one or more of {', '.join(map(str, choices))}")


def fits(value: object, annotation: Any) -> bool:
    """Return whether a value fits a type.

    An integer is a number, too. True and false are no numbers, and NaN is within no limits.

    Args:
        value: Any value.
        annotation: A type, as `check_value` takes it.
    """
    from pydantic import ValidationError

    try:
        _adapter(annotation).validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def describe(annotation: Any) -> str:
    """Return what a type takes, in words: "a whole number or null, 1 or more"."""
    schema = _adapter(annotation).json_schema()
    names: list[str] = []
    limits: list[str] = []
    for part in schema.get("anyOf", [schema]):
        choices = [part["const"]] if "const" in part else part.get("enum", ())
        names += map(str, choices or [_NAMES[part["type"]]])
        if "minimum" in part and "maximum" in part:
            limits.append(f"from {part['minimum']} to {part['maximum']}")
        else:
            limits += [text.format(part[limit]) for limit, text in _LIMITS.items() if limit in part]
    if "a number" in names:
        names = [name for name in names if name != "a whole number"]
    separator = " " if len(names) == 1 and limits[:1] and limits[0].startswith("from") else ", "
    return separator.join([join_alternatives(names), *([" and ".join(limits)] if limits else [])])


def join_alternatives(names: Sequence) -> str:
    """Return "a, b or c"."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last


@lru_cache
def _adapter(annotation: Any) -> "TypeAdapter":
    from pydantic import TypeAdapter  # here, as it takes longer to import than most commands need it

    return TypeAdapter(annotation)
