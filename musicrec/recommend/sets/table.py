"""How a set is shown to people."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from musicrec.recommend.sets.track_set import SetTrack, TrackSet
from musicrec.recommend.wording import counted, length_text
from musicrec.system.console import remark_text


def as_table(made: TrackSet, *, width: int) -> Group:
    """Return a set as a table for people: the tracks, and between them how each leads into the next.

    Args:
        made: The set, with names (`TrackSet.named`); a track without one is shown by its row.
        width: Width of the output in characters. In 100 or more, the key has its name beside its code.
    """
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("start", justify="right", no_wrap=True)
    table.add_column("track", overflow="fold", ratio=1, min_width=24)
    table.add_column("BPM", justify="right", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("score", justify="right", style="bold", no_wrap=True)
    for number, track in enumerate(made.tracks, 1):
        if number > 1:
            transition = made.transitions[number - 2]
            reason = Text(transition.reason, "yellow" if transition.filler else "dim")
            table.add_row("", "", reason, "", "", "", f"{transition.score:.2f}")
        table.add_row(
            str(number),
            length_text(round(60 * track.starts_min)),
            Text(track.label, "bold" if track.locked else ""),
            "–" if track.bpm is None else f"{track.bpm:.1f}",
            _key(track, short=width < 100),
            "–" if track.energy is None else f"{track.energy:.1f}",
            "",
        )
    summary = f"{counted(len(made.tracks))}, {length_text(60 * made.minutes)}, score {made.score:.2f}"
    summary += f", weakest transition {made.weakest:.2f}"
    return Group(Text(summary, "bold"), table, *(remark_text(remark, width=width) for remark in made.remarks))


def _key(track: SetTrack, *, short: bool) -> str:
    if track.camelot is None or track.key is None:
        return "–"
    return track.camelot if short else f"{track.camelot} {track.key}"
