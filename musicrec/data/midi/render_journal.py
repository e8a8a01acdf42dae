"""A journal of rendered tracks, from which an interrupted rendering continues."""

import contextlib
import json
import threading
from pathlib import Path


class RenderJournal:
    """A file with one line per rendered track, written after its audio. Threads may append at the same time.

    Args:
        path: The file.
        header: The settings; a journal with other settings is started again.

    Attributes:
        rendered: {path of the audio: (key of its sources, {label: value, and duration_s})}, from the last line of each.
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
            with contextlib.suppress(ValueError):  # the last line is empty, or incomplete if the program was killed
                audio, key, record = json.loads(line)
                self.rendered[audio] = key, record
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (closed by close)
        if lines and lines[-1]:
            self._file.write("\n")

    def append(self, audio: str, key: str, record: dict) -> None:
        """Add a rendered track.

        Args:
            audio: Path of the audio.
            key: Identifies the MIDI file and the sound font it was made from.
            record: Its labels and its duration.
        """
        with self._lock:
            self._file.write(json.dumps([audio, key, record]) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
