"""The ranking that needs no model: mel-frequency cepstral coefficients, summed up over the track.

Means and deviations of MFCC are the usual baseline of music similarity (Logan and Salomon 2001; Mandel and Ellis 2005).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from musicrec.recommend.track import Track
from musicrec.system.atomic_write import atomic_write

BLOCK = "embedding.mfcc"  # named as an embedding, so that it is centred and scaled as one
SAMPLE_RATE, COEFFICIENTS = 16_000, 20
_PART_S = 60
_SHORTEST = 512  # samples of a frame


def mfcc(waveform: np.ndarray) -> np.ndarray:
    """Return means, deviations and deviations of the differences of 20 MFCC, (60,) float32.

    Args:
        waveform: (samples,) float32 at 16 kHz.
    """
    import torch
    from scipy.fft import dct

    from musicrec.models.frontends.mel import MelSpectrogram

    frontend = MelSpectrogram(sample_rate=SAMPLE_RATE, n_mels=64)
    parts = torch.from_numpy(waveform).split(_PART_S * SAMPLE_RATE)
    with torch.inference_mode():
        decibels = [frontend(part[None])[0, 0].numpy() for part in parts if len(part) > _SHORTEST or len(parts) == 1]
    values = dct(np.concatenate(decibels, axis=1), axis=0, norm="ortho")[:COEFFICIENTS]
    changes = np.diff(values).std(1) if values.shape[1] > 1 else np.zeros(COEFFICIENTS)
    return np.concatenate([values.mean(1), values.std(1), changes]).astype(np.float32)


def mfcc_of_tracks(tracks: Sequence[Track], *, cache: Path, advance: Callable[[], object] = lambda: None) -> np.ndarray:
    """Return the MFCC of every track, (tracks, 60) float32; NaN where the file cannot be read.

    Args:
        tracks: The tracks.
        cache: A file that keeps them, by the hash of the audio.
        advance: Is called for every track.
    """
    from musicrec.audio.decode import decode
    from musicrec.errors import AudioError

    known = _read(cache)
    unreadable = np.full(3 * COEFFICIENTS, np.nan, np.float32)
    new, failed = {}, set()
    for track in tracks:
        if track.audio_hash not in known and track.audio_hash not in failed:
            try:
                known[track.audio_hash] = new[track.audio_hash] = mfcc(decode(track.path, sample_rate=SAMPLE_RATE))
            except AudioError:  # not kept: the disk may be back the next time
                failed.add(track.audio_hash)
        advance()
    if new:
        kept = _read(cache) | new  # another evaluation may have written meanwhile
        with atomic_write(cache, "wb") as file:
            np.savez(file, hashes=np.array(list(kept)), values=np.stack(list(kept.values())))
    return np.stack([known.get(track.audio_hash, unreadable) for track in tracks])


def _read(cache: Path) -> dict[str, np.ndarray]:
    """Return what a cache keeps, {audio_hash: values}; nothing if it does not exist or cannot be read."""
    try:
        with np.load(cache, allow_pickle=False) as stored:
            return dict(zip(stored["hashes"].tolist(), stored["values"], strict=True))
    except (OSError, ValueError, KeyError):
        return {}
