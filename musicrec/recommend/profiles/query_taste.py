"""Where a query meets a profile: what a user said changes the order of a shortlist, and bans recordings."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from musicrec.recommend.library import Library
from musicrec.recommend.library_index import LibraryIndex
from musicrec.recommend.profiles.shortlist_ranking import MOST_SAMPLE, KnownTracks, never_again
from musicrec.recommend.request import Request
from musicrec.recommend.track_table import TrackTable

if TYPE_CHECKING:
    from musicrec.recommend.feedback import Feedback


def with_taste(request: Request, library: Library, index: LibraryIndex, feedback: "Feedback") -> Request:
    """Return a request whose order a user's feedback changes.

    Args:
        request: The request.
        library: The library.
        index: What is searched in.
        feedback: What the user said.
    """
    events = feedback.events()
    ids = library.ids_of(feedback.heard(events))
    heard = index.table(np.array(list(ids.values()), dtype=np.int64))
    known = KnownTracks(
        audio_hashes=library.hashes_of(heard.ids.tolist()),
        vectors=heard.columns.vectors,
        sample=index.sample(MOST_SAMPLE).columns.vectors,
    )
    banned = library.ids_of(never_again(events))

    def taste(table: TrackTable, scores: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, list[str]]:
        ranked = feedback.rerank(
            table.columns,
            library.hashes_of(table.ids.tolist()),
            scores,
            known=known,
            query_hash=request.alike[0].audio_hash,
            query_vector=query,
            k=request.k,
            events=events,
        )
        notes = [""] * len(table)
        for moved in ranked.moves:
            notes[moved.row] = moved.reason
        return ranked.scores, notes

    return replace(request, taste=taste, banned=list(banned.values()))
