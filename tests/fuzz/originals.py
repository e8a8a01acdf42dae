"""Sound files in every container that libsndfile and ffmpeg write: what `damage.py` damages."""

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

_RATE = 44_100
_SUFFIXES = {"AIFF": "aif", "MPC2K": "snd", "IRCAM": "sf", "NIST": "sph", "SVX": "iff", "MAT4": "mat", "MAT5": "mat"}
_SUBTYPES = [
    *[("WAV", subtype) for subtype in ("PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")],
    *[("AIFF", subtype) for subtype in ("FLOAT", "ULAW", "IMA_ADPCM")],
    *[("CAF", subtype) for subtype in ("ALAC_16", "FLOAT")],
    ("AU", "G721_32"),
    ("OGG", "OPUS"),
]
_TAGS = ["-metadata", "title=Café", "-metadata", "artist=A;B", "-metadata", "TBPM=128", "-metadata", "TKEY=8A"]
_PICTURE = ["-f", "lavfi", "-i", "color=red:size=64x64:duration=0.1"]
_FFMPEG = {
    "aac.m4a": ["-c:a", "aac", *_TAGS],
    "fast_start.m4a": ["-c:a", "aac", "-movflags", "+faststart"],
    "fragments.m4a": ["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov", "-f", "mp4"],
    "alac.m4a": ["-c:a", "alac"],
    "book.m4b": ["-c:a", "aac", "-f", "ipod"],
    "video.mp4": ["-c:v", "mpeg4", "-c:a", "aac"],
    "video.mov": ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
    "video.avi": ["-c:v", "mpeg4", "-c:a", "mp3"],
    "video.mkv": ["-c:v", "mpeg4", "-c:a", "flac"],
    "video.flv": ["-c:v", "flv", "-c:a", "mp3"],
    "video.ts": ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "picture_only.mp4": ["-c:v", "mpeg4", "-an"],
    "sound.webm": ["-vn", "-c:a", "libopus"],
    "sound.mka": ["-c:a", "libvorbis", *_TAGS],
    "sound.wma": ["-c:a", "wmav2", *_TAGS],
    "sound.wv": ["-c:a", "wavpack"],
    "sound.tta": ["-c:a", "tta"],
    "sound.mp2": ["-c:a", "mp2"],
    "sound.ac3": ["-c:a", "ac3"],
    "sound.dts": ["-c:a", "dca", "-strict", "-2"],
    "sound.aac": ["-c:a", "aac", "-f", "adts"],
    "sound.amr": ["-ar", "8000", "-ac", "1", "-c:a", "libopencore_amrnb"],
    "sound.oga": ["-c:a", "flac", "-f", "ogg"],
    "sound.opus": ["-c:a", "libopus", *_TAGS],
    "tagged.flac": ["-c:a", "flac", *_TAGS],
    "to_a_pipe.flac": ["-c:a", "flac", "-f", "flac", "pipe:1"],
    "tagged.mp3": ["-c:a", "mp3", "-id3v2_version", "3", *_TAGS],
    "tagged_24.mp3": ["-c:a", "mp3", "-id3v2_version", "4", "-write_id3v1", "1", *_TAGS],
    "cover.mp3": ["-map", "0:a", "-map", "1:v", "-c:a", "mp3", "-c:v", "png", *_TAGS],
    "cover.m4a": ["-map", "0:a", "-map", "1:v", "-c:a", "aac", "-c:v", "png", "-disposition:v", "attached_pic"],
    "vbr_without_xing.mp3": ["-c:a", "mp3", "-q:a", "4", "-write_xing", "0", "-id3v2_version", "0"],
    "tagged.wav": ["-c:a", "pcm_s16le", *_TAGS],
    "mp3_inside.wav": ["-c:a", "mp3", "-f", "wav"],
    "to_a_pipe.wav": ["-c:a", "pcm_s16le", "-f", "wav", "pipe:1"],
    "surround.flac": ["-c:a", "flac", "-ac", "6"],
    "tagged.aiff": ["-c:a", "pcm_s16be", "-write_id3v2", "1", *_TAGS],
}


def originals(folder: Path) -> dict[str, bytes]:
    """Return {name: content} of one sound of 1.2 s in every container; the names have the usual suffixes."""
    files = {}
    for kind in sorted(set(soundfile.available_formats()) - {"RAW", "SD2"}):  # SD2 keeps its header in another file
        files[f"sf_{kind.lower()}.{_SUFFIXES.get(kind, kind.lower())}"] = _written(kind, None)
    for kind, subtype in _SUBTYPES:
        files[f"sf_{kind.lower()}_{subtype.lower()}.{_SUFFIXES.get(kind, kind.lower())}"] = _written(kind, subtype)
    source = folder / "original.wav"
    source.write_bytes(files["sf_wav.wav"])
    with ThreadPoolExecutor(2) as pool:
        files |= dict(zip(_FFMPEG, pool.map(lambda name: _converted(source, name), _FFMPEG), strict=True))
    return files


def _written(kind: str, subtype: str | None) -> bytes:
    """Write by libsndfile: in stereo at 44.1 kHz if the format allows it, otherwise in mono, at 8 or 48 kHz."""
    for rate, channels in ((_RATE, 2), (_RATE, 1), (48_000, 2), (8_000, 1)):
        file = io.BytesIO()
        try:
            soundfile.write(file, _sound(rate, channels), rate, subtype=subtype, format=kind)
        except soundfile.LibsndfileError:
            continue
        return file.getvalue()
    raise AssertionError(f"libsndfile writes no {kind} {subtype}")


def _sound(rate: int, channels: int) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal((round(1.2 * rate), channels))
    tone = np.sin(2 * np.pi * 440 * np.arange(len(noise)) / rate)
    return 0.4 * tone[:, None] + 0.02 * noise


def _converted(source: Path, name: str) -> bytes:
    options = _FFMPEG[name]
    target = source.with_name(name)
    done = subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-i", str(source)),
            *(_PICTURE if {"-c:v", "-an"} & set(options) else []),
            *options,
            *([] if options[-1] == "pipe:1" else [str(target)]),
        ],
        check=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout or target.read_bytes()
