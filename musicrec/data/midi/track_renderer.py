"""Makes the tracks of one MIDI file, and remembers what is made."""

import contextlib
import json
import threading
from pathlib import Path

import soundfile

from musicrec.data.midi.fluidsynth import render
from musicrec.data.midi.labels import labels_of
from musicrec.data.midi.names import MidiFile
from musicrec.data.midi.parse import Piece, read_midi
from musicrec.errors import MidiError
from musicrec.system.atomic_write import atomic_write


class RenderJournal:
    """A file with a line for every track that is rendered, written after its audio. Many threads append to it.

    header: the settings; a journal with others is begun anew. rendered: by the path of the audio, what the last line
    says of it: the key of what it was made from, its labels and its duration.
    """

    def __init__(self, path: Path, header: dict) -> None:
        self.rendered: dict[str, tuple[str, dict]] = {}
        self._lock = threading.Lock()
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        first, *lines = text.split("\n")
        if first != json.dumps(header):
            path.write_text(json.dumps(header) + "\n", encoding="utf-8")
            lines = []
        for line in lines:
            with contextlib.suppress(ValueError):  # the last one is empty, or torn by a kill
                audio, key, record = json.loads(line)
                self.rendered[audio] = key, record
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed by close)
        if lines and lines[-1]:
            self._file.write("\n")

    def append(self, audio: str, key: str, record: dict) -> None:
        with self._lock:
            self._file.write(json.dumps([audio, key, record]) + "\n")

    def close(self) -> None:
        self._file.close()


class TrackRenderer:
    """Turns a file into tracks, one for each sound font."""

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
        """The rows of the manifest, or why there are none. content: hash of the file's."""
        piece, rows = None, []
        try:
            for font in self.sound_fonts:
                variant = f"@{font.stem}" if len(self.sound_fonts) > 1 else ""
                path = self.audio / font.stem / f"{file.track_id}.flac"
                about = font.stat()
                key = f"{content} {font.stem} {about.st_size} {about.st_mtime_ns}"
                made_of, record = self.journal.rendered.get(str(path), (None, None))
                if made_of != key or not path.is_file():
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
        """Write the audio; its length in seconds."""
        waveform = render(
            piece,
            program=self.program,
            sound_font=font,
            scratch=self.scratch,
            duration_s=self.duration_s,
            sample_rate=self.sample_rate,
        )
        with atomic_write(path, "wb", error=None) as file:
            soundfile.write(file, waveform, self.sample_rate, format="FLAC", subtype="PCM_16")
        return len(waveform) / self.sample_rate
