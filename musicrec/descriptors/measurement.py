"""Measure all descriptors of a track in one pass."""

import numpy as np

from musicrec.audio.decode import Decoded
from musicrec.descriptors.brightness import brightness
from musicrec.descriptors.energy import energy
from musicrec.descriptors.loudness import integrated_loudness
from musicrec.descriptors.loudness_meter import LoudnessMeter
from musicrec.descriptors.loudness_range import loudness_range
from musicrec.descriptors.onset_rate import onset_rate
from musicrec.descriptors.roll_off import roll_off
from musicrec.descriptors.spectrum import spectrum_of
from musicrec.descriptors.zero_crossings import zero_crossings


def measure(decoded: Decoded, *, sample_rate: int) -> dict[str, float]:
    """Measure the descriptors of a track.

    Loudness is that of the original channels if the track was decoded with `meter=LoudnessMeter`; else it is that of
    the mono waveform. All values are finite. A value that the track does not have is left out: brightness and roll-off
    of silence, and the loudness range of a track shorter than 3 s.

    Args:
        decoded: The track, from `decode_track`, or `Decoded(waveform)`; not empty.
        sample_rate: Sample rate of its waveform in Hz.

    Returns:
        {descriptor: value}, in the order of `DESCRIPTORS`.
    """
    waveform = decoded.waveform
    meters = [meter for meter in decoded.meters if isinstance(meter, LoudnessMeter)]
    if not meters:
        meters = [LoudnessMeter(sample_rate)]
        meters[0](waveform[:, None])
    powers = np.concatenate([meter.powers for meter in meters])
    spectrum = spectrum_of(waveform, sample_rate)
    measured = {
        "loudness": integrated_loudness(powers),
        "loudness_range": loudness_range(powers),
        "brightness": brightness(spectrum.centroids),
        "roll_off": roll_off(spectrum.roll_offs),
        "zero_crossings": zero_crossings(waveform, sample_rate),
        "onset_rate": onset_rate(spectrum.bands, spectrum.frame_rate, len(waveform) / sample_rate),
    }
    values = {name: value for name, value in measured.items() if value is not None}
    return {"energy": energy(values), **values}
