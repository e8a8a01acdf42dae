"""A public dataset as it lies on the disk: finding its files, and keeping the manifest that is made of them."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from musicrec.data import checks
from musicrec.data.adapters.download import Archive, fetch
from musicrec.data.adapters.files import Files, audio_files, list_matching
from musicrec.data.adapters.manifest_cache import file_digest, is_up_to_date, save_manifest
from musicrec.data.adapters.tables import unreadable_file
from musicrec.data.checks import DatasetReport, count_of
from musicrec.data.schema import with_all_columns
from musicrec.errors import ManifestError
from musicrec.system.atomic_write import write_text
from musicrec.system.lock import wait_for_lock


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is known of a dataset beforehand.

    name: as in data=NAME and in docs/datasets.md. layout: what lies in data.root. get: what to download, from where,
    and how large it is. suspects: track_ids whose files are damaged in some copies.
    version: raise it whenever the same files give another manifest.
    """

    name: str
    layout: str
    get: str
    licence: str
    suspects: tuple[str, ...] = ()
    version: int = 1

    def error(self, problem: str) -> ManifestError:
        return ManifestError(
            f"{self.name}: {problem}; see docs/datasets.md#{self.name}\n"
            f"  data.root holds: {self.layout}\n  to get it: {self.get}\n  licence: {self.licence}"
        )


class Source:
    """Finds the files of a dataset below its root.

    root: data.root. archives: what data.download=true fetches into root, where it is not there.

    Raises:
        ManifestError: no root is named, or there is no such folder; the message says how to get the dataset.
        DownloadError: as `fetch`.
    """

    def __init__(
        self,
        dataset: Dataset,
        root: str | os.PathLike | None,
        *,
        archives: Sequence[Archive] = (),
        download: bool = False,
    ) -> None:
        self.dataset = dataset
        if root is None:
            raise dataset.error("data.root is not set: name the folder that holds the dataset")
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        shown = os.fsencode(self.root).decode(errors="backslashreplace")
        if shown != str(self.root):
            raise dataset.error(f"data.root={shown}: the name of this folder is not UTF-8; rename it")
        if download and not archives:
            raise dataset.error("data.download=true: it has no archive that could be fetched and checked")
        if download:
            self.fetch(archives)
        if not self.root.is_dir():
            raise dataset.error(f"data.root={root}: no such folder")

    def fetch(self, archives: Sequence[Archive]) -> None:
        """Fetch into the root what is not there. Raises DownloadError as `download.fetch`."""
        fetch(archives, self.root)

    def missing(self, name: str) -> ManifestError:
        return self.dataset.error(f"no {name} below data.root={self.root}")

    def file(self, *names: str) -> Path:
        """The first of these files, by their paths below the root, that is there. Raises ManifestError for none."""
        for name in names:
            if os.path.isfile(self.root / name):
                return self.root / name
        raise self.missing(f"file {' or '.join(names)}")

    def folder(self, *names: str, holding: str) -> Path:
        """The first of these folders that holds a file or folder matching a pattern. Raises ManifestError for none."""
        for name in names:
            if list_matching(self.root / name, holding):
                return self.root / name
        like = " or ".join(holding if name == "." else f"{name}/{holding}" for name in names)
        raise self.missing(f"file or folder like {like}")

    def manifest(
        self,
        read: Callable[[Files, DatasetReport], pl.DataFrame],
        *,
        folder: str | os.PathLike,
        options: Mapping[str, object],
        annotations: Sequence[Path],
        audio: Path,
        published: Mapping[str, int] = MappingProxyType({}),
        vocabulary: Mapping[str, Collection[str] | int] = MappingProxyType({}),
        partial: bool = False,
    ) -> Path:
        """The path of the manifest of these options, which is made unless it is there and up to date.

        A manifest that somebody has edited is used as it is, and never overwritten.

        Args:
            read: gives a row for every track that the annotations name: track_id, `path` below `audio`, labels, and
                `split`, null where a track is no part of what the options choose.
            folder: the manifest becomes folder/NAME/OPTIONS.csv, with a report of the checks beside it.
            options: by name, for the file's name.
            annotations: the files that `read` reads.
            audio: the folder of the audio; files below it that no row names are reported.
            published: {split, or "all": tracks}. A deviation is a warning.
            vocabulary: {column: the labels that it should hold, or their number}.
            partial: leave out tracks whose file is missing; else a missing file is an error.

        Raises:
            ManifestError: files are missing, there is no track at all, or the annotations have changed beneath an
                edited manifest.
        """
        stem = "_".join(str(value) for value in options.values()) or self.dataset.name
        path = Path(folder) / self.dataset.name / f"{stem}.csv"
        files, skipped = audio_files(audio)
        state = {"adapter": self.dataset.version, "data.root": str(self.root), "data.partial": partial}
        digests = {os.path.relpath(file, self.root): _digest(file) for file in annotations}
        if len(digests) > 5:
            digests = {"the annotations": hashlib.sha256(json.dumps(digests).encode()).hexdigest()}
        state |= digests
        listing = "\n".join([os.path.relpath(audio, self.root), *(f"{name}\t{size}" for name, size in files.items())])
        state["the audio files"] = hashlib.sha256(listing.encode()).hexdigest()
        if is_up_to_date(path, state):
            return path
        with wait_for_lock(path.with_name(f".{stem}.lock")):
            if is_up_to_date(path, state, log_reason=False):  # another process has just made it
                return path
            chosen = " ".join(f"{name}={value}" for name, value in options.items())
            report = DatasetReport(f"{self.dataset.name} {chosen}".strip(), str(audio))
            if skipped:
                report.warn(f"{count_of(skipped, 'path')} left out", [f"{name} ({why})" for name, why in skipped])
            rows = checks.match_capitals(
                checks.drop_repeated_tracks(with_all_columns(read(files, report)), report), files, report
            )
            known = {"suspects": self.dataset.suspects, "skipped": skipped, "error": self.dataset.error}
            frame = checks.select_usable(rows, files, report, audio=audio, partial=partial, **known)
            lost = rows.join(frame, on="track_id", how="anti").drop_nulls("split")
            damaged = lost.filter(pl.col("track_id").is_in(self.dataset.suspects), pl.col("path").is_in(list(files)))
            sizes = {name: files[name] for name in frame["path"]}
            checks.report_copies(frame, checks.find_copies(sizes, audio=audio), report)
            checks.check_counts(frame, report, published=published, damaged=damaged)
            checks.check_labels(frame, report, vocabulary=vocabulary)
            checks.check_leaks(frame, report)
            frame = frame.with_columns(path=pl.concat_str(pl.lit(f"{audio}/"), "path"))
            write_text(path.with_suffix(".checks.txt"), report.text() + "\n", error=ManifestError)
            save_manifest(frame, path, state)
        print(report.text(shown=5))
        print(f"manifest: {path}", flush=True)
        return path


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise unreadable_file(path, error) from None
