"""Progress of work over tracks, in a terminal and elsewhere."""

import io

import pytest
from rich.console import Console

from musicrec.system import progress
from musicrec.system.progress import Step, time_text, track_progress


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch):
    """printed(total, seconds, shown, terminal): what is printed if each track takes these seconds."""

    def run(total: int, seconds: float, *, shown: bool = True, terminal: bool = False) -> str:
        clock, out = [0.0], io.StringIO()
        monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(progress, "error_console", lambda: Console(file=out, force_terminal=terminal, width=100))
        with track_progress("analysing", "analysed", total, shown=shown) as advance:
            for _ in range(total):
                clock[0] += seconds
                advance()
        return out.getvalue()

    return run


def test_without_a_terminal_there_is_a_line_every_half_minute(printed):
    lines = printed(3000, 0.25).splitlines()  # 12.5 minutes in all
    assert len(lines) == 24
    assert lines[0] == "analysed 120 of 3,000 tracks, 12 min left"
    assert lines[-1] == "analysed 2,880 of 3,000 tracks, less than 1 min left"


def test_short_work_prints_no_line(printed):
    assert printed(10, 0.3) == printed(0, 1.0) == ""
    assert printed(10, 100.0, shown=False) == printed(10, 100.0, shown=False, terminal=True) == ""


def test_tracks_that_take_longer_than_half_a_minute_get_a_line_each_but_the_last(printed):
    assert printed(3, 3600.0).splitlines() == [
        "analysed 1 of 3 tracks, 2 h 0 min left",
        "analysed 2 of 3 tracks, 1 h 0 min left",
    ]


def test_a_terminal_gets_a_bar(printed):
    out = printed(5, 1.0, terminal=True)
    assert "analysing" in out and "5/5" in out and "left" not in out


def test_a_listener_is_told_each_step_instead(capfd: pytest.CaptureFixture):
    steps: list[Step] = []
    with track_progress("analysing", "analysed", 2, shown=steps.append) as advance:
        advance("a.mp3")
        advance("b.mp3", "damaged")
    assert steps == [
        Step(doing="analysing", done=0, total=2),
        Step(doing="analysing", done=1, total=2, name="a.mp3"),
        Step(doing="analysing", done=2, total=2, name="b.mp3", problem="damaged"),
    ]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "less than 1 min"), (29, "less than 1 min"), (31, "1 min"), (840, "14 min"), (7800, "2 h 10 min")],
)
def test_durations_in_words(seconds: float, text: str):
    assert time_text(seconds) == text
