"""Index your music, then ask which tracks go with a track. `musicrec recommend --help` explains how.

What takes long to import (torch, and what reads audio files) is imported where it is needed, after the settings have
been checked.
"""

import json
import os
import sys
from pathlib import Path
from unicodedata import normalize

from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.config.number_types import Count, PositiveShare
from musicrec.config.value_check import check_choice, check_value
from musicrec.errors import ConfigError, LibraryError
from musicrec.programs.build import listed, plain
from musicrec.recommend import exports, presentation
from musicrec.recommend.exact_search import ExactSearch
from musicrec.recommend.ranking import recommend
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track, audio_hash
from musicrec.runs.find import find_export
from musicrec.system.console import output_console
from musicrec.system.file_names import path_on_disk


def main(cfg: DictConfig) -> None:
    """Run the action that the config names."""
    actions = {"index": index, "query": query}
    if cfg.action not in actions:
        raise ConfigError(f"action={cfg.action}: choose action={' or action='.join(actions)}; see --help")
    actions[cfg.action](cfg)


def index(cfg: DictConfig) -> None:
    """Bring a library up to date with a folder of music, a playlist or a manifest; create it if it does not exist."""
    if cfg.source is None:
        raise ConfigError("source: name a folder of music, a playlist or a manifest, as in source=~/Music")
    check_value("max_files", cfg.max_files, Count | None)
    check_value("coverage", cfg.coverage, PositiveShare | None)
    path, named = Path(cfg.library).expanduser(), export_folders(cfg)
    exists = path.exists() and path.stat().st_size > 0  # a first start that was killed leaves an empty file
    if not exists and not named:
        raise ConfigError(f"exports: {path} does not exist yet, so name the models, as in exports=[RUN/export]")

    from musicrec.recommend import indexing

    splits = listed(cfg.splits)
    source = indexing.read_source(path_on_disk(Path(cfg.source).expanduser()))
    indexing.of_splits(source, splits)  # a mistake is reported before the models are loaded
    if exists:
        library = SqliteLibrary.open(path)
        refs = exports.check_same(library.exports, named, library=path)
        coverage = exports.coverage_of(library.analysis, cfg.coverage, library=path)
        analyzer = exports.load_analyzer(refs, device=cfg.device, coverage=coverage)
        library.move_exports(exports.with_sizes(refs, analyzer))
    else:
        refs = exports.refer(named)
        analyzer = exports.load_analyzer(refs, device=cfg.device, coverage=cfg.coverage)
        refs, heads = exports.with_sizes(refs, analyzer), list(analyzer.heads.values())
        size = sum(model.network.embedding_size for model in analyzer.models)
        library = SqliteLibrary.create(path, exports=refs, heads=heads, embedding_size=size, analysis=analyzer.settings)
    for remark in analyzer.passed_over:
        print(remark)
    with library:
        done = indexing.index(library, analyzer, source, splits=splits, max_files=cfg.max_files)
        output_console().print(presentation.index_text(done, library=path, size=len(library)), soft_wrap=True)
    if done.interrupted:
        print("interrupted; the same command continues")
        sys.exit(130)
    if done.unreadable and not (done.added or done.changed or done.unchanged):
        if not exists:
            path.unlink()
        raise LibraryError(f"{source.place}: none of its {len(done.unreadable)} files can be read; nothing was indexed")


def query(cfg: DictConfig) -> None:
    """Print the tracks of a library that go with a track."""
    if cfg.query is None:
        raise ConfigError("query: name an audio file, or the track_id of a track in the library")
    shown = os.fsencode(str(cfg.query)).decode(errors="backslashreplace")
    if shown != str(cfg.query):
        raise ConfigError(f"query={shown}: this name is not UTF-8; rename the file, or ask with a copy of it")
    check_choice("format", cfg.format, ("table", "json"))
    check_value("k", cfg.k, Count)
    check_value("min_pool", cfg.min_pool, Count | None)
    check_value("include_unreliable", cfg.include_unreliable, bool)
    tag_filter = instantiate(cfg.filter)
    with SqliteLibrary.open(Path(cfg.library).expanduser()) as library:
        heads = list(library.heads.values())
        similarity = instantiate(cfg.similarity, heads, weights=plain(cfg.weights))
        if not len(library):
            raise ConfigError(f"{library.path}: the library holds no tracks; add some with action=index")
        track = find_track(library, str(cfg.query))
        if track is None:
            track = analyze_file(library, str(cfg.query), cfg)
        search = ExactSearch(*library.read())
        values = library.values_of(track)
    found = recommend(
        search,
        values,
        heads=heads,
        k=cfg.k,
        tag_filter=tag_filter,
        similarity=similarity,
        path=track.path,
        audio_hash=track.audio_hash,
        min_pool=cfg.min_pool,
        include_unreliable=cfg.include_unreliable,
    )
    answer = presentation.as_dict(
        found,
        heads=library.heads,
        query=values,
        facts={name: getattr(track, name) for name in ("track_id", "path", "title", "artist", "duration_s")},
        similarity=similarity,
        library=library.path,
        size=len(search.tracks),
        remarks=[remark.text for remark in track.remarks],
    )
    if cfg.format == "json":
        print(json.dumps(answer, indent=1))
    else:
        out, min_pool = output_console(), cfg.min_pool or cfg.k
        out.print(
            presentation.as_table(
                answer, heads=library.heads, match=tag_filter.match, min_pool=min_pool, width=out.width
            )
        )


def find_track(library: SqliteLibrary, query: str) -> Track | None:
    """Return the track of the library with the track_id `query`, or None if `query` is a file.

    Raises:
        ConfigError: There is neither such a file nor such a track, or there are several such tracks.
    """
    if os.path.exists(path_on_disk(Path(query).expanduser())):
        return None
    spellings = dict.fromkeys((query, *(normalize(form, query) for form in ("NFC", "NFD"))))
    tracks = next(filter(None, (library.read(track_id=name)[0] for name in spellings)), [])
    if len(tracks) > 1:
        raise ConfigError(f"query={query}: several tracks have this track_id; give a path: {[t.path for t in tracks]}")
    if not tracks and not os.path.lexists(Path(query).expanduser()):
        raise ConfigError(f"query={query}: there is no such file, and {library.path} has no track of this track_id")
    return tracks[0] if tracks else None


def analyze_file(library: SqliteLibrary, query: str, cfg: DictConfig) -> Track:
    """Return the query file as a track, which is not added to the library."""
    from musicrec.audio.decode import decode_track
    from musicrec.audio.remark import Remark

    refs = exports.check_same(library.exports, export_folders(cfg), library=library.path)
    path = Path(path_on_disk(Path(query).expanduser()))
    decoded = decode_track(path, sample_rate=exports.sample_rate_of(refs[0]))  # before torch is imported: it may fail
    coverage = exports.coverage_of(library.analysis, cfg.coverage, library=library.path)
    answer = exports.load_analyzer(refs, device=cfg.device, coverage=coverage).analyze(decoded.waveform)

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
        remarks=(*decoded.remarks, *answer.remarks, *remarks),
    )


def export_folders(cfg: DictConfig) -> list[str]:
    """Return the export folders that the config names; `best` and `best:STUDY` are looked up in the runs."""
    named = [find_export(export, runs=cfg.paths.runs) for export in listed(cfg.exports)]
    return [str(Path(folder).expanduser()) for folder in named]
