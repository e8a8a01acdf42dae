"""How facts of tracks are written in reasons, for recommendations and for sets."""

from musicrec.recommend.key_relations import CAMELOT_24
from musicrec.recommend.sets.tempo import SIGNS


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


def tempo_sign(multiple: float) -> str:
    """Return the sign of a multiple of the tempo, such as "÷2"; "" for a track's own tempo."""
    return next(text for times, text in SIGNS.items() if abs(times - multiple) < 1e-3)


def sounding_text(key: int, *, shift: int, vinyl: bool) -> str:
    """Return how a key that sounds higher or lower than written comes about, "" if it does not.

    Args:
        key: The key that sounds, an index in `KEYS_24`.
        shift: By how many semitones it is higher than written.
        vinyl: Whether the tempo moved it; otherwise a key shift did.
    """
    if not shift:
        return ""
    if vinyl:
        return f"which sounds as {CAMELOT_24[key]} at this tempo"
    return f"a semitone {'up' if shift > 0 else 'down'} with the key shift"
