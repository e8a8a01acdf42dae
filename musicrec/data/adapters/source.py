"""A public dataset as it lies on the disk: finding its files, and keeping the manifest that is made of them."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import polars as pl

from musicrec.data.adapters import checks
from musicrec.data.adapters.checks import Report
from musicrec.data.adapters.download import Archive, fetch
from musicrec.data.adapters.kept import digest, keep, up_to_date
from musicrec.data.build import with_file_state
from musicrec.data.scan import find_audio
from musicrec.data.schema import complete
from musicrec.errors import ConfigError, ManifestError
from musicrec.locks import locked

Files = Mapping[str, int]  # every audio file below a folder, by its path there, and its size in bytes


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
        if download and not archives:
            raise dataset.error("data.download=true: it has no archive that could be fetched and checked")
        if download:
            self.root.mkdir(parents=True, exist_ok=True)
            fetch(archives, self.root)
        if not self.root.is_dir():
            raise dataset.error(f"data.root={root}: no such folder")

    def missing(self, name: str) -> ManifestError:
        return self.dataset.error(f"no {name} below data.root={self.root}")

    def file(self, *names: str) -> Path:
        """The first of these files, by their paths below the root, that is there. Raises ManifestError for none."""
        for name in names:
            if (self.root / name).is_file():
                return self.root / name
        raise self.missing(f"file {' or '.join(names)}")

    def folder(self, *names: str, holding: str) -> Path:
        """The first of these folders that holds a file or folder matching a pattern. Raises ManifestError for none."""
        for name in names:
            if next((self.root / name).glob(holding), None) is not None:
                return self.root / name
        like = " or ".join(holding if name == "." else f"{name}/{holding}" for name in names)
        raise self.missing(f"file or folder like {like}")

    def manifest(
        self,
        read: Callable[[Files, Report], pl.DataFrame],
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
        files = audio_files(audio)
        state = {"adapter": self.dataset.version, "data.root": str(self.root), "data.partial": partial}
        digests = {os.path.relpath(file, self.root): digest(file) for file in annotations}
        if len(digests) > 5:
            digests = {"the annotations": hashlib.sha256(json.dumps(digests).encode()).hexdigest()}
        state |= digests
        listing = "\n".join(f"{name}\t{size}" for name, size in files.items())
        state["the audio files"] = hashlib.sha256(listing.encode(errors="surrogateescape")).hexdigest()
        if up_to_date(path, state):
            return path
        with locked(path.with_name(f".{stem}.lock")):
            if up_to_date(path, state, tell=False):  # another process has just made it
                return path
            chosen = " ".join(f"{name}={value}" for name, value in options.items())
            report = Report(f"{self.dataset.name} {chosen}".strip(), str(audio))
            rows = checks.unique(complete(read(files, report)), report)
            known = {"suspects": self.dataset.suspects, "error": self.dataset.error}
            frame = checks.present(rows, files, report, audio=audio, partial=partial, **known)
            lost = rows.join(frame, on="track_id", how="anti").drop_nulls("split")
            damaged = lost.filter(pl.col("track_id").is_in(self.dataset.suspects), pl.col("path").is_in(list(files)))
            sizes = {name: files[name] for name in frame["path"]}
            checks.duplicates(frame, checks.same_bytes(sizes, audio=audio), report)
            checks.counts(frame, report, published=published, damaged=damaged)
            checks.labels(frame, report, vocabulary=vocabulary)
            checks.leaks(frame, report)
            frame = frame.with_columns(path=pl.concat_str(pl.lit(f"{audio}/"), "path"))
            path.with_suffix(".checks.txt").write_text(report.text() + "\n")
            keep(frame, path, state)
        print(report.text(shown=5))
        print(f"manifest: {path}", flush=True)
        return path


def audio_files(folder: Path) -> Files:
    """Every audio file below a folder that `find_audio` finds, sorted by its path there, and its size."""
    names = find_audio(folder).files
    state = with_file_state(pl.DataFrame({"path": [f"{folder}/{name}" for name in names]}, schema={"path": pl.String}))
    return dict(zip(names, state["size"], strict=True))


def one_of(name: str, value: object, choices: Sequence) -> None:
    """Raise ConfigError where a setting is none of its choices."""
    if value not in choices:
        raise ConfigError(f"{name}={value}: choose one of {', '.join(str(choice) for choice in choices)}")


def table(path: Path, *, columns: Collection[str], separator: str = ",") -> pl.DataFrame:
    """A table of a dataset, every cell as text.

    Raises:
        ManifestError: it cannot be read, or lacks one of the columns.
    """
    try:
        frame = pl.read_csv(path, separator=separator, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ManifestError(f"{path}: cannot be read: {str(error).splitlines()[0]}; fetch the file again") from None
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ManifestError(f"{path}: has no column {', '.join(absent)} (it has {', '.join(frame.columns[:12])} …)")
    return frame
