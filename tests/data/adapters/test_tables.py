from pathlib import Path

import polars as pl
import pytest

from musicrec.data.adapters.tables import check_column, read_rows, read_table, read_text_file
from musicrec.errors import ManifestError
from musicrec.system import csv_table


@pytest.mark.parametrize("large_bytes", [1 << 26, 0])
def test_tables_of_other_programs_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large_bytes: int):
    monkeypatch.setattr(csv_table, "_LARGE_BYTES", large_bytes)  # from which a bar is shown
    path = tmp_path / "t.csv"
    life = "x" * 200_000  # Python's own limit is 131,072
    path.write_bytes(
        b"\xef\xbb\xbf" + f'id,name,life\r\n1,"two\nlines, ""quoted""",{life}\r\n2,12" mix,\r\n\r\n\r\n'.encode()
    )
    frame = read_table(path, columns=["id", "name"])
    assert frame["name"].to_list() == ['two\nlines, "quoted"', '12" mix']
    assert frame["life"].to_list() == [life, None] and frame["id"].to_list() == ["1", "2"]
    path.write_text('a\t"b\n')
    assert list(read_rows(path, separator="\t", quoted=False)) == [(1, ["a", '"b'])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column id, name (it has nothing)"),
        (b"<!DOCTYPE html>\n<p>404", "has no column id, name (it has <!DOCTYPE html> …)"),
        (b"id,name\n", "has a header but no rows"),
        (b"id,name\n1,a\n2", "row 3: 1 cells, expected 2; it begins with '2'"),
        (b"id,name\n1,a,b\n", "row 2: 3 cells, expected 2; it begins with '1, a, b'"),
        (b"id,name\n\n1,a\n", "row 2: 0 cells, expected 2; it begins with ''"),
        (b'id,name\n1,"a\n2,b\n', "row 2: a quotation mark is wrong, or the file is cut off (unexpected end of data)"),
        (b"id,name\n1,a\n2,Ren\xe9\n", r"row 3: b'Ren\xe9' is not text in UTF-8"),
        (b"\x1f\x8b\x08\x00id", r"row 1: b'\x1f\x8b\x08\x00id' is not text in UTF-8"),
    ],
)
def test_damage_is_reported_by_row(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as error:
        read_table(path, columns=["id", "name"])
    assert str(error.value) == f"{path}: {message}; download the file again"


def test_an_unexpected_cell_is_reported(tmp_path: Path):
    frame = pl.DataFrame({"id": ["1", "x", None, "4"]})
    good = pl.col("id").str.contains(r"^\d+$")
    message = r"row 5, ID: 'x', expected a number \(and 1 more such rows\); download the file again"
    with pytest.raises(ManifestError, match=message):
        check_column(frame, "id", good, "a number", path=tmp_path, called="ID", first_row=4)
    with pytest.raises(ManifestError, match="row 2, id: empty, expected a number; download"):
        check_column(frame[2:3], "id", good, "a number", path=tmp_path)
    check_column(frame[:1], "id", good, "a number", path=tmp_path)


def test_unreadable_files(tmp_path: Path):
    message = r"cannot be read \(Is a directory\); make it readable, or download it again"
    with pytest.raises(ManifestError, match=message):
        read_table(tmp_path, columns=["id"])
    with pytest.raises(ManifestError, match=message):
        read_text_file(tmp_path)
    (tmp_path / "a.key").write_bytes(b"\xff\xfeC\x00")
    with pytest.raises(
        ManifestError, match=r"a.key: b'\\xff\\xfeC\\x00' is not text in UTF-8; download the file again"
    ):
        read_text_file(tmp_path / "a.key")
