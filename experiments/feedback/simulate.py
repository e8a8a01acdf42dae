"""Measure what feedback does to a ranking, with listeners whose taste is planted.

    python experiments/feedback/simulate.py --out experiments/feedback
    python experiments/feedback/simulate.py --out experiments/feedback --choose

Everything is synthetic, and settings.json beside this file has its sizes. The vectors of tracks are points around
planted clusters, with noise, on top of what all tracks have in common. A listener likes most tracks of a few clusters
and hardly any other. Three questions:

- likes: A listener likes some tracks and then asks with another track that they like. How many of the first ten would
  they like, without feedback, with the likes, and with as many dislikes besides?
- crowd: Listeners also have a taste that is not in the vectors: in their clusters, they prefer one of two scenes. How
  many of the first ten would they like, by their own likes (content), by those of others (ALS), and by both, depending
  on the number of listeners?
- pairs: What works after a track is decided by some dimensions of the vectors, which differ between listeners. How many
  of the first ten work, depending on the number of remembered pairs? There are half as many skips as pairs.

The intervals are bootstrap intervals over listeners. --choose compares settings on listeners and worlds with another
seed, and writes choosing.csv; the other tables are measured with the defaults of the package.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.figures.style import COLOURS, GREY, save
from musicrec.recommend.profiles.collaborative import CollaborativeSettings, Listeners
from musicrec.recommend.profiles.evidence import Evidence
from musicrec.recommend.profiles.taste import learn_taste
from musicrec.recommend.profiles.taste_ranking import rerank
from musicrec.recommend.profiles.taste_settings import TasteSettings
from musicrec.system.csv_table import write_records

NO_PAIRS = np.empty((0, 2), dtype=np.int64)


@dataclass(frozen=True)
class World:
    """A library: vectors (tracks, size), the cluster and the scene of each track."""

    vectors: np.ndarray
    cluster: np.ndarray
    scene: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def make_world(settings: dict, rng: np.random.Generator) -> World:
    tracks, size = settings["tracks"], settings["size"]
    centres = unit(rng.normal(size=(settings["clusters"], size)))
    cluster = rng.integers(settings["clusters"], size=tracks)
    noise = rng.normal(size=(tracks, size)) / np.sqrt(size)
    vectors = settings["shared"] * unit(rng.normal(size=size)) + centres[cluster] + settings["noise"] * noise
    return World(unit(vectors).astype(np.float32), cluster, rng.integers(2, size=tracks))


def draw_taste(world: World, settings: dict, rng: np.random.Generator, *, hidden: float) -> np.ndarray:
    """Return which tracks a new listener likes, (tracks,) bool."""
    clusters = rng.choice(settings["clusters"], settings["liked_clusters"], replace=False)
    inside = np.isin(world.cluster, clusters)
    preferred = world.scene == rng.integers(2)
    chance = np.where(preferred, 1.0, 1 - hidden) * settings["likes_inside"]
    return rng.random(len(inside)) < np.where(inside, chance, settings["likes_outside"])


def known(
    rows: np.ndarray, weights: np.ndarray, *, pairs: np.ndarray = NO_PAIRS, skips: np.ndarray = NO_PAIRS
) -> Evidence:
    banned = np.sort(rows[weights <= -1])
    return Evidence(rows=rows, weights=weights.astype(float), banned=banned, pairs=pairs, skips=skips)


def hits(scores: np.ndarray, wanted: np.ndarray, k: int) -> float:
    return float(wanted[np.argsort(-scores, kind="stable")[:k]].mean())


def arrays(found: dict[tuple[str, int], list[float]]) -> dict[tuple[str, int], np.ndarray]:
    return {name: np.array(rates) for name, rates in found.items()}


# Likes.


def likes(
    settings: dict, seed: int, taste: TasteSettings
) -> tuple[dict[tuple[str, int], np.ndarray], dict[tuple[str, int], np.ndarray]]:
    """Return the hit rate of every listener, {(feedback, number of likes): (listeners,)}, and of the query's cluster.

    The second says how far the answer still follows the query: the share of the first ten that are of its cluster.
    """
    found: dict[tuple[str, int], list[float]] = {}
    followed: dict[tuple[str, int], list[float]] = {}
    world = make_world(settings, np.random.default_rng(seed))
    for listener in range(settings["listeners"]):
        rng = np.random.default_rng([seed, 1, listener])
        liked = draw_taste(world, settings, rng, hidden=0)
        yes, no = rng.permutation(np.flatnonzero(liked)), rng.permutation(np.flatnonzero(~liked))
        queries, yes = yes[: settings["queries"]], yes[settings["queries"] :]
        most = max(settings["likes"])
        eligible = np.ones(len(liked), dtype=bool)
        eligible[np.concatenate([yes[:most], no[:most]])] = False  # what anybody has an opinion on; the same for all
        for count in settings["likes"]:
            one = known(yes[:count], np.ones(count))
            both = known(np.concatenate([yes[:count], no[:count]]), np.repeat([1.0, -1.0], count))
            for name, evidence in (("likes", one), ("likes and dislikes", both)):
                rates, near, learnt = [], [], learn_taste(world.vectors, evidence, taste)
                for query in queries:
                    candidates = eligible.copy()
                    candidates[query] = False
                    answer = rerank(
                        world.vectors @ world.vectors[query],
                        world.vectors,
                        evidence,
                        eligible=candidates,
                        taste=learnt,
                        settings=taste,
                    )
                    rates.append(hits(answer.scores, liked, settings["k"]))
                    near.append(hits(answer.scores, world.cluster == world.cluster[query], settings["k"]))
                found.setdefault((name, count), []).append(float(np.mean(rates)))
                followed.setdefault((name, count), []).append(float(np.mean(near)))
    return arrays(found), arrays(followed)


# Crowds.


def crowd(
    settings: dict, seed: int, others: CollaborativeSettings, shares: tuple[float, ...], crowds: list[int]
) -> dict[tuple[str, int], np.ndarray]:
    """Return the hit rate of every listener who is asked, {(way to rank, number of listeners): (asked,)}."""
    found: dict[tuple[str, int], list[float]] = {}
    taste = TasteSettings()
    for number in range(settings["worlds"]):
        rng = np.random.default_rng([seed, 2, number])
        world = make_world(settings, rng)
        tastes = [draw_taste(world, settings, rng, hidden=settings["hidden"]) for _ in range(max(crowds))]
        likes = [rng.permutation(np.flatnonzero(liked))[: settings["crowd_likes"]] for liked in tastes]
        for size in crowds:
            evidence = {str(user): known(likes[user], np.ones(len(likes[user]))) for user in range(size)}
            model = Listeners(evidence, tracks=len(world.vectors), settings=others)
            for user in range(min(size, settings["crowd_asked"])):
                eligible = np.ones(len(world.vectors), dtype=bool)
                eligible[likes[user]] = False
                by_others, learnt = model.scores(str(user)), learn_taste(world.vectors, evidence[str(user)], taste)
                for share in shares:
                    answer = rerank(
                        np.zeros(len(world.vectors)),
                        world.vectors,
                        evidence[str(user)],
                        eligible=eligible,
                        taste=learnt,
                        others=by_others,
                        others_share=share,
                        settings=taste,
                    )
                    name = {0.0: "content", 1.0: "ALS"}.get(share, f"both, share {share:g}")
                    rate = hits(answer.scores, tastes[user], settings["k"])
                    found.setdefault((name, size), []).append(rate)
    return arrays(found)


# Pairs.


def pairs(settings: dict, seed: int, taste: TasteSettings) -> dict[tuple[str, int], np.ndarray]:
    """Return the hit rate of every listener, {("pairs", number of pairs): (listeners,)}."""
    found: dict[tuple[str, int], list[float]] = {}
    world = make_world(settings, np.random.default_rng([seed, 3]))
    for listener in range(settings["listeners"]):
        rng = np.random.default_rng([seed, 4, listener])
        chosen = rng.choice(settings["size"], settings["paired_dimensions"], replace=False)
        part = unit(world.vectors[:, chosen])

        def works(track: int, part: np.ndarray = part) -> np.ndarray:
            close = part @ part[track]
            close[track] = -np.inf
            return close >= np.quantile(close, 1 - settings["paired_share"])

        told, refused = [], []
        for first in rng.choice(len(part), max(settings["pairs"]), replace=False):
            fits = works(first)
            near = np.argsort(-(world.vectors @ world.vectors[first]), kind="stable")[1:50]
            told.append((first, rng.choice(np.flatnonzero(fits))))
            refused.append((first, rng.choice(near[~fits[near]])))  # it was recommended, and skipped
        queries = rng.choice(len(part), settings["queries"], replace=False)
        for count in settings["pairs"]:
            evidence = known(
                np.empty(0, dtype=np.int64),
                np.empty(0),
                pairs=np.array(told[:count], dtype=np.int64).reshape(-1, 2),
                skips=np.array(refused[: count // 2], dtype=np.int64).reshape(-1, 2),
            )
            rates = []
            for query in queries:
                eligible = np.arange(len(part)) != query
                similarity = world.vectors @ world.vectors[query]
                vector = world.vectors[
                    query
                ]  # not its row: pairs that were remembered for it would be hits by themselves
                answer = rerank(similarity, world.vectors, evidence, query=vector, eligible=eligible, settings=taste)
                rates.append(hits(answer.scores, works(query), settings["k"]))
            found.setdefault(("pairs", count), []).append(float(np.mean(rates)))
    return arrays(found)


# Tables and pictures.


def summary(values: np.ndarray, bootstrap: Bootstrap) -> tuple[float, float, float]:
    """Return the mean, and the limits of its interval over listeners."""
    of_tracks = torch.from_numpy(values)
    blocks = bootstrap.weights(np.arange(len(values)), rows_at_once=200)
    means = torch.cat([block @ of_tracks / block.sum(dim=1) for block in blocks])
    low, high = bootstrap.interval(means, float(values.mean())).tolist()
    return float(values.mean()), low, high


def table(
    question: str, found: dict[tuple[str, int], np.ndarray], reference: str | int, bootstrap: Bootstrap
) -> Iterator[dict]:
    """Yield rows with the hit rate, and the difference to the same listeners without feedback or by content alone."""
    for (name, count), rates in found.items():
        base = found[(name, reference) if isinstance(reference, int) else (reference, count)]
        row: dict = {"question": question, "ranking": name, "count": count, "listeners": len(rates)}
        for column, values in (("hit_rate", rates), ("gain", rates - base)):
            row |= dict(zip((column, f"{column}_low", f"{column}_high"), summary(values, bootstrap), strict=True))
        yield row


def choose(settings: dict) -> Iterator[dict]:
    """Compare settings on the validation seed."""
    seed, default, others = settings["validation_seed"], TasteSettings(), CollaborativeSettings()

    def rows(name: str, value: float, found: dict, followed: dict | None = None) -> Iterator[dict]:
        for key, rates in found.items():
            row = {"setting": name, "value": value, "ranking": key[0], "count": key[1], "hit_rate": rates.mean()}
            yield row if followed is None else {**row, "of_the_querys_cluster": followed[key].mean()}

    few = {**settings, "listeners": 60, "queries": 2, "likes": [1, 10, 30], "pairs": [5, 20, 100]}
    for name, values in {
        "focus": (1.0, 1.5, 2.0, 3.0),
        "strength": (0.25, 0.5, 1.0, 2.0),
        "evidence_half": (1.0, 3.0, 6.0, 10.0),
        "dislike_share": (0.0, 0.5, 1.0),
    }.items():
        for value in values:
            yield from rows(name, value, *likes(few, seed, replace(default, **{name: value})))
    for name, values in {"ridge": (0.01, 0.1, 1.0, 10.0), "pairs_half": (1.0, 3.0, 10.0, 30.0)}.items():
        for value in values:
            yield from rows(name, value, pairs(few, seed, replace(default, **{name: value})))
    few = {**settings, "worlds": 1, "crowd_asked": 60}
    for name, values in {
        "factors": (8, 32, 128),
        "regularization": (0.1, 1.0, 10.0),
        "confidence": (1.0, 10.0, 40.0),
    }.items():
        for value in values:
            found = crowd(few, seed, replace(others, **{name: value}), (0.0, 0.25, 0.5, 0.75, 1.0), [300])
            yield from rows(name, value, found)


def rounded(rows: list[dict]) -> list[dict]:
    return [{name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()} for row in rows]


def draw(rows: list[dict], path: Path) -> None:
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    titles = {"likes": "likes", "crowd": "listeners with 20 likes each", "pairs": "remembered pairs"}
    for (question, label), axes in zip(titles.items(), figure.subplots(1, 3), strict=True):
        names = dict.fromkeys(row["ranking"] for row in rows if row["question"] == question)
        for name, colour in zip(names, [*COLOURS, GREY], strict=False):
            of_name = [row for row in rows if row["question"] == question and row["ranking"] == name]
            x = [row["count"] for row in of_name]
            axes.plot(x, [row["hit_rate"] for row in of_name], marker="o", markersize=3, color=colour, label=name)
            axes.fill_between(
                x,
                [row["hit_rate_low"] for row in of_name],
                [row["hit_rate_high"] for row in of_name],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        axes.set_xscale("log" if question == "crowd" else "symlog", **({} if question == "crowd" else {"linthresh": 1}))
        axes.set(xlabel=label, ylabel="hit rate among the first ten", ylim=(0, 1))
        axes.legend(fontsize=8, frameon=False)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the tables and the figure")
    parser.add_argument("--settings", type=Path, default=Path(__file__).parent / "settings.json")
    parser.add_argument("--choose", action="store_true", help="compare settings on the validation seed instead")
    arguments = parser.parse_args()
    settings = json.loads(arguments.settings.read_text())
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.choose:
        write_records(arguments.out / "choosing.csv", rounded(list(choose(settings))))
        return
    bootstrap = Bootstrap(resamples=settings["resamples"], units=["track"])
    seed, others = settings["test_seed"], CollaborativeSettings()
    found, followed = likes(settings, seed, TasteSettings())
    rows = [
        *table("likes", found, 0, bootstrap),
        *table("of the query's cluster", followed, 0, bootstrap),
        *table(
            "crowd", crowd(settings, seed, others, (0.0, others.share, 1.0), settings["crowds"]), "content", bootstrap
        ),
        *table("pairs", pairs(settings, seed, TasteSettings()), 0, bootstrap),
    ]
    write_records(arguments.out / "simulation.csv", rounded(rows))
    draw(rows, arguments.out / "simulation.png")


if __name__ == "__main__":
    main()
