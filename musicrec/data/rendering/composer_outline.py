"""What is settled before a composed piece is written: its style, mode, key, tempo and metre."""

import random
from dataclasses import dataclass

DURATION_S = 44.0  # of a piece, at least
LARGEST_DETUNING_CENTS = 50

# {mode: (semitones above the tonic, label)}. The label is that of the third.
MODES = {
    "ionian": ((0, 2, 4, 5, 7, 9, 11), "major"),
    "mixolydian": ((0, 2, 4, 5, 7, 9, 10), "major"),
    "lydian": ((0, 2, 4, 6, 7, 9, 11), "major"),
    "aeolian": ((0, 2, 3, 5, 7, 8, 10), "minor"),
    "harmonic minor": ((0, 2, 3, 5, 7, 8, 11), "minor"),
    "dorian": ((0, 2, 3, 5, 7, 9, 10), "minor"),
    "phrygian": ((0, 1, 3, 5, 7, 8, 10), "minor"),
}
_MODE_WEIGHTS = (30, 12, 4, 30, 12, 8, 4)
_METRES = (4, 3, 6)
_METRE_WEIGHTS = (80, 14, 6)


@dataclass(frozen=True)
class Style:
    """What composed pieces of one style have in common.

    Attributes:
        tempo: Lowest and highest tempo in BPM.
        minor: Factor on the weight of minor modes.
        chords, pads, basses, leads: General MIDI programs.
        drums: Share of the pieces with drums.
        loudness: Velocity of the drums relative to the other parts.
        power: Share of the pieces whose chords have no third.
        drone: Share of the pieces whose bass stays on the tonic.
    """

    tempo: tuple[int, int]
    minor: float
    chords: tuple[int, ...]
    pads: tuple[int, ...]
    basses: tuple[int, ...]
    leads: tuple[int, ...]
    drums: float
    loudness: float
    power: float
    drone: float


STYLES = {
    "orchestral": Style((56, 150), 1.3, (45, 46, 48, 60, 61, 0, 11), (48, 49, 50, 52, 89), (43, 42, 58, 32),
                        (40, 41, 56, 60, 68, 70, 71, 73, 74, 52, 46), 0.35, 0.9, 0.1, 0.3),
    "metal": Style((90, 200), 3.0, (29, 30), (48, 50, 62, 52), (33, 34, 36), (29, 30, 81, 87), 0.95, 1.2, 0.7, 0.35),
    "electronic": Style((90, 175), 2.0, (80, 81, 90, 62, 63, 4, 103), (88, 89, 90, 93, 94, 95), (38, 39, 87),
                        (80, 81, 82, 84, 85, 86, 87, 98, 100), 0.9, 1.3, 0.25, 0.35),
    "ambient": Style((50, 110), 1.3, (88, 89, 94, 99, 4, 11, 14), (88, 89, 91, 92, 94, 95, 97, 101), (38, 39, 43, 32),
                     (73, 75, 79, 98, 99, 10, 12, 52), 0.2, 0.8, 0.2, 0.6),
    "percussive": Style((80, 180), 1.3, (12, 13, 108, 24, 105, 106, 25), (48, 89, 53, 95), (32, 33, 35),
                        (12, 68, 75, 77, 78, 104, 107, 110, 111), 0.98, 1.5, 0.25, 0.5),
    "band": Style((70, 180), 1.0, (0, 2, 4, 16, 18, 24, 25, 26, 27, 28), (48, 50, 16, 19), (32, 33, 34, 35, 36),
                  (22, 26, 27, 56, 57, 65, 66, 71, 73, 80, 0), 0.85, 1.0, 0.1, 0.1),
    "folk": Style((60, 170), 1.0, (6, 15, 21, 24, 25, 46, 105), (19, 20, 48, 109), (32, 43, 42),
                  (21, 22, 40, 72, 73, 74, 78, 79, 110, 6), 0.3, 0.8, 0.15, 0.3),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PieceOutline:
    """What all parts of a piece have in common.

    Attributes:
        style_name: Its style.
        scale_name: Its mode, a key of `MODES`.
        tonic: Pitch class of the tonic, 0 for C.
        bpm: Tempo.
        metre: Beats per bar.
        bars: Number of bars.
        power: Whether its chords have no third.
        detuning_cents: How far it is tuned from 440 Hz.
    """

    style_name: str
    scale_name: str
    tonic: int
    bpm: int
    metre: int
    bars: int
    power: bool
    detuning_cents: float

    @property
    def style(self) -> Style:
        """Its style."""
        return STYLES[self.style_name]

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of the scale above the tonic."""
        return MODES[self.scale_name][0]

    @property
    def mode(self) -> str:
        """``"major"`` or ``"minor"``."""
        return MODES[self.scale_name][1]


def draw_outline(rng: random.Random) -> PieceOutline:
    """Draw the outline of a piece of at least `DURATION_S` seconds."""
    style_name = rng.choice(sorted(STYLES))
    style = STYLES[style_name]
    minor = [style.minor if label == "minor" else 1.0 for _, label in MODES.values()]
    weights = [weight * factor for weight, factor in zip(_MODE_WEIGHTS, minor, strict=True)]
    scale_name = rng.choices(list(MODES), weights)[0]
    tonic = rng.randrange(12)
    bpm = rng.randint(*style.tempo)
    metre = rng.choices(_METRES, _METRE_WEIGHTS)[0]
    return PieceOutline(
        style_name=style_name,
        scale_name=scale_name,
        tonic=tonic,
        bpm=bpm,
        metre=metre,
        bars=int(DURATION_S * bpm / 60 / metre) + 2,
        power=rng.random() < style.power,
        detuning_cents=rng.choice((0.0, rng.uniform(-LARGEST_DETUNING_CENTS, LARGEST_DETUNING_CENTS))),
    )
