"""Bring a library up to date with a folder, a playlist, a collection or a manifest."""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from musicrec.audio.decode import Decoded
from musicrec.audio.file_tags import read_tags
from musicrec.audio.peaks import peaks_of
from musicrec.data.checks import count_of, first_few
from musicrec.errors import AudioError
from musicrec.recommend.fingerprint import LEAST_RATE, fingerprint
from musicrec.recommend.index_report import IndexReport
from musicrec.recommend.library import Changes, Library, LibraryFile, Listing, Recording, Source, now
from musicrec.recommend.music_source import MusicSource, of_splits, statements
from musicrec.recommend.track import audio_hash, content_hash
from musicrec.recommend.versions import Versions
from musicrec.system.progress import StepListener, track_progress

if TYPE_CHECKING:
    from musicrec.export.analyzer import TrackAnalyzer
    from musicrec.export.track_analysis import TrackAnalysis

SAVE_EVERY_S = 5.0
"""A program that is killed loses at most the work of this time."""
_THREADS = 4  # that hash files; a disk reads no faster with more
_NAMES = ("title", "artist", "album", "genre")
_NEVER = (FileNotFoundError, NotADirectoryError)

log = logging.getLogger(__name__)


def index(
    library: Library,
    analyzer: "TrackAnalyzer",
    source: MusicSource,
    *,
    splits: Sequence[str] = (),
    max_files: int | None = None,
    progress: bool | StepListener = True,
) -> IndexReport:
    """Bring a library up to date with a source.

    A file with the size and the modification time that the library knows is unchanged. Of any other, the bytes are
    compared with those of the known files, then the audio; it is only analysed if its audio is new. Files that are not
    there are kept and marked as missing, but nothing changes for those that could not be looked for. Titles and artists
    come from the manifest or collection, otherwise from the tags in the files, otherwise from the playlist. Files that
    cannot be decoded are skipped and reported. Ctrl-C keeps what has been analysed.

    Args:
        library: The library to change.
        analyzer: The models of the library.
        source: The tracks, from `read_source`.
        splits: Analyse only the tracks of these splits; empty for all. Nothing changes for tracks of other splits.
        max_files: Look only at this many tracks, and look for no others.
        progress: Show the progress on standard error: a bar in a terminal, elsewhere a line every 30 s;
            or what is told each step instead.

    Returns:
        What was done.
    """
    begin, report = time.monotonic(), IndexReport()
    if source.scan:
        report.left_out, report.notes = source.scan.left_out, source.scan.notes
    chosen = of_splits(source, splits)
    repeated = chosen.filter(~chosen["path"].is_first_distinct())["track_id"].to_list()
    if repeated:
        what = f"{count_of(repeated, 'row')} of the manifest (an earlier row names the same file)"
        report.left_out = [*report.left_out, (what, repeated)]
        chosen = chosen.unique("path", keep="first", maintain_order=True)
    rows = chosen.select("path", "track_id", *_NAMES).to_dicts()[:max_files]

    work, finished = _Indexing(library, source, report, sample_rate=analyzer.sample_rate), False
    try:
        new = work.compare(rows, progress=progress)
        if max_files is None:
            work.look_for_others(set(source.frame["path"]))
        work.save()
        work.analyse(new, analyzer, progress=progress)
        finished = True
    except KeyboardInterrupt:
        report.interrupted = True
    finally:  # also after an error that nobody expected
        work.save(finished=finished)
    report.missing, report.tracks = len(work.missing), len(library)
    report.wall_s = time.monotonic() - begin
    return report


class _Indexing:
    """The state of one run of `index`.

    Args:
        library: The library to change.
        source: The tracks.
        report: Receives what is done.
        sample_rate: Sample rate of the decoded audio in Hz.

    Attributes:
        missing: Paths of the files of the source that are not there.
    """

    def __init__(self, library: Library, source: MusicSource, report: IndexReport, *, sample_rate: int) -> None:
        self._library, self._source, self._report, self._sample_rate = library, source, report, sample_rate
        self._place = os.path.abspath(source.place)
        self._names = source.stated_names()
        said, self._said = statements(source)
        self._entry = Source(place=self._place, kind=source.kind, metadata=said)
        self._known = {file.path: file for file in library.files()}
        self._by_content: dict[str, list[LibraryFile]] = defaultdict(list)
        self._by_audio: dict[str, list[LibraryFile]] = defaultdict(list)
        for file in self._known.values():
            self._by_audio[file.audio_hash].append(file)
            if file.content_hash is not None:
                self._by_content[file.content_hash].append(file)
        self._incomplete, self._completed = library.incomplete(), set[str]()
        self._hashes, self._remarks = library.audio_hashes() - self._incomplete, library.remarks()
        self._versions: Versions | None = None  # read when there is a new recording
        self.missing: set[str] = set()
        self._changes, self._saved = Changes(place=self._place, source=self._entry), time.monotonic()

    def save(self, *, finished: bool = False) -> None:
        """Save what was found out since the last time."""
        if finished:
            self._changes.source = replace(self._entry, indexed_at=now())
        changes, self._changes = self._changes, Changes(place=self._place)  # a save that fails is not tried again
        if changes:
            self._library.save(changes)
        self._saved = time.monotonic()

    def _save_in_time(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY_S:
            self.save()

    def compare(self, rows: Sequence[dict[str, Any]], *, progress: bool | StepListener) -> list[dict[str, Any]]:
        """Find the files of the source that are known, at their place or at another.

        Args:
            rows: The tracks of the source: path, track_id, title, artist, album and genre.
            progress: Whether to show the progress.

        Returns:
            The rows of the files with unknown bytes, with their size and mtime_ns, and their content_hash if it had to
            be computed.
        """
        unsure: list[dict[str, Any]] = []
        new: list[dict[str, Any]] = []
        sizes = {file.size for files in self._by_content.values() for file in files}
        for row in rows:
            try:
                stat = os.stat(row["path"])
            except OSError as error:
                self._report.unreadable.append((row["path"], error.strerror or str(error)))
                if isinstance(error, _NEVER):
                    self._miss(row["path"])
                continue
            row |= {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
            file = self._known.get(row["path"])
            if file is not None and (file.size, file.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                self._keep(row, file)
                if file.audio_hash in self._incomplete:  # once, if there are copies
                    self._incomplete.remove(file.audio_hash)
                    self._completed.add(file.audio_hash)
                    new.append(row)
                else:
                    self._report.unchanged += 1
            else:
                (unsure if stat.st_size in sizes else new).append(row)
        with track_progress("comparing", "compared", len(unsure), what="files", shown=progress) as advance:
            for row, content in zip(unsure, _content_hashes(unsure), strict=True):
                row["content_hash"] = content
                if not self._find_content(row, content):
                    new.append(row)
                self._save_in_time()
                advance(row["path"])
        return new

    def _find_content(self, row: dict[str, Any], content: str | None) -> bool:
        """Take a file for a known one with the same bytes. Return whether there is one."""
        file = self._known.get(row["path"])
        if content is None:
            return False
        if file is not None and file.content_hash == content:  # its time alone has changed
            self._report.unchanged += 1
            self._keep(row, file)
            return True
        known = self._by_content.get(content)
        if not known:
            return False
        self._take(row, known)
        return True

    def _keep(self, row: dict[str, Any], file: LibraryFile, *, save: bool = False) -> None:
        """Note that a known file is there, under the names, the size and the time of the row; `save` it at any rate."""
        self._report.back += file.missing
        if row["title"] is None:  # in a folder: keep the title that the tags or a manifest gave before
            row |= {"title": file.title, "artist": row["artist"] or file.artist}
            self._name(row)
        names = {name: row[name] or getattr(file, name) for name in ("album", "genre")}
        names |= {name: row[name] for name in ("path", "track_id", "title", "artist", "size", "mtime_ns")}
        kept = replace(file, **names, year=row.get("year") or file.year, missing_since=None)
        if save or kept != file:
            self._changes.files.append(kept)
        self._known[kept.path] = kept
        self._list(row, file)
        if remarks := self._remarks.get(kept.audio_hash):
            self._report.remarked.append((kept.path, remarks))

    def _take(self, row: dict[str, Any], known: Sequence[LibraryFile]) -> None:
        """Note that a file is a known one that was moved, or a copy of one that is there."""
        here = self._known.get(row["path"])
        gone = next((file for file in known if self._is_gone(file)), None)
        if gone is not None:
            self._report.moved += 1
            self._changes.moved[gone.path] = row["path"]
            self.missing.discard(gone.path)
            del self._known[gone.path]
        else:
            self._report.copies += 1
        model = gone or known[0]
        sources = () if here is None else here.sources  # whether this source lists it is for the row to say
        content = row.get("content_hash") or model.content_hash
        self._keep(row, replace(model, content_hash=content, missing_since=None, sources=sources), save=True)

    def _is_gone(self, file: LibraryFile) -> bool:
        """Return whether a known file is certainly not there, rather than that nobody could look."""
        known = self._known.get(file.path)
        same = known is not None and known.audio_hash == file.audio_hash  # otherwise it was moved in this run
        return same and _exists(file.path) is False and not self._unsearched(file.path)

    def _unsearched(self, path: str) -> bool:
        return self._source.scan is not None and self._source.scan.not_searched(path)

    def _miss(self, path: str) -> None:
        file = self._known.get(path)
        if file is None:
            return
        self.missing.add(path)
        if not file.missing:
            self._changes.missing.append(path)
            self._known[path] = replace(file, missing_since=now())

    def look_for_others(self, listed: set[str]) -> None:
        """Look for the files that the source once listed and does not now.

        Args:
            listed: The paths of the source.
        """
        for path, file in list(self._known.items()):
            if self._place not in file.sources or path in listed:
                continue
            exists = _exists(path)
            if exists is None or self._unsearched(path):
                self._report.kept += 1
            elif exists:
                self._report.unlisted += 1
                self._changes.unlisted.append(path)
            else:
                self._miss(path)

    def analyse(self, rows: list[dict[str, Any]], analyzer: "TrackAnalyzer", *, progress: bool | StepListener) -> None:
        """Decode the files, and analyse those with new audio.

        Args:
            rows: From `compare`.
            analyzer: The models.
            progress: Whether to show the progress.
        """
        problems = _name_by_tags(rows)
        for row in rows:
            self._name(row)

        def is_known(decoded: Decoded) -> bool:
            return bool(self._hashes) and audio_hash(decoded.waveform) in self._hashes

        try:
            with (
                track_progress("analysing", "analysed", len(rows), shown=progress) as advance,
                closing(analyzer.analyze_many((row["path"] for row in rows), is_known=is_known)) as answers,
            ):
                for row, (_, answer) in zip(rows, answers, strict=True):
                    problem = str(answer) if isinstance(answer, AudioError) else None
                    if isinstance(answer, AudioError):
                        self._report.unreadable.append((row["path"], str(answer)))
                        if _can_be_read(row["path"]):  # the answers are those of a file that no longer exists
                            self._miss(row["path"])
                    else:
                        self._add(row, *answer)
                    self._save_in_time()
                    advance(row["path"], problem)
        finally:
            unreadable = {path for path, _ in self._report.unreadable}  # these are reported already
            if doubtful := [f"{path}: {why}" for path, why in problems.items() if path not in unreadable]:
                what = count_of(doubtful, "file")
                log.warning("%s with tags that cannot be understood: %s", what, first_few(doubtful))

    def _add(self, row: dict[str, Any], decoded: Decoded, answer: "TrackAnalysis | None") -> None:
        """Note a file that was decoded, and its recording if it is new."""
        digest, here = audio_hash(decoded.waveform), self._known.get(row["path"])
        row["content_hash"] = _content_hash(row)
        if digest in self._hashes:
            if here is None or here.audio_hash != digest:
                self._take(row, self._by_audio[digest] or [_file(row, digest)])
            else:
                self._report.retagged += 1
                self._keep(row, replace(here, content_hash=row["content_hash"]), save=True)
            return
        assert answer is not None, "what is not known is analysed"
        self._hashes.add(digest)
        printed = b"" if self._sample_rate < LEAST_RATE else fingerprint(decoded.waveform, self._sample_rate)
        self._changes.recordings.append(
            Recording(
                audio_hash=digest,
                duration_s=answer.duration_s,
                probabilities=answer.probabilities,
                embedding=answer.embedding,
                variation=answer.variation,
                passages=answer.passages,
                peaks=peaks_of(decoded.waveform),
                descriptors=answer.descriptors,
                beat_grid=None if answer.beat_grid is None else answer.beat_grid.as_dict(),
                remarks=answer.remarks,
                fingerprint=printed,
                version_of=self._version_of(digest, answer.duration_s, printed),
            )
        )
        self._report.audio_s += answer.duration_s
        again = digest in self._completed
        self._report.completed += again
        self._report.added += here is None and not again
        self._report.changed += here is not None and not again
        self._known[row["path"]] = file = _file(row, digest)
        self._changes.files.append(file)
        self._by_audio[digest].append(file)
        self._list(row, here)
        if answer.remarks and not again:
            self._remarks[digest] = answer.remarks
            self._report.remarked.append((row["path"], answer.remarks))

    def _version_of(self, digest: str, duration_s: float, printed: bytes) -> str | None:
        """Return the recording of the library that a new one is a version of, and remember the new one."""
        if self._versions is None:
            self._versions = Versions()
            for known in self._library.fingerprints():
                if known[0] not in self._completed:  # it was analysed again, and is a version of others
                    self._versions.add(*known)
        found = self._versions.find(duration_s, printed)
        found = None if found == digest else found  # it was analysed again, and others are versions of it
        self._versions.add(digest, duration_s, printed, found)
        self._report.versions += found is not None
        return found

    def _name(self, row: dict[str, Any]) -> None:
        """Fill in the artist and the title that nothing else gave from the playlist."""
        artist, title = self._names.get(row["path"], (None, None))
        row |= {"title": row["title"] or title, "artist": row["artist"] or artist}

    def _list(self, row: Mapping[str, Any], known: LibraryFile | None) -> None:
        """Note that the source lists a file, if that is new."""
        path, said = row["path"], self._said.get(row["path"], {})
        listed = known is not None and self._place in known.sources
        if not listed or said or self._source.collection or known is None or known.track_id != row["track_id"]:
            self._changes.listed.append(Listing(path=path, track_id=row["track_id"], metadata=said))


def _file(row: Mapping[str, Any], digest: str) -> LibraryFile:
    names = ("path", "size", "mtime_ns", "content_hash", "track_id", *_NAMES, "year")
    facts: dict[str, Any] = {name: row.get(name) for name in names}
    return LibraryFile(audio_hash=digest, **facts)


def _exists(path: str) -> bool | None:
    """Return whether there is a file; None if that cannot be known, as a folder above it cannot be opened."""
    try:
        os.stat(path)
    except _NEVER:
        return False
    except OSError:
        return None
    return True


def _can_be_read(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError:
        return False
    return True


def _content_hashes(rows: Sequence[Mapping[str, Any]]) -> Iterator[str | None]:
    """Yield the hashes of the bytes of some files, in order."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="hash") as pool:
        waiting = []
        for row in rows:  # not all at once, so that Ctrl-C ends it
            waiting.append(pool.submit(_content_hash, row))
            if len(waiting) > 2 * _THREADS:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _content_hash(row: Mapping[str, Any]) -> str | None:
    """Return the hash of the bytes of a file; None if it cannot be read, or has changed since it was looked at."""
    if row.get("content_hash") is not None:
        return str(row["content_hash"])
    try:
        digest, stat = content_hash(row["path"]), os.stat(row["path"])
    except OSError:
        return None
    return digest if (stat.st_size, stat.st_mtime_ns) == (row["size"], row["mtime_ns"]) else None


def _name_by_tags(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Take the titles, artists, albums, genres and years that are unknown from the tags in the files.

    Returns:
        {path: reason} of the files with tags that cannot be understood.
    """
    tags = read_tags([row["path"] for row in rows])
    for row, tagged in zip(rows, tags.select(*_NAMES, "year").to_dicts(), strict=True):
        if row["title"] is None:
            row |= {"title": tagged["title"], "artist": row["artist"] or tagged["artist"]}
        row |= {name: row.get(name) or tagged[name] for name in ("album", "genre", "year")}
    return dict(tags.drop_nulls("problem").select("path", "problem").iter_rows())
