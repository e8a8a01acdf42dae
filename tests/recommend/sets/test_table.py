"""How a set is shown."""

import io

from rich.console import Console

from musicrec.recommend.sets.build import build_set
from musicrec.recommend.sets.table import as_table


def printed(made, width: int) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(as_table(made, width=width))
    return console.export_text()


def test_tracks_and_what_leads_into_them(columns):
    facts = columns(bpm=[120, 121.44], key=["8A", "9A"], energy=[6, 7], duration_s=[240, 200])
    made = build_set(facts, start=0, tracks=2).named(["[b]Kraftwerk[/b] – Autobahn", ""])
    wide, narrow = printed(made, 120), printed(made, 80)
    # Means of .9, .9727 and .8409 with the weights .3, .2 and .18; .32 of the weights are unknown and cost half.
    assert "2 tracks, 7:05, score 0.76, weakest transition 0.76" in wide
    assert "[b]Kraftwerk[/b] – Autobahn" in wide and "row 1" in wide
    assert "8A → 9A neighbour on the Camelot wheel, +1.2 % tempo, energy 6 → 7" in wide
    assert "8A A minor" in wide and "A minor" not in narrow
    assert "3:45" in narrow, "the second track starts when the first has 15 s left"
