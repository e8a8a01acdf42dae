"""A picture of a track: its mel spectrogram as PNG."""

import io

import numpy as np

WIDTH, HEIGHT = 1200, 128
"""Points of the picture. With one byte each, it is smaller than 200 KB whatever is in it."""
FLOOR_DB = -80.0
"""Below the loudest point; this and less is the darkest colour."""
_FRAME_S = 0.064
_LOWEST_HZ = 30.0
_COLOURS = (
    (6, 6, 12), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100), (251, 135, 97),
    (254, 194, 135), (252, 253, 191),
)  # fmt: skip
_PER_COLUMN = 8  # frames at most; more would show no more


def mel_levels(waveform: np.ndarray, sample_rate: int, *, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Return the level of each point of the picture in dB, 0 for the loudest.

    Args:
        waveform: (samples,) float32 in [-1, 1].
        sample_rate: In Hz.
        width: Points in time.
        height: Bands on the mel scale.

    Returns:
        (height, width) float32, low bands first; all `FLOOR_DB` for silence.
    """
    from scipy.fft import rfft, rfftfreq

    size = round(_FRAME_S * sample_rate)
    padded = np.pad(waveform, (size // 2, size - size // 2))
    per_column = max(1, min(_PER_COLUMN, len(waveform) * 2 // (size * width)))
    starts = np.linspace(0, max(0, len(waveform) - 1), width * per_column).astype(np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    bands = _mel_bands(rfftfreq(size, 1 / sample_rate), height)
    power = np.empty((width, height), np.float32)
    for column in range(0, width, 64):
        some = starts[column * per_column : (column + 64) * per_column]
        spectra = np.abs(rfft(frames[some] * window, axis=1)) ** 2 @ bands
        power[column : column + 64] = spectra.reshape(-1, per_column, height).mean(axis=1)
    loudest = float(power.max())
    if not loudest:
        return np.full((height, width), FLOOR_DB, np.float32)
    return np.maximum(10 * np.log10(np.maximum(power.T / loudest, 1e-12)), FLOOR_DB).astype(np.float32)


def spectrogram_png(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Return the mel spectrogram of a track as PNG of `WIDTH` by `HEIGHT` points, high bands on top."""
    from PIL import Image

    levels = mel_levels(waveform, sample_rate)
    shades = np.round((levels[::-1] - FLOOR_DB) * (255 / -FLOOR_DB)).astype(np.uint8)
    picture = Image.fromarray(shades).convert("P")
    places = np.linspace(0, len(_COLOURS) - 1, 256)
    palette = np.column_stack(
        [np.interp(places, range(len(_COLOURS)), column) for column in zip(*_COLOURS, strict=True)]
    )
    picture.putpalette(np.round(palette).astype(np.uint8).tobytes())
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _mel_bands(frequencies: np.ndarray, count: int) -> np.ndarray:
    """Return the weights of triangular bands on the HTK mel scale, (bins, bands); each has at least one bin."""
    mel = 2595 * np.log10(1 + frequencies / 700)
    edges = np.linspace(2595 * np.log10(1 + _LOWEST_HZ / 700), mel[-1], count + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    bands = np.maximum(0.0, np.minimum(rising, falling))
    nearest = np.abs(mel[:, None] - edges[1:-1]).argmin(axis=0)
    empty = np.flatnonzero(bands.max(axis=0) == 0)
    bands[nearest[empty], empty] = 1.0
    return (bands / bands.sum(axis=0)).astype(np.float32)
