"""A track of a library, and the hash by which copies of its audio are recognised."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.recommend.exports import ExportRef

_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class Track:
    """What a library knows about one track.

    Attributes:
        path: Absolute path of the audio file. It identifies the file.
        track_id: Name of the track in its source.
        source: The folder or another source that the track was indexed from; of several, the one that was added last.
        title: Title, None if unknown.
        artist: Artist, None if unknown.
        album: Album, None if unknown.
        year: Year of release, None if unknown.
        genre: Genre as the tags in the file or the manifest say, None if they do not.
        size: Size of the file in bytes when it was analysed.
        mtime_ns: Modification time of the file in nanoseconds when it was analysed.
        content_hash: See `content_hash`; None if unknown.
        audio_hash: See `audio_hash`. It identifies the recording; copies of a track have the same.
        duration_s: Length of the audio in seconds.
        probabilities: The calibrated answers of the models, {head: (classes,) float32}.
        embedding: (size,) float32, the embeddings of the models side by side.
        variation: (size,) float32, their standard deviation over the chunks, of the models that predict tags; NaN for a
            track of one chunk, empty if it was analysed before it was known.
        passages: Of a file that is not in the library: the means over parts of the track, of the models that predict
            tags. Those of tracks of the library are read with `Library.passages`; None.
        descriptors: What was measured from the audio without a model, such as its loudness, {name: value}.
        remarks: What to know about the audio, such as that it is silent.
        version_of: Of a file that is not in the library: the audio hash of the recording in it that this is another
            encoding or remaster of; None if of none.
        from_s: Of a part of a file: where in the file it begins, in seconds; None for a whole file.
    """

    path: str
    track_id: str
    source: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    year: int | None = None
    genre: str | None = None
    size: int
    mtime_ns: int
    content_hash: str | None = None
    audio_hash: str
    duration_s: float
    probabilities: dict[str, np.ndarray]
    embedding: np.ndarray
    variation: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    passages: Passages | None = None
    descriptors: dict[str, float] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    version_of: str | None = None
    from_s: float | None = None

    @property
    def name(self) -> str:
        """The track as people know it: "artist – title", or its track_id without a title."""
        return shown_name(self.artist, self.title, self.track_id)

    @property
    def unreliable(self) -> bool:
        """Whether the answers of the models mean little, because the track is silent or very short."""
        return any(remark.unreliable for remark in self.remarks)


def shown_name(artist: str | None, title: str | None, track_id: str) -> str:
    """Return "artist – title", the title if the artist is unknown, or the track_id if the title is."""
    return " – ".join(part.strip() for part in (artist, title) if part) if title else track_id


def folded(name: str) -> str:
    """Return a name as it is looked up: in one spelling of Unicode, without capitals and blanks around it."""
    return normalize("NFC", name).casefold().strip()


def folded_names(artist: str | None, title: str | None, track_id: str) -> set[str]:
    """Return the names by which a track is found: its title, or its track_id without one, and "artist – title"."""
    return {folded(name) for name in (title or track_id, shown_name(artist, title, track_id))}


def split_embedding(embedding: np.ndarray, exports: Sequence[ExportRef]) -> dict[str, np.ndarray]:
    """Return the blocks of an embedding: "embedding", and "embedding.NAME" for each model.

    Args:
        embedding: (…, size), the embeddings of the models side by side.
        exports: The models. If the size of one of them is unknown, only "embedding" is returned.
    """
    sizes = [export.embedding_size for export in exports]
    known = [size for size in sizes if size is not None]
    if not sizes or len(known) < len(sizes):
        return {"embedding": embedding}
    parts = np.split(embedding, np.cumsum(known)[:-1], axis=-1)
    return {"embedding": embedding} | {
        f"embedding.{export.name}": part for export, part in zip(exports, parts, strict=True) if export.embedding_size
    }


def audio_hash(waveform: np.ndarray) -> str:
    """Return the hash of a decoded waveform as 16-bit integers.

    Copies of a track have the same hash if they differ only in their tags or in a lossless file format.

    Args:
        waveform: (samples,) float32 in [-1, 1].
    """
    return hashlib.blake2b((waveform * 32767).astype("<i2").tobytes(), digest_size=16).hexdigest()


def content_hash(path: str | os.PathLike) -> str:
    """Return the hash of the bytes of a file.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
