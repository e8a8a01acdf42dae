"""The answer to a query as people see it in a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from musicrec.descriptors import DESCRIPTORS
from musicrec.heads.tag_groups import joined_heads
from musicrec.recommend.sets.tempo import tempo_sign
from musicrec.recommend.track import shown_name
from musicrec.recommend.wording import counted, length_text, short_path
from musicrec.system.console import remark_text

if TYPE_CHECKING:
    from musicrec.recommend.answer import Answer

_TAGS = 6  # of a head or a group
_WIDE = 100  # from this width in characters on, a key has its name beside its code
_PASSAGE = {"passage": "passage"}  # a block without a weight of its own, and its title
_PASSAGES = {
    "whole": "",
    "outro_to_intro": "the end of the query against beginnings",
    "intro_to_outro": "the beginning of the query against ends",
    "best": "passages against passages",
}
_ROOM = 96  # what the table needs at that width without a column per block


def as_table(answer: "Answer", *, width: int) -> Group:
    """Return the answer to a query as a table for people.

    Args:
        answer: The answer.
        width: Width of the output in characters.
    """
    query, library, blocks = answer.query, answer.library, answer.similarity["weights"]
    weights = ", ".join(name if weight == 1 else f"{name} ×{weight:g}" for name, weight in blocks.items())
    steps = Table.grid(padding=(0, 2))
    where = f"{short_path(library['path'])}, {counted(library['tracks'])}"
    if answer.similarity["preset"] != "default":
        steps.add_row(Text("preset", "bold"), Text(answer.similarity["preset"]))
    if musical := _musical(answer):
        steps.add_row(Text("filters", "bold"), musical)
    steps.add_row(Text("1 tags", "bold"), _filter(answer))
    steps.add_row(
        Text("2 similarity", "bold"), Text(f"{answer.similarity['metric']} over {weights}{_last_order(answer)}")
    )
    return Group(
        Text.assemble((_name(query), "bold"), f"  {length_text(query['duration_s'])}", _others(query)),
        _facts(query),
        "",
        # Not in the grid, which would break a long path.
        Text.assemble(("library       ", "bold"), where, overflow="ignore"),
        steps,
        _results(answer.results, blocks=[*blocks, *_PASSAGE], width=width) if answer.results else "",
        _reasons(answer.results),
        *(remark_text(f"{row['rank']}: {remark}", width=width) for row in answer.results for remark in row["remarks"]),
        *(remark_text(remark, width=width) for remark in answer.remarks),
    )


def _others(query: dict[str, Any]) -> str:
    """Return the other tracks that were asked about."""
    also = f" from {length_text(query['at_s'])}" if query["at_s"] is not None else ""
    also += f"\nalso like   {', '.join(query['also_like'])}" if query["also_like"] else ""
    also += f"\nunlike      {', '.join(query['unlike'])}" if query["unlike"] else ""
    return also + (f"\npath to     {query['towards']}" if query["towards"] else "")


def _last_order(answer: "Answer") -> str:
    """Return what happens to the order after the similarity, in words."""
    if answer.query["towards"]:  # a path has an order of its own
        return ""
    settings = answer.similarity
    compared = any(row["passage"] for row in answer.results)  # the passages of old or untagged tracks are unknown
    parts = [
        _PASSAGES[settings["passage"]] if compared else "",
        "tracks around the query count with it" if settings["neighbours"] else "",
        "tracks that resemble everything count less" if settings["hubs"] else "",
        "then results that differ from each other" if settings["balance"] < 1 else "",
    ]
    return "".join(f"; {part}" for part in parts if part)


def _musical(answer: "Answer") -> Text | None:
    """Return the musical filters and how many tracks they left; None if there are none."""
    step = answer.filter["musical"]
    if not step["texts"] and not step["dropped"]:
        return None
    most = "up to " if step["later"] and step["tracks"] else ""
    text = Text(f"{', '.join(step['texts']) or 'none'}: {most}{counted(step['tracks'])}")
    if step["dropped"]:
        names = ", ".join(name.split("_")[0] for name in step["dropped"])
        text.append(f"\ndropped, as hardly a track was left: {names}", "yellow")
    return text


def _reasons(rows: Sequence[dict[str, Any]]) -> Table:
    """Return one sentence per track that says why."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    table.add_column()
    for row in rows:
        table.add_row(
            str(row["rank"]), Text.assemble(row["why"], (f" · {row['taste']}" if row["taste"] else "", "cyan"))
        )
    return table


def _facts(query: dict[str, Any]) -> Table:
    """Return what is known of the query: tags in groups, features, descriptors, and what is read off the tags."""
    facts = Table.grid(padding=(0, 2))

    def add(name: str, text: str) -> None:
        facts.add_row(Text(name, "bold"), Text(text))

    for group, tags in query["tag_groups"].items():
        present = [f"{tag['tag']} {tag['strength']:.2f}" for tag in tags[:_TAGS] if tag["present"]]
        if present:
            add(group, ", ".join(present))
        elif group == "genre":
            nearest = ", ".join(f"{tag['tag']} {tag['strength']:.2f}" for tag in tags[:2])
            add(group, f"none is clear; nearest: {nearest}")
    for head, tags in query["tags"].items():
        if head not in joined_heads():
            add(head, ", ".join(f"{tag['tag']} {tag['probability']:.2f}" for tag in tags[:_TAGS]))
    for head, text in query["feature_texts"].items():
        add(head, text)
    if energy := _described(query["descriptors"], ["energy", "loudness"]):
        add("energy", energy)
    if sound := _described(query["descriptors"], [name for name in DESCRIPTORS if name not in ("energy", "loudness")]):
        add("sound", sound)
    if query["from_tags"]:
        add("from tags", ", ".join(f"{name} {value:.2f}" for name, value in query["from_tags"].items()))
    for stated in query["collections"]:
        if text := _stated(stated):
            add(_program(stated), text)
    return facts


def _program(stated: dict[str, Any]) -> str:
    """Return the name of the DJ program that a collection is from."""
    return str(stated.get("program") or Path(stated["source"]).name).split()[0]


def _stated(stated: dict[str, Any]) -> str:
    """Return what a collection says of a track in one line: "124.0 BPM, 8A, 4 stars, 3 cues, in Friday"."""
    parts = [f"{stated['bpm']:.1f} BPM" if "bpm" in stated else "", stated.get("key", "")]
    for name, one, many in (("rating", "star", "stars"), ("cues", "cue", "cues")):
        count = stated.get(name) or 0
        count = len(count) if isinstance(count, list) else count
        parts.append(f"{count} {one if count == 1 else many}" if count else "")
    parts.append(f"in {', '.join(stated['playlists'])}" if stated.get("playlists") else "")
    return ", ".join(filter(None, parts))


def _described(values: dict[str, float], names: Sequence[str]) -> str:
    """Return descriptors in words: "7.1 of 10, loudness -9.2 LUFS"."""
    texts = {name: DESCRIPTORS[name].text(values[name]) for name in names if name in values}
    return ", ".join(f"{text} of 10" if name == "energy" else f"{name.replace('_', ' ')} {text}"
                     for name, text in texts.items())  # fmt: skip


def _results(rows: Sequence[dict[str, Any]], *, blocks: Sequence[str], width: int) -> Table:
    """Return the recommended tracks as a table. Columns for which there is no room or no value are left out."""
    blocks = [
        name for name in blocks if name not in _PASSAGE or any(name in row["similarity_by_block"] for row in rows)
    ]
    by_block = len(blocks) > 1 and width >= _ROOM + sum(len(name) + 1 for name in blocks)
    energetic = any("energy" in row["descriptors"] for row in rows)
    programs = dict.fromkeys(_program(stated) for row in rows for stated in row["collections"])
    stating = [] if width < _WIDE else [name for name in programs if _column_of(rows, name)]
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("track", overflow="fold", ratio=3, min_width=16)
    table.add_column("BPM", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("key", no_wrap=True)
    for name in stating:
        table.add_column(name, style="dim", no_wrap=True)
    if energetic:
        table.add_column("energy", justify="right", no_wrap=True)
    table.add_column("shared tags", overflow="fold", ratio=2, min_width=11)
    table.add_column("similarity" if width >= _WIDE else "similar", justify="right", style="bold", no_wrap=True)
    for name in blocks if by_block else ():
        table.add_column(_PASSAGE.get(name, name), justify="right", style="dim", no_wrap=True)
    for row in rows:
        energy = row["descriptors"].get("energy")
        parts = [
            f"{row['similarity_by_block'][name]:.2f}" if name in row["similarity_by_block"] else "–" for name in blocks
        ]
        table.add_row(
            str(row["rank"]),
            Text(_name(row)),
            "–" if row["bpm"] is None else f"{row['bpm']:.1f}",
            _change(row),
            Text(_key(row, short=width < _WIDE)),
            *(Text(_column_of([row], name) or "–") for name in stating),
            *(["–" if energy is None else DESCRIPTORS["energy"].text(energy)] if energetic else []),
            Text(", ".join(row["shared_tags"]) or "–"),
            f"{row['similarity']:.3f}",
            *(parts if by_block else ()),
        )
    return table


def _column_of(rows: Sequence[dict[str, Any]], program: str) -> str:
    """Return tempo and key as a DJ program states them, "124.0 8A", of the first of these rows that has any."""
    for row in rows:
        for stated in row["collections"]:
            parts = [f"{stated['bpm']:.1f}" if "bpm" in stated else "", stated.get("key", "")]
            if _program(stated) == program and any(parts):
                return " ".join(filter(None, parts))
    return ""


def _filter(answer: "Answer") -> Text:
    asked, musical = answer.filter, answer.filter["musical"]
    *tried, last = asked["steps"]
    pool = musical["tracks"] if musical["texts"] else answer.library["tracks"]
    if not pool:
        return Text("no track is left for this step")
    if asked["chosen"]:
        texts = {"any": "any of ", "all": "all of ", "none": "none of "}
        named = ", ".join(f"{texts[name]}{', '.join(words)}" for name, words in asked["chosen"].items())
        if "any" in asked["chosen"] or "all" in asked["chosen"]:
            return Text(f"{named}: {last['tracks']:,} of {counted(pool)}")
    if not answer.query["tags"]:  # then none can be chosen, either
        return Text(f"no model predicts tags: no filter, {counted(last['tracks'])}")
    text = Text(f"none of {', '.join(asked['chosen']['none'])}; " if asked["chosen"] else "")
    for step in [*tried, last]:
        named = f"{asked['match']} of {', '.join(step['tags'])}" if step["tags"] else "no filter"
        text.append(f"{named}: {step['tracks']:,} of {counted(pool)}")
        if step is not last:
            text.append(f", fewer than {asked['min_pool']:,}\nrelaxed: ", "yellow")
    return text


def _name(row: dict[str, Any]) -> str:
    return shown_name(row["artist"], row["title"], row["track_id"])


def _key(row: dict[str, Any], *, short: bool) -> str:
    if short and row["camelot"]:
        return row["camelot"]
    return " ".join(part for part in (row["camelot"], row["key"]) if part) or "–"


def _change(row: dict[str, Any]) -> str:
    if row["tempo_change_percent"] is None:
        return "–"
    sign = tempo_sign(row["tempo_multiple"])
    return f"{row['tempo_change_percent']:+.1f} %{f' {sign}' if sign else ''}"
