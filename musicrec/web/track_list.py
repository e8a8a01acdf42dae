"""The whole library as a table that is searched, filtered and sorted in memory, and its rows."""

import threading
import unicodedata
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.heads.keys import KEYS_24
from musicrec.recommend.columns import Columns
from musicrec.recommend.key_relations import CAMELOT_24, KeyTable
from musicrec.recommend.track import shown_name
from musicrec.recommend.track_table import read_table

if TYPE_CHECKING:
    from musicrec.recommend.library import LibraryFile
    from musicrec.recommend.library_tracks import MixFacts
    from musicrec.recommend.recommender import Recommender
    from musicrec.recommend.track import Track

SORTS = ("title", "artist", "album", "genre", "bpm", "key", "energy", "duration", "year")
COMPATIBLE_FROM = 0.5  # score in the usual table from which a key mixes
_PLAIN_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "þ": "th"}
)
"""Letters that Unicode does not take apart."""
_KEPT_SEARCHES = 256  # of 0.1 MB each in a library of 100,000 tracks


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """Which rows are wanted; what is None or empty asks for nothing. Limits are included.

    Attributes:
        search: Words that all occur in title, artist or album.
        genres: Names of genres, one of which a track has.
        bpm: Least and greatest tempo.
        energy: Least and greatest energy.
        key: A Camelot code.
        compatible_with: A Camelot code, to which the key can be mixed.
        rows: Numbers of rows, one of which it is, as for an opinion; None for all.
    """

    search: str = ""
    genres: Sequence[str] = ()
    bpm: tuple[float | None, float | None] = (None, None)
    energy: tuple[float | None, float | None] = (None, None)
    key: str | None = None
    compatible_with: str | None = None
    rows: np.ndarray | None = None


class TrackList:
    """The tracks of a library, one row each, in the order of their paths.

    Args:
        columns: The facts of the tracks.
        hashes: Their audio hashes.
        files: Their files.
        unreliable: (tracks,) bool, whether the track is silent or very short.

    Attributes:
        hashes: The audio hashes.
        row_of: {audio hash: row}.
        titles: The titles, or the names of the files.
        artists: The artists, "" if unknown; so are albums and genres.
        albums: The albums.
        genres: The genres of the files, or what the models say.
        paths: The files.
        names: What people call the tracks.
    """

    def __init__(
        self, columns: Columns, *, hashes: Sequence[str], files: Sequence["LibraryFile"], unreliable: np.ndarray
    ) -> None:
        self._columns, self.hashes, self._unreliable = columns, list(hashes), unreliable
        self.row_of = {audio_hash: row for row, audio_hash in enumerate(self.hashes)}
        self.titles = [file.title or file.track_id for file in files]
        self.artists = [file.artist or "" for file in files]
        self.albums = [file.album or "" for file in files]
        self.genres = [file.genre or str(guess) for file, guess in zip(files, columns.genre, strict=True)]
        self.paths = [file.path for file in files]
        self.names = [shown_name(file.artist, file.title, file.track_id) for file in files]
        self._bpm, self._energy = _plain(columns.bpm), _plain(columns.energy)
        self._loudness, self._duration_s = _plain(columns.loudness), _plain(columns.duration_s)
        self._key, self._year = columns.key.tolist(), columns.year.tolist()
        words = zip(self.titles, self.artists, self.albums, strict=True)
        self._texts = [search_text(" ".join(of_track)) for of_track in words]
        self._orders: dict[tuple[str, bool], np.ndarray] = {}
        self._found: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.hashes)

    @cached_property
    def genre_counts(self) -> list[tuple[str, int]]:
        """(genre, number of tracks), the most frequent first."""
        counts = Counter(self.genres)
        return sorted(((name, count) for name, count in counts.items() if name), key=lambda pair: (-pair[1], pair[0]))

    @cached_property
    def _genre_numbers(self) -> tuple[dict[str, int], np.ndarray]:
        """({genre: number}, number of each track). An array of texts would be as wide as the longest tag."""
        return _numbered(self.genres)

    def limits(self, fact: str) -> tuple[float, float] | None:
        """Return the least and the greatest tempo or energy; None if no track has one.

        Args:
            fact: "bpm" or "energy".
        """
        values = getattr(self._columns, fact)
        known = values[~np.isnan(values)]
        return (float(known.min()), float(known.max())) if len(known) else None

    def find(self, wanted: RowFilter, *, sort: str = "title", descending: bool = False) -> np.ndarray:
        """Return the numbers of the rows that a filter lets pass, sorted. What is unknown comes last.

        Args:
            wanted: The filter.
            sort: One of `SORTS`.
            descending: Greatest first.
        """
        order, mask = self._order(sort, descending), self._mask(wanted)
        return order if mask is None else order[mask[order]]

    def _mask(self, wanted: RowFilter) -> np.ndarray | None:
        parts = []
        for word in search_text(wanted.search).split():
            parts.append(self._search(word))
        if wanted.genres:
            numbers, of_track = self._genre_numbers
            parts.append(np.isin(of_track, [numbers[one] for one in wanted.genres if one in numbers]))
        for fact, (low, high) in (("bpm", wanted.bpm), ("energy", wanted.energy)):
            values = getattr(self._columns, fact)
            parts += [values >= low] if low is not None else []
            parts += [values <= high] if high is not None else []
        keys = self._columns.key
        if wanted.key is not None:
            parts.append(keys == CAMELOT_24.index(wanted.key))
        if wanted.compatible_with is not None:
            mixes = KeyTable().scores[CAMELOT_24.index(wanted.compatible_with)] >= COMPATIBLE_FROM
            parts.append((keys >= 0) & mixes[keys])
        if wanted.rows is not None:
            chosen = np.zeros(len(self), dtype=bool)
            chosen[wanted.rows] = True
            parts.append(chosen)
        return np.logical_and.reduce(parts) if parts else None

    def _search(self, word: str) -> np.ndarray:
        """Return which rows have a word. Rows of a beginning of it that was looked for before are enough to look at."""
        found = self._found.get(word)
        if found is not None:
            return found
        shorter = (self._found.get(word[:end]) for end in range(len(word) - 1, 0, -1))
        among = next((one for one in shorter if one is not None), None)
        if among is None:
            found = np.array([word in text for text in self._texts], dtype=bool)
        else:
            rows = np.flatnonzero(among)
            found = np.zeros(len(self), dtype=bool)
            found[rows[[word in self._texts[row] for row in rows.tolist()]]] = True
        if len(self._found) >= _KEPT_SEARCHES:
            self._found.clear()
        self._found[word] = found
        return found

    def _order(self, sort: str, descending: bool) -> np.ndarray:
        key = sort, descending
        if key not in self._orders:
            self._orders[key] = self._sorted(sort, descending)
        return self._orders[key]

    def _sorted(self, sort: str, descending: bool) -> np.ndarray:
        texts = {"title": self.titles, "artist": self.artists, "album": self.albums, "genre": self.genres}
        if sort in texts:
            numbers, ranks = _numbered([search_text(text) for text in texts[sort]])
            unknown = ranks == numbers.get("", -1)
        else:
            values = self._numbers(sort)
            unknown = np.isnan(values)
            ranks = np.where(unknown, 0, values)
        return np.lexsort((np.arange(len(self)), -ranks if descending else ranks, unknown))

    def _numbers(self, sort: str) -> np.ndarray:
        columns = self._columns
        if sort == "key":  # around the wheel: 1A, 1B, 2A …
            places = np.array([2 * int(code[:-1]) + (code[-1] == "B") for code in CAMELOT_24], dtype=float)
            return np.where(columns.key < 0, np.nan, places[columns.key])
        if sort == "year":
            return np.where(columns.year < 0, np.nan, columns.year.astype(float))
        return getattr(columns, {"duration": "duration_s"}.get(sort, sort)).astype(float)

    def row(self, number: int) -> dict[str, Any]:
        """Return a row as the API shows it, without what a user thinks of it.

        Args:
            number: Its number.
        """
        key, year = self._key[number], self._year[number]
        return {
            "id": self.hashes[number],
            "title": self.titles[number],
            "artist": self.artists[number] or None,
            "album": self.albums[number] or None,
            "genre": self.genres[number] or None,
            "year": year if year >= 0 else None,
            "duration_s": self._duration_s[number],
            "bpm": self._bpm[number],
            "key": KEYS_24[key] if key >= 0 else None,
            "camelot": CAMELOT_24[key] if key >= 0 else None,
            "energy": self._energy[number],
            "loudness": self._loudness[number],
            "unreliable": bool(self._unreliable[number]),
        }

    def rows(self, numbers: Sequence[int] | np.ndarray, opinions: "Opinions") -> list[dict[str, Any]]:
        """Return rows as the API shows them.

        Args:
            numbers: Their numbers.
            opinions: What the user thinks of the tracks.
        """
        return [opinions.added_to(self.row(int(number))) for number in numbers]


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """What a user thinks of tracks.

    Attributes:
        ratings: {audio hash: stars}.
        opinions: {audio hash: "like" or "dislike"}.
    """

    ratings: Mapping[str, int]
    opinions: Mapping[str, str]

    def added_to(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with the user's rating and opinion."""
        return row | {"rating": self.ratings.get(row["id"]), "opinion": self.opinions.get(row["id"])}


class TrackLists:
    """The newest `TrackList` of a library, which all threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: tuple[Hashable, TrackList] | None = None

    def known(self, version: Hashable) -> TrackList | None:
        """Return the tracks of a library as it is, if they have been read."""
        newest = self._newest
        return newest[1] if newest is not None and newest[0] == version else None

    def of(self, recommender: "Recommender") -> TrackList:
        """Return the tracks of a library; they are read again only if the library has changed.

        Raises:
            LibraryError: The library does not exist or cannot be read.
        """
        library = recommender.library
        version = library.version()
        if (known := self.known(version)) is not None:
            return known
        with self._lock:
            if self._newest is None or self._newest[0] != version:
                with library.one_state():
                    version = library.version()
                    self._newest = version, read_track_list(recommender)
            return self._newest[1]


def read_track_list(recommender: "Recommender") -> TrackList:
    """Return all tracks of a library that have a file which is there."""
    library = recommender.library
    table = read_table(library)  # not the one that queries search in, which would stay in memory with its vectors
    hashes = library.hashes_of(table.ids.tolist())
    files: dict[str, LibraryFile] = {}
    for file in library.files():  # in the order of their paths: of copies, the first one stands for all
        if not file.missing:
            files.setdefault(file.audio_hash, file)
    return TrackList(table.columns, hashes=hashes, files=[files[one] for one in hashes], unreliable=table.unreliable)


def facts_row(track: "Track | None", facts: "MixFacts | None") -> dict[str, Any]:
    """Return a track that is not in the table as a row of it, without what a user thinks of it.

    Args:
        track: The track; None for one that the library does not hold.
        facts: Its tempo, key and energy.
    """
    bpm, key, energy = (None, None, None) if facts is None else (facts.bpm, facts.key, facts.energy)
    return {
        "id": "" if track is None else track.audio_hash,
        "title": "" if track is None else track.title or track.track_id,
        **{name: getattr(track, name, None) for name in ("artist", "album", "genre", "year")},
        "duration_s": None if track is None else round(track.duration_s, 1),
        "bpm": None if bpm is None else round(bpm, 1),
        "key": None if key is None else KEYS_24[key],
        "camelot": None if key is None else CAMELOT_24[key],
        "energy": None if energy is None else round(energy, 1),
        "loudness": None if track is None else track.descriptors.get("loudness"),
        "unreliable": track is not None and track.unreliable,
    }


def _numbered(texts: Sequence[str]) -> tuple[dict[str, int], np.ndarray]:
    """Return the place of each text among all different ones in their order, and that of each row, (rows,)."""
    places = {text: place for place, text in enumerate(sorted(set(texts)))}
    return places, np.array([places[text] for text in texts], dtype=np.int64)


def search_text(text: str) -> str:
    """Return text as it is searched: small letters without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    if plain.isascii():
        return plain
    return "".join(one for one in plain if not unicodedata.combining(one)).translate(_PLAIN_LETTERS)


def _plain(values: np.ndarray) -> list[float | None]:
    """Return numbers for JSON, with one digit; None for NaN."""
    return [None if value != value else value for value in np.round(values.astype(np.float64), 1).tolist()]
