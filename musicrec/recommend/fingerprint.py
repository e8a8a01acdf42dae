"""The fingerprint of a recording: two kilobytes by which other encodings and remasters of it are recognised.

As in Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002, each bit is the sign of a double
difference of band energies: between neighbouring bands, and over time. Gain and compression cancel out in the first
difference, equalisation in the second. The bits come from eight passages that are spread over the whole track in
proportion to its length. So mixes that only begin alike differ, and a change of speed hardly moves a passage. The bands
are not folded into octaves as in a chroma, because a chroma describes the composition: it takes the same notes on other
instruments for the same recording (`experiments/versions`).
"""

import functools

import numpy as np

PASSAGES, PASSAGE_S, WORDS_PER_S, BITS = 8, 16, 8, 16
SIZE_BYTES = PASSAGES * PASSAGE_S * WORDS_PER_S * BITS // 8
MAX_SHIFT_S = 5
"""How far a passage may lie from its place in the other recording, as after a trimmed or padded start or end."""

_WORDS = PASSAGE_S * WORDS_PER_S
_WINDOW_S = 0.256
_SMOOTHED = 5  # words, 0.6 s: two files are rarely cut at the same sample, and a word must not depend on where
_APART = 16  # words, 2 s between the energies that are compared
_LOWEST_HZ, _HIGHEST_HZ = 110.0, 4000.0  # what codecs and masterings keep
LEAST_RATE = round(2 * _HIGHEST_HZ)
"""The least sample rate in Hz."""
_FLOOR = 1e-4  # of the mean power of a band: what is 40 dB below it is silence
_CHANGE = 0.02  # of the logarithms of energies: less is no change, so that the noise in silence does not count
_TELLING = 1 / 8  # of the bits of a passage that are set; half of them are where there is music
_LEAST_TELLING = 5  # passages: of the half that `similarity` judges by, one at least then tells something

_SHIFTS = np.arange(-MAX_SHIFT_S * WORDS_PER_S, MAX_SHIFT_S * WORDS_PER_S + 1)
_PACK = 64 // BITS  # words that are compared at once
_BATCH = 32  # recordings; their differences stay in the cache of the processor


def fingerprint(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Compute the fingerprint of a whole track.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        sample_rate: In Hz, at least 8,000.

    Returns:
        `SIZE_BYTES` bytes, or none at all for a track that is shorter than about 19 s, or silent for half of its time.

    Raises:
        ValueError: The sample rate is too low.
    """
    from scipy.fft import rfft  # twice as fast as NumPy's

    if sample_rate < LEAST_RATE:
        raise ValueError(f"sample_rate={sample_rate}; at least {LEAST_RATE} Hz are needed")
    size = round(_WINDOW_S * sample_rate)
    hop = round(sample_rate / WORDS_PER_S)
    frames = _APART + _WORDS - 1 + _SMOOTHED
    samples = (frames - 1) * hop + size
    if len(waveform) < samples:
        return b""
    first_bin, weights = _bands(size, sample_rate)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    powers = np.empty((PASSAGES, frames, BITS + 1), np.float32)
    for passage, first in enumerate(np.linspace(0, len(waveform) - samples, PASSAGES).round().astype(int)):
        framed = np.lib.stride_tricks.sliding_window_view(waveform[first : first + samples], size)[::hop]
        spectrum = rfft(framed * window, axis=1)[:, first_bin : first_bin + len(weights)]
        powers[passage] = (np.square(spectrum.real) + np.square(spectrum.imag)) @ weights
    levels = np.log(powers + _FLOOR * powers.mean(axis=(0, 1)) + np.float32(1e-12))
    sums = np.pad(levels, ((0, 0), (1, 0), (0, 0))).cumsum(axis=1, dtype=np.float64)
    levels = (sums[:, _SMOOTHED:] - sums[:, :-_SMOOTHED]) / _SMOOTHED
    slopes = levels[:, :, :-1] - levels[:, :, 1:]
    bits = slopes[:, _APART:] - slopes[:, :-_APART] > _CHANGE
    if (bits.mean(axis=(1, 2)) > _TELLING).sum() < _LEAST_TELLING:
        return b""
    return np.packbits(bits).tobytes()


def similarity(one: bytes, other: bytes) -> float:
    """Return how alike two recordings sound, from about 0 for different ones to 1.

    Args:
        one: A fingerprint.
        other: Another. If one of them is empty, they have nothing in common.
    """
    if not one or not other:
        return 0.0
    return float(similarities(one, words([other]))[0])


def words(fingerprints: list[bytes]) -> np.ndarray:
    """Return fingerprints side by side, (recordings, passages, words / 4) uint64, four words in one number.

    Args:
        fingerprints: None of them empty.
    """
    return np.frombuffer(b"".join(fingerprints), np.uint64).reshape(-1, PASSAGES, _WORDS // _PACK)


def similarities(one: bytes, others: np.ndarray, *, coarse_limit: float = -1.0) -> np.ndarray:
    """Return how alike a recording and each of many others sound, as `similarity` does.

    The passages of two recordings are compared at every shift up to `MAX_SHIFT_S`. The shift may change evenly from the
    first passage to the last, because a piece that is missing at the start moves the first passage only, and one that
    is missing at the end the last. What counts is the mean over the half of the passages that agree least: recordings
    that share a theme or a loop agree in the others.

    Args:
        one: A fingerprint, not empty.
        others: (recordings, passages, words / 4) uint64, from `words`.
        coarse_limit: Other recordings are compared in two passages first. They count as -1 if the better one of these
            agrees less than this.

    Returns:
        (recordings,) float32.
    """
    result = np.full(len(others), -1.0, np.float32)
    shifted, overlap = _shifted(words([one])[0])
    middle = np.array([PASSAGES // 2 - 1, PASSAGES // 2])
    for first in range(0, len(others), _BATCH):
        batch = others[first : first + _BATCH]
        rows = np.arange(len(batch))
        if coarse_limit > -1:
            best = _agreement(shifted[::2, middle], overlap[::2], batch[:, middle], _SHIFTS[::2]).max(axis=(1, 2))
            rows = np.flatnonzero(best >= coarse_limit)
        if len(rows):
            agreement = _agreement(shifted, overlap, batch[rows], _SHIFTS)  # (recordings, shifts, passages)
            along = agreement[:, _paths(), np.arange(PASSAGES)]  # (recordings, paths, passages)
            path = along.sum(axis=2).argmax(axis=1)
            passages = np.sort(along[np.arange(len(rows)), path], axis=1)
            result[first + rows] = passages[:, : PASSAGES // 2].mean(axis=1)
    return result


def _bands(size: int, sample_rate: int) -> tuple[int, np.ndarray]:
    """Return the first bin that counts, and the weights of triangular bands on a logarithmic scale, (bins, bands)."""
    step = np.log(_HIGHEST_HZ / _LOWEST_HZ) / (BITS + 2)
    edges = np.log(_LOWEST_HZ) + step * np.arange(BITS + 3)
    position = (np.log(np.maximum(np.arange(size // 2 + 1), 0.5) * sample_rate / size)[:, None] - edges[1:-1]) / step
    weights = np.maximum(0.0, 1 - np.abs(position)).astype(np.float32)
    used = np.flatnonzero(weights.any(axis=1))
    return int(used[0]), weights[used[0] : used[-1] + 1]


def _shifted(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift a recording in time, and mark which words still overlap with one that is not shifted.

    Args:
        packed: (passages, words / 4) uint64.

    Returns:
        (shifts, passages, words / 4) uint64, and (shifts, 1, words / 4) uint64 with all bits set where words overlap.
    """
    unpacked = packed.view(np.uint16)
    shifted = np.zeros((len(_SHIFTS), *unpacked.shape), np.uint16)
    overlap = np.zeros((len(_SHIFTS), 1, _WORDS), np.uint16)
    for row, shift in enumerate(_SHIFTS.tolist()):
        to = slice(max(0, -shift), _WORDS - max(0, shift))
        shifted[row, :, to] = unpacked[:, max(0, shift) : _WORDS + min(0, shift)]
        overlap[row, :, to] = 0xFFFF
    return shifted.view(np.uint64), overlap.view(np.uint64)


def _agreement(shifted: np.ndarray, overlap: np.ndarray, others: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return 1 - 2 × the share of bits that differ, (recordings, shifts, passages) float32; 0 is chance.

    Args:
        shifted: (shifts, passages, words / 4) uint64.
        overlap: (shifts, 1, words / 4) uint64.
        others: (recordings, passages, words / 4) uint64.
        shifts: (shifts,), in words.
    """
    differing = others[:, None] ^ shifted
    differing &= overlap
    counts = _set_bits(differing).sum(axis=-1, dtype=np.uint16)
    compared = BITS * (_WORDS - np.abs(shifts)).astype(np.float32)
    return 1 - counts * (2 / compared)[:, None]


def _set_bits(numbers: np.ndarray) -> np.ndarray:
    """Count the bits that are set, of each number or of each quarter of it; the sum over the last axis is the same."""
    if hasattr(np, "bitwise_count"):  # from NumPy 2 on
        return np.bitwise_count(numbers)
    return _bits_of_words()[numbers.view(np.uint16)]


@functools.cache
def _bits_of_words() -> np.ndarray:
    return np.unpackbits(np.arange(1 << BITS, dtype=np.uint16).view(np.uint8)).reshape(-1, BITS).sum(1, dtype=np.uint8)


@functools.cache
def _paths() -> np.ndarray:
    """Return the row in `_SHIFTS` of each passage, for each shift of the first and the last one, (paths, passages)."""
    ends = np.arange(len(_SHIFTS))
    first, last = (grid.reshape(-1, 1) for grid in np.meshgrid(ends, ends, indexing="ij"))
    return np.rint(first + (last - first) * np.arange(PASSAGES) / (PASSAGES - 1)).astype(np.int64)
