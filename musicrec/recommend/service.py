"""What a recommender does, with plain arguments: bring a library up to date, and answer a query.

The command line and Python call the same functions. What takes long to import (torch, and what reads audio files) is
imported where it is needed, after the settings have been checked.
"""

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import platformdirs

from musicrec.config.number_types import Count
from musicrec.config.value_check import check_value
from musicrec.errors import ConfigError, LibraryError
from musicrec.export import catalogue
from musicrec.interchange.file_paths import parse_relocations
from musicrec.recommend import exports
from musicrec.recommend.answer import as_dict
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.ranking import recommend
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track, audio_hash
from musicrec.system.file_names import path_on_disk

if TYPE_CHECKING:
    from musicrec.recommend.indexing import IndexReport

LIBRARY_VARIABLE = "MUSICREC_LIBRARY"


def default_library() -> Path:
    """Return the file that `musicrec index` and `musicrec query` share: MUSICREC_LIBRARY, or one in the user's data."""
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_data_path("musicrec") / "library.sqlite"


def update_library(
    source: str | Path,
    *,
    library: str | Path,
    models: Sequence[str] = (),
    splits: Sequence[str] = (),
    max_files: int | None = None,
    coverage: float | None = None,
    device: str = "auto",
    relocate: Sequence[str] = (),
    tell: Callable[[str], object] = print,
) -> "tuple[IndexReport, int]":
    """Bring a library up to date with a folder of music or another source; create it if it does not exist.

    Args:
        source: A folder, a playlist (M3U, M3U8), a collection (rekordbox XML, Traktor NML) or a manifest.
        library: The file of the library.
        models: Export folders, or names of models. Empty for the models of the library; for a new library, for the
            default set: the models that ship with musicrec and those that have been fetched.
        splits: Analyse only the tracks of these splits of the manifest; empty for all.
        max_files: Look only at this many tracks, and remove none.
        coverage: Share of each track that the models hear; None for that of the library, or the default of a new one.
        device: "cpu", "cuda", "cuda:1" …; "auto" for the GPU if there is one.
        relocate: Folders of a collection that are elsewhere on this computer, each as OLD=NEW.
        tell: Receives what the user should know before the analysis, one sentence at a time.

    Returns:
        What was done, and the number of tracks in the library.

    Raises:
        ConfigError: A setting is out of range, or there is no model.
        ExportError: A model is missing, or is not what the library was made with.
        LibraryError: The library cannot be read or written, or no file of a new library can be read.
        ManifestError: The source lists no tracks.
        PlaylistError: The playlist or collection cannot be read.
    """
    check_value("max_files", max_files, Count | None)
    path, named = Path(library).expanduser(), [str(catalogue.resolve(model)) for model in models]
    exists = os.path.exists(path) and os.path.getsize(path) > 0  # a first start that was killed leaves an empty file
    if not exists and not named:
        named = [str(catalogue.resolve(name)) for name in catalogue.default_models()]
        if not named:
            raise ConfigError(
                f"models: {path} does not exist yet, and no model ships with this version; name export folders, as in "
                "--models RUN/export, or exports=[RUN/export] of musicrec recommend"
            )
        for remark in catalogue.default_remarks():
            tell(remark)

    from musicrec.recommend import indexing

    read = indexing.read_source(path_on_disk(Path(source).expanduser()), relocate=parse_relocations(relocate))
    indexing.of_splits(read, splits)  # a mistake is reported before the models are loaded
    if exists:
        opened = SqliteLibrary.open(path)
        refs = exports.check_same(opened.exports, named, library=path)
        coverage = exports.coverage_of(opened.analysis, coverage, library=path)
        analyzer = exports.load_analyzer(refs, device=device, coverage=coverage)
        opened.move_exports(exports.with_sizes(refs, analyzer))
    else:
        refs = exports.refer(named)
        analyzer = exports.load_analyzer(refs, device=device, coverage=coverage)
        refs, heads = exports.with_sizes(refs, analyzer), list(analyzer.heads.values())
        size = sum(model.network.embedding_size for model in analyzer.models)
        opened = SqliteLibrary.create(path, exports=refs, heads=heads, embedding_size=size, analysis=analyzer.settings)
    with opened:
        for remark in (*analyzer.passed_over, *model_remarks(opened)):
            tell(remark)
        done = indexing.index(opened, analyzer, read, splits=splits, max_files=max_files)
        tracks = len(opened)
    if done.unreadable and not (done.added or done.changed or done.unchanged or done.interrupted):
        if not exists:
            path.unlink()
        raise LibraryError(f"{read.place}: none of its {len(done.unreadable)} files can be read; nothing was indexed")
    return done, tracks


def model_remarks(library: SqliteLibrary) -> list[str]:
    """Return what to know about the models of a library: it has no tagger, or others have been fetched since."""
    used, known = [export.name for export in library.exports], catalogue.entries()
    tagged = any(head.role == "tag" for head in library.heads.values())
    since = [name for name in catalogue.default_models() if name not in used]
    if since and all(name in known for name in used):
        return [
            f"this library uses only {', '.join(used)}; to use {' and '.join(since)} as well, delete {library.path} "
            "and index again, or index into another file (--library FILE)"
        ]
    if not tagged:
        return [
            "no model of this library predicts tags, so the first step (tags) is skipped; for tags, run `musicrec "
            f"models get musicnn`, delete {library.path} and index again"
        ]
    return []


def answer_query(
    query: str,
    *,
    library: str | Path,
    k: int = 10,
    models: Sequence[str] = (),
    tag_filter: TagFilter | None = None,
    similarity: Callable[..., Similarity] = Similarity,
    min_pool: int | None = None,
    include_unreliable: bool = False,
    coverage: float | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Return the tracks of a library that go with a track, in plain JSON types.

    Args:
        query: An audio file, which need not be in the library, or a track of the library: its track_id, its title, or
            "artist – title", as answers show it.
        library: The file of the library.
        k: Number of tracks to recommend.
        models: Where the models of the library are now; empty for where they were.
        tag_filter: The first step; None for the default.
        similarity: Makes the second step: `Similarity`, which may have weights and a metric already.
        min_pool: Number of tracks that the filter must leave; None for k, but at most half of the library.
        include_unreliable: Recommend tracks even if they are silent or very short.
        coverage: Share of the query that the models hear, which must be that of the library; None for it.
        device: Where to run the models if the query must be analysed; see `update_library`.

    Raises:
        AudioError: The file cannot be decoded.
        ConfigError: A setting is out of range, or there is neither such a file nor such a track.
        ExportError: The query must be analysed, and a model is missing or is not what the library was made with.
        LibraryError: The library does not exist or cannot be read.
    """
    check_value("k", k, Count)
    check_value("min_pool", min_pool, Count | None)
    check_value("include_unreliable", include_unreliable, bool)
    shown = os.fsencode(query).decode(errors="backslashreplace")
    if shown != query:
        raise ConfigError(f"query={shown}: this name is not UTF-8; rename the file, or ask with a copy of it")
    tag_filter = tag_filter or TagFilter()
    with SqliteLibrary.open(Path(library).expanduser()) as opened:
        if not len(opened):
            raise ConfigError(f"{opened.path}: the library holds no tracks; add some with `musicrec index FOLDER`")
        search, heads = ExactSearch(*opened.read()), list(opened.heads.values())
        compare = similarity(heads, blocks=[name for name in search.values if name not in opened.heads])
        track = find_track(opened, query) or analyze_file(
            opened, query, models=models, coverage=coverage, device=device
        )
        found = recommend(
            search,
            opened.values_of(track),
            heads=heads,
            k=k,
            tag_filter=tag_filter,
            similarity=compare,
            path=track.path,
            audio_hash=track.audio_hash,
            min_pool=min_pool,
            include_unreliable=include_unreliable,
        )
        return as_dict(
            found,
            track,
            heads=opened.heads,
            similarity=compare,
            library=opened.path,
            size=len(search.tracks),
            match=tag_filter.match,
            remarks=[*(remark.text for remark in track.remarks), *model_remarks(opened)],
        )


def find_track(library: SqliteLibrary, query: str) -> Track | None:
    """Return the track of the library that a query names by its file, its track_id or its title.

    Returns:
        The track; None for a file that is not in the library, or has changed since it was analysed.

    Raises:
        ConfigError: There is neither such a file nor such a track, or there are several such tracks.
    """
    file = path_on_disk(Path(query).expanduser())
    if os.path.exists(file):
        stat = os.stat(file)
        for track in library.read(path=os.path.abspath(file))[0]:
            if (track.size, track.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                return track
        return None
    spellings = dict.fromkeys((query, *(normalize(form, query) for form in ("NFC", "NFD"))))
    tracks = next(filter(None, (library.read(track_id=name)[0] for name in spellings)), [])
    if not tracks and os.path.lexists(Path(query).expanduser()):
        return None
    if not tracks:
        tracks = _titled(library, query)
    if len(tracks) > 1:
        paths = ", ".join(track.path for track in tracks)
        raise ConfigError(f"query={query}: {len(tracks)} tracks have this name; name the file: {paths}")
    return tracks[0]


def _titled(library: SqliteLibrary, query: str) -> list[Track]:
    """Return the tracks with this title, or "artist – title"; upper and lower case are the same.

    Raises:
        ConfigError: There is none. The message has the names most like it.
    """
    by_name: dict[str, list[Track]] = {}
    for track in library.read()[0]:
        for name in {track.title or track.track_id, track.name}:
            by_name.setdefault(_folded(name), []).append(track)
    if found := by_name.get(_folded(query)):
        return found
    close = [by_name[name][0].name for name in get_close_matches(_folded(query), by_name, n=3)]
    meant = f"; did you mean {' or '.join(dict.fromkeys(close))}?" if close else ""
    raise ConfigError(f"query={query}: there is no such file, and no such track in {library.path}{meant}")


def _folded(name: str) -> str:
    return normalize("NFC", name).casefold()


def analyze_file(
    library: SqliteLibrary,
    query: str,
    *,
    models: Sequence[str] = (),
    coverage: float | None = None,
    device: str = "auto",
) -> Track:
    """Return the query file as a track, which is not added to the library.

    Args:
        library: The library whose models analyse it.
        query: The file.
        models: Where the models of the library are now; empty for where they were.
        coverage: As for `answer_query`.
        device: Where to run them.
    """
    from musicrec.audio.decode import decode_track
    from musicrec.audio.remark import Remark
    from musicrec.descriptors.loudness_meter import LoudnessMeter

    named = [str(catalogue.resolve(model)) for model in models]
    refs = exports.check_same(library.exports, named, library=library.path)
    path = Path(path_on_disk(Path(query).expanduser()))
    rate = exports.sample_rate_of(refs[0])
    decoded = decode_track(path, sample_rate=rate, meter=LoudnessMeter)  # before torch is imported: it may fail
    coverage = exports.coverage_of(library.analysis, coverage, library=library.path)
    answer = exports.load_analyzer(refs, device=device, coverage=coverage).analyze(decoded)

    from musicrec.audio.file_tags import read_tags

    ((title, artist, problem),) = read_tags([str(path)]).select("title", "artist", "problem").rows()
    remarks = [Remark(f"{path.name}: {problem}", unreliable=False)] if problem else []
    return Track(
        path=str(path.absolute()),
        track_id=path.stem,
        title=title,
        artist=artist,
        source="",
        size=0,
        mtime_ns=0,
        audio_hash=audio_hash(decoded.waveform),
        duration_s=answer.duration_s,
        probabilities=answer.probabilities,
        embedding=answer.embedding,
        variation=answer.variation,
        descriptors=answer.descriptors,
        remarks=(*answer.remarks, *remarks),
    )
