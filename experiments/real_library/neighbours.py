"""Measure how often the nearest tracks of a library are of the query's soundtrack, for many ways to rank.

    python experiments/real_library/neighbours.py LIBRARY.sqlite --csv neighbours.csv --figure neighbours.png

Every track of the library is a query. The five nearest of the other tracks are looked up; copies (equal audio) are left
out. The label of a track is its artist, which `manifest.py` sets to the soundtrack; no ranking uses it. The first step
of a recommendation, the filter by tags, is left out, too. Measured are

- the share of the five that are of the query's soundtrack, with a bootstrap interval over the queries,
- the share of the five that a DJ can mix: a tempo within 6 % (half and double tempo allowed), a compatible key (same,
  neighbour on the Camelot wheel, relative), and both, by the answers of the models.

The rankings are the default, the default of earlier versions (1 for tempo, key and the like), each block alone, and
those that --weights names. Embeddings are compared as they are ("plain"), centred by the mean of the library, and
centred and scaled, which is what the recommender does. --mfcc adds 20 MFCC (mean, deviation, deviation of differences),
standardised, as a ranking that needs no model.
"""

import argparse
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from rich.progress import track as with_progress

from musicrec.audio.decode import decode
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.figures.style import COLOURS, GREY, save
from musicrec.heads import Head
from musicrec.recommend.evaluation.accuracy import chance_precision, key_compatible, label_precision, tempo_compatible
from musicrec.recommend.evaluation.accuracy import mixable as tempo_and_key
from musicrec.recommend.evaluation.comparison import candidates, stored_query
from musicrec.recommend.evaluation.estimates import MeasureEstimate, mean
from musicrec.recommend.evaluation.exact_search import ExactSearch
from musicrec.recommend.evaluation.mfcc import BLOCK as MFCC_BLOCK
from musicrec.recommend.evaluation.mfcc import SAMPLE_RATE, mfcc
from musicrec.recommend.evaluation.rankers import ranked_lists, similarity_ranker
from musicrec.recommend.library_columns import keys_of, tempi
from musicrec.recommend.similarity import Similarity, default_weights, is_embedding
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.system.atomic_write import write_text
from musicrec.system.console import error_console
from musicrec.system.csv_table import write_records

SCALINGS = {"plain": (False, False), "centred": (True, False), "": (True, True)}


class ScaledSearch(ExactSearch):
    """An exact search that centres and scales embeddings only as far as it is told."""

    centre = scale = True

    def statistics(self, block: str) -> tuple[np.ndarray, np.ndarray]:
        mean, deviation = super().statistics(block)
        return (mean if self.centre else np.zeros_like(mean)), (deviation if self.scale else np.ones_like(deviation))


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A way to rank: a name, the weights of the blocks, and how far embeddings are scaled."""

    name: str
    weights: dict[str, float]
    scaling: str = ""
    alone: bool = False


def rankings(heads: list[Head], blocks: list[str], added: list[str]) -> list[Ranking]:
    """Return the rankings to measure.

    Args:
        heads: The heads of the library.
        blocks: The embeddings and descriptors of the library.
        added: Weights from the command line, such as "tempo=1,key=1".
    """
    everything = [head.name for head in heads] + [name for name in blocks if name not in {h.name for h in heads}]
    default = {name: weight for name, weight in default_weights(heads, blocks).items() if weight}
    before = {head.name: 1.0 for head in heads if head.role == "feature"}
    found = [Ranking(name="default", weights=default), Ranking(name="default before", weights=before)]
    for text in added:
        pairs = (part.partition("=") for part in text.split(","))
        found.append(Ranking(name=text, weights={name.strip(): float(weight) for name, _, weight in pairs}))
    for name in everything:
        for scaling in SCALINGS if is_embedding(name) else [""]:
            label = f"{name}, {scaling}" if scaling else name
            found.append(Ranking(name=label, weights={name: 1.0}, scaling=scaling, alone=True))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", type=Path)
    parser.add_argument("-k", type=int, default=5)
    parser.add_argument("--weights", action="append", default=[], metavar="BLOCK=W,BLOCK=W", help="may be repeated")
    parser.add_argument("--mfcc", action="store_true")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--page", type=Path, help="write the table into this page, see `into_page`")
    options = parser.parse_args()

    with SqliteLibrary.open(options.library) as library:
        heads, (tracks, values) = list(library.heads.values()), library.read()
    if options.mfcc:
        heard = (decode(one.path, sample_rate=SAMPLE_RATE) for one in progress(tracks, "MFCC"))
        values[MFCC_BLOCK] = np.stack([mfcc(waveform) for waveform in heard])
    blocks = [name for name in values if name not in {head.name for head in heads}]
    search, bootstrap = ScaledSearch(tracks, values), Bootstrap(resamples=options.resamples)
    among, labels = candidates(search), [str(one.artist) for one in tracks]
    queries = np.flatnonzero(among)
    asked = [stored_query(search, int(row)) for row in queries]
    bpm, keys = tempi(values, heads), keys_of(values, heads)

    known = [name for name in blocks if name != MFCC_BLOCK]
    chosen = rankings(heads, known, options.weights)
    if options.mfcc:
        chosen.append(Ranking(name="MFCC", weights={MFCC_BLOCK: 1.0}, alone=True))
    hits, rows = {}, []
    for ranking in progress(chosen, "rankings"):
        search.centre, search.scale = SCALINGS[ranking.scaling]
        weights = {**dict.fromkeys(default_weights(heads, blocks), 0.0), **ranking.weights}
        ranker = similarity_ranker(search, Similarity(heads, blocks=blocks, weights=weights))
        found = ranked_lists(ranker, asked, among=among, k=options.k)
        hits[ranking.name] = label_precision(found, queries, labels)
        mixes = {} if bpm is None or keys is None else {
            "tempo": tempo_compatible(found, queries, bpm), "key": key_compatible(found, queries, keys),
            "both": tempo_and_key(found, queries, bpm, keys),
        }  # fmt: skip
        rows.append({"ranking": ranking.name, "weights": text_of(ranking.weights), "queries": len(queries),
                     **rounded("same_soundtrack", mean(hits[ranking.name], bootstrap)),
                     **{f"mixable_{name}": round(float(of.mean()), 3) for name, of in mixes.items()}})  # fmt: skip

    alone = [ranking.name for ranking in chosen if ranking.alone and ranking.name != "MFCC"]
    best = max(alone, key=lambda name: hits[name].mean())
    by_chance = float(chance_precision(queries, labels, among=among).mean())
    differences = {f"default − {other}": mean(hits["default"] - hits[other], bootstrap)
                   for other in (best, "default before")}  # fmt: skip
    table = as_table(rows, differences, by_chance=by_chance, k=options.k, best=best)
    print(table)
    if options.page:
        into_page(options.page, options.csv.name if options.csv else "neighbours.csv", table)
    if options.csv:
        more = [{"ranking": name, "queries": len(queries), **rounded("same_soundtrack", of)}
                for name, of in differences.items()]  # fmt: skip
        at_random = {"ranking": "chance", "queries": len(queries), "same_soundtrack": round(by_chance, 3)}
        write_records(options.csv, [*rows, at_random, *more])
    if options.figure:
        draw(rows, options.figure, by_chance=by_chance, k=options.k)


def progress(items: list, what: str) -> Iterable:
    return with_progress(items, description=what, console=error_console(), transient=True)


def text_of(weights: dict[str, float]) -> str:
    return " ".join(f"{name}={weight:g}" for name, weight in weights.items())


def rounded(name: str, of: MeasureEstimate) -> dict[str, float]:
    parts = asdict(of)
    return {
        name: round(parts["value"], 3),
        f"{name}_low": round(parts["low"], 3),
        f"{name}_high": round(parts["high"], 3),
    }


def as_table(rows: list[dict], differences: dict[str, MeasureEstimate], *, by_chance: float, k: int, best: str) -> str:
    """Return the results as Markdown."""
    mixes = [name for name in ("mixable_tempo", "mixable_key", "mixable_both") if name in rows[0]]
    header = ["ranking", f"same soundtrack, of {k}", "95 %", *(name.removeprefix("mixable_") for name in mixes)]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        interval = f"[{row['same_soundtrack_low']:.3f}, {row['same_soundtrack_high']:.3f}]"
        name = f"**{row['ranking']}**" if row["ranking"] == "default" else row["ranking"]
        lines.append([name, f"{row['same_soundtrack']:.3f}", interval, *(f"{row[name]:.2f}" for name in mixes)])
    lines.append(["chance", f"{by_chance:.3f}", *[""] * (len(header) - 2)])
    text = [f"| {' | '.join(cells)} |" for cells in lines]
    text += ["", f"{rows[0]['queries']} queries. The best single block is {best}. Differences, query by query:", ""]
    text += [f"- {name}: {of.value:+.3f} [{of.low:+.3f}, {of.high:+.3f}]" for name, of in differences.items()]
    return "\n".join(text)


def into_page(page: Path, name: str, table: str) -> None:
    """Replace what stands between the comments `<!-- NAME -->` and `<!-- end of NAME -->` of a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{page}: has no lines {begin.strip()} and {end}; add them where the table is to stand")
    write_text(page, f"{before}{begin}{table}\n{end}{rest.partition(end)[2]}")


def draw(rows: list[dict], path: Path, *, by_chance: float, k: int) -> None:
    """Draw the shares with their intervals, the highest first."""
    ordered = sorted(rows, key=lambda row: row["same_soundtrack"])
    figure = Figure(figsize=(7, 0.8 + 0.22 * len(ordered)))
    axes = figure.add_subplot()
    for place, row in enumerate(ordered):
        colour = COLOURS[1] if row["ranking"] == "default" else COLOURS[0]
        axes.plot(
            [row["same_soundtrack_low"], row["same_soundtrack_high"]], [place, place], color=colour, linewidth=1.5
        )
        axes.plot(row["same_soundtrack"], place, "o", color=colour, markersize=4)
    axes.axvline(by_chance, color=GREY, linestyle=":", linewidth=1)
    axes.text(by_chance, len(ordered) - 0.4, " chance", color=GREY, fontsize=8)
    axes.set_yticks(range(len(ordered)), [row["ranking"] for row in ordered], fontsize=8)
    axes.set_xlabel(f"share of the {k} nearest tracks that are of the query's soundtrack")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


if __name__ == "__main__":
    main()
