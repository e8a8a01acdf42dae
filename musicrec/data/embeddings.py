"""Embeddings of the chunks of tracks: what probes learn from in place of waveforms."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
import polars as pl
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from musicrec.audio.chunks import all_chunk_starts
from musicrec.data.store import WaveformStore
from musicrec.data.store_group import StoreGroup
from musicrec.errors import StoreError
from musicrec.models.encoders import AudioEncoder, embed
from musicrec.models.frontends import Frontend
from musicrec.models.probe import Probe
from musicrec.system.atomic_write import atomic_write
from musicrec.system.lock import wait_for_lock
from musicrec.system.progress import track_progress

_TRACKS_PER_FILE = 128
_BATCH_S = 96.0  # seconds of audio in a forward pass
_KEY_SAMPLES = 65_536  # of the middle of a track; with length and CRC-32 of the whole, no two recordings share them

log = logging.getLogger(__name__)


class EmbeddingStore:
    """The embeddings of all chunks of some tracks, in memory, with the methods of `WaveformStore` that loaders use.

    Attributes:
        lengths: (tracks,) int64, the number of chunks of each track.
        sample_rate: 1; embeddings have numbers and no times.
    """

    sample_rate = 1

    def __init__(self, track_ids: Sequence[str], embeddings: Sequence[np.ndarray]) -> None:
        """Join embeddings.

        Args:
            track_ids: The names of the tracks.
            embeddings: Of each track, (chunks, size) or (chunks, layers, size) float32.
        """
        self.lengths = np.array([len(values) for values in embeddings], dtype=np.int64)
        self._first = np.cumsum(self.lengths) - self.lengths
        self._values = np.concatenate(embeddings)
        self._tracks = pl.DataFrame({"track_id": track_ids}, schema={"track_id": pl.String}).with_row_index("row")

    def rows(self, track_ids: pl.Series) -> np.ndarray:
        """Return the rows of tracks by their names, (tracks,) int64; -1 for a track without embeddings."""
        wanted = pl.DataFrame({"track_id": track_ids})
        joined = wanted.join(self._tracks, on="track_id", how="left", maintain_order="left")
        return joined["row"].cast(pl.Int64).fill_null(-1).to_numpy()

    def read(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        """Return one embedding of each of some tracks.

        Args:
            rows: (batch,) int, the rows of the tracks.
            starts: (batch,) int, the numbers of their chunks.
            samples: 1, as a chunk has one embedding.

        Returns:
            (batch, size) or (batch, layers, size) float32.
        """
        return self._values[self._first[rows] + starts]


class EmbeddingSource(Protocol):
    """Where embeddings come from.

    Attributes:
        frontend: The front end that belongs to them.
        chunk_samples: Length of the chunks that they belong to, in samples.
        needs_audio: Whether the audio must be decoded before `open`.
    """

    frontend: Frontend
    chunk_samples: int
    needs_audio: bool

    @property
    def probe(self) -> dict[str, Any]:
        """What the probe is built with: encoder, embedding_size, layers, chunk_samples, trained."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """What a model card says about them."""
        ...

    def load_weights(self, probe: Probe) -> None:
        """Give a probe the weights of its encoder, if it has one."""
        ...

    def open(
        self, frame: pl.DataFrame, store: WaveformStore | StoreGroup | None, *, eval_chunks: int | None
    ) -> EmbeddingStore:
        """Return the embeddings of the tracks of a manifest.

        Args:
            frame: Rows of the manifest.
            store: Their decoded audio; None if `needs_audio` is False.
            eval_chunks: Chunks per track, as in `Sampling`.
        """
        ...


class CachedEmbeddings:
    """The embeddings of an encoder, each computed once and kept in a folder.

    A file name there says nothing about a track: embeddings are found by what they depend on, the content of the
    decoded audio, the settings and weights of the encoder, and the number of chunks. So they are found again if a file
    is moved, in other manifests and in other tasks, and not if anything has changed that they depend on. The folder can
    be deleted at any time.
    """

    needs_audio = True

    def __init__(self, encoder: AudioEncoder, *, folder: Path, device: str | torch.device = "cpu") -> None:
        """Set up; nothing is computed yet.

        Args:
            encoder: The encoder.
            folder: Folder of all embeddings.
            device: Where to run the encoder.
        """
        self.encoder, self.folder, self.device = encoder, folder, torch.device(device)
        self.frontend, self.chunk_samples = encoder.frontend, encoder.chunk_samples
        self.about = encoder.about

    def load_weights(self, probe: Probe) -> None:
        """Copy the weights of the encoder into a probe that was built for it."""
        if probe.encoder is not None:
            probe.encoder.load_state_dict(self.encoder.network.state_dict())

    @property
    def probe(self) -> dict[str, Any]:
        """What the probe is built with."""
        return {
            "encoder": self.encoder.description if self.encoder.portable else None,
            "trained": self.encoder.trained,
            "embedding_size": self.encoder.embedding_size,
            "layers": self.encoder.layers,
            "chunk_samples": self.encoder.chunk_samples,
        }

    def open(
        self, frame: pl.DataFrame, store: WaveformStore | StoreGroup | None, *, eval_chunks: int | None = None
    ) -> EmbeddingStore:
        """Return the embeddings of the tracks of a manifest; those that are not in the folder are computed.

        Args:
            frame: Rows of the manifest.
            store: Their decoded audio.
            eval_chunks: Chunks per track; None for as many as cover it.

        Raises:
            StoreError: The folder cannot be written.
        """
        assert store is not None
        chunks = "" if eval_chunks is None else f"-{eval_chunks}"
        name = f"{type(self.encoder.network).__name__}-{self.encoder.checksum()[:16]}{chunks}"
        folder = self.folder / name
        track_ids = frame["track_id"].to_list()
        rows = store.rows(frame["track_id"])
        keys = [_content_key(store, track, int(row)) for track, row in zip(track_ids, rows, strict=True)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with wait_for_lock(folder / ".lock", note=f"another process computes embeddings in {folder}; waiting"):
                kept = _read(folder, set(keys))
                missing = {key: int(row) for key, row in zip(keys, rows, strict=True) if key not in kept}
                for part in self._computed(store, missing, eval_chunks=eval_chunks):
                    with atomic_write(folder / f"{uuid4().hex}.safetensors", "wb", error=None) as file:
                        file.write(save({key: torch.from_numpy(values) for key, values in part.items()}))
                    kept |= part
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be written ({error.strerror or error}); make room or allow writing, or name another "
                "folder with paths.cache=FOLDER"
            ) from None
        return EmbeddingStore(track_ids, [kept[key] for key in keys])

    def _computed(
        self, store: WaveformStore | StoreGroup, missing: dict[str, int], *, eval_chunks: int | None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Compute the embeddings of {key: row of the store}, and yield some tracks at a time."""
        encoder, threads = self.encoder, torch.get_num_threads()
        fast = getattr(encoder.network.eval(), "for_inference", None)
        network = (fast() if fast else encoder.network).to(self.device)
        encoder.frontend.to(self.device)

        def of_track(row: int) -> np.ndarray:
            return self._of_track(network, store, row, eval_chunks=eval_chunks)

        part: dict[str, np.ndarray] = {}
        # On a CPU, tracks side by side with one thread each are much faster than one track with several threads.
        torch.set_num_threads(1)  # holds for all threads of the process
        pool = ThreadPoolExecutor(threads if self.device.type == "cpu" else 1)
        try:
            with track_progress("computing embeddings", "computed embeddings of", len(missing)) as advance:
                for key, values in zip(missing, pool.map(of_track, missing.values()), strict=True):
                    part[key] = values
                    advance()
                    if len(part) == _TRACKS_PER_FILE:
                        yield part
                        part = {}
            if part:
                yield part
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(threads)

    @torch.inference_mode()
    def _of_track(
        self, network: torch.nn.Module, store: WaveformStore | StoreGroup, row: int, *, eval_chunks: int | None
    ) -> np.ndarray:
        """Return the embeddings of the chunks of a track, (chunks, size) or (chunks, layers, size) float32."""
        samples = self.encoder.chunk_samples
        _, starts = all_chunk_starts(store.lengths[row : row + 1], samples, eval_chunks)  # as in evaluation
        batch = max(1, round(_BATCH_S * store.sample_rate / samples))
        parts = []
        for first in range(0, len(starts), batch):
            some = starts[first : first + batch]
            chunks = torch.from_numpy(store.read(np.full(len(some), row), some, samples))
            parts.append(embed(network, self.encoder.frontend(chunks.to(self.device))).float().cpu())
        return torch.cat(parts).numpy()


def _content_key(store: WaveformStore | StoreGroup, track_id: str, row: int) -> str:
    """Return a name for the content of a track: the same for the same samples, wherever their file is."""
    length = int(store.lengths[row])
    middle = np.array([max(0, (length - _KEY_SAMPLES) // 2)])
    digest = hashlib.blake2b(f"{store.sample_rate} {length} {store.checksum(track_id)} ".encode(), digest_size=16)
    digest.update(store.read(np.array([row]), middle, _KEY_SAMPLES).tobytes())
    return digest.hexdigest()


def _read(folder: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Return the embeddings in a folder by key. A file that is damaged is removed, so that it is computed again."""
    found: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="numpy") as file:
                found |= {key: file.get_tensor(key) for key in wanted.intersection(file.keys())}
        except SafetensorError as error:
            log.warning("%s: damaged (%s); its embeddings are computed again", path, error)
            path.unlink(missing_ok=True)
    return found
