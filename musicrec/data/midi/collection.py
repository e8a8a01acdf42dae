"""Turn a folder of MIDI files into audio and a manifest. An interrupted rendering can be continued."""

import hashlib
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import polars as pl
from annotated_types import Ge, Le

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.data.manifest import write_manifest
from musicrec.data.midi.fluidsynth import find_fluidsynth
from musicrec.data.midi.names import MidiFile, find_midi_files
from musicrec.data.midi.parse import LARGEST_BYTES
from musicrec.data.midi.track_renderer import TrackRenderer
from musicrec.data.midi.workplace import (
    MANIFEST,
    Rendering,
    as_table,
    check_sound_fonts,
    map_with_progress,
    rendering_into,
)
from musicrec.data.splitting import split_tracks
from musicrec.errors import ConfigError, MidiError
from musicrec.system.atomic_write import write_text

VERSION = 2  # increase it whenever the same files and settings give other audio or labels
SHORTEST_S, LONGEST_S = 4, 600
LOWEST_SAMPLE_RATE = 8000
LEFT_OUT = "left_out.csv"


def render_folder(
    source: str | os.PathLike,
    *,
    sound_fonts: Iterable[str | os.PathLike],
    out: str | os.PathLike,
    duration_s: float = 60.0,
    sample_rate: int = 16_000,
    genre_folders: bool = False,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> Rendering:
    """Render every MIDI file below a folder with every sound font.

    Args:
        source: The folder. `find_midi_files` describes how artist, title and genre follow from names and folders.
        sound_fonts: General MIDI sound fonts (.sf2 or .sf3). Each makes a variant of every file, in the same split.
        out: Receives `manifest.csv`, `audio/`, `left_out.csv` and `rendered.jsonl`, from which an interrupted call
            continues. Files and sound fonts that have changed are rendered again.
        duration_s: Seconds to render of each file, from its first note, 4 to 600.
        sample_rate: The sample rate of the audio, in Hz, at least 8000.
        genre_folders: Whether the folders directly below `source` are genres.
        seed: Seed of the splits: about one tenth of the tracks test, one tenth valid, with every artist in one split.
        workers: Number of files rendered at the same time, by default one per core. It does not change the result.
        progress: Show the progress on the standard error stream.

    Returns:
        The manifest, and what was left out.

    Raises:
        ConfigError: If a setting is out of range, FluidSynth or a sound font is missing, or `out` cannot be written.
        MidiError: If there is no MIDI file, or none could be rendered.
    """
    check_value("duration_s", duration_s, Annotated[float, Ge(SHORTEST_S), Le(LONGEST_S)])
    check_value("sample_rate", sample_rate, Annotated[int, Ge(LOWEST_SAMPLE_RATE)])
    check_value("workers", workers, Count | None)
    program, fonts, out = find_fluidsynth(), [Path(font) for font in sound_fonts], Path(os.path.abspath(out))
    check_sound_fonts(fonts)
    files = find_midi_files(Path(source), genre_folders=genre_folders)
    if progress:
        most_gb = len(files) * len(fonts) * duration_s * sample_rate * 2 / 1e9
        summary = f"MIDI files: {len(files)}, sound fonts: {len(fonts)}, at most {most_gb:.2g} GB in {out}"
        print(summary, file=sys.stderr)
    settings = {"version": VERSION, "duration_s": float(duration_s), "sample_rate": sample_rate}
    left_out: list[tuple[str, str]] = []
    with rendering_into(out, settings) as (scratch, journal):
        renderer = TrackRenderer(
            program=program,
            sound_fonts=fonts,
            audio=out / "audio",
            scratch=scratch,
            journal=journal,
            duration_s=duration_s,
            sample_rate=sample_rate,
        )
        rows = _render_all(renderer, files, left_out, workers or len(os.sched_getaffinity(0)), progress)
        table = pl.DataFrame(left_out, schema=["midi_file", "reason"], orient="row")
        write_text(out / LEFT_OUT, table.write_csv(), error=None)
        if not rows:
            raise MidiError(
                f"{source}: none of its {len(files)} MIDI files could be rendered; the reasons are in "
                f"{out / LEFT_OUT}, the first is {': '.join(left_out[0])}"
            )
        tracks = as_table(rows)
        tracks.insert_column(2, _splits(tracks, seed))
        write_manifest(tracks, out / MANIFEST)
    return Rendering(
        manifest=out / MANIFEST,
        tracks=tracks,
        left_out=left_out,
        facts=_facts(tracks, out / MANIFEST),
        what=f"files, see {out / LEFT_OUT}",
    )


def _facts(tracks: pl.DataFrame, manifest: Path) -> list[str]:
    """Return what to say about the tracks: their labels and splits."""
    known = ", ".join(f"{name} {tracks[name].count()}" for name in ("bpm", "beats", "time_signature", "key", "artist"))
    splits = tracks["split"].drop_nulls().value_counts(sort=True).iter_rows()
    parts = ", ".join(f"{name} {count}" for name, count in splits)
    return [
        f"{manifest}: {tracks.height} tracks; known: {known}",
        f"split by artist: {parts}"
        if parts
        else "too few artists to split: add a column split to the manifest yourself",
    ]


def _splits(tracks: pl.DataFrame, seed: int) -> pl.Series:
    """Split by artist, with the variants of a file together; return nulls if there are too few artists."""
    no_split = pl.Series("split", [None] * tracks.height, dtype=pl.String)
    try:
        return split_tracks(tracks.with_columns(no_split, album="midi_file"), seed=seed)["split"]
    except ConfigError:
        return no_split


def _render_all(
    renderer: TrackRenderer, files: list[MidiFile], left_out: list[tuple[str, str]], workers: int, progress: bool
) -> list[dict]:
    """Return the rows of all files, in their order; add to `left_out` the files that have none, with the reason."""
    first: dict[str, MidiFile] = {}
    with ThreadPoolExecutor(workers) as pool:
        for file, content in zip(
            files, map_with_progress("reading", "read", pool, _content_hash, files, progress=progress), strict=True
        ):
            same = first.setdefault(content, file)
            if same is not file:  # copies could end up in two splits
                left_out.append((file.name, f"the same file as {same.name}"))
        rows = []
        items = list(first.items())
        answers = map_with_progress(
            "rendering", "rendered", pool, lambda item: renderer(item[1], item[0]), items, progress=progress
        )
        for file, answer in zip(first.values(), answers, strict=True):
            if isinstance(answer, str):
                left_out.append((file.name, answer))
            else:
                rows += answer
    return rows


def _content_hash(file: MidiFile) -> str:
    """Return a hash of the content of a file, or the name of a file that cannot be read."""
    try:
        with open(file.path, "rb") as opened:
            return hashlib.sha256(opened.read(LARGEST_BYTES + 1)).hexdigest()
    except OSError:
        return file.name  # rendering the file will report why
