"""Render the tracks of one MIDI file."""

from pathlib import Path

from musicrec.data.midi.fluidsynth import render
from musicrec.data.midi.midi_labels import labels_of
from musicrec.data.midi.names import MidiFile
from musicrec.data.midi.parse import Piece, read_midi
from musicrec.data.midi.render_journal import RenderJournal
from musicrec.data.midi.workplace import write_audio
from musicrec.errors import MidiError


class TrackRenderer:
    """Renders a MIDI file into tracks, one per sound font.

    Args:
        program: Path of fluidsynth.
        sound_fonts: The sound fonts.
        audio: Folder that receives the audio.
        scratch: Folder for temporary files.
        journal: Journal of the tracks that are rendered already.
        duration_s: Seconds to render at most.
        sample_rate: The sample rate of the audio, in Hz.
    """

    def __init__(
        self,
        *,
        program: str,
        sound_fonts: list[Path],
        audio: Path,
        scratch: Path,
        journal: RenderJournal,
        duration_s: float,
        sample_rate: int,
    ) -> None:
        self.program, self.sound_fonts, self.journal = program, sound_fonts, journal
        self.audio, self.scratch = audio, scratch
        self.duration_s, self.sample_rate = duration_s, sample_rate

    def __call__(self, file: MidiFile, content: str) -> list[dict] | str:
        """Return the rows of the manifest for a file, or the reason why there are none.

        Args:
            file: The MIDI file.
            content: Hash of its content.
        """
        piece, rows = None, []
        try:
            for font in self.sound_fonts:
                variant = f"@{font.stem}" if len(self.sound_fonts) > 1 else ""
                path = self.audio / font.stem / f"{file.track_id}.flac"
                status = font.stat()
                key = f"{content} {font.stem} {status.st_size} {status.st_mtime_ns}"
                earlier_key, record = self.journal.rendered.get(str(path), (None, None))
                if earlier_key != key or not path.is_file():
                    piece = piece or read_midi(file.path, duration_s=self.duration_s)
                    record = {**labels_of(piece), "duration_s": self._render(piece, font, path)}
                    self.journal.append(str(path), key, record)
                names = {"artist": file.artist, "title": file.title, "genre": file.genre}
                origin = {"sound_font": font.stem, "midi_file": file.name}
                rows.append({"track_id": file.track_id + variant, "path": str(path), **names, **record, **origin})
        except MidiError as error:
            return str(error).removeprefix(f"{file.path}: ")
        return rows

    def _render(self, piece: Piece, font: Path, path: Path) -> float:
        """Write the audio, and return its duration in seconds."""
        waveform = render(
            piece,
            program=self.program,
            sound_font=font,
            scratch=self.scratch,
            duration_s=self.duration_s,
            sample_rate=self.sample_rate,
        )
        write_audio(path, waveform, self.sample_rate)
        return len(waveform) / self.sample_rate
