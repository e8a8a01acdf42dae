"""Analyse the tracks of a folder, a playlist, a collection or a manifest and store the answers in a library."""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from musicrec.audio.decode import Decoded
from musicrec.audio.file_tags import read_tags
from musicrec.audio.remark import Remark
from musicrec.audio.suffixes import AUDIO_SUFFIXES
from musicrec.data.checks import count_of, first_few
from musicrec.data.manifest import read_manifest
from musicrec.data.scan import SourceScan, scan_collection, scan_source, unlabelled_manifest
from musicrec.errors import AudioError, ConfigError, ManifestError
from musicrec.interchange.collection import Collection
from musicrec.interchange.collection_files import is_collection, read_collection
from musicrec.interchange.m3u import is_playlist
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track, audio_hash
from musicrec.system.progress import track_progress

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalysis, TrackAnalyzer

_SAVE_EVERY_S = 10.0  # a program that is killed loses at most the work of this time

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class IndexReport:
    """What `index` did.

    Attributes:
        added: Number of new tracks.
        changed: Number of tracks that were analysed again because their file changed.
        unchanged: Number of tracks that were not analysed again.
        removed: Number of tracks that are no longer in the source.
        kept: Number of tracks that were not found but stay, as a part of the source could not be looked at.
        left_out: (what, names) of what is in the source and cannot be used.
        notes: The same for what needs no action.
        unreadable: (path, reason) of the files that cannot be decoded.
        remarked: (path, remarks) of the tracks of the source with remarks on their audio.
        audio_s: Length of the analysed audio in seconds.
        wall_s: Duration of the indexing in seconds.
        interrupted: True if the user stopped it.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    kept: int = 0
    left_out: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[tuple[str, list[str]]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    remarked: list[tuple[str, tuple[Remark, ...]]] = field(default_factory=list)
    audio_s: float = 0.0
    wall_s: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, kw_only=True)
class MusicSource:
    """The tracks of a folder, a playlist, the collection of a DJ program or a manifest.

    Attributes:
        place: The folder, playlist, collection or manifest.
        frame: One row per track, in the columns of a manifest.
        scan: What was found in the folder, playlist or collection; None for a manifest.
        collection: The collection with cues, ratings, keys, tempi and playlists; None for other sources.
    """

    place: Path
    frame: pl.DataFrame
    scan: SourceScan | None = None
    collection: Collection | None = None


def read_source(place: str | Path, *, relocate: Mapping[str, str] | None = None) -> MusicSource:
    """Read the tracks of a folder, a playlist (M3U, M3U8), a collection (rekordbox XML, Traktor NML) or a manifest.

    Titles and artists of a collection come from it, those of a folder or a playlist from the tags in the files.

    Args:
        place: The source.
        relocate: {old folder: new folder} for the files of a collection that are elsewhere on this computer.

    Raises:
        ManifestError: The folder or manifest does not exist or lists no tracks.
        PlaylistError: The playlist or collection cannot be read or names no file that exists.
        ConfigError: The source is a single audio file, or is no collection and has files to relocate.
    """
    path = Path(place)
    if not os.path.exists(path):
        raise ManifestError(f"{place}: there is no such folder, playlist, collection or manifest")
    if is_collection(path):
        collection = read_collection(path, relocate=relocate)
        scan = scan_collection(path, collection)
        return MusicSource(place=path, frame=_named(unlabelled_manifest(scan), scan), scan=scan, collection=collection)
    if relocate:
        raise ConfigError(f"relocate: {place} is no collection (rekordbox XML, Traktor NML), so leave it out")
    if path.is_dir() or is_playlist(path):
        scan = scan_source(path)
        return MusicSource(place=path, frame=unlabelled_manifest(scan), scan=scan)
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise ConfigError(
            f"source={place} is an audio file; give a folder of music, a playlist (M3U8), a collection (rekordbox XML, "
            "Traktor NML) or a manifest (CSV, Parquet)"
        )
    return MusicSource(place=path, frame=read_manifest(path))


def _named(frame: pl.DataFrame, scan: SourceScan) -> pl.DataFrame:
    """Fill in the artists and titles of a collection."""
    stated = [scan.names.get(name, (None, None)) for name in scan.files]
    return frame.with_columns(
        artist=pl.Series([artist for artist, _ in stated], dtype=pl.String),
        title=pl.Series([title for _, title in stated], dtype=pl.String),
    )


def of_splits(source: MusicSource, splits: Sequence[str]) -> pl.DataFrame:
    """Return the tracks of some splits.

    Args:
        source: The tracks, from `read_source`.
        splits: Names of the splits; empty for all tracks.

    Raises:
        ConfigError: The source has no track of one of the splits.
    """
    if not splits:
        return source.frame
    known = set(source.frame["split"].drop_nulls())
    if not known:
        raise ConfigError(f"splits: {source.place} has none; give a manifest with a column split, or leave splits out")
    if unknown := [split for split in splits if split not in known]:
        raise ConfigError(
            f"splits: {source.place} has no track of {', '.join(unknown)}, only {', '.join(sorted(known))}"
        )
    return source.frame.filter(pl.col("split").is_in(list(splits)))


def index(
    library: SqliteLibrary,
    analyzer: "TrackAnalyzer",
    source: MusicSource,
    *,
    splits: Sequence[str] = (),
    max_files: int | None = None,
    progress: bool = True,
) -> IndexReport:
    """Bring a library up to date with a source.

    Tracks are analysed if they are new or if the size or the modification time of their file has changed. Tracks that
    the source no longer lists are removed, but not those in a place that could not be looked at. Titles and artists
    come from the manifest or collection, otherwise from the tags in the files, otherwise from the playlist. Files that
    cannot be decoded are skipped and reported. Ctrl-C keeps what has been analysed.

    Args:
        library: The library to change.
        analyzer: The models of the library.
        source: The tracks, from `read_source`.
        splits: Analyse only the tracks of these splits; empty for all. Tracks of other splits are not removed.
        max_files: Look only at this many tracks, and remove none.
        progress: Show the progress on standard error: a bar in a terminal, elsewhere a line every 30 s.

    Returns:
        What was done.
    """
    begin, report, place = time.monotonic(), IndexReport(), os.path.abspath(source.place)
    if source.scan:
        report.left_out, report.notes = source.scan.left_out, source.scan.notes
    known = {track.path: track for track in library.read()[0]}
    chosen = of_splits(source, splits)
    repeated = chosen.filter(~pl.col("path").is_first_distinct())["track_id"].to_list()
    if repeated:
        what = f"{count_of(repeated, 'row')} of the manifest (an earlier row names the same file)"
        report.left_out = [*report.left_out, (what, repeated)]
        chosen = chosen.unique("path", keep="first", maintain_order=True)
    found = chosen.select("path", "track_id", "title", "artist").with_columns(source=pl.lit(place)).to_dicts()
    if max_files is None:
        missing = {path for path, track in known.items() if track.source == place} - set(source.frame["path"])
        kept = {path for path in missing if source.scan and source.scan.may_hold(path)}
        library.remove(missing - kept)
        report.removed, report.kept = len(missing - kept), len(kept)
    names = _stated_names(source)
    to_analyse, renamed = _compare(found[:max_files], known, names, report)
    library.relabel(renamed)
    problems = _name_by_tags(to_analyse)
    for row in to_analyse:
        _name(row, names)

    done: list[Track] = []
    saved = time.monotonic()
    try:
        with (
            track_progress("analysing", "analysed", len(to_analyse), shown=progress) as advance,
            closing(analyzer.analyze_many(row["path"] for row in to_analyse)) as answers,
        ):
            for row, (_, answer) in zip(to_analyse, answers, strict=True):
                if isinstance(answer, AudioError):
                    report.unreadable.append((row["path"], str(answer)))
                    if row["path"] in known:  # the stored answers are those of a file that no longer exists
                        library.remove([row["path"]])
                else:
                    done.append(_track(row, *answer))
                    report.audio_s += done[-1].duration_s
                    if done[-1].remarks:
                        report.remarked.append((row["path"], done[-1].remarks))
                    report.changed += row["path"] in known
                    report.added += row["path"] not in known
                if time.monotonic() - saved > _SAVE_EVERY_S:
                    library.add(done)
                    done, saved = [], time.monotonic()
                advance()
    except KeyboardInterrupt:
        report.interrupted = True
    finally:  # also after an error that nobody expected
        library.add(done)
    unreadable = {path for path, _ in report.unreadable}  # these are reported already
    if doubtful := [f"{path}: {why}" for path, why in problems.items() if path not in unreadable]:
        log.warning("%s with tags that cannot be understood: %s", count_of(doubtful, "file"), first_few(doubtful))
    report.wall_s = time.monotonic() - begin
    return report


def _compare(
    rows: list[dict[str, Any]],
    known: dict[str, Track],
    names: Mapping[str, tuple[str | None, str | None]],
    report: IndexReport,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Compare the tracks of a source with those of the library.

    Args:
        rows: The tracks of the source; the size and time of the file are added to new and changed ones.
        known: {path: track} of the library.
        names: {path: (artist, title)} as a playlist states them.
        report: Receives the unchanged and the unreadable tracks.

    Returns:
        The tracks to analyse, and those whose names changed.
    """
    to_analyse: list[dict[str, Any]] = []
    renamed: list[dict[str, Any]] = []
    for row in rows:
        try:
            stat = os.stat(row["path"])
        except OSError as error:
            report.unreadable.append((row["path"], error.strerror or str(error)))
            continue
        track = known.get(row["path"])
        if track is None or (track.size, track.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            to_analyse.append(row | {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns})
            continue
        report.unchanged += 1
        if track.remarks:
            report.remarked.append((track.path, track.remarks))
        if row["title"] is None:  # in a folder: keep the title that the tags or a manifest gave before
            row |= {"title": track.title, "artist": row["artist"] or track.artist}
            _name(row, names)
        if any(getattr(track, name) != value for name, value in row.items()):
            renamed.append(row)
    return to_analyse, renamed


def _stated_names(source: MusicSource) -> dict[str, tuple[str | None, str | None]]:
    """Return {path: (artist, title)} as a playlist states them."""
    if source.scan is None:
        return {}
    return {os.path.join(source.scan.top, name): stated for name, stated in source.scan.names.items()}


def _name(row: dict[str, Any], names: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Fill in the artist and the title that nothing else gave from the playlist."""
    artist, title = names.get(row["path"], (None, None))
    row |= {"title": row["title"] or title, "artist": row["artist"] or artist}


def _name_by_tags(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Take the missing titles and artists of the tracks from the tags in their files.

    Returns:
        {path: reason} of the files with tags that cannot be understood.
    """
    untitled = [row for row in rows if row["title"] is None]
    tags = read_tags([row["path"] for row in untitled])
    for row, tagged in zip(untitled, tags.select("title", "artist").to_dicts(), strict=True):
        row |= {"title": tagged["title"], "artist": row["artist"] or tagged["artist"]}
    return dict(tags.drop_nulls("problem").select("path", "problem").iter_rows())


def _track(row: dict[str, Any], decoded: Decoded, answer: "TrackAnalysis") -> Track:
    return Track(
        **row,
        audio_hash=audio_hash(decoded.waveform),
        duration_s=answer.duration_s,
        probabilities=answer.probabilities,
        embedding=answer.embedding,
        variation=answer.variation,
        descriptors=answer.descriptors,
        remarks=answer.remarks,
    )
