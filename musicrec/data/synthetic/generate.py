"""Write a set of synthetic music: FLAC files, then the manifest, then the record that the set is complete."""

import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import polars as pl
import soundfile
from annotated_types import Ge
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from musicrec.config.number_types import Natural
from musicrec.config.value_check import check_value
from musicrec.data.manifest import write_manifest
from musicrec.data.synthetic.composition import SyntheticTrack
from musicrec.data.synthetic.instruments import render
from musicrec.data.synthetic.plan import least_tracks, plan_tracks
from musicrec.data.synthetic.recording_conditions import RecordingConditions
from musicrec.data.synthetic.styles import STYLES
from musicrec.errors import ConfigError
from musicrec.heads.beat_times import steady_beats
from musicrec.system.atomic_write import atomic_write, remove_leftovers, write_json
from musicrec.system.console import error_console
from musicrec.system.lock import wait_for_lock

VERSION = 2  # increase it whenever the same settings give other music or labels
LOWEST_SAMPLE_RATE = 8000
SHORTEST_S = 4
_RECORD = "synthetic.json"
_OWN_FILE = re.compile(rf"({'|'.join(STYLES)})_\d{{4,}}\.flac")
_COLUMNS = (
    *("track_id", "path", "split", "artist", "title", "genre", "instruments"),
    *("bpm", "key", "mode", "time_signature", "beats", "energy", "duration_s"),
)


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
    """Compose and synthesise a set of tracks, unless the folder already holds it with the same settings.

    Args:
        folder: Receives `manifest.csv`, `audio/*.flac` (mono, 16 bit) and `synthetic.json`, the record of the
            settings. The record says that the set is complete only after everything else is written.
        tracks: Number of tracks, at least two per genre (nine for a single genre). Genres, keys, modes and splits are
            balanced.
        duration_s: Duration of each track, 4 s or more.
        sample_rate: The sample rate of the audio, in Hz, at least 8000.
        seed: The same seed gives the same music.
        genres: Names of styles in `STYLES`; None for all eight.
        reverberation_s: See `RecordingConditions`; None for none.
        noise_snr_db: See `RecordingConditions`; None for none.
        level_db: See `RecordingConditions`; None for a level that follows the energy of the track.
        workers: Number of threads; it does not change the music.
        progress: Show a progress bar.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting is out of range, or if the folder holds other music or cannot be written.
    """
    genres = list(STYLES if genres is None else genres)
    if not genres or len(set(genres)) < len(genres) or not set(genres) <= set(STYLES):
        raise ConfigError(f"synthetic music: genres={genres}; choose some of {', '.join(STYLES)}, each once")
    check_value("synthetic music: tracks", tracks, Annotated[int, Ge(least_tracks(genres))])
    check_value("synthetic music: duration_s", duration_s, Annotated[float, Ge(SHORTEST_S)])
    check_value("synthetic music: sample_rate", sample_rate, Annotated[int, Ge(LOWEST_SAMPLE_RATE)])
    check_value("synthetic music: seed", seed, Natural)
    folder = Path(folder)
    settings = {
        "version": VERSION,
        "tracks": tracks,
        "duration_s": float(duration_s),
        "sample_rate": sample_rate,
        "seed": seed,
    }
    chosen = {
        "genres": None if genres == list(STYLES) else genres,
        "reverberation_s": reverberation_s,
        "noise_snr_db": noise_snr_db,
        "level_db": level_db,
    }
    # The record leaves out defaults, so that sets made before these settings existed still count as complete.
    settings |= {name: _plain(value) for name, value in chosen.items() if value is not None}
    conditions = RecordingConditions(reverberation_s=reverberation_s, noise_snr_db=noise_snr_db, level_db=level_db)
    planned = plan_tracks(tracks=tracks, seed=seed, genres=genres)
    if _is_complete(folder, settings, planned):  # before locking, as a finished set may be on a read-only disk
        return folder / "manifest.csv"
    workers = workers or min(8, len(os.sched_getaffinity(0)))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with wait_for_lock(folder / ".synthetic.lock"):  # a second program that needs the set waits for the first
            if not _is_complete(folder, settings, planned):
                _write_set(folder, settings, planned, conditions, workers=workers, progress=progress)
    except (OSError, soundfile.SoundFileError) as error:
        raise ConfigError(f"{folder}: synthetic music cannot be written ({error}); choose another folder") from error
    return folder / "manifest.csv"


def _plain(value: object) -> object:
    """Turn a list of the config into a Python list, as it is read back from JSON."""
    return list(value) if isinstance(value, Sequence) else value


def _write_set(
    folder: Path,
    settings: dict,
    planned: list[SyntheticTrack],
    conditions: RecordingConditions,
    *,
    workers: int,
    progress: bool,
) -> None:
    manifest, audio = folder / "manifest.csv", folder / "audio"
    if not (folder / _RECORD).exists() and (manifest.exists() or audio.exists()):
        raise ConfigError(f"{folder}: holds other music (no {_RECORD} beside it); choose an empty folder")
    _write_record(folder, settings, complete=False)
    manifest.unlink(missing_ok=True)
    audio.mkdir(exist_ok=True)
    remove_leftovers(audio, older_than_s=0)
    for leftover in audio.iterdir():  # of another set; a search for audio must not find them
        if _OWN_FILE.fullmatch(leftover.name):
            leftover.unlink()

    columns = (TextColumn("synthetic music"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ThreadPoolExecutor(workers) as pool, Progress(*columns, console=error_console(), disable=not progress) as bar:
        try:
            written = pool.map(lambda track: _write_track(track, audio, settings, conditions), planned)
            rows = list(bar.track(written, total=len(planned)))
        except BaseException:
            # So that Ctrl-C does not wait for tracks that have not started.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    write_manifest(pl.DataFrame(rows), manifest)
    _write_record(folder, settings, complete=True)


def _write_track(track: SyntheticTrack, audio: Path, settings: dict, conditions: RecordingConditions) -> dict:
    duration_s, sample_rate = settings["duration_s"], settings["sample_rate"]
    samples, instruments = render(track, duration_s=duration_s, sample_rate=sample_rate)
    samples = conditions(samples, sample_rate=sample_rate, seed=track.track_seed)
    path = audio / f"{track.track_id}.flac"
    with atomic_write(path, "wb", error=None) as file:
        soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    row = asdict(track) | {"path": str(path.absolute()), "instruments": instruments}
    row["duration_s"] = len(samples) / sample_rate
    row["beats"] = steady_beats(bpm=track.bpm, beats_per_bar=track.time_signature, duration_s=row["duration_s"])
    return {name: row[name] for name in _COLUMNS}


def _is_complete(folder: Path, settings: dict, planned: list[SyntheticTrack]) -> bool:
    try:
        record = json.loads((folder / _RECORD).read_text())
    except (OSError, ValueError):
        return False
    files = [folder / "manifest.csv", *(folder / "audio" / f"{track.track_id}.flac" for track in planned)]
    return record == {**settings, "complete": True} and all(file.is_file() for file in files)


def _write_record(folder: Path, settings: dict, *, complete: bool) -> None:
    write_json(folder / _RECORD, {**settings, "complete": complete}, indent=2, error=None)
