"""Results go to standard output, messages to standard error, and a pipe gets plain, wide text."""

import pytest

from musicrec.system.console import answer_console, error_console, make_table, output_console, print_error


def test_a_pipe_gets_markdown_that_does_not_break(capsys: pytest.CaptureFixture, monkeypatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "40")  # of the terminal that starts the program
    out = output_console()
    table = make_table(out, "name", "value")
    table.add_row("x" * 150, "1")
    out.print(table)
    assert capsys.readouterr().out.split() == ["|", "name", "|", "value", "|", "|" + "-" * 152 + "|-------|", "|",
                                               "x" * 150, "|", "1", "|"]  # fmt: skip


def test_errors_and_progress_go_to_standard_error(capsys: pytest.CaptureFixture):
    error_console().print("working")
    print_error("data.root=[/x]: " + "no such folder, " * 20)
    told = capsys.readouterr()
    assert told.out == "" and told.err == "working\nerror: data.root=[/x]: " + "no such folder, " * 20 + "\n"


@pytest.mark.parametrize(("columns", "width"), [("", 100), ("78", 78), ("0", 100)])
def test_an_answer_is_not_wide_in_a_pipe(monkeypatch, columns: str, width: int):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", columns)
    assert answer_console().width == width
