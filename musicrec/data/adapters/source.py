"""Find the files of a public dataset on disk, and keep the manifest that is made from them."""

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
    """The description of a dataset.

    Attributes:
        name: As in data=NAME and in docs/datasets.md.
        layout: What data.root has to hold.
        how_to_get: What to download, from where, and how large it is.
        licence: Licence of the audio and of the annotations.
        suspects: track_ids whose files are damaged in some copies.
        version: Increase it whenever the same files give another manifest.
    """

    name: str
    layout: str
    how_to_get: str
    licence: str
    suspects: tuple[str, ...] = ()
    version: int = 1

    def error(self, problem: str) -> ManifestError:
        """Return an error that also says what data.root has to hold and how to get the dataset."""
        return ManifestError(
            f"{self.name}: {problem}; see docs/datasets.md#{self.name}\n"
            f"  data.root holds: {self.layout}\n  how to get it: {self.how_to_get}\n  licence: {self.licence}"
        )


class DatasetSource:
    """Finds the files of a dataset below its root folder.

    Args:
        dataset: The description of the dataset.
        root: The setting data.root.
        archives: What data.download=true downloads, unless it is below the root already.
        download: The setting data.download.

    Raises:
        ManifestError: If the root is not set or does not exist; the message says how to get the dataset.
        DownloadError: If a download fails.
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
            raise dataset.error(
                "data.root is not set: name the folder that holds the dataset (in a mixture: data.sets.NAME.root)"
            )
        self.root = Path(os.path.abspath(Path(root).expanduser()))
        shown = os.fsencode(self.root).decode(errors="backslashreplace")
        if shown != str(self.root):
            raise dataset.error(f"data.root={shown}: the name of this folder is not UTF-8; rename it")
        if download and not archives:
            raise dataset.error("data.download=true: musicrec cannot download this dataset")
        if download:
            self.fetch(archives)
        if not self.root.is_dir():
            raise dataset.error(f"data.root={root}: no such folder")

    def fetch(self, archives: Sequence[Archive]) -> None:
        """Download into the root what is missing.

        Args:
            archives: What to download.

        Raises:
            DownloadError: If a download fails.
        """
        fetch(archives, self.root)

    def missing(self, name: str) -> ManifestError:
        """Return the error for a file or folder that is not below the root."""
        return self.dataset.error(f"no {name} below data.root={self.root}")

    def file(self, *names: str) -> Path:
        """Return the first of several files that exists.

        Args:
            names: Paths below the root.

        Raises:
            ManifestError: If none exists.
        """
        for name in names:
            if os.path.isfile(self.root / name):
                return self.root / name
        raise self.missing(f"file {' or '.join(names)}")

    def folder(self, *names: str, holding: str) -> Path:
        """Return the first of several folders that holds a file or folder matching a pattern.

        Args:
            names: Paths below the root.
            holding: The pattern.

        Raises:
            ManifestError: If none does.
        """
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
        """Return the path of the manifest for these options; make the manifest if it is missing or out of date.

        A manifest that the user has edited is used as it is and never overwritten.

        Args:
            read: Returns one row per track of the annotations: track_id, `path` below `audio`, labels, and `split`,
                which is null for tracks that the options leave out.
            folder: The manifest is written to folder/NAME/OPTIONS.csv, with a report of the checks beside it.
            options: {option: value}, for the name of the file.
            annotations: The files that `read` reads.
            audio: The folder of the audio; files below it that are in no row are reported.
            published: {split, or "all": number of tracks}. A difference is a warning.
            vocabulary: {column: its labels, or their number}. A difference is a warning.
            partial: Leave out tracks whose file is missing. If false, a missing file is an error.

        Returns:
            The path of the manifest.

        Raises:
            ManifestError: If files are missing, no track is left, or the manifest was edited and its sources changed.
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
            if is_up_to_date(path, state, log_reason=False):  # another process has made it while this one waited
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
