"""Write the manifest of a library of soundtracks from unpacked Debian packages.

    python experiments/real_library/manifest.py FOLDER

Every folder of FOLDER holds one unpacked package, and its music is one soundtrack, which is written into the columns
artist and album. The manifest is FOLDER/manifest.csv.

A track is left out

- if it lasts less than 30 s (--least-s),
- if it is a stem: `guitar.ogg`, `drums.ogg` and so on beside a `song.ogg`,
- if the package is not a package of music and no folder of the track's path is named after music,
- if it is the same recording as a longer track of its soundtrack. Two tracks are if their first three minutes, at
  2 kHz, correlate above 0.3 at any shift. The highest correlation below that is printed.

Each track that is left out for its audio is printed with the reason. To save time, --excerpts writes the middle of each
track (--excerpt-s) as FLAC at 16 kHz, and the manifest lists these files; --per-soundtrack takes at most that many
tracks of each soundtrack, evenly spaced in the order of their names.
"""

import argparse
import itertools
import os
import re
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from rich.progress import track

from musicrec.audio.decode import decode, duration_of
from musicrec.audio.search import find_audio
from musicrec.data.manifest import write_manifest
from musicrec.errors import AudioError

PARTS = ("guitar", "rhythm", "bass", "drums", "vocals", "crowd")  # stems of games in which one plays along
COPY_RATE, COPY_S, COPY_CORRELATION = 2_000, 180.0, 0.3
SAMPLE_RATE = 16_000


def soundtrack_name(package: str) -> str:
    """Return "wesnoth" for "wesnoth-1.16-music"."""
    name = package.removeprefix("fretsonfire-songs-").removesuffix("-ogg")
    return re.sub(r"(-[\d.]+)?(-(music|data|game|common-sounds))?$", "", name)


def music_files(package: Path) -> list[Path]:
    """Return the files of a package that are music, sorted, without stems."""
    files = [package / name for name in find_audio(package).files]
    if "music" not in package.name and "songs" not in package.name:
        files = [file for file in files if re.search("music|tunes", str(file.parent.relative_to(package)).lower())]
    songs = {file.parent for file in files if file.stem == "song"}
    return sorted(file for file in files if not (file.parent in songs and file.stem in PARTS))


def long_enough(file: Path, least_s: float) -> bool:
    try:
        return duration_of(file) >= least_s
    except AudioError as error:
        print(f"left out {error}")
        return False


def same_recordings(files: list[Path]) -> dict[Path, tuple[Path, float]]:
    """Return the tracks that are the same recording as a longer one, {track: (the longer one, correlation)}."""
    order = sorted(files, key=lambda file: (-duration_of(file), file))
    size = 1 << (2 * int(COPY_RATE * COPY_S) - 1).bit_length()
    spectra, found, other = [], {}, 0.0
    for file in order:
        waveform = decode(file, sample_rate=COPY_RATE, duration_s=COPY_S)
        waveform = waveform - waveform.mean()
        spectra.append(np.fft.rfft(waveform / max(np.linalg.norm(waveform), 1e-9), size).astype(np.complex64))
    for first, second in itertools.combinations(range(len(order)), 2):
        correlation = float(np.abs(np.fft.irfft(spectra[first] * spectra[second].conj(), size)).max())
        if correlation > COPY_CORRELATION and order[second] not in found:
            found[order[second]] = (order[first], correlation)
        elif correlation <= COPY_CORRELATION:
            other = max(other, correlation)
    print(f"highest correlation of two tracks that both stay: {other:.2f}")
    return found


def excerpt(file: Path, folder: Path, name: str, excerpt_s: float) -> Path:
    """Write the middle of a track as FLAC; return the file, which is kept if it exists."""
    target = folder / f"{name.replace('/', '__')}.flac"
    if not target.exists():
        start = max(0.0, (duration_of(file) - excerpt_s) / 2)
        waveform = decode(file, sample_rate=SAMPLE_RATE, offset_s=start, duration_s=excerpt_s)
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, waveform, SAMPLE_RATE, subtype="PCM_16")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packages", default="", help="names of folders, separated by commas; default: all")
    parser.add_argument("--least-s", type=float, default=30.0)
    parser.add_argument("--per-soundtrack", type=int)
    parser.add_argument("--excerpts", type=Path, help="folder for the middle of each track, and its manifest")
    parser.add_argument("--excerpt-s", type=float, default=120.0)
    options = parser.parse_args()

    rows = []
    packages = options.packages.split(",") if options.packages else sorted(os.listdir(options.folder))
    for package in track([options.folder / name for name in packages], description="packages"):
        if not package.is_dir() or package == options.excerpts:
            continue
        name = soundtrack_name(package.name)
        files = [file for file in music_files(package) if long_enough(file, options.least_s)]
        if options.per_soundtrack and len(files) > options.per_soundtrack:
            files = [files[i] for i in np.linspace(0, len(files) - 1, options.per_soundtrack).round().astype(int)]
        copies = same_recordings(files)
        for file, (longer, correlation) in copies.items():
            print(f"left out {file}: the same recording as {longer.name} (correlation {correlation:.2f})")
        files = [file for file in files if file not in copies]
        top = os.path.commonpath([file.parent for file in files]) if files else package
        for file in files:
            track_id = f"{name}/{file.relative_to(top)}"
            listed = excerpt(file, options.excerpts, track_id, options.excerpt_s) if options.excerpts else file
            title = file.parent.name if file.stem == "song" else file.stem
            rows.append({"track_id": track_id, "path": str(listed.absolute()), "artist": name, "album": name,
                         "title": title.replace("_", " "), "duration_s": round(duration_of(listed), 2)})  # fmt: skip
    manifest = (options.excerpts or options.folder) / "manifest.csv"
    frame = pl.DataFrame(rows)
    write_manifest(frame, manifest)
    for (name,), tracks in frame.group_by("artist", maintain_order=True):
        print(f"{name}: {len(tracks)} tracks, {tracks['duration_s'].sum() / 60:.0f} min")
    print(f"{manifest}: {len(frame)} tracks, {frame['duration_s'].sum() / 3600:.1f} hours")


if __name__ == "__main__":
    main()
