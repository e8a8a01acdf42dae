"""Measure what the last steps of a query do to a library: hubs, diversity, several queries and paths.

    python experiments/real_library/reranking.py LIBRARY.sqlite --csv reranking.csv

The label of a track is its artist, which `manifest.py` sets to the soundtrack; no ranking uses it. Measured are, with
the default weights and with those that --weights names,

- hubs: the share of the five nearest tracks that are of the query's soundtrack, and the skewness of how often each
  track is among the five, for several strengths of the correction,
- diversity: that share, and the mean distance (1 - similarity) within the five, for several λ,
- two queries: with two from two soundtracks, the share of the ten nearest that are of either, and how often both are
  there; with three from one soundtrack, the share of the five nearest that are of it,
- unlike: with a query, and a track of another soundtrack among its nearest that is not wanted, the shares of the ten
  nearest that are of the one and of the other soundtrack,
- playlist: after three tracks of one soundtrack and three of another, the share of the five nearest that are of the
  latter, and after six of one soundtrack, the share that are of it, for several half-lives,
- path: the largest step, and the deviation of the steps divided by their mean, on paths between two tracks.

Differences are those from the first setting of each part, query by query.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation.comparison import candidates
from musicrec.recommend.evaluation.estimates import mean
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.variety import hub_skewness
from musicrec.recommend.reranking.diversity import diverse_order, mean_distance
from musicrec.recommend.reranking.hubs import Spread, spread, without_hubs
from musicrec.recommend.reranking.path import path_between, way_points
from musicrec.recommend.reranking.several import Queries, combined_similarity, recency_weights
from musicrec.recommend.reranking.weighting import compared_vectors
from musicrec.recommend.similarity import default_weights
from musicrec.recommend.space import Space
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.system.atomic_write import write_text
from musicrec.system.csv_table import write_records

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
BALANCES = (1.0, 0.9, 0.8, 0.7, 0.5)
SHARPNESSES: tuple[float | None, ...] = (None, 0.0, 0.5, 1.0, 2.0, 4.0, 100.0)
AVOIDANCES = (0.0, 1.0, 2.0, 4.0, 8.0)
HALF_LIVES = (1.0, 2.0, 3.0, 5.0, 1e9)
DRAWS, PATHS, ON_PATH = 4, 100, (6, 12, 20)
LEAST_PLAYLIST = 8  # tracks of a soundtrack from which six are drawn

Measured = Iterator[tuple[str, str, str, np.ndarray]]
"""What was measured, the setting, the measure, and its values, one per query."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """The tracks of a library under one weighting: labels, vectors, and the similarity of each to each."""

    labels: np.ndarray
    vectors: np.ndarray
    similarity: np.ndarray
    spread: Spread

    def of(self, rows: np.ndarray) -> Spread:
        return Spread(mean=self.spread.mean[rows], deviation=self.spread.deviation[rows])

    def queries(self, rows: np.ndarray, weights: np.ndarray | None = None) -> Queries:
        return Queries(similarity=self.similarity[:, rows], spread=self.of(rows), weights=weights)

    def nearest(self, scores: np.ndarray, without: np.ndarray, k: int) -> np.ndarray:
        scores = scores.copy()
        scores[without] = -np.inf
        return np.argsort(-scores, kind="stable")[:k]

    def draw(self, label: str, count: int, generator: np.random.Generator) -> np.ndarray:
        return generator.choice(np.flatnonzero(self.labels == label), count, replace=False)


def compare(space: Space, labels: np.ndarray, values: dict[str, np.ndarray], weights: dict[str, float]) -> Compared:
    """Return the tracks under a weighting. Of all of them, every block that counts is known."""
    vectors, known = space.vectors(values)
    of_blocks = space.weight_of_blocks(weights, np.ones(known.shape[1], dtype=bool))
    if not known[:, of_blocks > 0].all():
        raise SystemExit("some tracks lack a block that counts; index the library again")
    per_dimension = np.repeat(of_blocks, [part.stop - part.start for part in space.blocks.values()])
    known_weight = known @ of_blocks
    floats = vectors.astype(np.float32)
    return Compared(
        labels=labels,
        vectors=compared_vectors(floats, per_dimension, known_weight),
        similarity=((floats * per_dimension) @ floats.T / of_blocks.sum()).astype(np.float64),
        spread=spread(floats, per_dimension, known_weight, mean=space.mean, second=space.second),
    )


def hubs(tracks: Compared) -> Measured:
    for strength in STRENGTHS:
        rows = np.arange(len(tracks.labels))
        found = np.stack([
            tracks.nearest(
                without_hubs(tracks.similarity[i], query=tracks.of(rows[[i]]), candidates=tracks.spread,
                             strength=strength), rows[[i]], 5)
            for i in rows
        ])  # fmt: skip
        yield (
            "hubs",
            f"strength {strength:g}",
            "same soundtrack",
            (tracks.labels[found] == tracks.labels[:, None]).mean(1),
        )
        counts = np.bincount(found.ravel(), minlength=len(rows))
        yield "hubs", f"strength {strength:g}", "skewness", hub_skewness(counts[None])


def diversity(tracks: Compared) -> Measured:
    for balance in BALANCES:
        same, distances = [], []
        for i in range(len(tracks.labels)):
            others = np.delete(np.arange(len(tracks.labels)), i)
            order = diverse_order(tracks.similarity[i, others], tracks.vectors[others], balance=balance, k=5)
            found = others[order]
            same.append((tracks.labels[found] == tracks.labels[i]).mean())
            distances.append(mean_distance(tracks.vectors[found]))
        yield "diversity", f"λ {balance:g}", "same soundtrack", np.array(same)
        yield "diversity", f"λ {balance:g}", "mean distance", np.array(distances)


def several(tracks: Compared) -> Measured:
    generator, names = np.random.default_rng(0), np.unique(tracks.labels)
    pairs = [(np.concatenate([tracks.draw(one, 1, generator), tracks.draw(other, 1, generator)]), one, other)
             for one, other in itertools.combinations(names, 2) for _ in range(DRAWS)]  # fmt: skip
    threes = [(tracks.draw(name, 3, generator), name) for name in names for _ in range(10 * DRAWS)]
    for sharpness in SHARPNESSES:
        named = {None: "mean of the vectors", 0.0: "mean", 100.0: "maximum"}
        setting = named.get(sharpness, f"soft maximum, {sharpness}")
        either, both, alike = [], [], []
        for rows, one, other in pairs:
            scores = to_all(tracks, rows, sharpness)
            found = tracks.labels[tracks.nearest(scores, rows, 10)]
            either.append(np.isin(found, [one, other]).mean())
            both.append((found == one).any() and (found == other).any())
        for rows, name in threes:
            scores = to_all(tracks, rows, sharpness)
            alike.append((tracks.labels[tracks.nearest(scores, rows, 5)] == name).mean())
        yield "two queries", setting, "of either", np.array(either)
        yield "two queries", setting, "both there", np.array(both, dtype=float)
        yield "two queries", setting, "three of one", np.array(alike)


def to_all(tracks: Compared, rows: np.ndarray, sharpness: float | None) -> np.ndarray:
    """Return the similarity to some queries; None stands for that to the mean of their vectors."""
    if sharpness is None:
        return tracks.similarity[:, rows].mean(axis=1)
    return combined_similarity(tracks.queries(rows), sharpness=sharpness)


def unlike(tracks: Compared) -> Measured:
    cases = []
    for i, label in enumerate(tracks.labels):
        near = tracks.nearest(tracks.similarity[i], np.array([i]), 10)
        cases += [(i, j) for j in near[tracks.labels[near] != label][:2]]
    for avoidance in AVOIDANCES:
        wanted, unwanted = [], []
        for i, j in cases:
            alike, not_alike = tracks.queries(np.array([i])), tracks.queries(np.array([j]))
            scores = combined_similarity(alike, not_alike, avoidance=avoidance)
            found = tracks.labels[tracks.nearest(scores, np.array([i, j]), 10)]
            wanted.append((found == tracks.labels[i]).mean())
            unwanted.append((found == tracks.labels[j]).mean())
        yield "unlike", f"avoidance {avoidance:g}", "wanted", np.array(wanted)
        yield "unlike", f"avoidance {avoidance:g}", "unwanted", np.array(unwanted)


def playlists(tracks: Compared) -> Measured:
    generator = np.random.default_rng(0)
    names = [name for name in np.unique(tracks.labels) if (tracks.labels == name).sum() >= LEAST_PLAYLIST]
    cases = [(np.concatenate([tracks.draw(one, 3, generator), tracks.draw(other, 3, generator)]), other)
             for one, other in itertools.permutations(names, 2) for _ in range(DRAWS)]  # fmt: skip
    steady = [(tracks.draw(name, 6, generator), name) for name in names for _ in range(10 * DRAWS)]
    for half_life in HALF_LIVES:
        setting = f"half-life {half_life:g}" if half_life < 1e6 else "all count the same"
        for measure, drawn in (("drift", cases), ("steady", steady)):
            hits = []
            for rows, name in drawn:
                queries = tracks.queries(rows, recency_weights(6, half_life=half_life))
                found = tracks.nearest(combined_similarity(queries), rows, 5)
                hits.append((tracks.labels[found] == name).mean())
            yield "playlist", setting, measure, np.array(hits)


def paths(tracks: Compared) -> Measured:
    for count in ON_PATH:
        generator = np.random.default_rng(0)
        found = defaultdict(list)
        for _ in range(PATHS):
            start, end = ends = generator.choice(len(tracks.labels), 2, replace=False)
            others = np.delete(np.arange(len(tracks.labels)), ends)
            vectors = tracks.vectors[others]
            layered = path_between(vectors, tracks.vectors[start], tracks.vectors[end], between=count - 2)
            # One unused track after the other, each the nearest to a point on the line.
            line = []
            for point in way_points(tracks.vectors[start], tracks.vectors[end], count=count)[1:-1]:
                away = ((vectors - point) ** 2).sum(axis=1)
                away[line] = np.inf
                line.append(int(away.argmin()))
            for name, rows in (("points on the line", np.array(line)), ("smallest largest step", layered)):
                way = np.stack([tracks.vectors[start], *vectors[rows], tracks.vectors[end]])
                steps = 1 - (way[1:] * way[:-1]).sum(axis=1)
                found[name, "largest step"].append(steps.max())
                found[name, "unevenness"].append(steps.std() / steps.mean())
        for (name, measure), values in found.items():
            yield f"path of {count}", name, measure, np.array(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument(
        "--weights", action="append", default=[], metavar="NAME:BLOCK=W,BLOCK=W", help="may be repeated"
    )
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--page", type=Path, help="write the tables into this page, see `into_page` of neighbours.py")
    options = parser.parse_args()

    with SqliteLibrary.open(options.library) as library:
        heads, (tracks, values) = list(library.heads.values()), library.read()
    among = np.flatnonzero(candidates(ExactSearch(tracks, values)))
    labels = np.array([str(tracks[i].artist) for i in among])
    values = {name: of[among] for name, of in values.items()}
    space = Space.fit(heads, values, reliable=np.ones(len(among), dtype=bool))
    bootstrap = Bootstrap(resamples=options.resamples)
    others = [name for name in space.names if name not in {head.name for head in heads}]
    settings = {"default": default_weights(heads, others)}
    for text in options.weights:
        name, _, weights = text.partition(":")
        settings[name] = {
            block: float(weight) for block, _, weight in (one.partition("=") for one in weights.split(","))
        }

    rows: list[dict] = []
    for name, weights in settings.items():
        compared = compare(space, labels, values, weights)
        for part in (hubs, diversity, several, unlike, playlists, paths):
            first: dict[tuple[str, str], np.ndarray] = {}
            for what, setting, measure, measured in part(compared):
                row = {"weights": name, "part": what, "setting": setting, "measure": measure}
                base = first.setdefault((what, measure), measured)
                row |= limits("", measured, bootstrap) | limits("difference", measured - base, bootstrap)
                rows.append(row)
    shown = [row for row in rows if row["weights"] == "default" or row["part"] in ("hubs", "diversity")]
    tables = "\n".join(
        f"{part.capitalize()}\n\n{as_table([row for row in shown if row['part'] == part])}\n"
        for part in dict.fromkeys(row["part"] for row in rows)
    )
    print(tables)
    if options.page:
        into_page(options.page, options.csv.name if options.csv else "reranking.csv", tables)
    if options.csv:
        write_records(options.csv, rows)


def limits(name: str, values: np.ndarray, bootstrap: Bootstrap) -> dict[str, float | str]:
    """Return a mean with its interval, which is left out where there is nothing to draw."""
    of = mean(values, bootstrap)
    rounded = {"value": round(of.value, 3), "low": "", "high": ""}
    if len(values) > 1 and np.isfinite(of.low):
        rounded |= {"low": round(of.low, 3), "high": round(of.high, 3)}
    return {"_".join(filter(None, (name, part))): value for part, value in rounded.items()}


def as_table(rows: list[dict]) -> str:
    """Return the results of one part as Markdown, one line per setting."""
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    lines = [["weights", "setting", *measures], ["---"] * (len(measures) + 2)]
    for (weights, setting), group in itertools.groupby(rows, key=lambda row: (row["weights"], row["setting"])):
        found = {row["measure"]: row for row in group}
        lines.append([weights, setting, *(cell(found[name]) for name in measures)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def cell(row: dict) -> str:
    text = f"{row['value']:.3f}"
    if row["difference_low"] == "" or row["difference_low"] == row["difference_high"] == 0:
        return text
    return f"{text}, {row['difference_value']:+.3f} [{row['difference_low']:+.3f}, {row['difference_high']:+.3f}]"


def into_page(page: Path, name: str, tables: str) -> None:
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{page}: has no lines {begin.strip()} and {end}; add them where the tables are to stand")
    write_text(page, f"{before}{begin}{tables}\n{end}{rest.partition(end)[2]}")


if __name__ == "__main__":
    main()
