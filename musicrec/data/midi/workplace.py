"""What every rendering into a folder needs: a lock, temporary files, a journal, progress, audio files and a result."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
import soundfile

from musicrec.data.midi.fluidsynth import check_sound_font
from musicrec.data.midi.render_journal import RenderJournal
from musicrec.data.schema import SCHEMA
from musicrec.errors import ConfigError
from musicrec.system.atomic_write import atomic_write, remove_leftovers
from musicrec.system.lock import try_lock
from musicrec.system.progress import track_progress

MANIFEST, JOURNAL = "manifest.csv", "rendered.jsonl"

Item = TypeVar("Item")
Answer = TypeVar("Answer")
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """The result of a rendering.

    Attributes:
        manifest: Path of the manifest.
        tracks: The manifest as it was written.
        left_out: (name, reason) of what could not be rendered.
        facts: What to say about the tracks, one line each.
        what: What was left out, in the plural and with where to read more, such as "clips".
    """

    manifest: Path
    tracks: pl.DataFrame
    left_out: list[tuple[str, str]]
    facts: list[str] = field(default_factory=list)
    what: str = "files"

    def report(self) -> list[str]:
        """Return a summary for the user: the facts, and what was left out. One line each."""
        lines = list(self.facts)
        if self.left_out:
            lines.append(f"left out: {len(self.left_out)} {self.what}")
            lines += [f"  {name}: {reason}" for name, reason in self.left_out[:_SHOWN]]
            if len(self.left_out) > _SHOWN:
                lines.append(f"  and {len(self.left_out) - _SHOWN} more")
        return lines


def check_sound_fonts(fonts: Sequence[Path], shift_font: Path | None = None) -> None:
    """Check that files are sound fonts with different names.

    Args:
        fonts: The files of `--sound-font`.
        shift_font: The file of `--shift-sound-font`, if there is one.

    Raises:
        ConfigError: If one cannot be read, is not a sound font, or has the name of another one.
    """
    for font in fonts:
        check_sound_font(font)
    if shift_font is not None:
        check_sound_font(shift_font, option="--shift-sound-font")
        fonts = [*fonts, shift_font]
    if len({font.stem for font in fonts}) < len(fonts):
        paths = ", ".join(map(str, fonts))
        raise ConfigError(f"two sound fonts have the same name, so their tracks would have, too: {paths}; rename one")


@contextmanager
def rendering_into(out: Path, settings: dict) -> Iterator[tuple[Path, RenderJournal]]:
    """Hold a folder for one rendering. What a process that was killed has left in it is removed.

    Args:
        out: The folder; it gets a folder `audio`.
        settings: What all tracks depend on. A journal of other settings is started again.

    Yields:
        An empty folder for temporary files, and the journal of the tracks that are rendered already.

    Raises:
        ConfigError: If another process is rendering into the folder, or it cannot be written.
    """
    try:
        (out / "audio").mkdir(parents=True, exist_ok=True)
        with try_lock(out / ".lock") as free:
            if not free:
                raise ConfigError(
                    f"{out}: another process is rendering into this folder; wait for it, or choose another folder"
                )
            scratch = _empty_scratch(out)
            with closing(RenderJournal(out / JOURNAL, settings)) as journal:
                yield scratch, journal
            scratch.rmdir()
    except (OSError, soundfile.SoundFileError) as error:
        raise ConfigError(f"{out}: cannot be written ({error}); make room, or choose another folder") from None


def map_with_progress(
    doing: str,
    done: str,
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Answer],
    items: Sequence[Item],
    *,
    progress: bool,
) -> list[Answer]:
    """Call a function for every item in a pool, and show the progress on the standard error stream.

    Args:
        doing: The verb in front of the progress bar, such as "rendering".
        done: The verb of the lines where there is no terminal, such as "rendered".
        pool: The pool.
        function: The function.
        items: Its arguments.
        progress: Whether to show the progress.

    Returns:
        The answers, in the order of the items.
    """
    answers = []
    with track_progress(doing, done, len(items), what="files", shown=progress) as advance:
        try:
            for answer in pool.map(function, items):
                answers.append(answer)
                advance()
        except BaseException:
            # So that Ctrl-C does not wait for files that have not started.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return answers


def as_table(rows: Sequence[dict]) -> pl.DataFrame:
    """Return rows of a manifest as a table with the types of a manifest."""
    return pl.DataFrame(rows, schema_overrides={name: SCHEMA[name] for name in rows[0] if name in SCHEMA})


def write_audio(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write (samples,) float32 in [-1, 1] as a FLAC file of 16 bits, completely or not at all."""
    with atomic_write(path, "wb", error=None) as file:
        soundfile.write(file, waveform, sample_rate, format="FLAC", subtype="PCM_16")


def _empty_scratch(out: Path) -> Path:
    """Return an empty folder for temporary files."""
    scratch = out / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    for folder, _, _ in os.walk(out / "audio"):
        remove_leftovers(Path(folder), older_than_s=0)
    scratch.mkdir()
    return scratch
