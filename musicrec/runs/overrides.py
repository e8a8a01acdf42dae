"""Command-line overrides of runs: which of them identify a job, and in which ones runs differ."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

Value = str | int | float | bool | None
SEED_KEY = "seed"  # runs that differ only in this key belong to one setting
_NOT_IDENTIFYING = ("sweep.", "+sweep.", "~sweep.", "resume=")


def identifying_overrides(overrides: Sequence[str]) -> frozenset[str]:
    """Return the overrides that identify a job: all but those of the sweep itself and of resuming.

    Whether a text is quoted makes no difference.
    """
    return frozenset(normalise_quotes(text) for text in overrides if not text.startswith(_NOT_IDENTIFYING))


def normalise_quotes(override: str) -> str:
    """Return an override with single quotes around its text if Hydra needs any, and else without quotes."""
    if not set(override) & set("'\"\\"):
        return override
    parser = OverridesParser.create()
    parsed = parser.parse_override(override)
    text = parsed.value()
    if not isinstance(text, str):
        return override
    plain = f"{parsed.get_key_element()}={text}"
    try:
        same = parser.parse_override(plain).value() == text
    except HydraException:
        same = False
    quoted = QuotedString(text=text, quote=Quote.single).with_quotes()
    return plain if same else f"{parsed.get_key_element()}={quoted}"


def differing_settings(runs: Sequence[Sequence[str]]) -> list[dict[str, Value]]:
    """Return the settings in which runs differ.

    Args:
        runs: The overrides of each run.

    Returns:
        For each run, {key: value} of the overrides whose values differ between runs; None where a run lacks the key.
        If no values differ, as with a single run, all overrides.
    """
    parser = OverridesParser.create()
    settings = [dict(map(_key_and_value, parser.parse_overrides(list(overrides)))) for overrides in runs]
    keys = dict.fromkeys(key for values in settings for key in values)
    differing = [key for key in keys if len({str(values.get(key)) for values in settings}) > 1]
    return [{key: values.get(key) for key in differing or keys} for values in settings]


def _key_and_value(override: object) -> tuple[str, Value]:
    value = override.value()
    if isinstance(value, QuotedString):
        value = value.text
    return override.key_or_group, value if isinstance(value, Value) else str(value)
