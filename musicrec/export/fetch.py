"""Fetch the files that become models of the catalogue, import them, and remove the models again."""

import contextlib
import importlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from musicrec.errors import ExportError
from musicrec.export.catalogue import CatalogueEntry, Download, entries, megabytes, models_folder
from musicrec.export.checksums import find_damage, write_checksums
from musicrec.export.package_index import fetch_wheel
from musicrec.system.atomic_write import atomic_folder, move_file, remove_leftovers
from musicrec.system.console import error_console
from musicrec.system.download import download as download_file
from musicrec.system.download import file_checksum
from musicrec.system.lock import wait_for_lock

_DOWNLOADS = ".downloads"
_ATTEMPTS = 3  # with pauses of 2 and 4 seconds
_OF_ONE_IMPORT = ("created", "git_commit", "musicrec_version")  # in the config of an export


def get(download: Download, *, file: Path | None = None) -> list[CatalogueEntry]:
    """Make the models of a download, as far as they are not on this machine or are damaged.

    A model is on this machine completely or not at all. Several processes may call this at once: one of them fetches.

    Args:
        download: The download.
        file: The file, if somebody has carried it over; None to fetch it.

    Returns:
        The models that were made; [] if all were there.

    Raises:
        DownloadError: The file cannot be fetched. What was received is kept where it can be continued.
        ExportError: The file cannot be read or has another checksum, or the folder of models cannot be written.
    """
    if file is not None:  # also where it is not needed: who names a wrong file should know
        _check_carried(download, file)
    if not _missing(download):  # before the lock: a folder that several users share may be read-only
        return []
    with _locked():
        missing = _missing(download)
        kept = models_folder() / _DOWNLOADS / download.name
        kept.mkdir(parents=True, exist_ok=True)
        if missing:
            whole = _fetched(download, kept) if file is None else _link(download, file, kept)
            for entry in missing:
                _import(entry, download, whole)
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):
            kept.parent.rmdir()  # unless another download is unfinished
        return missing


def remove(models: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
    """Remove fetched models, and what interrupted downloads of them have left.

    Args:
        models: Models that do not ship.

    Returns:
        The models that were there.

    Raises:
        ExportError: A folder cannot be removed.
    """
    with _locked():
        present = [entry for entry in models if entry.folder.exists()]
        for entry in present:
            shutil.rmtree(entry.folder)
        for entry in models:
            if entry.download is not None:
                shutil.rmtree(models_folder() / _DOWNLOADS / entry.download.name, ignore_errors=True)
        return present


@contextmanager
def _locked() -> Iterator[None]:
    """Exclude other processes from the folder of models."""
    folder = models_folder()
    try:
        with wait_for_lock(folder / ".lock", note=f"waiting for another process that changes {folder}"):
            remove_leftovers(folder, older_than_s=0)
            yield
    except OSError as error:
        reason = error.strerror or error
        raise ExportError(
            f"{error.filename or folder}: cannot be written ({reason}); make it writable, or name another folder with "
            "the environment variable MUSICREC_MODELS"
        ) from None


def _missing(download: Download) -> list[CatalogueEntry]:
    """Return the models of a download that are not on this machine, or are damaged."""
    made = [entry for entry in entries().values() if entry.download == download]
    return [entry for entry in made if not entry.is_present or find_damage(entry.folder)]


def _fetched(download: Download, folder: Path) -> Path:
    """Return the file of a download with its checksum verified, fetched into a folder unless it is there already."""
    checksum = f"sha256:{download.sha256}"
    how = f"run `pip download --no-deps {download.requirement}`" if download.requirement else f"download {download.url}"
    otherwise = (
        f"{how} on another machine, carry {download.file} (SHA-256 {download.sha256}) over, and run "
        f"`musicrec models get {download.name} --from {download.file}`"
    )
    whole = folder / download.file
    if whole.is_file() and not whole.is_symlink() and file_checksum(whole, checksum) == checksum:
        return whole
    console = error_console()
    if not console.is_terminal:  # where there is no progress bar
        console.print(f"Fetching {download.file} ({megabytes(download.bytes)}) …", highlight=False, soft_wrap=True)
    if download.requirement is not None:
        fetch_wheel(download.requirement, whole, sha256=download.sha256, size=download.bytes, otherwise=otherwise)
        return whole
    assert download.url is not None
    part = folder / f"{download.file}.part"
    download_file(
        download.url,
        part,
        checksum=checksum,
        title=download.file,
        otherwise=otherwise,
        transient=True,
        attempts=_ATTEMPTS,
    )
    move_file(part, whole)
    return whole


def _check_carried(download: Download, file: Path) -> None:
    """Check that the file that somebody has carried over can be read and has the checksum of the download."""
    try:
        found = file_checksum(file, "sha256:").partition(":")[2]
    except OSError as error:
        raise ExportError(f"--from {file}: {error.strerror}; name the file {download.file}") from None
    if found != download.sha256:
        raise ExportError(
            f"--from {file}: its SHA-256 is {found}, but that of {download.file} is {download.sha256}; it is another "
            "file, or damaged: copy it again"
        )


def _link(download: Download, file: Path, folder: Path) -> Path:
    """Return a link to a file with the name of the download: exports note the name, and are equal for any other."""
    link = folder / download.file
    link.unlink(missing_ok=True)
    link.symlink_to(file.absolute())
    return link


def _import(entry: CatalogueEntry, download: Download, file: Path) -> None:
    """Turn a file into an export, with a record of its checksums."""
    module, _, name = download.importer.rpartition(".")
    with error_console().status(f"Importing {entry.name} …"):  # importing torch takes seconds
        importer: Callable[..., object] = getattr(importlib.import_module(module), name)
        with atomic_folder(entry.folder, error=ExportError) as new:
            importer(file, out=new, **entry.settings)
            config = json.loads((new / "config.json").read_text(encoding="utf-8"))
            # The same weights are the same model, whenever and with whatever version they were imported: a library
            # knows its models by these bytes.
            config.update(dict.fromkeys(_OF_ONE_IMPORT))
            (new / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
            write_checksums(new)
