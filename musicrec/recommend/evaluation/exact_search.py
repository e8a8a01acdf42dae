"""Exact search: compare a query with every track, on matrices in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from musicrec.heads import Head
from musicrec.recommend.columns import Columns
from musicrec.recommend.library_columns import genres, keys_of, tempi
from musicrec.recommend.similarity import Similarity
from musicrec.recommend.space import LEAST_TRACKS
from musicrec.recommend.track import Track


@dataclass(frozen=True, kw_only=True)
class Match:
    """A track that was found.

    Attributes:
        row: Its index in `ExactSearch.tracks`.
        similarity: Similarity to the query over all blocks.
        by_block: Similarity per block, {block: similarity}, of the blocks that both tracks have.
    """

    row: int
    similarity: float
    by_block: dict[str, float]


class ExactSearch:
    """Finds the tracks that are most similar to a query by comparing it with all of them.

    Embeddings are centred and scaled by their statistics over the library, if it has at least `LEAST_TRACKS` tracks.

    Takes about 3 kB of memory per track. Build it from a library with `ExactSearch(*library.read())`; later changes of
    the library do not reach it.

    Args:
        tracks: The tracks, in the order in which equally similar ones are returned.
        values: What to compare them by, {block: (tracks, size) float32}; see `SqliteLibrary.read` for the blocks.
    """

    def __init__(self, tracks: Sequence[Track], values: Mapping[str, np.ndarray]) -> None:
        self.tracks = list(tracks)
        self.values = dict(values)
        self._statistics: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def statistics(self, block: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation of each dimension of a block over the tracks, both (size,).

        They are computed once from the tracks as they are now; a search reads all of them anyway. Tracks whose answers
        are unreliable do not count. Without tracks, the mean is 0 and the deviation 1; missing values (NaN) are left
        out.
        """
        if block not in self._statistics:
            values = self.values[block].astype(np.float64)
            counted = ~np.array([track.unreliable for track in self.tracks], dtype=bool)
            values = values[counted] if counted.any() else values
            known = ~np.isnan(values)
            count = np.maximum(known.sum(axis=0), 1)
            mean = np.where(known, values, 0).sum(axis=0) / count
            variance = np.where(known, (values - mean) ** 2, 0).sum(axis=0) / count
            deviation = np.sqrt(variance) if known.any() else np.ones_like(mean)
            self._statistics[block] = (mean.astype(np.float32), deviation.astype(np.float32))
        return self._statistics[block]

    def scaling(self, block: str) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the statistics by which an embedding is centred and scaled; None if there are too few tracks."""
        enough = sum(not track.unreliable for track in self.tracks) >= LEAST_TRACKS
        return self.statistics(block) if enough else None

    def search(
        self, query: Mapping[str, np.ndarray], *, similarity: Similarity, k: int, among: np.ndarray | None = None
    ) -> list[Match]:
        """Return the k most similar tracks, best first.

        Args:
            query: {block: (size,)}.
            similarity: How to compare; its weights choose the blocks.
            k: Number of tracks to return; fewer if there are fewer.
            among: (tracks,) bool, the tracks to choose from; None for all.
        """
        rows = np.arange(len(self.tracks)) if among is None else np.flatnonzero(among)
        if not len(rows):
            return []
        total, by_block = similarity.compare(
            query,
            {name: self.values[name][rows] for name in similarity.weights},
            {name: found for name in similarity.scaled if (found := self.scaling(name)) is not None},
        )
        best = np.argsort(-total, kind="stable")[:k]
        return [
            Match(
                row=int(rows[i]),
                similarity=float(total[i]),
                by_block={name: float(of[i]) for name, of in by_block.items() if not np.isnan(of[i])},
            )
            for i in best
        ]


def library_columns(search: ExactSearch, heads: Mapping[str, Head]) -> Columns:
    """Return the facts of the tracks, in their order.

    Args:
        search: The tracks.
        heads: The heads of the library, {name: head}.
    """
    tracks, count = search.tracks, len(search.tracks)
    bpm, keys = tempi(search.values, list(heads.values())), keys_of(search.values, list(heads.values()))
    names, numbers = genres(search.values, list(heads.values()))
    unknown = np.full((count, 1), np.nan, np.float32)
    similarity = Similarity(list(heads.values()), blocks=["embedding"], weights={"embedding": 1.0})
    return Columns(
        bpm=np.full(count, np.nan) if bpm is None else bpm,
        key=np.full(count, -1) if keys is None else keys,
        energy=search.values.get("energy", unknown)[:, 0],
        loudness=search.values.get("loudness", unknown)[:, 0],
        year=np.array([-1 if track.year is None else track.year for track in tracks]),
        duration_s=np.array([track.duration_s for track in tracks]),
        artist=np.array([track.artist or "" for track in tracks], dtype=object),
        album=np.array([track.album or "" for track in tracks], dtype=object),
        genre=np.array([*names, ""], dtype=object)[numbers],
        vectors=similarity.vectors("embedding", search.values["embedding"], search.scaling("embedding")),
    )
