"""The space in which the tracks of a library are compared: one short vector per track, whatever the weights.

A vector has a part for each block: each head, the embedding, the variation and each descriptor. The parts have about
unit length, so the product of two parts is the similarity in this block, and the product of a track's vector with a
query's vector whose parts are weighted is the weighted sum over all blocks. Weights go on the query alone; they never
need other vectors.

`Space.fit` learns from a library what is needed to make vectors. Each dimension of an embedding is centred and scaled
by its mean and deviation over the library. A block of many dimensions is then projected on the few in which the tracks
of the library differ most. Of all projections to so few dimensions, this one changes the products least (Eckart & Young
1936, "The approximation of one matrix by another of lower rank").
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from musicrec.descriptors import DESCRIPTORS
from musicrec.errors import LibraryError
from musicrec.export.passages import Passages
from musicrec.heads import Head
from musicrec.recommend.filters import tag_values
from musicrec.recommend.passage_statistics import PassageStatistics
from musicrec.recommend.similarity import Similarity, Statistics

FORMAT = 2
"""Changes when vectors or summaries of older versions cannot be compared with new ones."""
LEAST_TRACKS = 20  # in fewer tracks, the mean and the deviation say more about these tracks than about music
MOST_FITTED = 50_000  # tracks that stand for a library
_MOST_DIMENSIONS = {"embedding": 96, "variation": 64}
_MOST_OF_HEADS = 32


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """What turns the values of a block into its part of a vector.

    Attributes:
        name: A head, "embedding", "variation" or a descriptor.
        raw_size: Number of values.
        size: Number of dimensions of its part.
        mean: (raw_size,) float32, what is subtracted; None for nothing.
        deviation: (raw_size,) float32, what is divided by then; None for nothing.
        projection: (dimensions of the unit vector, size) float32; None leaves the unit vector as it is.
    """

    name: str
    raw_size: int
    size: int
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    projection: np.ndarray | None = None

    @property
    def statistics(self) -> Statistics | None:
        """Mean and deviation; None if the values are not scaled."""
        return None if self.mean is None or self.deviation is None else (self.mean, self.deviation)


class Space:
    """Makes vectors of tracks and of queries.

    Args:
        heads: The heads of the library.
        blocks: The blocks, in the order of their parts.
        mean: (size,) float32, mean of the vectors of the library; zeros if it has less than `LEAST_TRACKS` tracks.
        second: (size, size) float32, mean outer product of the vectors of the library; zeros as well.
        usual: {head: (classes,) float32}, the mean probabilities of the library's tags; see `filters.tag_values`.
        fitted_on: Number of tracks that it was fitted on.
        passages: How the passages of the library are distributed; None if it has none.
    """

    def __init__(
        self,
        heads: Sequence[Head],
        blocks: Sequence[Block],
        *,
        mean: np.ndarray,
        second: np.ndarray,
        usual: Mapping[str, np.ndarray],
        fitted_on: int,
        passages: PassageStatistics | None = None,
    ) -> None:
        self.heads, self._blocks, self.fitted_on = list(heads), list(blocks), fitted_on
        self.passages = passages
        self.mean, self.second, self.usual = mean, second, dict(usual)
        edges = np.cumsum([0, *(block.size for block in blocks)]).tolist()
        self.blocks = {block.name: slice(edges[i], edges[i + 1]) for i, block in enumerate(blocks)}
        self.size: int = edges[-1]

    @cached_property
    def _units(self) -> Similarity:
        return _unit_vectors(self.heads, [block.name for block in self._blocks])

    @property
    def statistics(self) -> dict[str, Statistics]:
        """{block: (mean, deviation)} of the blocks that are centred and scaled."""
        return {block.name: block.statistics for block in self._blocks if block.statistics is not None}

    @property
    def names(self) -> list[str]:
        """The names of the blocks, in order."""
        return list(self.blocks)

    @classmethod
    def empty(cls, heads: Sequence[Head]) -> "Space":
        """Return a space without blocks, for a library without tracks."""
        none = {head.name: np.zeros((1, len(head.classes)), np.float32) for head in heads}
        usual = {name: of_head[0] for name, of_head in tag_values(heads, none)[1].items()}
        return cls(
            heads, [], mean=np.zeros(0, np.float32), second=np.zeros((0, 0), np.float32), usual=usual, fitted_on=0
        )

    @classmethod
    def fit(
        cls,
        heads: Sequence[Head],
        values: Mapping[str, np.ndarray],
        *,
        reliable: np.ndarray,
        passages: Sequence[Passages] = (),
    ) -> "Space":
        """Learn from the tracks of a library.

        Args:
            heads: The heads of the library.
            values: {block: (tracks, size)}, NaN where a track has no value. The embeddings of single models are passed
                over: they are parts of "embedding".
            reliable: (tracks,) bool, the tracks to learn from; if there is none, all.
            passages: The passages of some tracks; see `Library.passages`.
        """
        names = [name for name in values if not name.startswith(("embedding.", "variation."))]
        chosen = reliable if reliable.any() else np.ones_like(reliable)
        enough = int(chosen.sum()) >= LEAST_TRACKS
        units = _unit_vectors(heads, names)
        blocks = []
        for name in names:
            known = values[name][chosen]
            known = known[~np.isnan(known).any(axis=1)].astype(np.float32)
            blocks.append(_fit_block(name, known, values[name].shape[1], units=units, enough=enough))
        size = sum(block.size for block in blocks)
        space = cls(
            heads,
            blocks,
            mean=np.zeros(size, np.float32),
            second=np.zeros((size, size), np.float32),
            usual={},
            fitted_on=len(reliable),
            passages=PassageStatistics.fit(passages, least=LEAST_TRACKS),
        )
        vectors, _ = space.vectors({name: values[name][chosen] for name in names}, dtype=np.float32)
        if enough:  # fewer tracks do not say what tracks are near to everything
            space.mean, space.second = vectors.mean(axis=0), vectors.T @ vectors / len(vectors)
        space.usual = {
            name: of_head.mean(axis=0, dtype=np.float64).astype(np.float32)
            for name, of_head in tag_values(heads, values)[1].items()
        }
        return space

    def vectors(
        self, values: Mapping[str, np.ndarray], *, dtype: type[np.floating] = np.float16
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of tracks.

        Args:
            values: {block: (tracks, size)}, NaN where a track has no value. A block that is not there is unknown.
            dtype: Type of the vectors.

        Returns:
            (tracks, size), zeros in the parts that are unknown, and (tracks, blocks) bool, which blocks are known.
        """
        count = len(next(iter(values.values()))) if values else 0
        vectors = np.zeros((count, self.size), dtype)
        known = np.zeros((count, len(self._blocks)), dtype=bool)
        for number, block in enumerate(self._blocks):
            if block.name not in values or values[block.name].shape[1] != block.raw_size:
                continue
            of_block = values[block.name]
            known[:, number] = ~np.isnan(of_block).any(axis=1)
            unit = self._units.vectors(block.name, of_block, block.statistics)
            unit[~known[:, number]] = 0
            vectors[:, self.blocks[block.name]] = unit if block.projection is None else unit @ block.projection
        return vectors, known

    def weighted(self, vector: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
        """Return a query's vector, (size,) float32, with each part times its weight; 0 for blocks without one."""
        found = np.zeros(self.size, np.float32)
        for name, weight in weights.items():
            if name in self.blocks:
                found[self.blocks[name]] = weight * vector[self.blocks[name]].astype(np.float32)
        return found

    def weight_of_blocks(self, weights: Mapping[str, float], known: np.ndarray) -> np.ndarray:
        """Return (blocks,) float32: the weight of each block that the query has, 0 for the others.

        Args:
            weights: {block: weight}.
            known: (blocks,) bool, the blocks that the query has.
        """
        return np.array([weights.get(name, 0.0) for name in self.blocks], np.float32) * known

    def similarities(self, query: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """Return the similarity of tracks to a query in each block, (tracks, blocks) float32.

        Args:
            query: (size,), without weights.
            vectors: (tracks, size).
        """
        products = vectors.astype(np.float32) * query.astype(np.float32)
        found = np.zeros((len(vectors), len(self.blocks)), np.float32)
        for number, part in enumerate(self.blocks.values()):  # the embedding of a network may have no dimension
            found[:, number] = products[:, part].sum(axis=1)
        return np.clip(found, -1, 1)

    def to_bytes(self) -> tuple[str, bytes]:
        """Return the space as JSON and as arrays in the format of safetensors, for a library to keep."""
        from safetensors.numpy import save

        arrays = {"mean": self.mean, "second": self.second} if self.second.any() else {}
        if self.passages is not None:
            arrays |= {"passages/mean": self.passages.mean, "passages/whitening": self.passages.whitening}
        arrays |= {f"usual/{name}": values for name, values in self.usual.items()}
        for block in self._blocks:
            parts = {"mean": block.mean, "deviation": block.deviation, "projection": block.projection}
            arrays |= {f"block/{block.name}/{part}": array for part, array in parts.items() if array is not None}
        described = {
            "format": FORMAT,
            "fitted_on": self.fitted_on,
            "share_of_ends": 0.0 if self.passages is None else self.passages.share_of_ends,
            "blocks": [{"name": one.name, "raw_size": one.raw_size, "size": one.size} for one in self._blocks],
        }
        return json.dumps(described), save({name: np.ascontiguousarray(array) for name, array in arrays.items()})

    @classmethod
    def from_bytes(cls, described: str, arrays: bytes, heads: Sequence[Head]) -> "Space | None":
        """Read what `to_bytes` returned; None if it is of another version of musicrec.

        Raises:
            LibraryError: It is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            read: dict[str, Any] = json.loads(described)
            if read["format"] != FORMAT:
                return None
            found = load(arrays)
            blocks = [
                Block(
                    name=one["name"],
                    raw_size=one["raw_size"],
                    size=one["size"],
                    mean=found.get(f"block/{one['name']}/mean"),
                    deviation=found.get(f"block/{one['name']}/deviation"),
                    projection=found.get(f"block/{one['name']}/projection"),
                )
                for one in read["blocks"]
            ]
            usual = {name.removeprefix("usual/"): array for name, array in found.items() if name.startswith("usual/")}
            passages, size = None, sum(block.size for block in blocks)
            if "passages/whitening" in found:
                passages = PassageStatistics(
                    mean=found["passages/mean"],
                    whitening=found["passages/whitening"],
                    share_of_ends=float(read.get("share_of_ends", 0.0)),
                )
            elif "passages/mean" in found:  # of a version before 0.4
                passages = PassageStatistics.from_ends(found["passages/mean"], found["passages/deviation"])
            return cls(
                heads,
                blocks,
                mean=found.get("mean", np.zeros(size, np.float32)),
                second=found.get("second", np.zeros((size, size), np.float32)),
                usual=usual,
                fitted_on=read["fitted_on"],
                passages=passages,
            )
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise LibraryError(f"the space of the library is damaged ({error}); index again") from None


def _unit_vectors(heads: Sequence[Head], names: Sequence[str]) -> Similarity:
    """Return what makes the unit vectors of all blocks."""
    by_name = {head.name for head in heads}
    others = [name for name in names if name not in by_name]
    return Similarity(heads, blocks=others, weights=dict.fromkeys(names, 1.0))


def _fit_block(name: str, known: np.ndarray, raw_size: int, *, units: Similarity, enough: bool) -> Block:
    """Learn a block from the tracks that have it, (tracks, raw_size)."""
    mean = deviation = projection = None
    embedded = name in _MOST_DIMENSIONS
    if embedded and enough and len(known) >= LEAST_TRACKS:
        mean = known.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = known.std(axis=0, dtype=np.float64).astype(np.float32)
    statistics = None if mean is None or deviation is None else (mean, deviation)
    unit = units.vectors(name, known[:1] if not enough else known, statistics)
    size = unit.shape[1] if len(known) else _size_without_tracks(name, raw_size, units)
    most = _MOST_DIMENSIONS.get(name, _MOST_OF_HEADS)
    if enough and len(known) >= LEAST_TRACKS and size > most and name not in DESCRIPTORS:
        _, directions = np.linalg.eigh((unit.T @ unit).astype(np.float64))
        projection = np.ascontiguousarray(directions[:, : -most - 1 : -1]).astype(np.float32)
        size = most
    return Block(name=name, raw_size=raw_size, size=size, mean=mean, deviation=deviation, projection=projection)


def _size_without_tracks(name: str, raw_size: int, units: Similarity) -> int:
    return int(units.vectors(name, np.zeros((1, raw_size), np.float32), None).shape[1])
