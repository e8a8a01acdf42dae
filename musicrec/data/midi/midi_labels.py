"""Derive labels from MIDI files, and leave out those that are not reliable."""

from collections import Counter
from collections.abc import Hashable

import numpy as np

from musicrec.data.midi.beat_map import COMPOUND_METRES
from musicrec.data.midi.parse import DRUM_CHANNEL, Piece
from musicrec.heads.beat_times import write_beats
from musicrec.heads.keys import PITCH_CLASSES, parse_key

# Instruments that a listener would name, for the 128 programs of General MIDI, as (first program, name). None stands
# for effects and the orchestra hit.
_FAMILIES = (
    (0, "piano"), (4, "electric piano"), (6, "harpsichord"), (7, "electric piano"), (8, "mallets"), (16, "organ"),
    (21, "accordion"), (22, "harmonica"), (23, "accordion"), (24, "acoustic guitar"), (26, "electric guitar"),
    (29, "distorted guitar"), (32, "bass"), (40, "strings"), (46, "harp"), (47, "timpani"), (48, "strings"),
    (52, "voice"), (55, None), (56, "trumpet"), (57, "brass"), (59, "trumpet"), (60, "brass"), (64, "saxophone"),
    (68, "oboe"), (70, "bassoon"), (71, "clarinet"), (72, "flute"), (80, "synth lead"), (88, "synth pad"), (96, None),
    (104, "plucked"), (108, "mallets"), (109, "bagpipe"), (110, "strings"), (111, "oboe"), (112, "mallets"),
    (115, "drums"), (119, None),
)  # fmt: skip
INSTRUMENTS = tuple(
    next(name for first, name in reversed(_FAMILIES) if first <= program) for program in range(128)
)  # by program
LEAST_SOUND_S, LEAST_HITS = 1.0, 4  # an instrument with less is a stray note and not a label
SAME_TEMPO = 0.04  # relative difference, the tolerance of tempo metrics
LEAST_SHARE = 0.9  # share of the time for which a tempo, metre or key has to hold
_LEAST_BEATS = 4  # fewer give no tempo
_PARTS_OF_BEATS = (1, 2, 3, 4, 6)  # notes on beats, or on one of these parts of them
_LEAST_KEPT = 0.3  # mean resultant length of the notes' phases: 1 for exact notes, near 0 for notes at any time
_BETTER_FIT = 0.05  # share of the notes that another signature must fit better to reject the stated one
_MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)


def labels_of(piece: Piece) -> dict[str, object]:
    """Return the labels of a piece.

    Returns:
        {instruments, bpm, key (pitch class), mode, time_signature, beats: label}. None is a label that the file does
        not give.
    """
    metre = _prevailing(piece.metres, piece.duration_s)
    bpm = tempo_of(piece)
    if bpm is not None and metre in COMPOUND_METRES:
        bpm *= 2 / 3  # the beat of a compound metre is three eighths, and MIDI states quarter notes per minute
    key, mode = key_of(piece)
    return {
        "instruments": instruments_of(piece),
        "bpm": round(bpm, 2) if bpm is not None and 20 <= bpm <= 400 else None,
        "key": key,
        "mode": mode,
        "time_signature": metre[0] if metre is not None and 1 <= metre[0] <= 32 else None,
        "beats": written_beats(piece),
    }


def instruments_of(piece: Piece) -> list[str]:
    """Return the sorted names of instruments that sound for 1 s or more, and of drums with four hits or more."""
    sound_s, hits = Counter(), Counter()
    for note in piece.notes:
        name = "drums" if note.channel == DRUM_CHANNEL else INSTRUMENTS[note.program]
        sound_s[name] += note.end_s - note.start_s
        hits[name] += 1
    return sorted(
        name
        for name in hits
        if name is not None and (hits[name] >= LEAST_HITS if name == "drums" else sound_s[name] >= LEAST_SOUND_S)
    )


def tempo_of(piece: Piece) -> float | None:
    """Return the tempo in quarter notes per minute, or None.

    A tempo must hold within `SAME_TEMPO` for `LEAST_SHARE` of the time. The default of 120 BPM for files without a
    tempo is not used, because most of them were recorded without regard to it.
    """
    lengths_s, tempi = _spans(piece.tempi, piece.duration_s)
    if not tempi:
        return None
    order = np.argsort(tempi)
    passed_s = np.cumsum(lengths_s[order])
    middle = tempi[order[np.searchsorted(passed_s, passed_s[-1] / 2)]]  # the median over time
    same_s = sum(length_s for length_s, bpm in zip(lengths_s, tempi, strict=True) if abs(bpm / middle - 1) < SAME_TEMPO)
    return middle if same_s >= LEAST_SHARE * piece.duration_s else None


def written_beats(piece: Piece) -> str | None:
    """Return the beats as a manifest has them (`musicrec.heads.beat_times`), or None.

    They follow changes of the tempo. The file has to state tempo and metre before its first note; without the metre,
    the places in the bar are left out. The notes have to keep to the beat: most programs write a tempo that a player
    who recorded freely did not hear.
    """
    times_s = np.array([time_s for time_s, _ in piece.beats])
    if len(times_s) < _LEAST_BEATS or not (piece.tempi and piece.tempi[0][0] == 0):
        return None
    starts_s = np.array([note.start_s for note in piece.notes])
    starts_s = starts_s[(starts_s >= times_s[0]) & (starts_s <= times_s[-1])]
    phases = np.interp(starts_s, times_s, np.arange(len(times_s)))
    kept = [abs(np.exp(2j * np.pi * parts * phases).mean()) for parts in _PARTS_OF_BEATS] if len(phases) else [0.0]
    if max(kept) < _LEAST_KEPT:
        return None
    stated = bool(piece.metres) and piece.metres[0][0] == 0
    return write_beats(times_s.tolist(), [place for _, place in piece.beats] if stated else None)


def key_of(piece: Piece) -> tuple[int | None, str | None]:
    """Return pitch class and mode of the prevailing key signature, or None for both.

    The signature is rejected if the notes fit another one clearly better: many programs write C major by default.
    """
    name = _prevailing(piece.keys, piece.duration_s)
    if name is None:
        return None, None
    key, mode = parse_key(name)
    mode = mode or "major"
    weights = np.zeros(len(PITCH_CLASSES))
    for note in piece.notes:
        if note.channel != DRUM_CHANNEL:
            weights[note.pitch % 12] += note.end_s - note.start_s
    fits = np.array([np.roll(weights, -tonic)[list(_MAJOR_SCALE)].sum() for tonic in range(12)])
    stated = fits[(key + 3) % 12 if mode == "minor" else key]
    if not weights.sum() or fits.max() - stated > _BETTER_FIT * weights.sum():
        return None, None
    return key, mode


def _prevailing(changes: list[tuple[float, Hashable]], end_s: float) -> Hashable | None:
    """Return the value that holds for `LEAST_SHARE` of the time, None if none does."""
    held_s = Counter()
    for length_s, value in zip(*_spans(changes, end_s), strict=True):
        held_s[value] += length_s
    (value, most_s), *_ = held_s.most_common(1) or [(None, 0.0)]
    return value if most_s >= LEAST_SHARE * end_s else None


def _spans(changes: list[tuple[float, Hashable]], end_s: float) -> tuple[np.ndarray, list]:
    """Return for how many seconds each value holds, and the values."""
    times_s = [time_s for time_s, _ in changes]
    return np.diff([*times_s, end_s]), [value for _, value in changes]
