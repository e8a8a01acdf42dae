"""Index your music, then ask what goes with a track. `python recommend.py --help` shows how."""

import json
import os
import sys
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig

from musicrec.audio.decode import decode
from musicrec.audio.file_tags import read_tags
from musicrec.errors import ConfigError, LibraryError
from musicrec.programs.build import listed, plain
from musicrec.recommend import exports, indexing, report
from musicrec.recommend.library import Library, Track
from musicrec.recommend.ranking import check_counts, recommend
from musicrec.runs.find import find_export


def main(cfg: DictConfig) -> None:
    actions = {"index": index, "query": query}
    if cfg.action not in actions:
        raise ConfigError(f"action={cfg.action}: choose action={' or action='.join(actions)}; see --help")
    actions[cfg.action](cfg)


def index(cfg: DictConfig) -> None:
    if cfg.source is None:
        raise ConfigError("source: name a folder of music or a manifest, as in source=~/Music")
    if cfg.max_files is not None:
        check_counts(max_files=cfg.max_files)
    path, named = Path(cfg.library).expanduser(), folders(cfg)
    source = Path(cfg.source).expanduser()
    frame, splits = indexing.read_source(source), listed(cfg.splits)
    indexing.of_splits(frame, splits, source=source)  # a mistake is told before the models load
    existed = path.exists() and path.stat().st_size > 0  # an empty file is left where a first start was killed
    if existed:
        library = Library.open(path)
        refs = exports.check_same(library.exports, named, library=path)
        analyzer = exports.load_analyzer(refs, device=cfg.device)
        library.move_exports(refs)
    elif not named:
        raise ConfigError(f"exports: {path} is new, so name the models, as in exports=[RUN/export,RUN/export]")
    else:
        refs = exports.refer(named)
        analyzer = exports.load_analyzer(refs, device=cfg.device)
        size = sum(model.network.embedding_size for model in analyzer.models)
        library = Library.create(path, exports=refs, heads=list(analyzer.heads.values()), embedding_size=size)
    for remark in analyzer.passed_over:
        print(remark)
    with library:
        done = indexing.index(library, analyzer, frame, source=source, splits=splits, max_files=cfg.max_files)
        size = len(library)
        report.console().print(report.index_text(done, library=path, size=size), soft_wrap=True)
    if done.interrupted:
        print("interrupted; the same command continues")
        sys.exit(130)
    if done.unreadable and not (done.added or done.changed or done.unchanged):
        if not existed:
            path.unlink()
        raise LibraryError(f"{source}: none of its {len(done.unreadable)} files could be read; nothing was indexed")


def query(cfg: DictConfig) -> None:
    if cfg.query is None:
        raise ConfigError("query: name an audio file, or the track_id of a track in the library")
    shown = os.fsencode(str(cfg.query)).decode(errors="backslashreplace")
    if shown != str(cfg.query):
        raise ConfigError(f"query={shown}: this name is not UTF-8; rename the file, or ask with a copy of it")
    if cfg.format not in ("table", "json"):
        raise ConfigError(f"format={cfg.format}: choose table or json")
    check_counts(k=cfg.k, min_pool=cfg.k if cfg.min_pool is None else cfg.min_pool)
    with Library.open(Path(cfg.library).expanduser()) as library:
        similarity = instantiate(cfg.similarity, list(library.heads.values()), weights=plain(cfg.weights))
        tag_filter = instantiate(cfg.filter)
        track, remarks = known_track(library, str(cfg.query)), ()
        if track is None:
            track, remarks = analysed(library, str(cfg.query), cfg)
        values = {**track.probabilities, "embedding": track.embedding}
        found = recommend(
            library,
            values,
            k=cfg.k,
            tag_filter=tag_filter,
            similarity=similarity,
            path=track.path,
            audio_hash=track.audio_hash,
            least=cfg.min_pool,
        )
        answer = report.as_dict(
            found,
            heads=library.heads,
            query=values,
            facts={name: getattr(track, name) for name in ("track_id", "path", "title", "artist", "duration_s")},
            similarity=similarity,
            library=library.path,
            size=len(library),
            remarks=remarks,
        )
    if cfg.format == "json":
        print(json.dumps(answer, indent=1))
    else:
        out, least = report.console(), cfg.min_pool or cfg.k
        out.print(report.as_table(answer, match=tag_filter.match, least=least, width=out.width))


def known_track(library: Library, query: str) -> Track | None:
    """The library's track of this track_id, unless there is a file of this name."""
    if Path(query).expanduser().exists():
        return None
    named = [track for track in library.tracks if track.track_id == query]
    if len(named) > 1:
        raise ConfigError(f"query={query}: several tracks have this track_id; give a path: {[t.path for t in named]}")
    if not named and not os.path.lexists(Path(query).expanduser()):
        raise ConfigError(f"query={query}: there is no such file, and {library.path} has no track of this track_id")
    return named[0] if named else None


def analysed(library: Library, query: str, cfg: DictConfig) -> tuple[Track, tuple[str, ...]]:
    """The query file as a row that is not added, and remarks on its audio."""
    refs = exports.check_same(library.exports, folders(cfg), library=library.path)
    path = Path(query).expanduser()
    waveform = decode(path, sample_rate=exports.sample_rate_of(refs[0]))  # first: a bad file is told at once
    answer = exports.load_analyzer(refs, device=cfg.device).analyze(waveform)
    ((title, artist),) = read_tags([str(path)]).select("title", "artist").rows()
    track = Track(
        path=str(path.absolute()),
        track_id=path.stem,
        title=title,
        artist=artist,
        source="",
        size=0,
        mtime_ns=0,
        audio_hash=indexing.audio_hash(waveform),
        duration_s=answer.duration_s,
        probabilities=answer.probabilities,
        embedding=answer.embedding,
    )
    return track, answer.remarks


def folders(cfg: DictConfig) -> list[str]:
    named = [find_export(export, runs=cfg.paths.runs) for export in listed(cfg.exports)]
    return [str(Path(folder).expanduser()) for folder in named]
