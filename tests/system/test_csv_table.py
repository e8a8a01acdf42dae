"""CSV files are read row by row, and what is wrong with a row is told by its number."""

from pathlib import Path

import pytest

from musicrec.errors import MusicrecError
from musicrec.system.csv_table import EncodingProblem, QuotingProblem, read_rows, write_csv, write_records


def test_what_is_written_is_read(tmp_path: Path):
    rows = [['a "b", c', "1"], ["♯\n", ""], ["x" * 200_000, "3"]]
    path = write_csv(tmp_path / "a.csv", ["name", "value"], rows)
    assert list(read_rows(path)) == list(enumerate([["name", "value"], *rows], start=1))


def test_empty_rows_are_rows_unless_they_come_last(tmp_path: Path):
    (tmp_path / "a.tsv").write_bytes(b'\xef\xbb\xbfname\tsize\n\n12" mix\t1\n\n\n')
    rows = list(read_rows(tmp_path / "a.tsv", separator="\t", quoted=False))
    assert rows == [(1, ["name", "size"]), (2, []), (3, ['12" mix', "1"])]


@pytest.mark.parametrize(
    ("content", "problem", "row"),
    [(b"a\nb\nRen\xe9\n", EncodingProblem, 3), (b'a\n"b\nc\n', QuotingProblem, 2), (b'a\n"b"c\n', QuotingProblem, 2)],
)
def test_the_row_of_a_problem_is_told(tmp_path: Path, content: bytes, problem: type, row: int):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(problem) as told:
        list(read_rows(tmp_path / "a.csv"))
    assert told.value.row == row


def test_records_have_the_columns_of_all(tmp_path: Path):
    path = write_records(tmp_path / "deep" / "a.csv", [{"a": 1}, {"b": None, "a": 3}])
    assert path.read_bytes() == b"a,b\r\n1,\r\n3,\r\n"
    with pytest.raises(MusicrecError, match="cannot write"):
        write_records(path / "b.csv", [])
