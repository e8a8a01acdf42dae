"""GiantSteps tempo and key: test sets of two-minute excerpts of electronic dance music.

Knees, Faraldo, Herrera, Vogl, Böck, Hörschläger, Le Goff (2015): Two data sets for tempo estimation and key detection
in electronic dance music annotated from user corrections. ISMIR. Second annotations of the tempo: Schreiber, Müller
(2018): A crowdsourced experiment for tempo estimation of electronic dance music. ISMIR.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from musicrec.config.value_check import check_choice
from musicrec.data.adapters.download import Archive
from musicrec.data.adapters.files import list_matching
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.adapters.tables import damaged_file, read_text_file
from musicrec.data.checks import DatasetReport, count_of
from musicrec.heads.keys import parse_key

HOST = "https://www.cp.jku.at/datasets/giantsteps/backup"
LICENCE = "not stated; the excerpts are previews of beatport.com, for research"
TEMPO, KEY = (
    Dataset(
        name=f"giantsteps_{what}",
        layout=f"the repository of the dataset: audio/<id>.LOFI.mp3 and {annotations}/<id>.LOFI.{suffix}",
        how_to_get=f"git clone https://github.com/GiantSteps/giantsteps-{what}-dataset DIR, which is data.root; then "
        f"its audio_dl.sh, or data.download=true ({size})",
        licence=LICENCE,
    )
    for what, annotations, suffix, size in (
        ("tempo", "annotations_v2/tempo", "bpm", "664 files, 1 GB"),
        ("key", "annotations/key", "key", "604 files, 850 MB"),
    )
)
DURATION_S = 120.0
AUDIO = ("audio", "wav", ".")
SHORT_S = {
    "906760": 62.0,
    "1327052": 70.0,
    "4416506": 80.0,
}  # excerpts that are shorter, from the README of the tempo set


def giantsteps_tempo(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    version: int = 2,
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of GiantSteps tempo: 664 excerpts, all in split `test`.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        version: Version of the annotations. 2 (2018) corrects 1, and marks three excerpts as without tempo.
        partial: Leave out excerpts whose file is missing.
        download: Download the excerpts that are missing.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If `version` is unknown.
        ManifestError: If files are missing or damaged.
        DownloadError: If a download fails.
    """
    check_choice("data.version", version, (1, 2))
    annotations = "annotations_v2/tempo" if version == 2 else "annotations/tempo"

    def label(text: str) -> dict:
        tempo = float(text)
        if tempo and not 20 <= tempo <= 400:  # also refuses nan
            raise ValueError(text)
        return {"bpm": tempo or None, "split": "test" if tempo else None}

    return _manifest(
        TEMPO,
        root,
        folder,
        label,
        options={"version": f"v{version}"},
        annotations=annotations,
        suffix="bpm",
        published=661 if version == 2 else 664,
        partial=partial,
        download=download,
    )


def giantsteps_key(
    *, root: str | os.PathLike | None, folder: str | os.PathLike, partial: bool = False, download: bool = False
) -> Path:
    """Return the manifest of GiantSteps key: 604 excerpts, all in split `test`.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        partial: Leave out excerpts whose file is missing.
        download: Download the excerpts that are missing.

    Returns:
        The path of the manifest.

    Raises:
        ManifestError: If files are missing or damaged.
        DownloadError: If a download fails.
    """

    def label(text: str) -> dict:
        key, mode = parse_key(text)
        if mode is None:
            raise ValueError(text)
        return {"key": key, "mode": mode, "split": "test"}

    return _manifest(
        KEY,
        root,
        folder,
        label,
        options={},
        annotations="annotations/key",
        suffix="key",
        published=604,
        partial=partial,
        download=download,
    )


def _manifest(
    dataset: Dataset,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    label: Callable[[str], dict],
    *,
    options: dict,
    annotations: str,
    suffix: str,
    published: int,
    partial: bool,
    download: bool,
) -> Path:
    """Make a manifest. `label` turns the text of an annotation into cells, and raises ValueError if it cannot."""
    source = DatasetSource(dataset, root)
    labels = list_matching(source.folder(annotations, holding=f"*.{suffix}"), f"*.{suffix}")
    if download:
        source.fetch(_archives(source))
    audio = source.folder(*AUDIO, holding="*.LOFI.*")
    genres = {
        _number(path.name): read_text_file(path)
        for path in list_matching(source.root / "annotations" / "genre", "*.genre")
    }

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        by_number = {_number(os.path.basename(name)): name for name in files}
        rows = []
        for path in labels:
            text = read_text_file(path)
            try:
                cells = label(text)
            except ValueError:
                raise damaged_file(path, f"{text[:40]!r} is not a {dataset.name.removeprefix('giantsteps_')}") from None
            number = _number(path.name)
            audio_name = by_number.get(number, f"{path.name.removesuffix(f'.{suffix}')}.mp3")
            about = {"genre": genres.get(number) or None, "duration_s": SHORT_S.get(number, DURATION_S)}
            rows.append({"track_id": number, "path": audio_name, **about, **cells})
        frame = pl.DataFrame(rows, infer_schema_length=None)
        without = frame.filter(pl.col("split").is_null())
        if without.height:
            report.note(f"{count_of(without, 'excerpt')} without a tempo, left out", without["track_id"])
        return frame

    return source.manifest(
        read,
        folder=folder,
        options=options,
        annotations=labels,
        audio=audio,
        published={"test": published},
        partial=partial,
    )


def _number(name: str) -> str:
    """Return the number of an excerpt, without the leading zeros of some copies."""
    return name.split(".")[0].lstrip("0")


def _archives(source: DatasetSource) -> list[Archive]:
    """Return the excerpts that are missing, with the checksums from the repository."""
    home = next((name for name in AUDIO if list_matching(source.root / name, "*.LOFI.*")), AUDIO[0])
    present = {_number(path.name) for path in list_matching(source.root / home, "*.LOFI.*")}
    archives = []
    for path in list_matching(source.folder("md5", holding="*.md5"), "*.md5"):
        if _number(path.name) in present:
            continue
        checksum = re.match(r"[0-9a-f]{32}\b", read_text_file(path))
        if checksum is None:
            raise damaged_file(path, f"{read_text_file(path)[:40]!r} is not an MD5 sum")
        name = f"{path.stem}.mp3"
        archives.append(Archive(urls=(f"{HOST}/{name}",), checksums=(f"md5:{checksum[0]}",), target=f"{home}/{name}"))
    return archives
