"""Which tags the tracks of a library have, as one bit per track and tag."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from musicrec.errors import ConfigError

POSSIBLE = "may have "
"""Begins the names of tags that a track may have. No word of a user means these; see `TagBits.named`."""
_BITS = np.arange(8)


@dataclass(frozen=True, eq=False)
class TagBits:
    """The tags of many tracks, one row per track and one bit per tag.

    Tag number t is bit `t % 8` of byte `t // 8`, the least significant bit first. Nothing is unpacked to answer a
    question: one about a few tags reads only the bytes that hold them.

    Attributes:
        names: The names of the tags, each once.
        bits: (tracks, ceil(tags / 8)) uint8.

    Raises:
        ValueError: A name is there twice, or the bits are too many or too few for the names.
    """

    names: tuple[str, ...]
    bits: np.ndarray

    def __post_init__(self) -> None:
        names, bits = tuple(self.names), np.asarray(self.bits, dtype=np.uint8)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "bits", bits)
        if len(set(names)) < len(names):
            raise ValueError(f"names={names}: name each tag once")
        wanted = -(-len(names) // 8)
        if bits.ndim != 2 or bits.shape[1] != wanted:
            raise ValueError(f"bits have the shape {bits.shape}; give (tracks, {wanted}) for {len(names)} tags")

    @classmethod
    def pack(cls, names: Sequence[str], matrix: np.ndarray) -> "TagBits":
        """Return tags from a matrix.

        Args:
            names: The names of the tags.
            matrix: (tracks, tags) bool.

        Raises:
            ValueError: The matrix does not have one column per name.
        """
        matrix = np.asarray(matrix, dtype=bool)
        if matrix.ndim != 2 or matrix.shape[1] != len(names):
            raise ValueError(f"matrix has the shape {matrix.shape}; give (tracks, {len(names)}), one column per tag")
        return cls(tuple(names), np.packbits(matrix, axis=1, bitorder="little"))

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.bits)

    def take(self, rows: np.ndarray | slice) -> "TagBits":
        """Return the tags of some tracks.

        Args:
            rows: Numbers of rows, or (tracks,) bool.
        """
        return TagBits(self.names, self.bits[rows])

    def column(self, name: str) -> np.ndarray:
        """Return which tracks have a tag, (tracks,) bool.

        Raises:
            ConfigError: There is no such tag.
        """
        return self.any([name])

    def any(self, names: Sequence[str]) -> np.ndarray:
        """Return which tracks have at least one of some tags, (tracks,) bool; none has one of no tags.

        Raises:
            ConfigError: There is no such tag.
        """
        found = np.zeros(len(self), dtype=bool)
        for byte, wanted in self._bytes(names):
            found |= (self.bits[:, byte] & wanted) != 0
        return found

    def all(self, names: Sequence[str]) -> np.ndarray:
        """Return which tracks have all of some tags, (tracks,) bool; each has all of no tags.

        Raises:
            ConfigError: There is no such tag.
        """
        found = np.ones(len(self), dtype=bool)
        for byte, wanted in self._bytes(names):
            found &= (self.bits[:, byte] & wanted) == wanted
        return found

    def counts(self) -> np.ndarray:
        """Return how many tracks have each tag, (tags,) int64."""
        found = np.zeros(8 * self.bits.shape[1], dtype=np.int64)
        bit_of = np.arange(256)[:, None] >> _BITS & 1
        for byte in range(self.bits.shape[1]):  # how often each of the 256 values occurs tells the counts of eight tags
            found[8 * byte : 8 * byte + 8] = np.bincount(self.bits[:, byte], minlength=256) @ bit_of
        return found[: len(self.names)]

    def of_track(self, row: int) -> tuple[str, ...]:
        """Return the names of a track's tags, in the order of `names`."""
        has = np.unpackbits(self.bits[row], count=len(self.names), bitorder="little")
        return tuple(self.names[tag] for tag in np.flatnonzero(has))

    def named(self, word: str) -> tuple[str, ...]:
        """Return the tags that a word means: the tag of this name, or those that several models call so.

        Args:
            word: The name of a tag, or what follows the colon of "HEAD: TAG"; in capital or small letters.

        Raises:
            ConfigError: There is no such tag.
        """
        if word in self._numbers:
            return (word,)
        wanted = word.strip().lower()
        names = [name for name in self.names if not name.startswith(POSSIBLE)]
        found = [name for name in names if wanted in (name.lower(), name.partition(": ")[2].lower())]
        if not found:
            raise ConfigError(unknown_name("tag", word, [name.partition(": ")[2] or name for name in names]))
        return tuple(found)

    def _bytes(self, names: Sequence[str]) -> list[tuple[int, np.uint8]]:
        """Return (number of a byte, the bits that are asked for in it) of the bytes that matter."""
        wanted: dict[int, int] = {}
        for name in names:
            if name not in self._numbers:
                raise ConfigError(unknown_name("tag", name, self.names))
            byte, bit = divmod(self._numbers[name], 8)
            wanted[byte] = wanted.get(byte, 0) | 1 << bit
        return [(byte, np.uint8(bits)) for byte, bits in sorted(wanted.items())]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """Return a message about a name that a library does not know, with the nearest names that it knows.

    Args:
        kind: What is named, such as "tag".
        name: The name.
        known: All names of this kind.
    """
    if not known:
        return f"{kind} {name}: the tracks of this library have no {kind}s"
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    shown = ", ".join(by_lower[one] for one in near) if near else ", ".join(sorted(known)[:40])
    return f"{kind} {name}: no track of this library has it; {'did you mean' if near else 'choose from'}: {shown}"
