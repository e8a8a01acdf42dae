"""Keep a library in order: what it holds, what is missing, where files have moved, and whether all is whole."""

import os
from dataclasses import dataclass, field

from musicrec.errors import ConfigError, LibraryError
from musicrec.recommend import exports, stores
from musicrec.recommend.library import Library, LibraryFile, Source
from musicrec.recommend.model_remarks import model_remarks
from musicrec.recommend.track import content_hash


@dataclass(frozen=True, kw_only=True)
class LibraryStatus:
    """What a library holds.

    Attributes:
        path: The library.
        size_bytes: Its size on disk; 0 for one in an object store.
        tracks: Number of tracks: recordings with a file that is there.
        files: Number of files that are there; copies of a recording are several files.
        missing: Number of files that were not there when they were last looked for.
        unreliable: Number of tracks that are silent or very short, and by default not recommended.
        models: Names of the models.
        coverage: Share of each track that the models hear.
        sources: What was indexed.
        remarks: What to know about the models.
    """

    path: str
    size_bytes: int
    tracks: int
    files: int
    missing: int
    unreliable: int
    models: list[str]
    coverage: float
    sources: list[Source]
    remarks: list[str]


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """What `prune` deleted, or would delete.

    Attributes:
        files: The missing files.
        recordings: Number of recordings without a file.
        deleted: False for a dry run.
    """

    files: list[str]
    recordings: int
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class RelocateReport:
    """What `relocate` changed.

    Attributes:
        files: Number of files with a new path.
        found: How many of them are at their new path.
        sources: The new places of the sources.
    """

    files: int
    found: int
    sources: list[str]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that `verify` found.

    Attributes:
        kind: "library", what is stored is damaged; "damaged", a file has other bytes than when it was indexed, but the
            same size and time; "changed", a file was changed since; "missing", a file is not there and not yet marked;
            "unreadable", a file could not be looked at.
        text: The problem in one sentence.
        path: The file; None for the library.
    """

    kind: str
    text: str
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What `verify` found.

    Attributes:
        files: Number of files that were looked at.
        compared: How many of them were read and compared with their hash.
        without_hash: How many could not be compared, as the library has no hash of them.
        problems: What is wrong.
    """

    files: int
    compared: int
    without_hash: int
    problems: list[Problem] = field(default_factory=list)


def library_status(library: Library) -> LibraryStatus:
    """Return what a library holds."""
    files, remarks = library.files(), library.remarks()
    return LibraryStatus(
        path=str(library.path),
        size_bytes=stores.size_bytes(library.path),
        tracks=len(library),
        files=sum(not file.missing for file in files),
        missing=sum(file.missing for file in files),
        unreliable=sum(any(remark.unreliable for remark in of_one) for of_one in remarks.values()),
        models=[export.name for export in library.exports],
        coverage=exports.coverage_of(library.analysis, None, library=library.path),
        sources=library.sources(),
        remarks=model_remarks(library),
    )


def prune(library: Library, *, dry_run: bool) -> PruneReport:
    """Delete the missing files for good, and the recordings that have no file.

    Args:
        library: The library.
        dry_run: Only say what would be deleted.
    """
    files = library.files()
    kept = {file.audio_hash for file in files if not file.missing}
    report = PruneReport(
        files=[file.path for file in files if file.missing],
        recordings=len(library.audio_hashes() - kept),
        deleted=not dry_run,
    )
    if not dry_run and (report.files or report.recordings):
        library.prune()
    return report


def relocate(library: Library, old: str, new: str) -> RelocateReport:
    """Tell the library that a folder or a file is elsewhere now.

    Args:
        library: The library.
        old: The folder, or the file, as the library knows it.
        new: Where it is now.

    Raises:
        ConfigError: The library has no file below `old`, or none of them is below `new`.
    """
    old, new = (os.path.abspath(os.path.expanduser(place)) for place in (old, new))
    files, places = library.files(), [source.place for source in library.sources()]
    moved = {path: _moved(path, old, new) for path in [*(file.path for file in files), *places]}
    moved = {path: there for path, there in moved.items() if there not in (None, path)}
    of_files = {file.path: str(moved[file.path]) for file in files if file.path in moved}
    if not moved:
        raise ConfigError(f"{library.path} has no file and no source below {old}; `musicrec status` names its sources")
    present = [there for there in of_files.values() if os.path.isfile(there)]
    if of_files and not present:
        raise ConfigError(
            f"none of the {len(of_files):,} files below {old} is below {new}, such as "
            f"{next(iter(of_files.values()))}; nothing was changed"
        )
    library.relocate({path: str(there) for path, there in moved.items()}, present=present)
    return RelocateReport(
        files=len(of_files), found=len(present), sources=[str(moved[place]) for place in places if place in moved]
    )


def _moved(path: str, old: str, new: str) -> str | None:
    """Return the new path of a file or folder, None if it is not below `old`."""
    if path == old:
        return new
    above = old.rstrip("/") + "/"
    return os.path.join(new, path[len(above) :]) if path.startswith(above) else None


def verify(library: Library, *, content: bool = True, progress: bool = True) -> VerifyReport:
    """Check a library, and that its files are as they were when they were indexed.

    Args:
        library: The library.
        content: Read all audio files and compare their bytes.
        progress: Show the progress on standard error.
    """
    from musicrec.system.progress import track_progress

    problems: list[Problem] = []
    try:
        problems += [Problem(kind="library", text=text) for text in library.problems()]
        files = [file for file in library.files() if not file.missing]
    except LibraryError:
        text = "it cannot be read to the end; put back a copy of it, or delete it and index again"
        problems.append(Problem(kind="library", text=text))
        return VerifyReport(files=0, compared=0, without_hash=0, problems=problems)
    compared = 0
    with track_progress("verifying", "verified", len(files), what="files", shown=progress) as advance:
        for file in files:
            problem, read = _verify_file(file, content=content)
            problems += [problem] if problem else []
            compared += read
            advance()
    without = sum(file.content_hash is None for file in files)
    return VerifyReport(files=len(files), compared=compared, without_hash=without, problems=problems)


def _verify_file(file: LibraryFile, *, content: bool) -> tuple[Problem | None, bool]:
    """Check that a file is as it was when it was indexed.

    Returns:
        What is wrong, None if nothing is; and whether its bytes were compared.
    """
    try:
        stat = os.stat(file.path)
        if (stat.st_size, stat.st_mtime_ns) != (file.size, file.mtime_ns):
            return _problem("changed", file, "was changed after it was indexed; index its source again"), False
        if not content or file.content_hash is None:
            return None, False
        if content_hash(file.path) == file.content_hash:
            return None, True
        why = "has other bytes than when it was indexed, but the same size and time: it may be damaged"
        return _problem("damaged", file, why), True
    except (FileNotFoundError, NotADirectoryError):
        return _problem("missing", file, "is not there; index its source again"), False
    except OSError as error:
        return _problem("unreadable", file, f"cannot be read: {error.strerror}"), False


def _problem(kind: str, file: LibraryFile, text: str) -> Problem:
    return Problem(kind=kind, path=file.path, text=f"{file.path} {text}")
