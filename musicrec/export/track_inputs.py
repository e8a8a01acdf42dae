"""Cut a whole track into the inputs of a network."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from musicrec.audio.chunks import chunk_starts
from musicrec.models import Network
from musicrec.models.frontends import Frontend


def track_inputs(
    network: Network, frontend: Frontend, waveform: Tensor, *, batch_size: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield the inputs of a network for a whole track.

    Most networks take the spectrograms of chunks of the waveform, spread evenly over the track. A network with
    `chunk_frames` takes patches of the spectrogram of the whole track, one after the other; the frames after the last
    whole patch are left out. A track shorter than a chunk is padded with silence.

    Args:
        network: The network.
        frontend: Its front end, on the device.
        waveform: (samples,) float32 in [-1, 1].
        batch_size: Number of chunks or patches per batch.
        device: Where to compute the spectrograms.

    Yields:
        (batch, 1, n_mels, frames) float32, on the device.
    """
    size = network.chunk_samples
    padded = F.pad(waveform, (0, max(0, size - len(waveform))))
    frames = getattr(network, "chunk_frames", None)
    if frames is None:
        starts = torch.as_tensor(chunk_starts(len(waveform), size))
        for batch in padded.unfold(0, size, 1)[starts].split(batch_size):
            yield frontend(batch.to(device))
        return
    patches = (len(padded) // frontend.hop_length + 1) // frames
    for first in range(0, patches, batch_size):
        last = min(first + batch_size, patches)
        spectrogram = frames_of(frontend, padded, first * frames, last * frames, device=device)
        yield torch.stack(spectrogram.split(frames, dim=-1))


def frames_of(frontend: Frontend, waveform: Tensor, start: int, stop: int, *, device: torch.device) -> Tensor:
    """Compute some frames of the spectrogram of a whole track, so that its length does not decide about memory.

    Args:
        frontend: The front end, on the device.
        waveform: (samples,) float32, the whole track.
        start: The first frame.
        stop: The frame after the last one.
        device: Where to compute.

    Returns:
        (1, n_mels, stop - start) float32, on the device, equal to these frames of `frontend(waveform)`.
    """
    hop = frontend.hop_length
    margin = math.ceil(frontend.n_fft / 2 / hop)  # frames whose windows reach beyond the end of a stretch
    before = min(margin, start)
    stretch = waveform[(start - before) * hop : (stop - 1 + margin) * hop]
    return frontend(stretch[None].to(device))[0, ..., before : before + stop - start]
