"""Mix the channels of a recording down to one."""

from collections.abc import Sequence

import numpy as np

_HALF_POWER = 0.5**0.5
# Of ITU-R BS.775: the centre and the surround channels are 3 dB lower; the channel for low frequencies is left out.
# FC: front centre, LFE: low frequencies, BL: back left, SL: side left, BC: back centre.
_WEIGHTS = {
    "FL": 0.5, "FR": 0.5, "FC": _HALF_POWER, "LFE": 0.0, "BL": 0.5 * _HALF_POWER, "BR": 0.5 * _HALF_POWER,
    "FLC": 0.5, "FRC": 0.5, "BC": 0.5, "SL": 0.5 * _HALF_POWER, "SR": 0.5 * _HALF_POWER,
}  # fmt: skip
_MASK = ("FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR")  # in the order of the bits

WAVE_ORDER = {
    3: ("FL", "FR", "FC"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""{channels: their speakers} in FLAC (RFC 9639, section 9.1.3), which is the order of WAV."""

VORBIS_ORDER = {
    3: ("FL", "FC", "FR"),
    4: ("FL", "FR", "BL", "BR"),
    5: ("FL", "FC", "FR", "BL", "BR"),
    6: ("FL", "FC", "FR", "BL", "BR", "LFE"),
    7: ("FL", "FC", "FR", "SL", "SR", "BC", "LFE"),
    8: ("FL", "FC", "FR", "SL", "SR", "BL", "BR", "LFE"),
}
"""{channels: their speakers} in OGG (Vorbis I specification, section 4.3.9, and RFC 7845, section 5.1.1.2)."""

_INVERTED = -0.95


def speakers_of_mask(mask: int, channels: int) -> tuple[str, ...] | None:
    """Return the speakers that a WAV names, or None if it names others or not one per channel.

    Args:
        mask: `dwChannelMask` of WAVE_FORMAT_EXTENSIBLE.
        channels: Number of channels.
    """
    if mask >> len(_MASK):
        return None
    speakers = tuple(name for bit, name in enumerate(_MASK) if mask >> bit & 1)
    return speakers if len(speakers) == channels else None


class MonoMix:
    """Mixes blocks of a recording to mono, and measures how far its two channels cancel each other out.

    Two channels are averaged. More are weighted by their speakers, so that a 5.1 recording sounds as it does in stereo.
    Channels without known speakers are averaged.

    Args:
        speakers: The speaker of each channel; None if it is not known.
        only: Take this channel alone.
    """

    def __init__(self, speakers: Sequence[str] | None, *, only: int | None = None) -> None:
        self._only = only
        self._weights = None
        if speakers is not None and len(speakers) > 2:
            weights = np.array([_WEIGHTS[name] for name in speakers], np.float32)
            self._weights = weights / weights.sum()
        self._products = np.zeros((2, 2))

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Mix a block: (frames, channels) float32 to (frames,) float32."""
        channels = block.shape[1]
        if channels == 1 or self._only is not None:
            return np.ascontiguousarray(block[:, self._only or 0])
        if channels == 2:
            self._products += block.T @ block
            return (block[:, 0] + block[:, 1]) * np.float32(0.5)
        return block.mean(axis=1, dtype=np.float32) if self._weights is None else block @ self._weights

    @property
    def correlation(self) -> float:
        """Correlation of the two channels, -1 to 1; 0 if one is silent or there are not two."""
        scale = np.sqrt(self._products[0, 0]) * np.sqrt(self._products[1, 1])
        return float(self._products[0, 1] / scale) if 0 < scale < np.inf else 0.0

    @property
    def audible(self) -> int | None:
        """The channel to take alone, as the other one is its inverse: the louder one. None if the mix is good."""
        return int(self._products[1, 1] > self._products[0, 0]) if self.correlation < _INVERTED else None
