"""Tables of labels as people and their programs write them. No audio is needed."""

from pathlib import Path
from unicodedata import normalize

import polars as pl
import pytest

from musicrec.data.adapters.folder_labels import read_labels
from musicrec.data.checks import DatasetReport
from musicrec.errors import ManifestError

TOP = Path("/music")
FILES = ["/music/Ada/One.wav", "/music/Ada/Two.flac", f"/music/{normalize('NFD', 'Zoë')}/Three.mp3"]


def read(tmp_path: Path, content: str | bytes) -> tuple[pl.DataFrame, DatasetReport]:
    path, report = tmp_path / "labels.csv", DatasetReport("folder", str(TOP))
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(path, FILES, TOP, report), report


def test_paths_as_other_systems_write_them(tmp_path: Path):
    """A byte order mark, backslashes, accents as one character, a path relative to the table, an absolute one."""
    names = ["Ada\\One.wav", "Zoë/Three.mp3", "/music/Ada/Two.flac"]
    frame, report = read(tmp_path, "\ufeffpath,genre\r\n" + "".join(f"{name},Rock\r\n" for name in names))
    assert set(frame["path"]) == set(FILES) and frame["genre"].to_list() == ["Rock"] * 3
    assert report.findings == [("ok", "labels.csv: labels for 3 of 3 audio files", [])]


def test_rows_without_a_file_are_reported_with_suggestions(tmp_path: Path):
    frame, report = read(
        tmp_path, "path,genre,mood\nAda/One.wav,Rock,calm\nC:\\Music\\Ada\\two.WAV,Rock,\nFour.wav,Pop,\n"
    )
    assert frame["path"].to_list() == FILES[:1]
    assert report.findings[1:] == [
        ("warning", "labels.csv: 2 rows without a matching file below /music",
         ["C:\\Music\\Ada\\two.WAV (did you mean Ada/Two.flac?)", "Four.wav"]),
        ("note", "labels.csv: unknown columns, kept as they are", ["mood"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [("path,genre\none.wav,Rock\n", r"no row matches .* data.root=/music; .* holds one.wav \(did you mean Ada/One.wav"),
     ("path,genre\nAda/One.wav,Rock\nAda\\One.wav,Pop\nAda/Two.flac,Pop\nAda/Two.flac,Pop\n",
      r"labels.csv: 2 files with more than one row: Ada/One.wav, Ada/Two.flac; keep one"),
     ("file,genre\nAda/One.wav,Rock\n", r"labels.csv: 1 problem\n  row 1, path: required column is missing; .* file, "),
     ("path,genres,key\nAda/One.wav,Rock,X\n",
      r"labels.csv: 2 problems\n  row 1, genres: unknown column; did you mean 'genre'\?\n  row 2, key: 'X', expected"),
     ("path;genre\nAda/One.wav;Rock\n", r"labels.csv: the columns are separated by semicolons"),
     ("path,genre\nZoë/3,Rock\n".encode("cp1252"), r"labels.csv: row 2: b'Zo.xeb/3' is not text in UTF-8; save"),
     ("", r"labels.csv: \d problems\n  no rows, expected at least one track\n  row 1, path: required column")],
)  # fmt: skip
def test_a_table_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(ManifestError, match=message):
        read(tmp_path, content)
