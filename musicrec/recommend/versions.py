"""Which recordings are versions of one: the same recording in another encoding, or remastered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from musicrec.config.number_types import NotNegative, Share
from musicrec.config.value_check import check_fields
from musicrec.recommend.fingerprint import PASSAGES, SIZE_BYTES, similarities, words

if TYPE_CHECKING:
    from musicrec.recommend.library import Library

_ROOM = 256  # recordings, at first


@dataclass(frozen=True, kw_only=True)
class SameRecording:
    """When two recordings are versions of one.

    Attributes:
        similarity: How alike they sound at least, see `musicrec.recommend.fingerprint.similarity`. Chosen in
            `experiments/versions`.
        difference_s: How much their durations differ at most, in seconds.
        coarse: How alike one of two passages in the middle has to be, for the others to be compared.
    """

    similarity: Share = 0.6
    difference_s: NotNegative = 7.0
    coarse: Share = 0.25

    def __post_init__(self) -> None:
        check_fields("same_recording", self)


class Versions:
    """The recordings of a library, in which versions of a new one are found.

    A new recording is compared with those of about its length only. Each of them takes 2 kB of memory.

    Args:
        same: When two recordings are versions of one.
    """

    def __init__(self, same: SameRecording | None = None) -> None:
        self._same = same or SameRecording()
        self._firsts: list[str] = []
        self._durations = np.empty(_ROOM, np.float32)
        self._words = np.empty((_ROOM, PASSAGES, SIZE_BYTES // PASSAGES // 8), np.uint64)

    def __len__(self) -> int:
        """Return the number of recordings that others can be versions of."""
        return len(self._firsts)

    def add(self, recording: str, duration_s: float, fingerprint: bytes | None, version_of: str | None = None) -> None:
        """Add a recording of the library.

        Args:
            recording: Its audio hash.
            duration_s: Its duration in seconds.
            fingerprint: Its fingerprint. Without one it is never found.
            version_of: The audio hash of the recording that it is a version of.
        """
        if not fingerprint:
            return
        row = len(self._firsts)
        if row == len(self._durations):
            self._durations = np.resize(self._durations, 2 * row)
            self._words = np.resize(self._words, (2 * row, *self._words.shape[1:]))
        self._durations[row], self._words[row] = duration_s, words([fingerprint])[0]
        self._firsts.append(recording if version_of is None else version_of)

    def find(self, duration_s: float, fingerprint: bytes | None) -> str | None:
        """Return the recording that a new one is a version of.

        If it is most like a recording that is itself a version of another, that other one is returned. So all versions
        refer to the one that was there first.

        Args:
            duration_s: The duration of the new recording in seconds.
            fingerprint: Its fingerprint.

        Returns:
            Its audio hash, or None if it is a version of none.
        """
        if not fingerprint:
            return None
        near = np.abs(self._durations[: len(self)] - np.float32(duration_s)) <= self._same.difference_s
        rows = np.flatnonzero(near)
        if not len(rows):
            return None
        alike = similarities(fingerprint, self._words[rows], coarse_limit=self._same.coarse)
        best = int(alike.argmax())
        return self._firsts[rows[best]] if alike[best] >= self._same.similarity else None


def group_versions(
    recordings: Iterable[tuple[str, float, bytes | None]], same: SameRecording | None = None
) -> dict[str, str]:
    """Return which recordings are versions of earlier ones.

    Args:
        recordings: Audio hash, duration in seconds, and fingerprint of each. Later ones refer to earlier ones.
        same: When two recordings are versions of one.

    Returns:
        {audio hash: that of the recording that it is a version of}, without those that are a version of none.
    """
    versions = Versions(same)
    found: dict[str, str] = {}
    for recording, duration_s, fingerprint in recordings:
        version_of = versions.find(duration_s, fingerprint)
        if version_of is not None:
            found[recording] = version_of
        versions.add(recording, duration_s, fingerprint, version_of)
    return found


def find_version(
    library: "Library", duration_s: float, fingerprint: bytes, same: SameRecording | None = None
) -> str | None:
    """Return the recording of a library that another one is a version of; None if of none.

    Args:
        library: The library. Only recordings of about the length are read.
        duration_s: The length of the other recording in seconds.
        fingerprint: Its fingerprint.
        same: When two recordings are versions of one.

    Returns:
        Its audio hash; that of the first one of several versions.
    """
    same = same or SameRecording()
    if not fingerprint:
        return None
    near = library.fingerprints(shortest_s=duration_s - same.difference_s, longest_s=duration_s + same.difference_s)
    versions = Versions(same)
    for known in near:
        versions.add(*known)
    return versions.find(duration_s, fingerprint)
