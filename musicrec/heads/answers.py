"""Answers of heads about one track, in NumPy and plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class DJFacts:
    """What a head says about the tempo and the key of a track; None where it says nothing.

    Attributes:
        bpm: Tempo in beats per minute.
        tonic: Name of the pitch class, as in `musicrec.heads.keys.PITCH_CLASSES`.
        mode: "major" or "minor".
    """

    bpm: float | None = None
    tonic: str | None = None
    mode: str | None = None

    @classmethod
    def joined(cls, facts: Iterable["DJFacts"]) -> "DJFacts":
        """Return what several heads say together: the tonic of one, and the mode of another if that one has none.

        Args:
            facts: What each of them says; the first one that says something counts.
        """
        facts = list(facts)
        tonic, mode = next(((fact.tonic, fact.mode) for fact in facts if fact.tonic is not None), (None, None))
        return cls(
            bpm=next((fact.bpm for fact in facts if fact.bpm is not None), None),
            tonic=tonic,
            mode=mode or next((fact.mode for fact in facts if fact.mode is not None), None),
        )


def ranked(probabilities: np.ndarray, classes: Sequence[str], present: np.ndarray) -> list[dict[str, Any]]:
    """Return the classes of a track, most probable first.

    Args:
        probabilities: (size,).
        classes: The name of each class.
        present: (size,) bool, whether the track has the class.

    Returns:
        [{"tag": name, "probability": float, "present": bool}].
    """
    return [
        {"tag": classes[index], "probability": float(probabilities[index]), "present": bool(present[index])}
        for index in np.argsort(-probabilities, kind="stable").tolist()
    ]


def likeliest(probabilities: np.ndarray) -> np.ndarray:
    """Return (size,) bool: true for the most probable class."""
    return np.arange(len(probabilities)) == probabilities.argmax()
