"""How numbers and paths are written for people. Only `os` is imported, as commands need these when they start."""

import os


def counted(count: int, what: str = "track") -> str:
    """Return how many there are, such as "1 track" and "3,000 tracks".

    Args:
        count: How many.
        what: The noun, whose plural ends in s.
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def length_text(length_s: float) -> str:
    """Return a length in whole seconds, rounded down as players do: "3:05", and from an hour on "1:02:03".

    Args:
        length_s: The length in seconds.
    """
    minutes, seconds = divmod(int(length_s), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours}:{left:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def short(value: float) -> str:
    """Return a number with one decimal, and without if that is 0: "6", "6.5"."""
    return f"{value:.1f}".removesuffix(".0")


def signed(value: float, digits: int) -> str:
    """Return a number with its sign: "+1.7", "-2.0", and "±0" for what rounds to 0."""
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}" if rounded else "±0"


def loudness_text(louder_lu: float, *, least: float) -> str:
    """Return a difference in loudness, such as "5 LU quieter"; "" if it is below `least` or NaN."""
    return f"{abs(louder_lu):.0f} LU {'louder' if louder_lu > 0 else 'quieter'}" if abs(louder_lu) >= least else ""


def short_path(path: str) -> str:
    """Return a path with ~ for the home folder, as people write it."""
    home = f"{os.path.expanduser('~')}{os.sep}"
    return f"~{os.sep}{path.removeprefix(home)}" if path.startswith(home) else path
