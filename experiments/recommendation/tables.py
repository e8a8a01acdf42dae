"""Write the tables of an evaluation into a page.

    python experiments/recommendation/tables.py evaluation.json --page README.md --name corpus

The page has the comments `<!-- corpus -->` and `<!-- end of corpus -->`. What stands between them is replaced by a
table with a line per ranking, and by the differences to the rankings that --against names, query by query.
"""

import argparse
import json
from pathlib import Path

from musicrec.system.atomic_write import write_text

MEASURES = ("genre_precision", "tag_ndcg", "same_label", "tempo", "key", "tempo_and_key", "energy_error",
            "tags_and_features", "hub_skewness", "coverage", "diversity", "playlist_r_precision", "kept_mp3",
            "kept_pitch", "kept_tempo")  # fmt: skip
AGAINST = ("random", "same genre", "MFCC", "two steps by features", "two steps before")
MAIN = ("genre_precision", "same_label", "tempo", "key", "tempo_and_key", "tags_and_features")


def number(row: dict | None, *, signed: bool = False, interval: bool = False) -> str:
    if row is None or row["value"] is None:
        return "–"
    form = "+.3f" if signed else ".3f"
    value = format(row["value"], form)
    return f"{value} [{row['low']:{form}}, {row['high']:{form}}]" if interval and row["low"] is not None else value


def scores(document: dict) -> list[str]:
    """Return the table of scores as Markdown; the measures of `MAIN` have intervals."""
    titles = {one["name"]: one["title"] for one in document["measures"]}
    names = [name for name in MEASURES if name in titles]
    found = {(row["ranking"], row["measure"]): row for row in document["scores"]}
    lines = [["ranking", *(titles[name] for name in names)], ["---"] * (len(names) + 1)]
    for ranking in dict.fromkeys(row["ranking"] for row in document["scores"]):
        lines.append([ranking, *(number(found.get((ranking, name)), interval=name in MAIN) for name in names)])
    chance = document["about"]["chance"]
    lines.append(["chance", *(f"{chance[name]:.3f}" if name in chance else "" for name in names)])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def differences(document: dict, against: list[str]) -> list[str]:
    """Return the table of differences as Markdown, with intervals."""
    titles = {one["name"]: one["title"] for one in document["measures"]}
    names = [name for name in MAIN if name in titles]
    found = {(row["ranking"], row["other"], row["measure"]): row for row in document["differences"]}
    pairs = dict.fromkeys((row["ranking"], row["other"]) for row in document["differences"] if row["other"] in against)
    lines = [["difference", *(titles[name] for name in names)], ["---"] * (len(names) + 1)]
    for one, other in pairs:
        cells = (number(found.get((one, other, name)), signed=True, interval=True) for name in names)
        lines.append([f"{one} − {other}", *cells])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def into_page(page: Path, name: str, table: str) -> None:
    """Replace what stands between the comments `<!-- NAME -->` and `<!-- end of NAME -->` of a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    if not found or end not in rest:
        raise SystemExit(f"{page}: has no lines {begin.strip()} and {end}; add them where the table is to stand")
    write_text(page, f"{before}{begin}{table}\n{end}{rest.partition(end)[2]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--name", default="scores")
    parser.add_argument("--against", action="append", help=f"may be repeated; by default {', '.join(AGAINST)}")
    options = parser.parse_args()
    document = json.loads(options.evaluation.read_text(encoding="utf-8"))
    about = document["about"]
    text = "\n".join([
        f"{about['queries']:,} queries of {about['candidates']:,} tracks.", "", *scores(document), "",
        *differences(document, options.against or list(AGAINST)),
    ])  # fmt: skip
    print(text)
    if options.page:
        into_page(options.page, options.name, text)


if __name__ == "__main__":
    main()
