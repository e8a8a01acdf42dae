"""Read options that take several words."""

from collections.abc import Iterable
from pathlib import Path


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
