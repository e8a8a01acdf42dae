"""How far feedback moves the answers of a real library: 20 queries, and feedback on tracks that are drawn at random.

    python experiments/feedback/moves.py LIBRARY --out experiments/feedback

LIBRARY is copied first, so that nothing is written into it.
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from musicrec.recommend import feedback
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.profiles.shortlist_ranking import KnownTracks, rerank_shortlist
from musicrec.recommend.recommender import Recommender
from musicrec.system.csv_table import write_records

QUERIES, DRAWS, SHOWN, FIRST = 20, 10, 20, 5
NOW = datetime.now(timezone.utc)
SAID = {  # {name: (likes, skips, pairs)}
    "1 like": (1, 0, 0),
    "1 skip": (0, 1, 0),
    "1 pair": (0, 0, 1),
    "2 likes, 1 skip": (2, 1, 0),
    "5 likes": (5, 0, 0),
    "10 likes": (10, 0, 0),
    "30 likes": (30, 0, 0),
    "10 likes, 5 skips, 5 pairs": (10, 5, 5),
}


@dataclass(frozen=True, kw_only=True)
class Shortlist:
    """What a query ranks, before feedback: the facts of the tracks, their audio hashes and scores; and the query."""

    columns: object
    hashes: list[str]
    scores: np.ndarray
    query: str
    vector: np.ndarray


def shortlists(library: Path) -> tuple[list[Shortlist], KnownTracks]:
    """Return the shortlists of queries with tracks drawn from a library, and the sound of all of its tracks."""
    found: list[Shortlist] = []

    def note(columns, hashes, scores, **asked):
        query, vector = asked["query_hash"], asked["query_vector"]
        found.append(
            Shortlist(columns=columns, hashes=list(hashes), scores=np.array(scores), query=query, vector=vector)
        )
        return rerank_shortlist(columns, hashes, scores, **asked)

    feedback.rerank_shortlist = note
    with Recommender.open(library, device="cpu") as recommender:
        everything = recommender.library_index.everything()
        ids = everything.ids.tolist()
        tracks = recommender.library.tracks(ids)
        with recommender.feedback() as said:
            said.like(tracks[0])  # without any feedback, nothing is re-ranked
        for number in np.random.default_rng(0).permutation(len(tracks))[:QUERIES]:
            recommender.query(tracks[number], k=SHOWN)
        vectors = everything.columns.vectors
        known = KnownTracks(audio_hashes=recommender.library.hashes_of(ids), vectors=vectors, sample=vectors)
    return found, known


def events(names: list[str], likes: int, skips: int, pairs: int) -> list[Event]:
    """Return likes, skips and pairs of recordings, in the order of their names."""
    kinds = ["liked"] * likes + ["skipped"] * skips + ["paired"] * pairs
    return [
        Event(kind=kind, audio_hash=name, title=name, at=NOW, **({} if kind == "liked" else {"after_hash": before}))
        for kind, name, before in zip(kinds, names, reversed(names), strict=False)
    ]


def moves(found: list[Shortlist], known: KnownTracks, said: Callable[[list[str]], list[Event]]) -> dict[str, float]:
    """Return how far the first tracks of the answers move, without those that something was said about."""
    generator, medians, stays, kept = np.random.default_rng(1), [], [], []
    for one in found:
        before = np.argsort(-one.scores, kind="stable")
        for _ in range(DRAWS):
            names = [str(name) for name in generator.permutation(known.audio_hashes) if name != one.query]
            spoken = said(names)
            done = rerank_shortlist(
                one.columns, one.hashes, one.scores, events=spoken, known=known, query_hash=one.query,
                query_vector=one.vector, k=SHOWN, now=NOW,
            )  # fmt: skip
            rank = np.argsort(done.order) + 1
            named = {event.audio_hash for event in spoken}
            places = [(i, row) for i, row in enumerate(before[:SHOWN], 1) if one.hashes[row] not in named]
            medians.append(np.median([abs(rank[row] - i) for i, row in places]))
            stays.append(done.order[0] == before[0])
            kept.append(len(set(done.order[:FIRST]) & set(before[:FIRST])) / FIRST)
    return {"median_move": np.mean(medians), "first_stays": np.mean(stays), "first_five_kept": np.mean(kept)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, known = shortlists(shutil.copy(arguments.library, Path(folder) / "library.sqlite"))
    rows = []
    for name, counts in SAID.items():
        row = moves(found, known, lambda names, counts=counts: events(names, *counts))
        rows.append({"said": name, **{key: round(float(value), 3) for key, value in row.items()}})
        print(rows[-1])
    write_records(arguments.out / "moves.csv", rows)


if __name__ == "__main__":
    main()
