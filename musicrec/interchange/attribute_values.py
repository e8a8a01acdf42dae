"""Numbers, dates and texts in the attributes of XML files."""

import re
from collections.abc import Mapping
from datetime import date

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ].*)?", re.ASCII)
_MOST = 1e12
_MOST_PROBLEMS = 1000


class AttributeValues:
    """Reads values, and notes what cannot be understood instead of failing: one bad value does not spoil a collection.

    Attributes:
        line: The line of the element, for the notes.
        problems: The notes, at most 1,000.
    """

    def __init__(self) -> None:
        self.line = 0
        self.problems: list[str] = []

    def note(self, problem: str) -> None:
        """Note a problem of the line."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(f"line {self.line}: {problem}")

    def text(self, attributes: Mapping[str, str], name: str) -> str | None:
        """Return a text, None if it is missing or blank."""
        value = attributes.get(name)
        return value if value and value.strip() else None

    def number(
        self, attributes: Mapping[str, str], name: str, *, least: float = -_MOST, most: float = _MOST
    ) -> float | None:
        """Return a number between two limits, None if it is missing or cannot be understood."""
        text = attributes.get(name, "").strip()
        if not text:
            return None
        value = float(text.replace(",", ".")) if len(text) < 64 and _NUMBER.fullmatch(text) else None
        if value is None or not least <= value <= most:
            self.note(f"{name}={text[:40]!r} is not a number that is possible here")
            return None
        return value

    def positive(self, attributes: Mapping[str, str], name: str, *, most: float = _MOST) -> float | None:
        """Return a number above zero; 0 is how programs write that they do not know."""
        return self.number(attributes, name, least=0, most=most) or None

    def whole(self, attributes: Mapping[str, str], name: str, *, least: int = 0, most: int = 10**12) -> int | None:
        """Return a whole number, None if it is missing or cannot be understood."""
        value = self.number(attributes, name, least=least, most=most)
        return None if value is None else int(value)

    def stars(self, attributes: Mapping[str, str], name: str) -> int | None:
        """Return a rating of 0 to 255 as 0 to 5 stars; programs write 0, 51, 102, 153, 204 and 255."""
        value = self.number(attributes, name, least=0, most=255)
        return None if value is None else int(value / 51 + 0.5)

    def day(self, attributes: Mapping[str, str], name: str) -> date | None:
        """Return a date such as 2026-05-31 or 2026/5/31, None if it is missing or cannot be understood."""
        text = attributes.get(name, "").strip()
        if not text:
            return None
        try:
            year, month, day = map(int, _DATE.fullmatch(text).groups())  # type: ignore[union-attr]
            return date(year, month, day)
        except (AttributeError, ValueError):
            if text.strip("0-/"):  # 0000-00-00 is how programs write that they do not know
                self.note(f"{name}={text[:40]!r} is not a date")
            return None
