"""A path through a library: tracks that lead from one track to another in small steps."""

import numpy as np

from musicrec.recommend.conditions import Condition
from musicrec.recommend.read_request import ReadRequest
from musicrec.recommend.request import RecommendedTrack
from musicrec.recommend.reranking.path import path_between, way_points
from musicrec.recommend.reranking.weighting import compared_vectors

_MOST_WAY_POINTS, _NEAR_WAY_POINT = 10, 60  # where tracks are looked for, and how many there


def path_tracks(asked: ReadRequest, condition: Condition) -> list[RecommendedTrack]:
    """Return tracks that lead from the first track of a request to the last; each is described beside the one before.

    Args:
        asked: The request, which has a track to lead to.
        condition: What tracks must fulfil.
    """
    request, index, space, weights = asked.request, asked.index, asked.index.space, asked.weights[0]
    start, end = asked.vectors[0], asked.vectors[-1]
    points = way_points(start, end, count=min(request.k + 2, _MOST_WAY_POINTS))
    ids = [
        index.shortlist(point, weights, condition, n=_NEAR_WAY_POINT, unreliable=request.include_unreliable).ids
        for point in points
    ]
    table = index.table(np.setdiff1d(np.concatenate(ids), asked.excluded))
    to_ends = table.vectors.astype(np.float32) @ space.weighted(start + end, weights)
    order = table.columns.first_versions(np.argsort(-to_ends, kind="stable"))
    table = table.take(asked.filters.finally_keep(asked.facts, table.columns, order))
    of_dimensions = space.weighted(np.ones(space.size, np.float32), weights)
    of_blocks = np.array([weights.get(name, 0.0) for name in space.blocks])
    known = np.concatenate([asked.known[[0, -1]], table.known_blocks(table.rows)])
    vectors = np.concatenate([start[None], end[None], table.vectors.astype(np.float32)])
    compared = compared_vectors(vectors, of_dimensions, known @ of_blocks)
    chosen = path_between(compared[2:], compared[0], compared[1], between=request.k)
    found, before, previous = [], asked.facts, 0
    for row, track in zip(chosen.tolist(), asked.library.tracks(table.ids[chosen].tolist()), strict=True):
        has = known[row + 2] & known[previous]
        blocks = space.similarities(vectors[previous], vectors[row + 2][None])[0]
        by_block = {
            name: float(blocks[place]) for place, name in enumerate(space.blocks) if of_blocks[place] and has[place]
        }
        similarity = float(compared[previous] @ compared[row + 2])
        found.append(
            asked.recommended(
                track, table, row, before=before, similarity=similarity, by_block=by_block, score=similarity
            )
        )
        before, previous = found[-1].facts, row + 2
    return found
