"""The figure of a set."""

from pathlib import Path

import pytest
from PIL import Image

from musicrec.figures.sets import DrawnTrack, fitted, set_figure
from musicrec.figures.style import save

NAMES = ("short", "a very long name of a track " * 6, "$uicideboy$ – $ave", "久石譲 – 風のとおり道", "")


def tracks(count: int, **facts) -> list[DrawnTrack]:
    usual = {"bpm": 120.0, "mixed_bpm": 120.0, "energy": 5.0, "target": None, "camelot": "8A", "locked": False}
    return [
        DrawnTrack(
            name=NAMES[number % len(NAMES)],
            starts=f"{3 * number}:30",
            led_into=0.8 if number else None,
            **{**usual, **{name: values[number] for name, values in facts.items()}},
        )
        for number in range(count)
    ]


@pytest.mark.slow
def test_png_and_svg(tmp_path: Path, recwarn: pytest.WarningsRecorder):
    figure = set_figure(tracks(5), title="a $ title")
    with Image.open(save(figure, tmp_path / "set.png")) as image:
        assert image.format == "PNG" and image.width > 800
    svg, again = (
        save(set_figure(tracks(5), title="a $ title"), tmp_path / name).read_text() for name in ("a.svg", "b.svg")
    )
    assert "久石譲" in svg and "$uicideboy$" in svg and "<dc:date>" not in svg
    assert again == svg
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_what_is_unknown_is_named_and_leaves_a_gap():
    drawn = tracks(
        3, bpm=[120.0, None, 124.0], mixed_bpm=[120.0, None, 124.0], camelot=[None, "12B", "1B"], energy=[None] * 3
    )
    _, tempo, energy, keys, transitions = set_figure(drawn, title="t").axes
    assert [text.get_text() for text in tempo.texts] == ["120", "unknown", "124"]
    assert [text.get_text() for text in energy.texts] == ["unknown"] * 3
    assert [text.get_text() for text in keys.texts] == ["unknown", "12B", "1B"]
    assert [text.get_text() for text in transitions.texts] == ["0.80", "0.80"]


def test_half_time_is_drawn_at_the_tempo_that_mixes():
    drawn = tracks(4, bpm=[120.0, 61.0, 122.0, 244.0], mixed_bpm=[120.0, 122.0, 122.0, 122.0])
    tempo = set_figure(drawn, title="t").axes[1]
    assert [text.get_text() for text in tempo.texts] == ["120", "61 ×2", "122", "244 ÷2"]
    assert list(tempo.lines[-3].get_xdata()) == [120, 122, 122, 122]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in tempo.lines[-2:]] == [
        ([122], [1]),
        ([122], [3]),
    ]
    assert tempo.get_title(loc="left") == "BPM (○ as it mixes)"


def test_a_step_over_the_end_of_the_wheel_is_drawn_at_both_sides():
    keys = set_figure(tracks(2, camelot=["12B", "1B"]), title="t").axes[3]
    lines = sorted(
        list(line.get_xdata()) for line in keys.lines if len(line.get_xdata()) == 2 and line.get_zorder() == 1
    )
    assert lines == [[0, 1], [12, 13]]
    keys = set_figure(tracks(2, camelot=["3A", "5A"]), title="t").axes[3]
    assert [list(line.get_xdata()) for line in keys.lines if line.get_zorder() == 1] == [[3, 5]]


def test_the_wanted_energy_is_drawn_where_there_is_a_curve():
    without, with_curve = (set_figure(tracks(2, target=of), title="t").axes[2] for of in ([None] * 2, [5.0, 6.0]))
    assert without.get_title(loc="left") == "energy" and "wanted" in with_curve.get_title(loc="left")


def test_long_names_are_cut_to_their_room():
    assert fitted("short", 100, size=8) == "short" and fitted("", 100, size=8) == ""
    cut = fitted("W" * 80, 100, size=8)
    assert cut.endswith("…") and 5 < len(cut) < 20
    assert len(fitted("i" * 80, 100, size=8)) > len(cut)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 40])
def test_any_number_of_tracks(tmp_path: Path, count):
    assert save(set_figure(tracks(count), title="t"), tmp_path / "set.png").stat().st_size < 300_000
