"""The track that a query names: one of the library, or any audio file."""

import os
from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np

from musicrec.config.value_check import join_alternatives
from musicrec.errors import AudioError, ConfigError
from musicrec.recommend.library import Library, LibraryFile
from musicrec.recommend.track import Track, audio_hash, content_hash, folded, folded_names, shown_name
from musicrec.recommend.wording import length_text
from musicrec.system.file_names import path_on_disk

if TYPE_CHECKING:
    from collections.abc import Callable

    from musicrec.audio.decode import Decoded, MeterFactory
    from musicrec.export.passages import Passages
    from musicrec.export.track_analysis import TrackAnalysis


PART_S = 30.0
"""How much of a file is analysed if a query names a place in it."""
_ALL_NAMES = "; `musicrec export tracks.csv --all` lists its tracks"


def check_name(query: str, *, key: str = "query") -> None:
    """Check that the name of a file or track is UTF-8 and not empty.

    Raises:
        ConfigError: It is not.
    """
    if not query.strip():
        raise ConfigError(f"{key}: the name is empty; name an audio file or a track of the library")
    shown = os.fsencode(query).decode(errors="backslashreplace")
    if shown != query:
        raise ConfigError(f"{key}={shown}: this name is not UTF-8; rename the file, or ask with a copy of it")


def find_track(library: Library, query: str, *, key: str = "query") -> Track | None:
    """Return the track of the library that a query names by its file, its track_id or its title.

    Args:
        library: The library.
        query: What was asked for.
        key: What messages call it.

    Returns:
        The track; None for a file that neither the library nor a copy of it holds.

    Raises:
        ConfigError: There is neither such a file nor such a track, or there are several such tracks.
    """
    file = path_on_disk(Path(query).expanduser())
    try:
        os.stat(file)
    except PermissionError:
        raise ConfigError(
            f"{key}={query}: a folder of this path may not be opened: permission denied; change its permissions, or "
            "ask with a copy of the file"
        ) from None
    except (OSError, ValueError):  # no file: a name
        pass
    else:
        return _of_file(library, file)
    spellings = dict.fromkeys((query, *(normalize(form, query) for form in ("NFC", "NFD"))))
    tracks = next(filter(None, (library.find(track_id=name) for name in spellings)), [])
    if not tracks and os.path.lexists(Path(query).expanduser()):
        return None
    return _only(query, tracks or _titled(library, query, key), key)


def _of_file(library: Library, file: str) -> Track | None:
    """Return the track of a file: by its path if the file is as it was, else by its bytes."""
    if not os.path.isfile(file):
        return None
    stat = os.stat(file)
    for track in library.find(path=os.path.abspath(file)):
        if (track.size, track.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return track
    try:
        found = library.find(content_hash=content_hash(file))
    except OSError:  # for the decoder to explain
        return None
    return replace(found[0], path=os.path.abspath(file)) if found else None  # the answer names the file that was asked


def _only(query: str, tracks: Iterable[Track], key: str) -> Track:
    """Return the only track; copies of one recording are one."""
    by_audio: dict[str, Track] = {}
    for track in tracks:
        by_audio.setdefault(track.audio_hash, track)
    if len(by_audio) > 1:
        paths = ", ".join(track.path for track in by_audio.values())
        raise ConfigError(f"{key}={query}: {len(by_audio)} tracks have this name; name the file: {paths}")
    return next(iter(by_audio.values()))


def _titled(library: Library, query: str, key: str) -> list[Track]:
    """Return the tracks with this title, or "artist – title"; upper and lower case are the same.

    Raises:
        ConfigError: There is none. The message has the names most like it.
    """
    if at_once := library.find(name=query):
        return at_once
    by_name: dict[str, list[LibraryFile]] = {}
    for file in sorted(library.files(), key=lambda file: file.missing):
        for name in folded_names(file.artist, file.title, file.track_id):
            by_name.setdefault(name, []).append(file)
    if found := by_name.get(folded(query)):
        return [track for file in found for track in library.find(path=file.path)]
    close = [_name(by_name[name][0]) for name in get_close_matches(folded(query), by_name, n=3)]
    meant = f"; did you mean {join_alternatives(list(dict.fromkeys(close)))}?" if close else _ALL_NAMES
    raise ConfigError(f"{key}={query}: there is no such file, and no such track in {library.path}{meant}")


def _name(file: LibraryFile) -> str:
    return shown_name(file.artist, file.title, file.track_id)


def analyze_file(
    query: str,
    *,
    sample_rate: int,
    analyze: "Callable[[Decoded], TrackAnalysis]",
    library: Library,
    meter: "MeterFactory | None" = None,
    at_s: float | None = None,
) -> Track:
    """Return a file as a track, which is not added to the library.

    Args:
        query: The file.
        sample_rate: Sample rate of the models in Hz.
        analyze: Loads the models and answers; is called after the file was decoded, which may fail.
        library: Where versions of it are looked for.
        meter: Makes the `LoudnessMeter` that sees the audio; None for a plain one.
        at_s: Analyse only `PART_S` from this second on, or the last `PART_S`; None for the whole file. Its loudness is
            that of the file.

    Raises:
        AudioError: The file cannot be decoded, or ends before `at_s`.
    """
    from musicrec.audio.decode import decode_track
    from musicrec.audio.remark import Remark
    from musicrec.descriptors.loudness_meter import LoudnessMeter

    path = Path(path_on_disk(Path(query).expanduser()))
    decoded = decode_track(path, sample_rate=sample_rate, meter=meter or LoudnessMeter)
    whole, duration_s = decoded.waveform, len(decoded.waveform) / sample_rate
    start_s = 0.0 if at_s is None else max(0.0, min(at_s, duration_s - PART_S))
    if at_s is not None:
        if at_s >= duration_s:
            raise AudioError(f"{path}: it ends at {length_text(duration_s)}, before {length_text(at_s)}")
        first = round(start_s * sample_rate)
        decoded = replace(decoded, waveform=whole[first : first + round(PART_S * sample_rate)])
    answer = analyze(decoded)

    from musicrec.audio.file_tags import read_tags
    from musicrec.recommend.fingerprint import LEAST_RATE, fingerprint
    from musicrec.recommend.versions import find_version

    names = ("title", "artist", "album", "genre", "year")
    ((*values, problem),) = read_tags([str(path)]).select(*names, "problem").rows()
    remarks = [Remark(f"{path.name}: {problem}", unreliable=False)] if problem else []
    if at_s is not None and start_s < at_s:
        remarks.append(
            Remark(
                f"fewer than {PART_S:.0f} s are left from {length_text(at_s)} on, so the part begins at "
                f"{length_text(start_s)}",
                unreliable=False,
            )
        )
    version_of = None
    if at_s is not None and library.ids_of([of_whole := audio_hash(whole)]):
        version_of = of_whole
    elif sample_rate >= LEAST_RATE:
        version_of = find_version(library, duration_s, fingerprint(whole, sample_rate))
    if version_of is not None and at_s is None:
        (known, *_) = [one.name for one in _of_recording(library, version_of)] or ["a track whose file is gone"]
        remarks.append(
            Remark(f"the library has this recording already, in another encoding: {known}", unreliable=False)
        )
    return Track(
        **dict(zip(names, values, strict=True)),
        path=str(path.absolute()),
        track_id=path.stem,
        source="",
        size=0,
        mtime_ns=0,
        audio_hash=audio_hash(decoded.waveform),
        duration_s=answer.duration_s,
        probabilities=answer.probabilities,
        embedding=answer.embedding,
        variation=answer.variation,
        passages=_moved(answer.passages, start_s),
        descriptors=answer.descriptors,
        remarks=(*answer.remarks, *remarks),
        version_of=version_of,
        from_s=None if at_s is None else start_s,
    )


def _moved(passages: "Passages", by_s: float) -> "Passages":
    """Return passages at their places in the file of which a part was analysed."""
    return replace(passages, start_s=passages.start_s + np.float32(by_s), end_s=passages.end_s + np.float32(by_s))


def _of_recording(library: Library, audio_hash: str) -> list[Track]:
    """Return the track of a recording, if it has a file that is there."""
    numbers = list(library.ids_of([audio_hash]).values())
    here = set(library.present().ids.tolist())
    return library.tracks([number for number in numbers if number in here])
