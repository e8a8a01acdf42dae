"""Write the tables of an evaluation into a page, and keep its figures in two small CSV files and a picture.

    python experiments/recommendation/tables.py evaluation.json --page README.md --name corpus

The page has the comments `<!-- corpus -->` and `<!-- end of corpus -->`. What stands between them is replaced by four
tables: the rankings, which of them the query and the presets beat, what each part adds, and the blocks. Beside the page
go corpus.csv (all scores), corpus_differences.csv (the differences of the tables) and corpus.png.
"""

import argparse
import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from musicrec.system.atomic_write import write_text

OWN = ("query", "preset mix", "preset inspire", "preset explore")
BASELINES = ("random", "same genre", "MFCC", "two steps by features", "two steps before")
BAR = ("genre_precision", "same_label", "tempo", "key", "tempo_and_key")  # what recommendations must be better in
SHOWN = (*BAR, "tag_ndcg", "energy_error", "tags_and_features", "length", "hub_skewness", "coverage", "diversity",
         "playlist_recall", "kept_mp3", "kept_pitch", "kept_tempo")  # fmt: skip
OF_PARTS = (*BAR, "tags_and_features", "playlist_recall")
DRAWN = (*BAR, "tag_ndcg")

Row = dict[str, Any]


def number(row: Row | None, *, signed: bool = False, interval: bool = False) -> str:
    if row is None or row["value"] is None:
        return "–"
    form = "+.3f" if signed else ".3f"
    value = format(row["value"], form)
    return f"{value} [{row['low']:{form}}, {row['high']:{form}}]" if interval and row["low"] is not None else value


class Evaluation:
    """What `evaluation.json` says."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.about = document["about"]
        self.titles = {one["name"]: one["title"] for one in document["measures"]}
        self.units = {one["name"]: one["unit"] for one in document["measures"]}
        self.rows: list[Row] = document["scores"]
        self.scores = {(row["ranking"], row["measure"]): row for row in document["scores"]}
        self.differences = {(row["ranking"], row["other"], row["measure"]): row for row in document["differences"]}
        self.rankings = list(dict.fromkeys(row["ranking"] for row in document["scores"]))
        self.blocks = [name for name in self.rankings if name.startswith("block ")]
        self.parts = [name for name in self.rankings if " without " in name]

    def named(self, names: Iterable[str]) -> list[str]:
        """Return the measures that there are, without those that have one value for all rankings and so say nothing."""
        values = {name: {row["value"] for row in self.rows if row["measure"] == name} for name in names}
        return [name for name in names if name in self.titles and len(values[name]) > 1]

    def table(self, first: str, measures: Sequence[str], lines: Iterable[tuple[str, Callable[[str], str]]]) -> str:
        """Return a table as Markdown.

        Args:
            first: Header of the first column.
            measures: The others.
            lines: The first cell of each line, and what gives the cell of a measure.
        """
        cells = [[first, *(self.titles[name] for name in measures)], ["---"] * (len(measures) + 1)]
        cells += [[name, *map(cell, measures)] for name, cell in lines]
        return "\n".join(f"| {' | '.join(line)} |" for line in cells)

    def rankings_table(self, names: Sequence[str], measures: Sequence[str]) -> str:
        """Return the scores of rankings; those of `BAR` with intervals."""
        lines = [
            (name, lambda measure, name=name: number(self.scores.get((name, measure)), interval=measure in BAR))
            for name in names
        ]
        chance = self.about["chance"]
        lines.append(("chance", lambda measure: f"{chance[measure]:.3f}" if measure in chance else ""))
        return self.table("ranking", measures, lines)

    def bar_table(self) -> str:
        """Return what the query and the presets are better than: the interval of the difference is above 0."""

        others = [name for name in (*BASELINES, *self.blocks) if name in self.rankings]

        def cell(name: str, measure: str) -> str:
            found: dict[str, list[str]] = {"better": [], "level": [], "worse": []}
            for other in others:
                row = self.differences.get((name, other, measure))
                if row is None:
                    continue
                sign = 0 if row["low"] is None else (row["low"] > 0) - (row["high"] < 0)
                found[("level", "better", "worse")[sign]].append(other)
            if not (found["level"] or found["worse"]):
                return "better than all"
            said = [f"better than {len(found['better'])} of {sum(map(len, found.values()))}"]
            said += [f"{word}: {_shortened(found[word])}" for word in ("level", "worse") if found[word]]
            return "; ".join(said)

        lines = [(name, lambda measure, name=name: cell(name, measure)) for name in OWN if name in self.rankings]
        return self.table("", self.named(BAR), lines)

    def parts_table(self) -> str:
        """Return what each part adds: the whole minus the same without the part."""
        lines = []
        for name in self.parts:
            short, part = name.split(" without ")
            whole = short if short in self.rankings else f"preset {short}"
            lines.append((f"{short}: {part}", lambda measure, whole=whole, name=name: number(
                self.differences.get((whole, name, measure)), signed=True, interval=True)))  # fmt: skip
        return self.table("what the part adds", self.named(OF_PARTS), lines)

    def text(self) -> str:
        """Return all tables."""
        about = self.about
        others = [name for name in self.rankings if name in BASELINES]
        return "\n\n".join([
            f"{about['queries']:,} queries of {about['candidates']:,} tracks.",
            self.rankings_table([*(name for name in OWN if name in self.rankings), *others], self.named(SHOWN)),
            "What each is better than, query by query: the interval of the difference is above 0 (level: it holds 0).",
            self.bar_table(),
            "What each part adds, which is the difference to the same without it:",
            self.parts_table(),
            "Each block alone:",
            self.rankings_table(self.blocks, self.named((*BAR, "tag_ndcg", "playlist_recall"))),
        ])  # fmt: skip


def _shortened(names: Sequence[str]) -> str:
    """Return names in one line; of many blocks only the number."""
    blocks = [name for name in names if name.startswith("block ")]
    rest = [name for name in names if name not in blocks]
    return ", ".join([*rest, *(blocks if len(blocks) <= 3 else [f"{len(blocks)} single blocks"])])


def into_page(page: Path, name: str, table: str) -> None:
    """Replace what stands between the comments `<!-- NAME -->` and `<!-- end of NAME -->` of a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{page}: has no lines {begin.strip()} and {end}; add them where the table is to stand")
    write_text(page, f"{before}{begin}\n{table}\n\n{end}{rest.partition(end)[2]}")


def write_csv(file: Path, rows: Iterable[Row]) -> None:
    rows = list(rows)
    text = io.StringIO()
    out = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    out.writeheader()
    out.writerows(rows)
    write_text(file, text.getvalue())


def draw(evaluation: Evaluation, file: Path, *, title: str) -> None:
    from musicrec.figures.ranking_measures import Panel, measures_figure
    from musicrec.figures.style import save

    names = [*OWN, *BASELINES, *(f"block {name}" for name in ("tempo", "key", "embedding", "variation", "energy"))]
    names = [name for name in names if name in evaluation.rankings]
    panels = []
    for measure in evaluation.named(DRAWN):
        rows = {name: evaluation.scores.get((name, measure)) for name in names}
        nan = float("nan")
        values = {
            name: tuple(nan if row[key] is None else row[key] for key in ("value", "low", "high"))
            for name, row in rows.items()
            if row is not None
        }
        chance = evaluation.about["chance"].get(measure)
        panels.append(Panel(title=evaluation.titles[measure], unit=evaluation.units[measure], values=values,
                            chance=chance))  # fmt: skip
    save(measures_figure(panels, names, highlighted=OWN, title=title), file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--title", help="of the picture; by default the name")
    options = parser.parse_args()
    evaluation = Evaluation(json.loads(options.evaluation.read_text(encoding="utf-8")))
    into_page(options.page, options.name, evaluation.text())
    folder = options.page.parent
    write_csv(folder / f"{options.name}.csv", evaluation.rows)
    of_tables = (row for row in evaluation.differences.values() if row["measure"] in OF_PARTS)
    write_csv(folder / f"{options.name}_differences.csv", of_tables)
    draw(evaluation, folder / f"{options.name}.png", title=options.title or options.name)


if __name__ == "__main__":
    main()
