"""The overrides that runs were started with: what makes two runs the same, and in which settings runs differ."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

Value = str | int | float | bool | None
SPREAD_OVER = "seed"  # runs that differ in nothing else are one setting


def identity(overrides: Sequence[str]) -> frozenset[str]:
    """What makes two jobs the same: their settings, but not those of the sweep that they are part of."""
    return frozenset(text for text in overrides if not text.startswith(("sweep.", "+sweep.", "~sweep.", "resume=")))


def differing_settings(runs: Sequence[Sequence[str]]) -> list[dict[str, Value]]:
    """{key: value} of the overrides in which runs differ, for each of them; of a single run, of all."""
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
