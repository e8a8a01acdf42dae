"""The facts of many tracks side by side, one array per fact and one row per track."""

from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from musicrec.heads.keys import KEYS_24

_UNIT = 1e-3  # how far from 1 the length of a vector may be: float16 has three digits


@dataclass(frozen=True, kw_only=True, eq=False)
class TextCodes:
    """A column of text as numbers, which are faster to compare.

    Attributes:
        numbers: {text: its number}, in the order of appearance.
        codes: (tracks,) int32, the number of each track's text; -1 if unknown.
    """

    numbers: dict[str, int]
    codes: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """What filters, sets and profiles need to know of the tracks of a library.

    A fact that is not known is NaN, -1 or "". Values may be passed in any type that converts without loss of meaning;
    they are kept in the types below.

    Attributes:
        bpm: (tracks,) float32, tempo in BPM.
        key: (tracks,) int8, index of the key in `KEYS_24`; -1 if unknown.
        energy: (tracks,) float32, from 1, calm, to 10, hard.
        loudness: (tracks,) float32, integrated loudness in LUFS.
        year: (tracks,) int16, year of release; -1 if unknown.
        duration_s: (tracks,) float32, length in seconds.
        artist: (tracks,) text, "" if unknown.
        album: (tracks,) text, "" if unknown.
        genre: (tracks,) text, the name of the strongest genre, "" if none is clear.
        vectors: (tracks, size) float32, how a track sounds, as vectors of unit length: the product of two of them says
            how close they are. Zeros if unknown.
        recording: (tracks,) int64: tracks with the same number are the same recording. -1, and None for all, stands for
            a recording of its own.

    Raises:
        ValueError: The arrays have different lengths, or a value is out of range; the message names column and row.
    """

    bpm: np.ndarray
    key: np.ndarray
    energy: np.ndarray
    loudness: np.ndarray
    year: np.ndarray
    duration_s: np.ndarray
    artist: np.ndarray
    album: np.ndarray
    genre: np.ndarray
    vectors: np.ndarray
    recording: np.ndarray = field(default=None)  # type: ignore[arg-type]  # an array from __post_init__ on

    def __post_init__(self) -> None:
        recording = np.full(len(self.bpm), -1) if self.recording is None else self.recording
        object.__setattr__(self, "recording", recording)
        for name, kind in _TYPES.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        for name in ("artist", "album", "genre"):
            texts = np.asarray(getattr(self, name))
            object.__setattr__(self, name, texts if texts.dtype.kind in "OUT" else texts.astype(str))
        for column in fields(self):
            values = getattr(self, column.name)
            wanted = 2 if column.name == "vectors" else 1
            if values.ndim != wanted or len(values) != len(self.bpm):
                raise ValueError(
                    f"{column.name} has the shape {values.shape}; give {wanted} dimension{'s' * (wanted > 1)} "
                    f"and {len(self.bpm)} tracks, as many as bpm has"
                )
        self._check("bpm", self.bpm <= 0, "above 0 BPM or NaN")
        self._check("bpm", np.isinf(self.bpm), "a finite number or NaN")
        self._check("key", (self.key < -1) | (self.key >= len(KEYS_24)), "from 0 to 23, or -1")
        self._check("energy", (self.energy < 1) | (self.energy > 10), "from 1 to 10, or NaN")
        self._check("loudness", np.isinf(self.loudness), "a finite number of LUFS, or NaN")
        self._check("duration_s", ~(self.duration_s >= 0) & ~np.isnan(self.duration_s), "0 s or more, or NaN")
        lengths = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))  # without a second array as large
        self._check("vectors", ~((np.abs(lengths - 1) < _UNIT) | (lengths == 0)), "a vector of length 1, or zeros")

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.bpm)

    def take(self, rows: np.ndarray, *, vectors: np.ndarray | None = None) -> "Columns":
        """Return the facts of some tracks.

        Args:
            rows: Numbers of rows.
            vectors: (rows, size) float32 in place of those of the tracks.
        """
        taken = {column.name: getattr(self, column.name)[rows] for column in fields(self)}
        return Columns(**taken | ({} if vectors is None else {"vectors": vectors}))

    def first_versions(self, order: np.ndarray) -> np.ndarray:
        """Return ranked rows without the further versions of a recording."""
        versions = self.recording[order]
        seen: set[int] = set()
        kept = np.ones(len(order), dtype=bool)
        for place, version in enumerate(versions.tolist()):
            kept[place] = version < 0 or version not in seen
            seen.add(version)
        return order[kept]

    def _check(self, name: str, wrong: np.ndarray, expected: str) -> None:
        if wrong.any():
            row = int(wrong.argmax())
            value = getattr(self, name)[row]
            shown = f"length {np.linalg.norm(value):g}" if name == "vectors" else f"{value:g}"
            raise ValueError(f"{name} of row {row} is {shown}; give {expected}")

    @cached_property
    def rows(self) -> np.ndarray:
        """(tracks,) the numbers of all rows."""
        return np.arange(len(self))

    @property
    def artist_codes(self) -> np.ndarray:
        """(tracks,) int32: a number per artist; -1 if unknown."""
        return self.text_codes("artist").codes

    @property
    def genre_codes(self) -> np.ndarray:
        """(tracks,) int32: a number per genre; -1 if unknown."""
        return self.text_codes("genre").codes

    def has_codes(self, name: str) -> bool:
        """Return whether `text_codes` has been asked for a column."""
        return name in self._text_codes

    def text_codes(self, name: str) -> TextCodes:
        """Return artist, album or genre as numbers. They are made once, which takes a second for a million tracks.

        Args:
            name: "artist", "album" or "genre".
        """
        if name not in self._text_codes:
            self._text_codes[name] = _coded(getattr(self, name))
        return self._text_codes[name]

    @cached_property
    def _text_codes(self) -> dict[str, TextCodes]:
        return {}

    @cached_property
    def has_vector(self) -> np.ndarray:
        """(tracks,) bool: whether it is known how a track sounds."""
        return np.asarray(self.vectors.any(axis=1))


_TYPES = {
    "bpm": np.float32,
    "key": np.int8,
    "energy": np.float32,
    "loudness": np.float32,
    "year": np.int16,
    "duration_s": np.float32,
    "vectors": np.float32,
    "recording": np.int64,
}


def _coded(texts: np.ndarray) -> TextCodes:
    # A dictionary is faster than sorting the texts.
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(text, len(numbers)) if text else -1 for text in texts.tolist()]
    return TextCodes(numbers=numbers, codes=np.array(codes, dtype=np.int32))
