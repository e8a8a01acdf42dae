"""Writes a set of synthetic music: FLAC files, their manifest, and last of all the record that the set is complete."""

import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import polars as pl
import soundfile
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from musicrec.data.manifest import write_manifest
from musicrec.data.synthetic.composition import Track
from musicrec.data.synthetic.instruments import render
from musicrec.data.synthetic.plan import least_tracks, plan_tracks
from musicrec.data.synthetic.recording_conditions import RecordingConditions
from musicrec.data.synthetic.styles import STYLES
from musicrec.errors import ConfigError
from musicrec.system.atomic_write import atomic_write, remove_leftovers, write_json
from musicrec.system.console import error_console
from musicrec.system.lock import wait_for_lock

VERSION = 1  # raise it whenever the same settings give other music
LOWEST_SAMPLE_RATE = 8000
SHORTEST_S = 4.0
_RECORD = "synthetic.json"
_OURS = re.compile(rf"({'|'.join(STYLES)})_\d{{4,}}\.flac")
_COLUMNS = ("track_id", "path", "split", "artist", "title", "genre", "instruments", "bpm", "key", "mode",
            "time_signature", "energy", "duration_s")  # fmt: skip


def make_synthetic(
    folder: str | os.PathLike,
    *,
    tracks: int = 240,
    duration_s: float = 15.0,
    sample_rate: int = 16000,
    seed: int = 0,
    genres: Sequence[str] | None = None,
    reverberation_s: float | Sequence[float] | None = None,
    noise_snr_db: float | Sequence[float] | None = None,
    level_db: float | Sequence[float] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Compose and synthesise a set of tracks; a set that is already there with the same settings is left as it is.

    Args:
        folder: receives `manifest.csv`, `audio/*.flac` (mono, 16 bit) and `synthetic.json`, the record of the
            settings. The record calls the set complete only once everything else is written.
        tracks: how many, at least two a genre (nine of one alone); genres, keys, modes and splits are spread evenly.
        duration_s: length of each track, 4 s or more.
        genres: some of `STYLES`; None: all eight.
        reverberation_s, noise_snr_db, level_db: see `RecordingConditions`; None leaves the clean synthesis as it is.
        workers: threads (NumPy releases the interpreter's lock); the music does not depend on their number.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: a setting that cannot work, or a folder that holds somebody else's manifest or cannot be written.
    """
    genres = list(STYLES if genres is None else genres)
    if not genres or len(set(genres)) < len(genres) or not set(genres) <= set(STYLES):
        raise ConfigError(f"synthetic music: genres={genres}; choose some of {', '.join(STYLES)}, each once")
    for name, value, least in (("tracks", tracks, least_tracks(genres)), ("duration_s", duration_s, SHORTEST_S),
                               ("sample_rate", sample_rate, LOWEST_SAMPLE_RATE), ("seed", seed, 0)):  # fmt: skip
        if value < least:
            raise ConfigError(f"synthetic music: {name}={value} is too small; use {least} or more")
    folder = Path(folder)
    settings = {"version": VERSION, "tracks": tracks, "duration_s": float(duration_s), "sample_rate": sample_rate,
                "seed": seed}  # fmt: skip
    chosen = {"genres": None if genres == list(STYLES) else genres, "reverberation_s": reverberation_s,
              "noise_snr_db": noise_snr_db, "level_db": level_db}  # fmt: skip
    # Only what is chosen, so that a set made before there was a choice is still known as complete.
    settings |= {name: _plain(value) for name, value in chosen.items() if value is not None}
    conditions = RecordingConditions(reverberation_s=reverberation_s, noise_snr_db=noise_snr_db, level_db=level_db)
    planned = plan_tracks(tracks=tracks, seed=seed, genres=genres)
    if _is_complete(folder, settings, planned):  # asked before locking: a finished set may lie on a read-only disk
        return folder / "manifest.csv"
    workers = workers or min(8, len(os.sched_getaffinity(0)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(folder / ".synthetic.lock"):  # a second program that wants the set waits for the first
            if not _is_complete(folder, settings, planned):
                _make(folder, settings, planned, conditions, workers=workers, progress=progress)
    except (OSError, soundfile.SoundFileError) as error:
        raise ConfigError(f"{folder}: synthetic music cannot be written ({error}); choose another folder") from error
    return folder / "manifest.csv"


def _plain(value: object) -> object:
    """As JSON gives it back: lists of a config are none of Python's."""
    return list(value) if isinstance(value, Sequence) else value


def _make(
    folder: Path, settings: dict, planned: list[Track], conditions: RecordingConditions, *, workers: int, progress: bool
) -> None:
    manifest, audio = folder / "manifest.csv", folder / "audio"
    if not (folder / _RECORD).exists() and (manifest.exists() or audio.exists()):
        raise ConfigError(f"{folder}: holds other music (no {_RECORD} beside it); choose an empty folder")
    _write_record(folder, settings, complete=False)
    manifest.unlink(missing_ok=True)
    audio.mkdir(exist_ok=True)
    remove_leftovers(audio, older_than_s=0)
    for leftover in audio.iterdir():  # of another set; a scan must not find them
        if _OURS.fullmatch(leftover.name):
            leftover.unlink()

    columns = (TextColumn("synthetic music"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ThreadPoolExecutor(workers) as pool, Progress(*columns, console=error_console(), disable=not progress) as bar:
        try:
            made = pool.map(lambda track: _make_track(track, audio, settings, conditions), planned)
            rows = list(bar.track(made, total=len(planned)))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C need not wait for what has not begun
            raise
    write_manifest(pl.DataFrame(rows), manifest)
    _write_record(folder, settings, complete=True)


def _make_track(track: Track, audio: Path, settings: dict, conditions: RecordingConditions) -> dict:
    duration_s, sample_rate = settings["duration_s"], settings["sample_rate"]
    samples, instruments = render(track, duration_s=duration_s, sample_rate=sample_rate)
    samples = conditions(samples, sample_rate=sample_rate, seed=track.track_seed)
    path = audio / f"{track.track_id}.flac"
    with atomic_write(path, "wb", error=None) as file:
        soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    row = {**asdict(track), "path": str(path.absolute()), "instruments": instruments,
           "duration_s": len(samples) / sample_rate}  # fmt: skip
    return {name: row[name] for name in _COLUMNS}


def _is_complete(folder: Path, settings: dict, planned: list[Track]) -> bool:
    try:
        record = json.loads((folder / _RECORD).read_text())
    except (OSError, ValueError):
        return False
    files = [folder / "manifest.csv", *(folder / "audio" / f"{track.track_id}.flac" for track in planned)]
    return record == {**settings, "complete": True} and all(file.is_file() for file in files)


def _write_record(folder: Path, settings: dict, *, complete: bool) -> None:
    write_json(folder / _RECORD, {**settings, "complete": complete}, indent=2, error=None)
