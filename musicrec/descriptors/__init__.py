"""Medium-level features that are computed from the audio, without a model: loudness, brightness, onset rate, energy.

One file per descriptor: what it is called, its unit, its usual range, its source, and the function that measures it.
`musicrec.descriptors.measurement.measure` measures all of them in one pass. Importing this package loads neither torch
nor SciPy, so a program can show stored values quickly.
"""

from musicrec.descriptors.brightness import BRIGHTNESS
from musicrec.descriptors.descriptor import Descriptor
from musicrec.descriptors.energy import ENERGY
from musicrec.descriptors.loudness import LOUDNESS
from musicrec.descriptors.loudness_range import LOUDNESS_RANGE
from musicrec.descriptors.onset_rate import ONSET_RATE
from musicrec.descriptors.roll_off import ROLL_OFF
from musicrec.descriptors.zero_crossings import ZERO_CROSSINGS

__all__ = ["DESCRIPTORS", "Descriptor"]

DESCRIPTORS: dict[str, Descriptor] = {
    descriptor.name: descriptor
    for descriptor in (ENERGY, LOUDNESS, LOUDNESS_RANGE, BRIGHTNESS, ROLL_OFF, ZERO_CROSSINGS, ONSET_RATE)
}
"""{name: descriptor} of all descriptors, in the order in which they are shown."""
