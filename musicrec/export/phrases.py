"""Phrases of two, four and eight bars on a beat grid: they begin where the sound changes."""

import numpy as np
import torch
import torch.nn.functional as F

from musicrec.heads.beat_grid import BeatGrid
from musicrec.models.frontends import Frontend

PHRASE_BARS = (2, 4, 8)
_CONTEXT_BARS = 2  # before and after a downbeat, which are compared
_BLOCK_S = 60.0  # of audio whose spectrogram is in memory


def find_phrases(beat_levels: np.ndarray, grid: BeatGrid) -> dict[int, np.ndarray]:
    """Return where phrases begin.

    Every downbeat has a novelty: how far the mean levels of the two bars after it are from those of the two bars before
    it. Phrases of two bars begin at the odd or at the even bars, whichever have more novelty on average; those of four
    and eight bars at every other one of the next shorter phrases, in the same way.

    Args:
        beat_levels: (beats, bands), the mean level of each band in each beat of the grid, in decibels.
        grid: The grid.

    Returns:
        {beats of a phrase: starts in seconds (phrases,) float64}: 8, 16 and 32 where a bar has four beats. Only lengths
        of which the audio has two or more.
    """
    beats_s, metre = grid.beats_s[: len(beat_levels)], grid.beats_per_bar
    starts = np.arange((1 - grid.first_place) % metre, len(beats_s), metre)
    strength = novelty(beat_levels, starts, context=_CONTEXT_BARS * metre)
    phrases = {}
    step = 1
    for bars in PHRASE_BARS:
        if len(starts) < 2 * bars // step:
            break
        ratio = bars // step
        begin = int(np.argmax([strength[offset::ratio].mean() for offset in range(ratio)]))
        starts, strength, step = starts[begin::ratio], strength[begin::ratio], bars
        phrases[bars * metre] = beats_s[starts]
    return phrases


def novelty(beat_levels: np.ndarray, places: np.ndarray, *, context: int) -> np.ndarray:
    """Return how much the sound changes at some beats, (places,) float64, in decibels; 0 at the ends of the audio.

    Args:
        beat_levels: (beats, bands), in decibels.
        places: Numbers of beats.
        context: Beats before and after a place.
    """
    sums = np.concatenate([np.zeros((1, beat_levels.shape[1])), beat_levels.astype(np.float64).cumsum(axis=0)])
    inside = (places >= context) & (places + context <= len(beat_levels))
    middle = np.where(inside, places, context)
    if not inside.any():
        return np.zeros(len(places))
    after = sums[middle + context] - sums[middle]
    before = sums[middle] - sums[middle - context]
    return np.where(inside, np.sqrt(np.square((after - before) / context).mean(axis=1)), 0.0)


def levels_of_beats(
    waveform: np.ndarray, grid: BeatGrid, frontend: Frontend, *, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Return the mean levels of the bands in each beat, (beats, bands) float64, in decibels.

    Args:
        waveform: (samples,) float32 at the sample rate of the front end.
        grid: The grid.
        frontend: Makes the spectrogram, on the device.
        device: Where to compute it.
    """
    rate, frame_rate = frontend.sample_rate, frontend.sample_rate / frontend.hop_length
    size, beats = round(_BLOCK_S * frame_rate) * frontend.hop_length, len(grid.beats_s)
    total, count = np.zeros((beats, frontend.n_mels)), np.zeros(beats)
    for first in range(0, len(waveform), size):
        block = torch.from_numpy(waveform[first : first + size].copy())
        block = F.pad(block, (0, max(0, frontend.n_fft - len(block))))
        with torch.inference_mode():
            levels = frontend(block[None].to(device))[0, 0].T.double().cpu().numpy()
        times_s = first / rate + np.arange(len(levels)) / frame_rate
        beat = np.floor((times_s - grid.first_beat_s) * grid.bpm / 60 + 1e-9).astype(int)
        inside = (beat >= 0) & (beat < beats)
        np.add.at(total, beat[inside], levels[inside])
        np.add.at(count, beat[inside], 1)
    return total / np.maximum(count, 1)[:, None]
