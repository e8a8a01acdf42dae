"""Cut whole tracks into the batches of chunks that a network hears."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.audio.chunks import chunk_starts
from musicrec.models import Network
from musicrec.models.frontends import Frontend

LEAST_HEARD_S = 120.0
"""A coverage below 1 never makes a network hear less of a track than this, unless the track is shorter."""


@dataclass(frozen=True)
class _Chunk:
    track: int
    start: int  # in samples; of a network with `chunk_frames`, in frames


def heard_s(duration_s: float, coverage: float) -> float:
    """Return about how many seconds of a track a network hears."""
    return min(duration_s, max(duration_s * coverage, LEAST_HEARD_S))


def heard_chunks(count: int, coverage: float, *, least: int = 1) -> np.ndarray:
    """Choose which chunks of a track a network hears.

    They are spread evenly: the track is divided into as many equal parts as chunks are heard, and the chunk in the
    middle of each part is taken.

    Args:
        count: Number of chunks that cover the track.
        coverage: Share of them to hear, above 0 and at most 1.
        least: Hear at least this many, or all if there are fewer.

    Returns:
        Their positions among all chunks, (chunks,) int64, increasing.
    """
    share = math.ceil(coverage * count - 1e-9)
    heard = min(count, max(share, least))
    return ((np.arange(heard) + 0.5) * count / heard).astype(np.int64)


def heard_starts(network: Network, frontend: Frontend, samples: int, *, coverage: float = 1.0) -> np.ndarray:
    """Return where the chunks begin that a network hears of a track.

    Most networks hear chunks of the waveform, which overlap a little so that they cover the track evenly. A network
    with `chunk_frames` hears patches of the spectrogram of the whole track, one after the other; the frames after the
    last whole patch are left out.

    Args:
        network: The network.
        frontend: Its front end.
        samples: Length of the track, in samples.
        coverage: Share of the chunks to hear; at least `LEAST_HEARD_S` of the track are heard.

    Returns:
        (chunks,) int64, in samples; in frames for a network with `chunk_frames`.
    """
    frames = getattr(network, "chunk_frames", None)
    if frames is None:
        starts = chunk_starts(samples, network.chunk_samples)
    else:
        patches = max(1, (max(samples, network.chunk_samples) // frontend.hop_length + 1) // frames)
        starts = np.arange(patches, dtype=np.int64) * frames
    least = math.ceil(LEAST_HEARD_S * frontend.sample_rate / network.chunk_samples)
    return starts[heard_chunks(len(starts), coverage, least=least)]


def chunk_batches(
    network: Network,
    frontend: Frontend,
    waveforms: Sequence[Tensor],
    *,
    batch_size: int,
    device: torch.device,
    coverage: float = 1.0,
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the inputs of a network for whole tracks. A batch may hold chunks of several tracks.

    A track shorter than a chunk is padded with silence.

    Args:
        network: The network.
        frontend: Its front end, on the device.
        waveforms: One (samples,) float32 in [-1, 1] per track.
        batch_size: Number of chunks per batch.
        device: Where to compute the spectrograms.
        coverage: As in `heard_starts`.

    Yields:
        The track of each chunk, in increasing order, and the spectrograms (batch, 1, n_mels, frames) float32 on the
        device.
    """
    size, frames = network.chunk_samples, getattr(network, "chunk_frames", None)
    padded = [F.pad(waveform, (0, max(0, size - len(waveform)))) for waveform in waveforms]
    chunks = [
        _Chunk(track, start)
        for track, waveform in enumerate(waveforms)
        for start in heard_starts(network, frontend, len(waveform), coverage=coverage).tolist()
    ]
    for first in range(0, len(chunks), batch_size):
        batch = chunks[first : first + batch_size]
        if frames is None:
            waveform = torch.stack([padded[chunk.track][chunk.start : chunk.start + size] for chunk in batch])
            spectrogram = frontend(waveform.to(device))
        else:
            spectrogram = _patches(frontend, padded, batch, frames=frames, device=device)
        yield [chunk.track for chunk in batch], spectrogram


def _patches(
    frontend: Frontend, waveforms: Sequence[Tensor], batch: Sequence[_Chunk], *, frames: int, device: torch.device
) -> Tensor:
    """Return patches of the spectrograms of whole tracks, (batch, 1, n_mels, frames).

    Only the samples that the frames of a patch see are transformed, so neither memory nor time depend on the length of
    the track.
    """
    hop = frontend.hop_length
    margin = math.ceil(frontend.n_fft / 2 / hop)  # frames whose windows reach beyond the end of a stretch
    stretches: dict[tuple[int, int], list[tuple[int, Tensor]]] = {}
    for position, chunk in enumerate(batch):
        before = min(margin, chunk.start)
        stop = chunk.start + frames - 1 + margin
        stretch = waveforms[chunk.track][(chunk.start - before) * hop : stop * hop]
        stretches.setdefault((before, len(stretch)), []).append((position, stretch))
    patches: dict[int, Tensor] = {}
    for (before, _), alike in stretches.items():  # those at the ends of a track differ from the others
        spectrograms = frontend(torch.stack([stretch for _, stretch in alike]).to(device))
        for (position, _), spectrogram in zip(alike, spectrograms, strict=True):
            patches[position] = spectrogram[..., before : before + frames]
    return torch.stack([patches[position] for position in range(len(batch))])
