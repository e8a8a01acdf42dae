"""Energy 1–10: from calm to hard, by a formula of the other descriptors."""

from collections.abc import Mapping

from musicrec.descriptors.brightness import BRIGHTNESS
from musicrec.descriptors.descriptor import Descriptor
from musicrec.descriptors.loudness import LOUDNESS
from musicrec.descriptors.onset_rate import ONSET_RATE

ENERGY = Descriptor(
    name="energy",
    unit="",
    digits=1,
    low=2.0,
    high=9.0,
    source="formula of this project (docs/descriptors.md)",
    meaning="From 1, calm, to 10, hard: how loud, bright and busy the track is.",
)

WEIGHTS = {LOUDNESS: 0.5, BRIGHTNESS: 0.2, ONSET_RATE: 0.3}
"""{descriptor: its share}, of the positions in their usual ranges."""


def energy(values: Mapping[str, float]) -> float:
    """Return the energy, 1 to 10.

    Args:
        values: {descriptor: value} of those in `WEIGHTS`; what is missing counts as the lower end of its range.
    """
    share = sum(
        weight * float(descriptor.position(values.get(descriptor.name, descriptor.low)))
        for descriptor, weight in WEIGHTS.items()
    )
    return 1.0 + 9.0 * share
