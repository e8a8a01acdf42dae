"""How recommendations and the result of indexing are shown: a table for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from musicrec.heads import Head
from musicrec.heads.keys import camelot, parse_pitch_class
from musicrec.recommend.ranking import Recommendation
from musicrec.recommend.similarity import Similarity

if TYPE_CHECKING:
    from musicrec.recommend.indexing import IndexReport

_SHOWN = 20  # names of a kind; but each unreadable file is named
_WIDE = 100  # from this width in characters on, there is room for a column per block


@dataclass(frozen=True, kw_only=True)
class Description:
    """A track in the terms of a DJ.

    Attributes:
        bpm: Tempo in BPM, None if no head predicts it.
        key: Key, such as "A minor", or only its tonic, "A"; None if no head predicts it.
        camelot: Camelot code of the key, such as "8A"; None if the mode is unknown.
        features: The decoded answers of the feature heads, {head: answer}.
    """

    bpm: float | None
    key: str | None
    camelot: str | None
    features: dict[str, dict[str, Any]]


def describe(heads: Mapping[str, Head], values: Mapping[str, np.ndarray]) -> Description:
    """Return the description of a track. The tonic of one head and the mode of another are put together.

    Args:
        heads: The heads, {name: head}.
        values: {head: (classes,) probabilities}.
    """
    features = {name: head.decode(values[name]) for name, head in heads.items() if head.role == "feature"}
    facts = [heads[name].dj_facts(answer) for name, answer in features.items()]
    bpm = next((fact.bpm for fact in facts if fact.bpm is not None), None)
    tonic, mode = next(((fact.tonic, fact.mode) for fact in facts if fact.tonic is not None), (None, None))
    mode = mode or next((fact.mode for fact in facts if fact.mode is not None), None)
    if tonic is None or mode is None:
        return Description(bpm=bpm, key=tonic, camelot=None, features=features)
    code = camelot(parse_pitch_class(tonic), mode)
    return Description(bpm=bpm, key=f"{tonic} {mode}", camelot=code, features=features)


def tempo_change(bpm: float | None, query_bpm: float | None) -> tuple[float, float] | tuple[None, None]:
    """Return how much faster a track is than the query, at the nearest of its own, half and double tempo.

    Returns:
        The difference in percent, and the multiple of the track's tempo that it is for (1, 0.5 or 2); None and None if
        one of the tempi is unknown.
    """
    if not bpm or not query_bpm:
        return None, None
    changes = [(100 * (bpm * multiple / query_bpm - 1), multiple) for multiple in (1, 0.5, 2)]
    return min(changes, key=lambda change: abs(change[0]))


def as_dict(
    found: Recommendation,
    *,
    heads: Mapping[str, Head],
    query: Mapping[str, np.ndarray],
    facts: Mapping[str, object],
    similarity: Similarity,
    library: Path,
    size: int,
    remarks: Sequence[str] = (),
) -> dict[str, Any]:
    """Return a recommendation in plain JSON types.

    Args:
        found: The recommendation.
        heads: The heads of the library, {name: head}.
        query: {head: (classes,) probabilities} of the query.
        facts: What else is known about the query, such as its path and title.
        similarity: What ranked the tracks.
        library: The file of the library.
        size: Number of tracks in the library.
        remarks: What to know about the audio of the query. Remarks about the library are added.
    """
    asked = describe(heads, query)
    ranked = {name: head.ranked(query[name]) for name, head in heads.items() if head.role == "tag"}
    results = []
    for rank, (match, track, shared) in enumerate(zip(found.matches, found.tracks, found.shared, strict=True), 1):
        described = describe(heads, track.probabilities)
        change, multiple = tempo_change(described.bpm, asked.bpm)
        results.append(
            {
                "rank": rank,
                **{name: getattr(track, name) for name in ("track_id", "path", "title", "artist", "duration_s")},
                "shared_tags": shared,
                "bpm": described.bpm,
                "tempo_change_percent": None if change is None else round(change, 2),
                "tempo_multiple": multiple,
                "key": described.key,
                "camelot": described.camelot,
                "features": described.features,
                "similarity": round(match.similarity, 6),
                "similarity_by_block": {name: round(value, 6) for name, value in match.by_block.items()},
                "remarks": [remark.text for remark in track.remarks],
            }
        )
    steps = [{"tags": [tag.name for tag in step.tags], "tracks": step.tracks} for step in found.steps]
    if found.left_out:
        remarks = [
            *remarks,
            f"left out: {found.left_out:,} silent or very short track{'s' * (found.left_out > 1)}; "
            "include_unreliable=true recommends them, too",
        ]
    elif not results and not found.steps[-1].tracks:
        remarks = [*remarks, "the query is the only track in the library"]
    return {
        "remarks": list(remarks),
        "query": {**facts, "tags": ranked, **asdict(asked)},
        "library": {"path": str(library), "tracks": size, "left_out": found.left_out},
        "filter": {"tags": [asdict(tag) for tag in found.tags], "steps": steps, "relaxed": len(steps) > 1},
        "similarity": {"metric": similarity.metric, "weights": similarity.weights},
        "results": results,
    }


def as_table(answer: dict[str, Any], *, heads: Mapping[str, Head], match: str, min_pool: int, width: int) -> Group:
    """Return a recommendation as a table for people.

    Args:
        answer: The return value of `as_dict`.
        heads: The heads of the library, {name: head}.
        match: `match` of the tag filter.
        min_pool: Number of tracks that the filter had to leave.
        width: Width of the output in characters.
    """
    query, blocks = answer["query"], answer["similarity"]["weights"]
    by_block = len(blocks) > 1 and width >= _WIDE
    facts = Table.grid(padding=(0, 2))
    for head, tags in query["tags"].items():
        facts.add_row(Text(head, "bold"), Text(", ".join(f"{t['tag']} {t['probability']:.2f}" for t in tags[:6])))
    for head, feature in query["features"].items():
        facts.add_row(Text(head, "bold"), Text(_feature(heads[head], feature, query)))

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("#", justify="right")
    table.add_column("track", overflow="fold", ratio=3, min_width=16)
    table.add_column("shared tags", overflow="fold", ratio=2, min_width=11)
    table.add_column("BPM", justify="right", no_wrap=True)
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("key", no_wrap=True)
    table.add_column("similarity", justify="right", style="bold", no_wrap=True)
    for name in blocks if by_block else ():
        table.add_column(name, justify="right", style="dim", no_wrap=True)
    for row in answer["results"]:
        parts = [f"{value:.2f}" for value in row["similarity_by_block"].values()]
        table.add_row(
            str(row["rank"]),
            Text(_name(row)),
            Text(", ".join(row["shared_tags"]) or "–"),
            "–" if row["bpm"] is None else f"{row['bpm']:.1f}",
            _change(row),
            Text(_key(row)),
            f"{row['similarity']:.3f}",
            *(parts if by_block else ()),
        )
    weights = ", ".join(name if weight == 1 else f"{name} ×{weight:g}" for name, weight in blocks.items())
    length = f"{int(query['duration_s'] // 60)}:{int(query['duration_s'] % 60):02d}"
    return Group(
        Text.assemble((_name(query), "bold"), f"  {length}"),
        facts,
        "",
        Text.assemble(("1 tags        ", "bold"), _filter(answer, match=match, min_pool=min_pool)),
        Text.assemble(("2 similarity  ", "bold"), f"{answer['similarity']['metric']} over {weights}"),
        table,
        *(Text(f"{row['rank']}: {remark}", "yellow") for row in answer["results"] for remark in row["remarks"]),
        *(Text(remark, "yellow") for remark in answer["remarks"]),
    )


def index_text(report: "IndexReport", *, library: Path, size: int) -> Text:
    """Return what `index` did, in a few lines.

    Args:
        report: The return value of `index`.
        library: The file of the library.
        size: Number of tracks in the library now.
    """
    text = Text()
    for what, names in report.notes:
        text.append(_with_names(what, names)).append("\n")
    for what, names in report.left_out:
        text.append("left out ", "yellow").append(_with_names(what.removesuffix(" left out"), names)).append("\n")
    for path, reason in report.unreadable:
        text.append("skipped ", "yellow").append(reason if path in reason else f"{path}: {reason}").append("\n")
    for path, remarks in report.remarked[:_SHOWN]:
        text.append("remark  ", "yellow").append(f"{path}: {'; '.join(remark.text for remark in remarks)}\n")
    if len(report.remarked) > _SHOWN:
        text.append("remark  ", "yellow").append(f"and {len(report.remarked) - _SHOWN:,} more tracks with remarks\n")
    counts = {
        "new": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "kept, but not found": report.kept,
        "unreadable": len(report.unreadable),
    }
    changes = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"
    text.append(f"{library}: ", "bold").append(f"{size} tracks ({changes})")
    if report.remarked:
        unreliable = sum(any(remark.unreliable for remark in remarks) for _, remarks in report.remarked)
        text.append(f"\n{len(report.remarked):,} with a remark on their audio")
        text.append(f", {unreliable:,} of them silent or very short: by default not recommended" * (unreliable > 0))
    analysed = report.added + report.changed
    if analysed:
        text.append(
            f"\nanalysed {report.audio_s / 60:.1f} min of audio in {report.wall_s:.0f} s, "
            f"{3600 * analysed / report.wall_s:,.0f} tracks per hour"
        )
    return text


def _with_names(what: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return f"{what}: {', '.join(names[:_SHOWN])}{more}" if names else what


def _filter(answer: dict[str, Any], *, match: str, min_pool: int) -> Text:
    *tried, last = answer["filter"]["steps"]
    if not answer["query"]["tags"]:
        return Text(f"no model predicts tags: all {last['tracks']} other tracks stay")
    text = Text()
    for step in [*tried, last]:
        asked = f"{match} of {', '.join(step['tags'])}" if step["tags"] else "no filter"
        text.append(f"{asked}: {step['tracks']} of {answer['library']['tracks']} tracks")
        if step is not last:
            text.append(f", fewer than {min_pool}\n{'':14}relaxed: ", "yellow")
    return text


def _name(row: dict[str, Any]) -> str:
    known = [part for part in (row.get("artist"), row.get("title")) if part]
    return " – ".join(known) if row.get("title") else row.get("track_id") or row["path"]


def _key(row: dict[str, Any]) -> str:
    return " ".join(part for part in (row["camelot"], row["key"]) if part) or "–"


def _change(row: dict[str, Any]) -> str:
    if row["tempo_change_percent"] is None:
        return "–"
    multiple = {1: "", 0.5: " ÷2", 2: " ×2"}[row["tempo_multiple"]]
    return f"{row['tempo_change_percent']:+.1f} %{multiple}"


def _feature(head: Head, answer: dict[str, Any], query: dict[str, Any]) -> str:
    """Return the answer of a head in one line. A tonic is shown with the mode, which another head may have given."""
    if query["camelot"] and head.dj_facts(answer).tonic is not None:
        return f"{query['key']} · {query['camelot']} ({answer['probability']:.2f})"
    return head.text(answer)
