"""Eight genre-like styles: tempo, instruments, and the patterns of drums, bass and chords.

Patterns are strings on a grid of sixteenth notes, one bar long (16 steps in 4/4, 12 in 3/4):
- drums: `X` accent, `x` normal, `o` only when the track's energy is above 0.4, `g` soft and only above 0.65;
- bass: `R` root, `F` fifth, `O` octave, `r` root only above energy 0.5;
- chords: `C` the whole chord, `c` the same only above energy 0.5, `0`–`3` one note of it (an arpeggio);
- in bass and chords `-` holds and `.` rests.
"""

from dataclasses import dataclass

INSTRUMENTS = ("bass", "drums", "flute", "guitar", "organ", "piano", "strings", "synth")


@dataclass(frozen=True)
class Groove:
    """Patterns of one metre.

    Attributes:
        drums: {drum: pattern}.
        bass: Patterns of the bass; each artist always plays the same one.
        chords: Patterns of the chords; each artist always plays the same one.
    """

    drums: dict[str, str]
    bass: tuple[str, ...]
    chords: tuple[str, ...]


@dataclass(frozen=True)
class SyntheticStyle:
    """A genre.

    Attributes:
        tempo_bpm: Lowest and highest tempo.
        energy: Lowest and highest energy, within 0 to 1.
        grooves: {beats per bar: patterns}; the first metre is the usual one.
        chord_instruments: Instruments for the chords; repeated ones are more likely.
        melody_instruments: Instruments for the melody.
        pad_instruments: Instruments for long chords in the background.
        drums_chance: Probability that a track has drums.
        bass_chance: Probability that the bass line is played by a bass, not by the instrument of the chords.
        pad_chance: Probability that a track has a pad.
        second_metre_chance: Probability of the last metre in `grooves`.
        syncopation: 0 to 1; how much of the melody is off the beat.
    """

    tempo_bpm: tuple[float, float]
    energy: tuple[float, float]
    grooves: dict[int, Groove]
    chord_instruments: tuple[str, ...]
    melody_instruments: tuple[str, ...]
    pad_instruments: tuple[str, ...]
    drums_chance: float
    bass_chance: float
    pad_chance: float
    second_metre_chance: float = 0.0
    syncopation: float = 0.3


STYLES: dict[str, SyntheticStyle] = {
    "techno": SyntheticStyle(
        tempo_bpm=(120, 138), energy=(0.5, 1.0),
        grooves={4: Groove(
            drums={"kick": "X...X...X...X...", "open_hat": "..x...x...x...x.", "hat": "ogogogogogogogog",
                   "clap": "....x.......x..."},
            bass=("..RR..RR..RR..RR", ".RRR.RRR.RRR.RRR", "..R-..R-..R-..O-"),
            chords=("0121012101210123", "C..C..C.C..C..C.", "0.20.20.20.20.2."),
        )},
        chord_instruments=("synth", "synth", "organ", "piano"), melody_instruments=("synth", "organ", "flute"),
        pad_instruments=("strings", "organ"), drums_chance=1.0, bass_chance=0.8, pad_chance=0.4, syncopation=0.6,
    ),
    "disco": SyntheticStyle(
        tempo_bpm=(106, 128), energy=(0.4, 0.95),
        grooves={4: Groove(
            drums={"kick": "X...X...X...X...", "snare": "....X.......X...", "open_hat": "..X...X...X...X.",
                   "hat": "x.gox.gox.gox.go"},
            bass=("R.O.R.O.R.O.R.O.", "R.OOR.OOF.OOR.OO", "R..OR.O.R..OR.F."),
            chords=("..C..CC...C..CC.", "..C...C...C.c.C.", "C-..c.C-..C.c.C-"),
        )},
        chord_instruments=("guitar", "guitar", "piano", "organ"), melody_instruments=("strings", "flute", "synth"),
        pad_instruments=("strings", "strings", "organ"), drums_chance=1.0, bass_chance=0.85, pad_chance=0.5,
        syncopation=0.5,
    ),
    "rock": SyntheticStyle(
        tempo_bpm=(98, 152), energy=(0.45, 1.0),
        grooves={4: Groove(
            drums={"kick": "X.....x.X.o...g.", "snare": "....X.......X..g", "hat": "x.x.x.x.x.x.x.x."},
            bass=("R.R.R.R.R.R.R.R.", "R---r.R-R---r.F-", "R-R-R-R-F-F-R-R-"),
            chords=("C-C-C-C-C-C-C-C-", "C---c-C---C-C---", "C-----C-C---c-C-"),
        )},
        chord_instruments=("guitar", "guitar", "guitar", "organ"), melody_instruments=("guitar", "synth", "organ"),
        pad_instruments=("organ", "piano"), drums_chance=1.0, bass_chance=0.8, pad_chance=0.35,
    ),
    "march": SyntheticStyle(
        tempo_bpm=(92, 124), energy=(0.3, 0.85),
        grooves={4: Groove(
            drums={"tom": "X.......X.......", "snare": "x.xgx.xxx.xgxooo", "hat": "....x.......x..."},
            bass=("R-..F-..R-..F-..", "R---....F---....", "R-..R-..F-..F-.."),
            chords=("..C...C...C...C.", "....C-......C-..", "..C...C...C.C.C."),
        )},
        chord_instruments=("strings", "organ", "piano", "guitar"), melody_instruments=("flute", "flute", "strings"),
        pad_instruments=("strings", "organ"), drums_chance=1.0, bass_chance=0.7, pad_chance=0.3, syncopation=0.05,
    ),
    "bossa": SyntheticStyle(
        tempo_bpm=(108, 146), energy=(0.15, 0.65),
        grooves={4: Groove(
            drums={"rim": "X..x..x...x..x..", "kick": "x..xx..xx..xx..x", "shaker": "xoxoxoxoxoxoxoxo"},
            bass=("R-----F-R-----F-", "R----rF-F----RR-", "R-----R-F-----F-"),
            chords=("C-..C-..C-.C-.C-", "..C-.C-...C-.C-.", "C--C--C-.-C--C-."),
        )},
        chord_instruments=("guitar", "guitar", "piano"), melody_instruments=("flute", "piano", "guitar"),
        pad_instruments=("strings", "organ"), drums_chance=0.85, bass_chance=0.7, pad_chance=0.3, syncopation=0.8,
    ),
    "waltz": SyntheticStyle(
        tempo_bpm=(84, 160), energy=(0.15, 0.75),
        grooves={3: Groove(
            drums={"kick": "X...........", "snare": "....x...x...", "hat": "..g.x.o.x.o."},
            bass=("R---........", "R-----......", "R-----....F-"),
            chords=("....C-..C-..", "....C---C---", "....C-c.C-c."),
        )},
        chord_instruments=("piano", "organ", "strings", "guitar"), melody_instruments=("strings", "flute", "piano"),
        pad_instruments=("strings", "organ"), drums_chance=0.7, bass_chance=0.7, pad_chance=0.4, syncopation=0.1,
    ),
    "ballad": SyntheticStyle(
        tempo_bpm=(64, 98), energy=(0.1, 0.6),
        grooves={
            4: Groove(
                drums={"kick": "X.......X.o.....", "rim": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
                bass=("R-------R---R---", "R-----r-R-----F-"),
                chords=("0-1-2-1-0-1-2-1-", "C---C---C---C---", "0-2-1-2-3-2-1-2-"),
            ),
            3: Groove(
                drums={"kick": "X...........", "rim": "........X...", "hat": "x.x.x.x.x.x."},
                bass=("R-----------", "R-------F---"),
                chords=("0-1-2-3-2-1-", "C---C---C---", "0-2-1-2-1-2-"),
            ),
        },
        chord_instruments=("piano", "piano", "guitar"), melody_instruments=("strings", "flute", "synth", "guitar"),
        pad_instruments=("strings", "organ", "synth"), drums_chance=0.75, bass_chance=0.75, pad_chance=0.6,
        second_metre_chance=0.35, syncopation=0.2,
    ),
    "ambient": SyntheticStyle(
        tempo_bpm=(66, 112), energy=(0.0, 0.45),
        grooves={4: Groove(
            drums={"shaker": "x.o.x.o.x.o.x.o.", "tom": "X..............."},
            bass=("R---------------", "R-------R-------"),
            chords=("0-1-2-3-2-1-2-1-", "0---2---1---2---", "3-2-1-0-3-2-1-0-"),
        )},
        chord_instruments=("synth", "piano", "guitar", "organ"), melody_instruments=("flute", "strings", "synth"),
        pad_instruments=("strings", "strings", "organ", "synth"), drums_chance=0.25, bass_chance=0.5, pad_chance=0.95,
        syncopation=0.2,
    ),
}  # fmt: skip
