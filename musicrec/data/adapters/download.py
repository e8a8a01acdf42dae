"""Download files from the host of a dataset: interrupted downloads resume, and every checksum is verified."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from musicrec.data.adapters.archives import join_parts, unpack, unpacking_folder
from musicrec.errors import DownloadError
from musicrec.system.atomic_write import move_file
from musicrec.system.download import RefusedError, download, file_checksum
from musicrec.system.lock import wait_for_lock


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A file, or an archive to unpack, on the host of a dataset.

    Attributes:
        urls: The file, or the parts that make the file when joined.
        checksums: One per part, such as "md5:179c…".
        target: Path below the root that the file, or the content of the archive, becomes.
        unpack: Whether the file is an archive to unpack.
        inner: Folder within the archive that is taken; "" for all of it.
        present_patterns: Nothing is downloaded if a path below the root matches one of these patterns. The default is
            the file itself, or anything in the folder.
    """

    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    target: str
    unpack: bool = False
    inner: str = ""
    present_patterns: tuple[str, ...] = ()

    def is_present(self, root: Path) -> bool:
        """Return whether the content is below the root already."""
        patterns = self.present_patterns or (f"{self.target}/*" if self.unpack else self.target,)
        return any(not path.name.startswith(".") for pattern in patterns for path in root.glob(pattern))


def fetch(archives: Sequence[Archive], root: Path) -> None:
    """Download and unpack the archives that are not present yet.

    An interrupted download resumes where it stopped, also in a later call. If the host lacks a file, or its checksum is
    wrong, the remaining files are still downloaded before the error is raised.

    Args:
        archives: What to download.
        root: The folder of the dataset.

    Raises:
        DownloadError: If a host does not answer, a checksum is wrong, an archive is damaged or would write outside its
            folder, or the disk is full or not writable.
    """
    try:
        with wait_for_lock(root / ".download.lock"):  # of two processes, one fetches
            _fetch(archives, root)
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(
            f"{root}: cannot be written ({reason}); make it writable and run the same command again"
        ) from None


def _fetch(archives: Sequence[Archive], root: Path) -> None:
    refused = []
    for number, archive in enumerate(archives, start=1):
        target = root / archive.target
        kept = [root / f"{PurePosixPath(url).name}.fetched" for url in archive.urls]
        if not archive.is_present(root):
            if archive.unpack and target.exists() and os.listdir(target):
                raise DownloadError(
                    f"{target}: exists, but does not hold the content of {archive.urls[0]}; move it away"
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            counted = f"{number}/{len(archives)} " if len(archives) > 1 else ""
            pairs = zip(archive.urls, archive.checksums, strict=True)
            try:
                parts = [_download(url, root, checksum=checksum, counted=counted) for url, checksum in pairs]
            except RefusedError as error:
                refused.append(error)
                continue
            whole = parts[0] if len(parts) == 1 else join_parts(parts, kept[0].with_suffix(".joined"))
            if archive.unpack:
                unpack(whole, target, inner=archive.inner)
            else:
                move_file(whole, target)
        # Also after a run that was killed between unpacking and cleaning up.
        for done in kept:
            for left in (done, *(done.with_suffix(end) for end in (".part", ".part.etag", ".joined"))):
                left.unlink(missing_ok=True)
        shutil.rmtree(unpacking_folder(target), ignore_errors=True)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise DownloadError(f"{refused[0]} (and {len(refused) - 1:,} more of {len(archives):,} files)")


def _download(url: str, root: Path, *, checksum: str, counted: str) -> Path:
    """Return root/NAME.fetched with its checksum verified, or root/NAME if the user has put a valid file there."""
    name = PurePosixPath(url).name
    by_hand, part, done = root / name, root / f"{name}.part", root / f"{name}.fetched"
    if done.exists():  # the parts of an archive wait for each other
        return done
    if by_hand.is_file() and file_checksum(by_hand, checksum) == checksum:
        return by_hand
    download(
        url,
        part,
        checksum=checksum,
        title=f"{counted}{name}",
        otherwise=f"download it by hand into {root}",
        transient=bool(counted),
    )
    move_file(part, done)
    return done
