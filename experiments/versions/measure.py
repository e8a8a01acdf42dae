"""Measure how well versions of a recording are recognised by sound, and what is taken for one by mistake.

    python experiments/versions/measure.py FOLDER FOLDER … --chromaprint fpcalc --midi FOLDER \
        --soundfonts FluidR3_GM.sf2 TimGM6mb.sf2 --cache CACHE --out OUT

Each FOLDER is one collection, such as the music of one game. All its tracks of 20 s and more are compared with each
other; of up to two tracks of each, of 45 to 140 s, ffmpeg makes the versions of `VERSIONS`. Fingerprints are kept in
CACHE, so that the script can be stopped; delete it after a change of the fingerprint.

OUT then holds `versions.csv` (similarities per kind of version), `thresholds.csv` (right and wrong matches per
threshold), and `pairs.csv` (the different files that are most alike, to be judged by hand).
"""

import argparse
import functools
import hashlib
import itertools
import json
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from rich.progress import track as with_progress

from musicrec.audio.decode import decode_track
from musicrec.audio.search import find_audio
from musicrec.errors import AudioError
from musicrec.recommend.fingerprint import fingerprint, similarities, words

RATE, SHORTEST_S, VERSION_RANGE_S, SMALLEST_BYTES = 16_000, 20, (45, 140), 200_000
WITHIN_S = 7.0
THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
WAV, MP3 = "-c:a pcm_s16le wav", "-c:a libmp3lame -b:a {}k mp3"
BASS_AND_TREBLE = "bass=g=4:f=100,treble=g={}:f=6000"
COMPRESSOR = "acompressor=threshold=-22dB:ratio=4:attack=8:release=120:makeup=6dB,alimiter=limit=0.95"
HARD_COMPRESSOR = "acompressor=threshold=-30dB:ratio=8:attack=3:release=60:makeup=12dB,volume=4dB,alimiter=limit=0.9"
SPEED = "aresample=44100,asetrate={},aresample=44100"
CUT = "atrim=start={},asetpts=PTS-STARTPTS"
VERSIONS = {  # {name: (filters, encoder and suffix, whether it is to be recognised)} for ffmpeg
    "mp3 64": ("", MP3.format(64), True),
    "mp3 128": ("", MP3.format(128), True),
    "mp3 320": ("", MP3.format(320), True),
    "aac 96": ("", "-c:a aac -b:a 96k m4a", True),
    "opus 48": ("", "-c:a libopus -b:a 48k -ar 48000 opus", True),
    "opus 128": ("", "-c:a libopus -b:a 128k -ar 48000 opus", True),
    "vorbis q1": ("", "-c:a libvorbis -q:a 1 ogg", True),
    "rate 22050": ("", "-ar 22050 -c:a pcm_s16le wav", True),
    "gain -20 dB": ("volume=-20dB", WAV, True),
    "gain +9 dB, clipped": ("volume=9dB", WAV, True),
    "equaliser": ("bass=g=7:f=120,treble=g=-7:f=5000,equalizer=f=900:t=o:w=1:g=-5", MP3.format(192), True),
    "remaster": (f"highpass=f=35,{BASS_AND_TREBLE.format(5)},{COMPRESSOR}", MP3.format(256), True),
    "hard remaster": (
        f"bass=g=6:f=90,equalizer=f=2500:t=o:w=1.5:g=5,treble=g=6:f=7000,{HARD_COMPRESSOR}",
        MP3.format(192),
        True,
    ),
    "start -0.1 s": (CUT.format(0.113), WAV, True),
    "start -3 s": (CUT.format(2.93), WAV, True),
    "start +1.5 s silence": ("adelay=1537:all=1", WAV, True),
    "end -4.8 s": (f"areverse,{CUT.format(4.8)},areverse", WAV, True),
    "start -1.9, end -2.4 s": (f"{CUT.format(1.87)},areverse,{CUT.format(2.41)},areverse", WAV, True),
    "speed +0.1 %": (SPEED.format(44144), WAV, True),
    "speed -0.1 %": (SPEED.format(44056), WAV, True),
    "speed +0.5 %": (SPEED.format(44321), WAV, True),
    "speed -0.5 %": (SPEED.format(43880), WAV, True),
    "all together": (
        f"{CUT.format(1.31)},{BASS_AND_TREBLE.format(4)},{COMPRESSOR},{SPEED.format(44144)}",
        MP3.format(96),
        True,
    ),
    "left channel": ("pan=mono|c0=c0", WAV, False),
    "speed +2 %": (SPEED.format(44982), WAV, False),
    "pitch +1 semitone": (f"aresample=44100,asetrate=46722,atempo=0.94387,{SPEED.format(44100)}", WAV, False),
}
MIXES = {"same first half": None, "another track added at 0 dB": 0.0, "another track added at -6 dB": -6.0}


@dataclass(frozen=True)
class Heard:
    """What is known of one audio.

    Attributes:
        duration_s: Its length in seconds.
        own: Our fingerprint.
        chromaprint: (words,) uint32 of `fpcalc -raw`, of the first 120 s; empty without fpcalc.
    """

    duration_s: float
    own: bytes
    chromaprint: np.ndarray


class Listener:
    """Computes fingerprints, and keeps them in a folder.

    Args:
        cache: The folder.
        chromaprint: The program fpcalc; None to leave Chromaprint out.
    """

    def __init__(self, cache: Path, chromaprint: str | None) -> None:
        self._cache, self._chromaprint = cache, chromaprint
        cache.mkdir(parents=True, exist_ok=True)

    def __call__(self, name: str, make: Callable[[Path], Path]) -> Heard | None:
        """Return the fingerprints of an audio; None if it cannot be decoded.

        Args:
            name: Identifies it in the cache.
            make: Writes the audio into a folder and returns the file.
        """
        kept = self._cache / f"{hashlib.blake2b(name.encode(), digest_size=12).hexdigest()}.json"
        if not kept.exists():
            with tempfile.TemporaryDirectory() as folder:
                try:
                    file = make(Path(folder))
                    waveform = decode_track(file, sample_rate=RATE).waveform
                except AudioError:
                    return None
                own = fingerprint(waveform, RATE).hex()
                told = {"name": name, "duration_s": len(waveform) / RATE, "own": own, "chromaprint": self._words(file)}
                kept.write_text(json.dumps(told), encoding="utf-8")
        told = json.loads(kept.read_text(encoding="utf-8"))
        return Heard(told["duration_s"], bytes.fromhex(told["own"]), np.array(told["chromaprint"], np.uint32))

    def _words(self, file: Path) -> list[int]:
        if self._chromaprint is None:
            return []
        done = subprocess.run([self._chromaprint, "-raw", file], capture_output=True, text=True, check=False)
        return json.loads(f"[{done.stdout.partition('FINGERPRINT=')[2].strip()}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="one folder per collection")
    parser.add_argument("--chromaprint", help="the program fpcalc, to compare with")
    parser.add_argument("--midi", type=Path, help="a folder of MIDI files, to be played by fluidsynth")
    parser.add_argument("--soundfonts", nargs="*", type=Path, default=[], help="two or more for --midi")
    parser.add_argument("--most-midi", type=int, default=60, help="MIDI files, evenly spaced in their order")
    parser.add_argument("--per-collection", type=int, default=2, help="tracks per collection to make versions of")
    parser.add_argument("--cache", type=Path, required=True, help="a folder for the fingerprints")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the tables")
    settings = parser.parse_args()

    listen = Listener(settings.cache, settings.chromaprint)
    tracks: dict[Path, Heard] = {}
    versions: list[tuple[str, Path, Heard]] = []
    for folder in settings.folders:
        found = {(folder / name).resolve(): None for name in find_audio(folder).files}  # each once, despite links
        files = [path for path in found if path.stat().st_size > SMALLEST_BYTES]
        for file in with_progress(files, folder.name):
            heard = listen(str(file), lambda _, file=file: file)
            if heard is not None and heard.duration_s > SHORTEST_S:
                tracks[file] = heard
        suited = [file for file in files if file in tracks and _suited(file, tracks[file]) and _ffmpeg_reads(file)]
        suited.sort(key=str)
        random.Random(7).shuffle(suited)
        for file in [file for file in suited if tracks[file].own][: settings.per_collection]:
            for name, (filters, encoder, _) in VERSIONS.items():
                heard = listen(f"{file}: {name}", functools.partial(_encode, file, filters, encoder))
                if heard is not None:
                    versions.append((name, file, heard))
    negatives = list(_other_mixes(listen, tracks))
    if settings.midi:
        negatives += _fonts(listen, settings.midi, settings.soundfonts, settings.most_midi)
    settings.out.mkdir(parents=True, exist_ok=True)
    measures = {"own": own_similarity} | ({"chromaprint": chromaprint_similarity} if settings.chromaprint else {})
    _report(settings.out, tracks, versions, negatives, measures)


def own_similarity(one: Heard, others: Sequence[Heard]) -> np.ndarray:
    """Return how alike one audio and each of the others are, (others,)."""
    result = np.zeros(len(others))
    rows = [row for row, other in enumerate(others) if other.own]
    if one.own and rows:
        result[rows] = similarities(one.own, words([others[row].own for row in rows]))
    return result


def chromaprint_similarity(one: Heard, others: Sequence[Heard]) -> np.ndarray:
    """Return 1 - 2 × the share of bits that differ, at the best shift of up to 7 s, (others,)."""
    most = 56  # words of 0.124 s
    result = np.zeros(len(others))
    for row, other in enumerate(others):
        for shift in range(-most, most + 1):
            left, right = one.chromaprint[max(0, shift) :], other.chromaprint[max(0, -shift) :]
            size = min(len(left), len(right))
            if size > 2 * most:
                differing = np.bitwise_count(left[:size] ^ right[:size]).sum(dtype=np.int64)
                result[row] = max(result[row], 1 - differing / (16 * size))
    return result


def _suited(file: Path, heard: Heard) -> bool:
    return VERSION_RANGE_S[0] < heard.duration_s < VERSION_RANGE_S[1] and file.name != "guitar.ogg"


def _ffmpeg_reads(file: Path) -> bool:
    return subprocess.run(["ffprobe", "-v", "quiet", file], check=False).returncode == 0


def _encode(file: Path, filters: str, encoder: str, folder: Path) -> Path:
    *options, suffix = encoder.split()
    result = folder / f"version.{suffix}"
    filtered = ["-af", filters] if filters else []
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", file, "-map", "0:a:0", *filtered, *options, result]
    subprocess.run(command, check=True)
    return result


def _write(samples: np.ndarray, folder: Path) -> Path:
    soundfile.write(folder / "mix.wav", samples / max(1.0, np.abs(samples).max()), RATE)
    return folder / "mix.wav"


def _mix(one: Path, other: Path, level_db: float | None, folder: Path) -> Path:
    """Add another track at a level relative to the one; None plays the second half of the other instead."""
    first, second = (decode_track(file, sample_rate=RATE).waveform for file in (one, other))
    second = np.resize(second, len(first))
    if level_db is None:
        half = len(first) // 2
        return _write(np.concatenate([first[:half], second[half:]]), folder)
    return _write(first + second * 10 ** (level_db / 20) * first.std() / second.std(), folder)


def _other_mixes(listen: Listener, tracks: dict[Path, Heard]) -> Iterator[tuple[str, Heard, Heard]]:
    """Yield what is partly the same: kind, the one and the other."""
    suited = [file for file, heard in tracks.items() if _suited(file, heard)]
    for one, other in with_progress(list(zip(suited[::12], suited[6::12], strict=False)), "mixes"):
        for name, level_db in MIXES.items():
            heard = listen(f"{one}: {name} of {other}", functools.partial(_mix, one, other, level_db))
            if heard is not None:
                yield name, tracks[one], heard
    for song in (file for file in tracks if file.name == "song.ogg" and file.with_name("guitar.ogg") in tracks):

        def add(folder: Path, song: Path = song) -> Path:
            first, second = (decode_track(song.with_name(f"{part}.ogg")).waveform for part in ("song", "guitar"))
            size = min(len(first), len(second))
            return _write(first[:size] + second[:size], folder)

        heard = listen(f"{song}: with guitar", add)
        if heard is not None:
            yield "with and without guitar", tracks[song], heard


def _fonts(listen: Listener, folder: Path, fonts: list[Path], most: int) -> Iterator[tuple[str, Heard, Heard]]:
    """Yield pairs of one MIDI file that is played with two sound fonts."""
    files = sorted(folder.rglob("*.mid"))
    for file in with_progress(files[:: max(1, len(files) // most)], "MIDI"):

        def play(folder: Path, file: Path = file, font: Path = fonts[0]) -> Path:
            command = ["fluidsynth", "-ni", "-F", folder / "midi.wav", "-r", "44100", font, file]
            subprocess.run(command, check=True, capture_output=True)
            return folder / "midi.wav"

        played = [listen(f"{file}: {font.name}", functools.partial(play, font=font)) for font in fonts]
        for one, other in itertools.combinations([heard for heard in played if heard is not None and heard.own], 2):
            yield "other instruments", one, other


def _report(
    out: Path,
    tracks: dict[Path, Heard],
    versions: list[tuple[str, Path, Heard]],
    negatives: list[tuple[str, Heard, Heard]],
    measures: dict[str, Callable[[Heard, Sequence[Heard]], np.ndarray]],
) -> None:
    files, heard = list(tracks), list(tracks.values())
    durations = np.array([one.duration_s for one in heard])
    rows, curves, pairs = [], [], []
    for name, measure in measures.items():
        found: dict[str, list[float]] = {version: [] for version in VERSIONS}
        for version, file, other in versions:
            found[version] += measure(tracks[file], [other]).tolist()
        mistaken: dict[str, list[float]] = {}
        for kind, one, other in negatives:
            mistaken.setdefault(kind, []).extend(measure(one, [other]).tolist())
        different, near = [], []
        for row in with_progress(range(len(files) - 1), f"pairs, {name}"):
            alike = measure(heard[row], heard[row + 1 :])
            different += alike.tolist()
            near += (np.abs(durations[row + 1 :] - durations[row]) <= WITHIN_S).tolist()
            pairs += [(name, alike[other], row, row + 1 + other) for other in np.flatnonzero(alike > 0.15)]
        for kind, values in (found | mistaken).items():
            if not values:
                continue
            expected = "same" if kind in VERSIONS and VERSIONS[kind][2] else "open" if kind in VERSIONS else "different"
            low, fifth, middle, high = np.quantile(values, (0, 0.05, 0.5, 1))
            rows.append((name, kind, expected, len(values), low, fifth, middle, high))
        same = np.concatenate([values for kind, values in found.items() if VERSIONS[kind][2]])
        other = np.concatenate(list(mistaken.values())) if mistaken else np.zeros(0)
        wrong, close = np.array(different), np.array(near)
        for threshold in THRESHOLDS:
            counts = [(wrong >= threshold).sum(), (wrong[close] >= threshold).sum(), (other >= threshold).sum()]
            curves.append((name, threshold, (same >= threshold).mean(), *counts))
        print(f"{name}: {len(same)} versions, {len(wrong)} pairs, {close.sum()} of similar length, {len(other)} others")
    columns = ["fingerprint", "kind", "expected", "pairs", "lowest", "5th percentile", "median", "highest"]
    pl.DataFrame(rows, columns, orient="row").write_csv(out / "versions.csv", float_precision=3)
    columns = ["fingerprint", "threshold", "versions recognised", "pairs matched", "of similar length", "other mixes"]
    pl.DataFrame(curves, columns, orient="row").write_csv(out / "thresholds.csv", float_precision=3)
    told = [
        (name, alike, abs(durations[one] - durations[other]), _short(files[one]), _short(files[other]))
        for name, group in itertools.groupby(pairs, key=lambda pair: pair[0])
        for _, alike, one, other in sorted(group, reverse=True)[:20]
    ]
    columns = ["fingerprint", "similarity", "difference_s", "one", "other"]
    pl.DataFrame(told, columns, orient="row").write_csv(out / "pairs.csv", float_precision=3)


def _short(file: Path) -> str:
    return "/".join(file.parts[-3:])


if __name__ == "__main__":
    main()
