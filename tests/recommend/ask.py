"""Ask a library of invented tracks for a recommendation."""

import dataclasses

from musicrec.recommend.filters import TagFilter
from musicrec.recommend.library_index import MemoryIndex
from musicrec.recommend.presets import Preset
from musicrec.recommend.ranking import recommend
from musicrec.recommend.request import Recommendation, Request
from musicrec.recommend.reranking.rerank import Reranking
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track


def ask(library: SqliteLibrary, *alike: Track, k: int = 10, **settings) -> Recommendation:
    """Recommend by a preset of these settings; those of a request are taken for it."""
    heads = list(library.heads.values())
    of_request = {field.name for field in dataclasses.fields(Request)}
    wanted = {name: settings.pop(name) for name in of_request & settings.keys()}
    weights = settings.pop("weights", {"tempo": 1.0, "key": 1.0, "embedding": 3.0})
    preset = Preset(
        **{"name": "test", "tags": TagFilter(top=1), "reranking": Reranking(hubs=0.0), **settings, "weights": weights}
    )
    known = library.blocks()
    others = [name for name in known if name not in library.heads]
    everything = dict.fromkeys(known, 0.0) | {name: weight for name, weight in weights.items() if name in known}
    similarity = Similarity(heads, blocks=others, weights=everything)
    request = Request(alike=alike, k=k, preset=preset, similarity=wanted.pop("similarity", similarity), **wanted)
    return recommend(library, MemoryIndex(library), request)


def ids(found: Recommendation) -> list[str]:
    return [match.track.track_id for match in found.matches]


def of_embedding(corners: SqliteLibrary, *names: str) -> list[Track]:
    return [corners.find(track_id=name)[0] for name in names]
