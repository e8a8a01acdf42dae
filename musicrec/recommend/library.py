"""What the recommender asks of a library, whatever stores it.

A **recording** is what was heard: the answers of the models for an audio. A **file** is where it lies; copies and
files with other tags are several files of one recording. A **source** is a folder, playlist, collection or manifest
that was indexed; it lists files, and a file can be listed by several sources.
"""

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.exports import ExportRef
from musicrec.recommend.space import Space
from musicrec.recommend.track import Track, split_embedding

ANOTHER = "name the file of a library (--library FILE, or library=FILE of `musicrec recommend`)"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What the models said about an audio.

    Attributes:
        audio_hash: See `musicrec.recommend.track.audio_hash`. It identifies the recording.
        duration_s: Length of the audio in seconds.
        probabilities: {head: (classes,) float32}, of all heads of the library.
        embedding: (size,) float32, the embeddings of the models side by side.
        variation: As for `Track`.
        passages: As for `Track`; None if unknown.
        peaks: The outline of the waveform, see `musicrec.audio.peaks`; None if unknown.
        descriptors: {name: value} of what was measured without a model.
        beat_grid: As `musicrec.heads.beat_grid.BeatGrid.as_dict` describes it; None if unknown.
        remarks: What to know about the audio.
        fingerprint: See `musicrec.recommend.fingerprint`; None if unknown.
        version_of: The audio hash of the recording that this is another encoding or remaster of; None if of none.
    """

    audio_hash: str
    duration_s: float
    probabilities: Mapping[str, np.ndarray]
    embedding: np.ndarray
    variation: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    passages: Passages | None = None
    peaks: np.ndarray | None = None
    descriptors: Mapping[str, float] = field(default_factory=dict)
    beat_grid: Mapping[str, Any] | None = None
    remarks: Sequence[Remark] = ()
    fingerprint: bytes | None = None
    version_of: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LibraryFile:
    """An audio file.

    Attributes:
        path: Absolute path. It identifies the file.
        audio_hash: The recording in it.
        size: Size in bytes when it was last looked at.
        mtime_ns: Modification time in nanoseconds when it was last looked at.
        content_hash: The hash of its bytes, see `musicrec.recommend.track.content_hash`; None if unknown, as in
            libraries of formats before 5.
        track_id: Name of the track in the source that was indexed last.
        title: Title, None if unknown.
        artist: Artist, None if unknown.
        album: Album, None if unknown.
        year: Year of release, None if unknown.
        genre: Genre as the tags in the file or the manifest say, None if they do not.
        missing_since: None for a file that is there, otherwise when it was first missed, in UTC, such as
            "2026-05-01T12:00:00Z".
        sources: The sources that list it. Readers fill it in; writers ignore it.
    """

    path: str
    audio_hash: str
    size: int
    mtime_ns: int
    content_hash: str | None = None
    track_id: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    year: int | None = None
    genre: str | None = None
    missing_since: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether the file was not there when it was last looked for."""
        return self.missing_since is not None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A folder, playlist, collection or manifest that was indexed.

    Attributes:
        place: Its absolute path. It identifies the source.
        kind: "folder", "playlist", "collection", "manifest", or "" if unknown, as in libraries of formats before 5.
        indexed_at: When it was last indexed, in UTC; None if unknown.
        metadata: For a collection its "program" and its "playlists": [{"name": [folder, …, name], "paths": […]}].
        files: Number of files that it lists. Readers fill it in; writers ignore it.
        missing: How many of them are missing.
    """

    place: str
    kind: str = ""
    indexed_at: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    files: int = 0
    missing: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """That a source lists a file.

    Attributes:
        path: The file.
        track_id: Its name in the source.
        metadata: What a collection says of it in plain JSON types: bpm, key, rating, comment, cues, playlists …
        source: Place of the source. Readers fill it in; writers take it from `Changes.place`.
    """

    path: str
    track_id: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class PresentTracks:
    """The recordings with a file that is there, in the order of the paths; of copies, the first path stands for all.

    Attributes:
        ids: (tracks,) int64, by which the library knows the recordings.
        artists: (tracks,) text, "" if unknown.
        albums: (tracks,) text, "" if unknown.
        years: (tracks,) int16, -1 if unknown.
        versions: (tracks,) int64: recordings with the same number are versions of one; -1 for one without another.
    """

    ids: np.ndarray
    artists: np.ndarray
    albums: np.ndarray
    years: np.ndarray
    versions: np.ndarray

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self.ids)


@dataclass(kw_only=True)
class Changes:
    """Changes that are saved together or not at all, in the order of the attributes.

    Attributes:
        place: Place of the source that `listed` and `unlisted` speak of.
        source: A source that is added, or replaced.
        moved: {old path: new path} of files. A file that is known at a new path already stays.
        recordings: Recordings that are new, or have new answers.
        files: Files that are new or have changed; each replaces the file with its path.
        listed: Files that the source lists.
        unlisted: Paths of files that the source no longer lists. A file that no source lists is missing from then on.
        missing: Paths of files that were not there.
    """

    place: str | None = None
    source: Source | None = None
    moved: dict[str, str] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    files: list[LibraryFile] = field(default_factory=list)
    listed: list[Listing] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        parts = (self.moved, self.recordings, self.files, self.listed, self.unlisted, self.missing)
        return self.source is not None or any(parts)


class Library(Protocol):
    """A store of recordings, files and sources.

    What is saved stays if the program is killed. Every mistake of the user and every failure of the store is a
    `LibraryError`. `tests/recommend/test_library_contract.py` says the rest.
    """

    @property
    def path(self) -> Path | str:
        """Where the library is, for messages."""

    @property
    def heads(self) -> dict[str, Head]:
        """The heads whose answers are stored, {name: head}."""

    @property
    def embedding_size(self) -> int:
        """Size of the stored embeddings, which are those of all models side by side."""

    @property
    def exports(self) -> list[ExportRef]:
        """The models that gave the answers."""

    @property
    def analysis(self) -> dict[str, Any]:
        """The settings of the analysis; {} if they are unknown."""

    def __len__(self) -> int:
        """Return the number of tracks that `read` returns."""

    def close(self) -> None:
        """Close the library."""

    def one_state(self) -> AbstractContextManager[None]:
        """See one state of the library in all that is read meanwhile, whatever other programs write."""

    def version(self) -> Hashable:
        """Return what differs as soon as this or another program has changed the library."""

    def read(self) -> tuple[list[Track], dict[str, np.ndarray]]:
        """Return one track per recording that has a file, in the order of the paths; see `SqliteLibrary.read`."""

    def present(self) -> PresentTracks:
        """Return the recordings that `read` returns, without what the models said."""

    def tracks(self, ids: Sequence[int]) -> list[Track]:
        """Return the tracks of some recordings, in their order. Each has a file that is there."""

    def values(self, ids: Sequence[int]) -> dict[str, np.ndarray]:
        """Return the values of some recordings, in their order; see `read`. A block that none of them has is NaN."""

    def passages(self, ids: Sequence[int]) -> list[Passages]:
        """Return the passages of some recordings, in their order, as `stored_passages` compares them.

        A recording has none if no model predicts tags, or if they are unknown; two, its beginning and its end, in a
        library of format 6.
        """

    def peaks(self, ids: Sequence[int]) -> list[np.ndarray | None]:
        """Return the outlines of the waveforms of some recordings, in their order, uint8; None if unknown."""

    def beat_grids(self, audio_hashes: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return {audio_hash: beat grid, as of a `Recording`} of the recordings that have one."""

    def fingerprints(
        self, *, shortest_s: float = 0.0, longest_s: float = math.inf
    ) -> list[tuple[str, float, bytes, str | None]]:
        """Return (audio hash, length in seconds, fingerprint, version_of) of the recordings that have a fingerprint.

        Args:
            shortest_s: The least length.
            longest_s: The greatest length.
        """

    def audio_facts(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return facts of the audio of some recordings, in their order.

        Returns:
            (recordings,) float32, the lengths in seconds, and (recordings,) bool, whether the answers mean little.
        """

    def ids_of(self, audio_hashes: Iterable[str]) -> dict[str, int]:
        """Return {audio_hash: id} of the recordings that the library has, also of those without a file."""

    def hashes_of(self, ids: Sequence[int]) -> list[str]:
        """Return the audio hashes of some recordings, in their order."""

    def blocks(self) -> list[str]:
        """Return the names of the blocks that `read` returns."""

    def space(self) -> Space | None:
        """Return the space of the summaries; None if there is none yet, or one of another version of musicrec."""

    def summaries(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Return all summaries in parts: (recordings,) ids, increasing over all parts; (recordings, bytes) uint8."""

    def save_summaries(self, ids: Sequence[int], rows: np.ndarray, *, space: Space | None = None) -> None:
        """Save summaries.

        Args:
            ids: The recordings.
            rows: (recordings, bytes) uint8.
            space: A new space, with which all earlier summaries are deleted.
        """

    def find(
        self,
        *,
        path: str | None = None,
        track_id: str | None = None,
        content_hash: str | None = None,
        name: str | None = None,
    ) -> list[Track]:
        """Return the tracks of all files with this path, this track_id in any source, this content, or this name.

        Missing files are among them, after those that are there. A name is a title or "artist – title", in capital or
        small letters. In a library of an older format, tracks are not found by their names.
        """

    def files(self) -> list[LibraryFile]:
        """Return all files, missing ones too, in the order of their paths."""

    def sources(self) -> list[Source]:
        """Return the sources, in the order of their places."""

    def listings(self, audio_hashes: Iterable[str]) -> dict[str, list[Listing]]:
        """Return {audio_hash: listings with metadata} of the files of some recordings."""

    def remarks(self) -> dict[str, tuple[Remark, ...]]:
        """Return the remarks of all recordings, {audio_hash: remarks}; without those that have a file no longer."""

    def audio_hashes(self) -> set[str]:
        """Return the recordings, also those without a file."""

    def incomplete(self) -> set[str]:
        """Return the audio hashes of recordings with a file that an older version analysed, and that lack something."""

    def save(self, changes: Changes) -> None:
        """Save changes, all of them or none."""

    def move_exports(self, exports: Sequence[ExportRef]) -> None:
        """Store where the exports are now."""

    def prune(self) -> tuple[int, int]:
        """Delete the missing files and the recordings without a file; return how many of both."""

    def relocate(self, moved: Mapping[str, str], *, present: Iterable[str]) -> None:
        """Change the beginning of paths of files and sources.

        Args:
            moved: {old path: new path}. A file that the library has at a new path already stays, and is listed where
                the old one was.
            present: The new paths of the files that are there; the others are missing.
        """

    def tidy(self) -> None:
        """Do what makes later reading faster and is done best after many writes, such as extending indices."""

    def problems(self) -> list[str]:
        """Check what is stored, and return one sentence per problem."""


def values_of(library: Library, track: Track) -> dict[str, np.ndarray]:
    """Return the values of a track, also of one that is not in the library, {block: (size,)}, as `read` does."""
    descriptors = {name: np.array([value], np.float32) for name, value in track.descriptors.items()}
    varying = {"variation": track.variation} if len(track.variation) else {}
    return descriptors | track.probabilities | split_embedding(track.embedding, library.exports) | varying


def now() -> str:
    """Return the time in UTC, such as "2026-05-01T12:00:00Z"."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
