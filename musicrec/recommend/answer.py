"""What is known of a track in the terms of a DJ, and the answer to a query in plain JSON types."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from musicrec.heads import Head
from musicrec.heads.answers import DJFacts
from musicrec.heads.keys import camelot, parse_pitch_class
from musicrec.heads.tag_groups import TagGroups
from musicrec.recommend import ways_out
from musicrec.recommend.condition_text import camelot_codes, condition_texts, either
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library import Listing
from musicrec.recommend.musical_filters import set_filters
from musicrec.recommend.request import Recommendation, RecommendedTrack, Request
from musicrec.recommend.reranking.passages import PassageMatch
from musicrec.recommend.track import Track
from musicrec.recommend.wording import counted

_FACTS = ("track_id", "path", "title", "artist", "album", "year", "genre", "duration_s")


@dataclass(frozen=True, kw_only=True)
class Description:
    """A track in the terms of a DJ.

    Attributes:
        bpm: Tempo in BPM, None if no head predicts it.
        key: Key, such as "A minor", or only its tonic, "A"; None if no head predicts it.
        camelot: Camelot code of the key, such as "8A"; None if the mode is unknown.
        features: The decoded answers of the feature heads, {head: answer}.
        descriptors: What was measured without a model, {descriptor: value}.
        tag_groups: The tags of the public taggers, joined and in groups, {group: [{"tag", "strength", "present"}]}.
        from_tags: What these tags say of danceability and the like, {measure: 0 to 1}.
    """

    bpm: float | None
    key: str | None
    camelot: str | None
    features: dict[str, dict[str, Any]]
    descriptors: dict[str, float]
    tag_groups: dict[str, list[dict[str, Any]]]
    from_tags: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a query, in plain JSON types.

    Attributes:
        remarks: What to know about the query, the library and the answer.
        query: What is known of the track that was asked about.
        library: The library: its path, how many tracks it has, and how many of them were left out as unreliable.
        filter: The first step: what the tag filter asked for and how many tracks it left.
        similarity: The second step: the metric and the weights.
        results: The recommended tracks, best first.
    """

    remarks: list[str]
    query: dict[str, Any]
    library: dict[str, Any]
    filter: dict[str, Any]
    similarity: dict[str, Any]
    results: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as one dictionary, for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def describe(heads: Mapping[str, Head], track: Track) -> Description:
    """Return the description of a track. The tonic of one head and the mode of another are put together.

    Args:
        heads: The heads whose answers the track holds, {name: head}.
        track: The track.
    """
    values = track.probabilities
    features = {name: head.decode(values[name]) for name, head in heads.items() if head.role == "feature"}
    facts = DJFacts.joined(heads[name].dj_facts(answer) for name, answer in features.items())
    tonic, mode = facts.tonic, facts.mode
    known = tonic is not None and mode is not None
    groups = TagGroups(heads.values())
    strengths = groups.strengths(values) if groups.tags else np.zeros(0, np.float32)
    return Description(
        bpm=facts.bpm,
        key=f"{tonic} {mode}" if known else tonic,
        camelot=camelot(parse_pitch_class(str(tonic)), str(mode)) if known else None,
        features=features,
        descriptors=dict(track.descriptors),
        tag_groups=groups.describe(strengths),
        from_tags={name: round(value, 3) for name, value in groups.measures(strengths).items()},
    )


def compose_answer(
    found: Recommendation,
    request: Request,
    *,
    heads: Mapping[str, Head],
    library: Path | str,
    size: int,
    remarks: Sequence[str] = (),
    listings: Mapping[str, Sequence[Listing]] | None = None,
) -> Answer:
    """Put an answer together.

    Args:
        found: The recommendation.
        request: What was asked for.
        heads: The heads of the library, {name: head}.
        library: The file of the library.
        size: Number of tracks in the library.
        remarks: What to know about the query and the library. Remarks about the answer are added.
        listings: What the collections of DJ programs say of the tracks, {audio_hash: listings}.
    """
    listings = listings or {}
    query, preset = request.alike[0], request.preset
    asked = describe(heads, query)
    results = [
        _result(rank, match, heads=heads) | {"collections": collection_facts(listings.get(match.track.audio_hash, ()))}
        for rank, match in enumerate(found.matches, 1)
    ]
    others = [track.name for track in request.alike[1:]]
    return Answer(
        remarks=[*remarks, *_remarks(found, request, heads=heads, size=size)],
        query={
            "id": query.audio_hash,
            **{name: getattr(query, name) for name in _FACTS},
            "tags": {
                name: head.ranked(query.probabilities[name]) for name, head in heads.items() if head.role == "tag"
            },
            **asdict(asked),
            "feature_texts": _texts(heads, asked),
            "collections": collection_facts(listings.get(query.audio_hash, ())),
            "also_like": others,
            "unlike": [track.name for track in request.unlike],
            "towards": None if request.towards is None else request.towards.name,
            "at_s": request.at_s,
        },
        library={"path": str(library), "tracks": size, "left_out": found.left_out},
        filter=_tag_step(found, preset.tags) | {"musical": _musical_step(found)},
        similarity={
            "preset": preset.name,
            "metric": request.similarity.metric,
            "weights": request.similarity.weights,
            "neighbours": preset.reranking.neighbours,
            "hubs": preset.reranking.hubs,
            "balance": preset.reranking.balance,
            "passage": preset.passage,
        },
        results=results,
    )


def _tag_step(found: Recommendation, tags: TagFilter) -> dict[str, Any]:
    return {
        "match": tags.match,
        "possible": tags.possible,
        "chosen": {name: list(getattr(tags, name)) for name in ("any", "all", "none") if getattr(tags, name)},
        "min_pool": found.min_pool,
        "tags": [asdict(tag) for tag in found.tags],
        "steps": [{"tags": [tag.name for tag in step.tags], "tracks": step.tracks} for step in found.steps],
        "relaxed": len(found.steps) > 1,
    }


def _musical_step(found: Recommendation) -> dict[str, Any]:
    return {
        "condition": found.condition.to_dict(),
        "texts": _musical_texts(found),
        "later": _filters_later(found),
        "dropped": list(found.dropped),
        "tracks": found.filtered,
    }


def _filters_later(found: Recommendation) -> bool:
    """Return whether more tracks are left out once they are ranked: by the key that sounds, or by their artist."""
    return found.filters.max_per_artist is not None or _sounding_keys(found) is not None


def _sounding_keys(found: Recommendation) -> np.ndarray | None:
    """Return which keys may sound where the tempo moves the key, (24,) bool; None if it does not, or any may."""
    return None if found.filters.key_lock else found.filters.keys(found.query)


def _musical_texts(found: Recommendation) -> list[str]:
    """Return what the musical filters ask for, one short text per part."""
    condition, sounding = found.condition, _sounding_keys(found)
    texts = []
    if sounding is not None:  # the condition has all keys that some tempo brings to one of these
        condition = replace(condition, among={name: of for name, of in condition.among.items() if name != "key"})
        codes = camelot_codes(np.flatnonzero(sounding).tolist())
        texts.append(f"key {either(codes)} once it plays at the query's tempo")
    if found.filters.max_per_artist is not None:
        texts.append(f"at most {found.filters.max_per_artist} per artist")
    return [*condition_texts(condition), *texts]


def _remarks(found: Recommendation, request: Request, *, heads: Mapping[str, Head], size: int) -> list[str]:
    """Return what to know about an answer from a library of so many tracks."""
    remarks = list(found.remarks)
    if found.left_out:
        remarks.append(
            f"left out: {counted(found.left_out, 'silent or very short track')}; {ways_out.TAKE_IN_UNRELIABLE}"
        )
    nothing_asked = not found.filtered and not found.condition
    if nothing_asked and not found.left_out:
        remarks.append("the query is the only track in the library")
    elif not found.matches and not nothing_asked:
        by_year = {"year", "year_within"} & set_filters(found.filters) and "year" not in found.filters.keep_unknown
        unknown = f"; {ways_out.KEEP_UNKNOWN_YEAR}" if by_year else ""
        remarks.append(f"no track passes the filters; leave one out, or widen it{unknown}")
    elif found.matches and (few := _fewer(found, request, size=size)):
        remarks.append(few)
    if request.towards is not None and request.preset.passage != "whole":
        remarks.append("a path compares whole tracks; passages do not count in it")
    compared = request.preset.passage == "whole" or any(match.passage is not None for match in found.matches)
    if found.matches and request.towards is None and not compared:
        tagged = any(head.role == "tag" for head in heads.values())
        way_out = ways_out.INDEX_AGAIN if tagged else "that takes a model that predicts tags"
        remarks.append(
            f"the library does not know the passages of these tracks, so whole tracks were compared; {way_out}"
        )
    if request.preset.passage == "best" and any(one.passage and one.passage.only_ends for one in found.matches):
        remarks.append(
            "of tracks that an older version analysed, the library knows only the first and the last 30 s; "
            + ways_out.INDEX_FOR_PASSAGES
        )
    return remarks


def _fewer(found: Recommendation, request: Request, *, size: int) -> str:
    """Return why there are fewer results than were asked for; "" if there are as many, or too few tracks anyway."""
    results, tagged = len(found.matches), found.steps[-1].tracks if found.steps else found.filtered
    if results >= request.k or size <= request.k:
        return ""
    if found.filtered < request.k:
        filters = ", ".join(text for text in _musical_texts(found) if "per artist" not in text)
        why = f"the filters ({filters}) leave {found.filtered:,} of {size:,}" if filters else ""
    elif tagged < request.k:
        why = f"the tags leave {tagged:,} of {found.filtered:,}"
    elif found.filters.max_per_artist is not None:
        why = f"at most {found.filters.max_per_artist} per artist come; {ways_out.MORE_PER_ARTIST}"
    else:
        why = "the key that sounds at the query's tempo leaves no more" if _filters_later(found) else ""
    return f"{results:,} of the {request.k:,} tracks that were asked for" + (f": {why}" if why else "")


def collection_facts(listings: Sequence[Listing]) -> list[dict[str, Any]]:
    """Return what the collections of DJ programs say of a track, one entry per collection."""
    by_source = {listing.source: dict(listing.metadata) for listing in reversed(listings)}
    return [{"source": source, **by_source[source]} for source in sorted(by_source)]


def _result(rank: int, match: RecommendedTrack, *, heads: Mapping[str, Head]) -> dict[str, Any]:
    track, described = match.track, describe(heads, match.track)
    change, multiple = match.tempo_change or (None, None)
    return {
        "rank": rank,
        "id": track.audio_hash,
        **{name: getattr(track, name) for name in _FACTS},
        "shared_tags": match.shared_tags,
        "bpm": described.bpm,
        "tempo_change_percent": None if change is None else round(change, 4),
        "tempo_multiple": multiple,
        "key": described.key,
        "camelot": described.camelot,
        "features": described.features,
        "descriptors": described.descriptors,
        "tag_groups": {
            group: [tag["tag"] for tag in tags if tag["present"]] for group, tags in described.tag_groups.items()
        },
        "from_tags": described.from_tags,
        "similarity": round(match.similarity, 6),
        "similarity_by_block": {name: round(value, 6) for name, value in match.by_block.items()},
        "score": round(match.score, 6),
        "passage": None if match.passage is None else _passage(match.passage),
        "why": match.why,
        "taste": match.taste,
        "remarks": [remark.text for remark in track.remarks],
    }


def feature_texts(heads: Mapping[str, Head], track: Track) -> dict[str, str]:
    """Return the answers of the feature heads in one line each, {head: text}."""
    return _texts(heads, describe(heads, track))


def _texts(heads: Mapping[str, Head], described: Description) -> dict[str, str]:
    return {name: _text(heads[name], answer, described) for name, answer in described.features.items()}


def _passage(match: PassageMatch) -> dict[str, Any]:
    """Return the passages that fit, in plain JSON types."""
    return {
        "similarity": round(match.similarity, 6),
        "query_s": [round(at_s, 2) for at_s in match.query_s],
        "track_s": [round(at_s, 2) for at_s in match.track_s],
    }


def _text(head: Head, answer: dict[str, Any], asked: Description) -> str:
    """Return the answer of a head in one line. A tonic is shown with the mode, which another head may have given."""
    if asked.camelot and head.dj_facts(answer).tonic is not None:
        return f"{asked.key} · {asked.camelot} ({answer['probability']:.2f})"
    return head.text(answer)
