"""Compare `inspire` and the default query with simple rankings, asked only with clips by which no setting was chosen.

    python experiments/recommendation/held_out.py WORK/corpus.sqlite CORPUS/manifest.csv

These are the clips of the splits test and test_shift; all clips are recommended. Printed are genre precision@10 (other
artists), same artist precision@5, and the differences with a bootstrap interval over the queries.
"""

import sys
from pathlib import Path

import numpy as np

from musicrec.data.manifest import read_manifest
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation import accuracy
from musicrec.recommend.evaluation.comparison import candidates, stored_query
from musicrec.recommend.evaluation.estimates import mean
from musicrec.recommend.evaluation.exact_search import ExactSearch, library_columns
from musicrec.recommend.evaluation.labels import table_labels
from musicrec.recommend.evaluation.loaded_library import in_memory
from musicrec.recommend.evaluation.query_rankers import QueryMaker
from musicrec.recommend.evaluation.rankers import ranked_lists
from musicrec.recommend.evaluation.usual_rankers import TWO_STEPS, baselines, single_blocks
from musicrec.recommend.library_index import open_index
from musicrec.recommend.query_settings import query_settings
from musicrec.recommend.sqlite_library import SqliteLibrary

PAIRS = (("inspire", "block embedding"), ("query", TWO_STEPS))


def main(path: str, manifest: str) -> None:
    with SqliteLibrary.open(path) as library:
        tracks, values = library.read()
        search, heads = ExactSearch(tracks, values), list(library.heads.values())
        columns = library_columns(search, library.heads)
        labels = table_labels(manifest, tracks, columns)
        frame = read_manifest(manifest, check_files=False, required=("path", "split"))
        held_out = {Path(row["path"]).resolve() for row in frame.to_dicts() if str(row["split"]).startswith("test")}
        among = candidates(search)
        rows = np.array([row for row in np.flatnonzero(among) if Path(tracks[row].path).resolve() in held_out])
        queries = [stored_query(search, int(row)) for row in rows]
        loaded = in_memory(library, tracks, values)
        maker = QueryMaker(loaded, open_index(library), tracks)
        rankers = baselines(search, heads, columns) | single_blocks(search, heads)
        rankers |= {"query": maker.ranker(query_settings(loaded))}
        rankers |= {"inspire": maker.ranker(query_settings(loaded, preset="inspire"))}
        print(f"{len(rows)} queries")
        for pair in PAIRS:
            found = []
            for name in pair:
                apart = ranked_lists(rankers[name], queries, among=among, k=10, apart=labels.artist)
                lists = ranked_lists(rankers[name], queries, among=among, k=5)
                genre = accuracy.label_precision(apart, rows, labels.genre)
                found.append((genre, accuracy.label_precision(lists, rows, labels.label)))
            for measure, one, other in zip(("genre", "same artist"), *found, strict=True):
                gain = mean(one - other, Bootstrap())
                print(f"{measure}: {pair[0]} {np.nanmean(one):.3f}, {pair[1]} {np.nanmean(other):.3f}, "
                      f"difference {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
