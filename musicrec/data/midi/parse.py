"""Read notes, tempi, metres and key signatures of MIDI files, with times in seconds. Files are not trusted."""

from dataclasses import dataclass, field
from pathlib import Path

import mido

from musicrec.data.midi.beat_map import DEFAULT_TEMPO, BeatMap
from musicrec.errors import MidiError

LARGEST_BYTES = 1 << 20  # mido needs 300 MB for such a file; the act of an opera is smaller
MOST_NOTES_PER_S = 200  # on average; orchestral music has fewer than 50
DRUM_CHANNEL = 9  # channel 10 of General MIDI, which counts from 1
_VOLUME = 7  # number of the MIDI controller
_CHANNEL_MESSAGES = frozenset(
    {"note_on", "note_off", "program_change", "control_change", "pitchwheel", "aftertouch", "polytouch"}
)


@dataclass(frozen=True)
class MidiNote:
    """One tone or drum hit.

    Attributes:
        start_s: Start in seconds from the first note of the piece.
        end_s: End in seconds.
        channel: 0 to 15.
        program: General MIDI program, 0 to 127.
        pitch: MIDI number.
    """

    start_s: float
    end_s: float
    channel: int
    program: int
    pitch: int


@dataclass
class Piece:
    """A MIDI file from its first note on.

    Changes of tempo, metre and key are (time in s, value). The first one, at 0, is what holds when the first note
    sounds; a list is empty if the file states none.

    Attributes:
        duration_s: Seconds from the first note to the end.
        notes: All notes.
        tempi: In quarter notes per minute.
        metres: (numerator, denominator).
        keys: As mido names them, such as ``"F#m"``.
        beats: (time in s, place in the bar, from 1); see `BeatMap.beats`.
        events: The messages for a synthesiser, as (time in s, message).
        lead_s: Seconds of the file before its first note.
    """

    duration_s: float
    notes: list[MidiNote] = field(default_factory=list)
    tempi: list[tuple[float, float]] = field(default_factory=list)
    metres: list[tuple[float, tuple[int, int]]] = field(default_factory=list)
    keys: list[tuple[float, str]] = field(default_factory=list)
    beats: list[tuple[float, int]] = field(default_factory=list)
    events: list[tuple[float, mido.Message]] = field(default_factory=list)
    lead_s: float = 0.0


def read_midi(path: Path, *, duration_s: float) -> Piece:
    """Read a MIDI file.

    Args:
        path: The file.
        duration_s: Seconds to read, from the first note.

    Returns:
        The piece.

    Raises:
        MidiError: If the file is too large or damaged, is not timed in beats, or has no notes or far too many. The
            message names the file.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise MidiError(f"{path}: {size:,} bytes; files of more than {LARGEST_BYTES:,} are not read")
        file = mido.MidiFile(path, clip=True)
        if file.type == 2:
            raise MidiError(f"{path}: a MIDI file of type 2, whose tracks have no common time")
        if file.ticks_per_beat <= 0:
            raise MidiError(f"{path}: timed in SMPTE frames instead of beats, so its tempo is unknown")
        messages = mido.merge_tracks(file.tracks, skip_checks=True)
    except MidiError:
        raise
    except Exception as error:  # damaged files raise all kinds of errors in mido
        reason = "it ends too early" if isinstance(error, EOFError) else str(error) or type(error).__name__
        raise MidiError(f"{path}: cannot be read as MIDI ({reason})") from None
    piece = _timed(messages, file.ticks_per_beat, duration_s)
    if not piece.notes:
        raise MidiError(f"{path}: contains no notes")
    if len(piece.notes) > MOST_NOTES_PER_S * max(1.0, piece.duration_s):
        raise MidiError(
            f"{path}: {len(piece.notes):,} notes in {piece.duration_s:.1f} s, more than {MOST_NOTES_PER_S} per second"
        )
    return piece


def _timed(messages: list, ticks_per_beat: int, longest_s: float) -> Piece:
    time_s, begin_s, tempo = 0.0, None, DEFAULT_TEMPO
    tick, beat_map = 0, BeatMap(ticks_per_beat)
    piece, programs, volumes = Piece(duration_s=0.0), [0] * 16, [100] * 16
    sounding: dict[tuple[int, int], tuple[float, int]] = {}  # (channel, pitch): (start, program)

    def note_off(channel: int, pitch: int, end_s: float) -> None:
        start_s, program = sounding.pop((channel, pitch))
        piece.notes.append(MidiNote(start_s, end_s, channel, program, pitch))

    for message in messages:
        tick += message.time
        time_s += message.time * tempo / ticks_per_beat / 1e6
        at_s = 0.0 if begin_s is None else time_s - begin_s
        if at_s >= longest_s:
            break
        match message.type:
            case "set_tempo":
                tempo = message.tempo or tempo
                _change(piece.tempi, at_s, 6e7 / tempo)
                beat_map.tempi.append((tick, tempo))
            case "time_signature":
                _change(piece.metres, at_s, (message.numerator, message.denominator))
                beat_map.metres.append((tick, (message.numerator, message.denominator)))
            case "key_signature":
                _change(piece.keys, at_s, message.key)
            case "note_on" | "note_off":
                struck = message.type == "note_on" and message.velocity > 0 and volumes[message.channel] > 0
                if struck and begin_s is None:
                    begin_s = piece.lead_s = time_s
                if (message.channel, message.note) in sounding:
                    note_off(message.channel, message.note, at_s)
                if struck:
                    sounding[message.channel, message.note] = (at_s, programs[message.channel])
                piece.duration_s = at_s
            case "program_change":
                programs[message.channel] = message.program
            case "control_change" if message.control == _VOLUME:
                volumes[message.channel] = message.value  # karaoke files mute the vocal channel
        if message.type in _CHANNEL_MESSAGES:
            piece.events.append((at_s, message))
    else:
        longest_s = piece.duration_s
    piece.duration_s = longest_s
    for channel, pitch in list(sounding):
        note_off(channel, pitch, longest_s)
    piece.beats = beat_map.beats(begin_s=piece.lead_s, duration_s=piece.duration_s)
    return piece


def _change(changes: list[tuple[float, object]], at_s: float, value: object) -> None:
    """Add a change; it replaces an earlier one at the same time."""
    if changes and changes[-1][0] == at_s:
        changes.pop()
    changes.append((at_s, value))
