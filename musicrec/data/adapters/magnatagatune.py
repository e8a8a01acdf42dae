"""MagnaTagATune: 25,863 clips of 29 s with 188 tags, of which benchmarks use the 50 most frequent ones.

Law, West, Mandel, Bay, Downie (2009): Evaluation of algorithms using games: the case of music tagging. ISMIR.
"""

import os
from pathlib import Path

import polars as pl

from musicrec.config.value_check import check_choice
from musicrec.data.adapters.download import Archive
from musicrec.data.adapters.source import Dataset, DatasetSource, Files
from musicrec.data.adapters.tables import check_column, damaged_file, read_rows, read_table
from musicrec.data.checks import DatasetReport, count_of
from musicrec.errors import ManifestError

HOST = "https://mirg.city.ac.uk/datasets/magnatagatune"
DATASET = Dataset(
    name="magnatagatune",
    layout="the folders 0 to f with the MP3 files (or mp3/0 to mp3/f), annotations_final.csv, and, for the names of "
    "artists and albums, clip_info_final.csv",
    how_to_get=f"{HOST}: mp3.zip.001, .002 and .003 (about 3 GB; joined they are one ZIP archive), "
    "annotations_final.csv and clip_info_final.csv; or data.download=true",
    licence="CC BY-NC-SA 3.0; the music is Magnatune's",
    suspects=("35644", "55753", "57881"),  # empty in every copy
)
ARCHIVES = (
    Archive(
        urls=tuple(f"{HOST}/mp3.zip.00{part}" for part in (1, 2, 3)),
        checksums=(
            "md5:179c91c8c2a6e9b3da3d4e69d306fd3b",
            "md5:acf8265ff2e35c6ff22210e46457a824",
            "md5:582dc649cabb8cd991f09e14b99349a5",
        ),
        target="mp3",
        unpack=True,
        present_patterns=("mp3/[0-9a-f]/*", "[0-9a-f]/*"),
    ),
    Archive(
        urls=(f"{HOST}/annotations_final.csv",),
        checksums=("md5:f04fa01752a8cc64f6e1ca142a0fef1d",),
        target="annotations_final.csv",
    ),
    Archive(
        urls=(f"{HOST}/clip_info_final.csv",),
        checksums=("md5:03ef3cb8ddcfe53fdcdb8e0cda005be2",),
        target="clip_info_final.csv",
    ),
)
PUBLISHED = {
    "full": {"train": 18_706, "valid": 1_825, "test": 5_329},
    "clean": {"train": 15_247, "valid": 1_529, "test": 4_332},
}
# In the order of the outputs of public checkpoints.
TOP50 = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip
DURATION_S = 29.1


def magnatagatune(
    *,
    root: str | os.PathLike | None,
    folder: str | os.PathLike,
    split: str = "clean",
    tags: str = "top50",
    partial: bool = False,
    download: bool = False,
) -> Path:
    """Return the manifest of MagnaTagATune.

    Args:
        root: The folder of the dataset.
        folder: Where the manifest is written.
        split: "clean" keeps the clips that have one of the 50 tags, "full" keeps all. Results on one cannot be compared
            with results on the other. Both are split by folder: 0 to b train, c valid, d to f test.
        tags: "top50", or "all" 188.
        partial: Leave out clips whose file is missing.
        download: Download what is missing.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If a setting has an unknown value.
        ManifestError: If files are missing or damaged.
        DownloadError: If a download fails.
    """
    check_choice("data.split", split, list(PUBLISHED))
    check_choice("data.tags", tags, ("top50", "all"))
    source = DatasetSource(DATASET, root, archives=ARCHIVES, download=download)
    annotations = source.file("annotations_final.csv")
    info = source.root / "clip_info_final.csv"
    audio = source.folder("mp3", ".", holding="[0-9a-f]")

    def read(files: Files, report: DatasetReport) -> pl.DataFrame:
        wide = read_table(annotations, columns=["clip_id", "mp3_path", *TOP50], separator="\t")
        names = [name for name in wide.columns if name not in ("clip_id", "mp3_path")]
        report.ok(f"annotations_final.csv: {wide.height:,} clips, {len(names)} tags")
        known = {"clip_id": (pl.col("clip_id").str.contains(r"^\d+$"), "a number")}
        known |= {name: (pl.col(name).is_in(["0", "1"]), "0 or 1") for name in names}
        like = "a path such as f/NAME.mp3, in a folder 0 to f"
        known["mp3_path"] = (pl.col("mp3_path").str.contains(r"^[0-9a-f]/[^/]+\.mp3$"), like)
        for column, (good, expected) in known.items():
            check_column(wide, column, good, expected, path=annotations)
        chosen = TOP50 if tags == "top50" else names
        has = lambda name: pl.when(pl.col(name) == "1").then(pl.lit(name))  # noqa: E731
        part = pl.col("mp3_path").str.slice(0, 1)
        of_folder = pl.when(part.is_in(list("def"))).then(pl.lit("test")).when(part == "c").then(pl.lit("valid"))
        benchmark = pl.any_horizontal(pl.col(name) == "1" for name in TOP50)
        frame = wide.select(
            track_id="clip_id",
            path="mp3_path",
            split=pl.when(benchmark | (split == "full")).then(of_folder.otherwise(pl.lit("train"))),
            tags=pl.concat_list(has(name) for name in chosen).list.drop_nulls(),
            duration_s=pl.lit(DURATION_S),
        )
        return _with_names(frame, info, report) if info.is_file() else frame

    return source.manifest(
        read,
        folder=folder,
        options={"split": split, "tags": tags},
        annotations=[annotations, *([info] if info.is_file() else [])],
        audio=audio,
        published=PUBLISHED[split],
        vocabulary={"tags": TOP50 if tags == "top50" else 188},
        partial=partial,
    )


def _with_names(frame: pl.DataFrame, info: Path, report: DatasetReport) -> pl.DataFrame:
    """Add artist, album and title from clip_info_final.csv.

    Training does not need them, so damaged rows are reported and left out.
    """
    columns = ["clip_id", "artist", "album", "title"]
    try:
        (_, header), *lines = [*read_rows(info, separator="\t", strict=False)] or [(1, [])]
        absent = [name for name in columns if name not in header]
        if absent:
            raise damaged_file(info, f"has no column {', '.join(absent)}")
    except ManifestError as error:
        report.warn(str(error))
        return frame
    odd = [f"row {row}: {', '.join(cells)[:60]!r}" for row, cells in lines if len(cells) != len(header)]
    if odd:
        report.warn(
            f"{count_of(odd, 'row')} of {info.name} without {len(header)} cells, not used; download the file again", odd
        )
    places = [header.index(name) for name in columns]
    cells = [[cells[place] or None for place in places] for _, cells in lines if len(cells) == len(header)]
    schema = dict.fromkeys(["track_id", *columns[1:]], pl.String)
    names = pl.DataFrame(cells, schema=schema, orient="row").unique("track_id", keep="first")
    return frame.join(names, on="track_id", how="left", maintain_order="left")
