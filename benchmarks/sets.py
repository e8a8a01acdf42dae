"""Compare the beam search for sets with the exact best set, and measure its time in a large library.

    python benchmarks/sets.py
    python benchmarks/sets.py --library real.sqlite

The exact set is found by OR-Tools (SCIP), which also proves that there is no better one: a flow through the places of
the set with a variable for each transition into each place, each track at most once, and the artist rule. If the time
is not enough for the proof, the beam is compared with the bound that no set can exceed. The tracks are synthetic. Time
is processor time of one thread. OR-Tools is in the extra `dev`; without it, only the time is measured.

With a library, sets of its music are counted instead: how many transitions are weak, and how often a set counts two
beats against three, or a key shift, with and without the settings that make these rare.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np

from musicrec.recommend.columns import Columns
from musicrec.recommend.library_index import open_index
from musicrec.recommend.sets.build import SetSettings, build_set
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.plan import possible_gap
from musicrec.recommend.sets.settings import set_settings
from musicrec.recommend.sets.track_set import TrackSet
from musicrec.recommend.stores import address, open_library
from musicrec.system.console import make_table, output_console

GENRES = {
    "hip hop": 90,
    "downtempo": 100,
    "disco": 112,
    "house": 123,
    "techno": 130,
    "trance": 138,
    "drum and bass": 174,
}


def make_tracks(tracks: int, *, seed: int, artists: int | None = None, unknown: float = 0.05) -> Columns:
    """Return synthetic tracks: genres with a usual tempo and sound, everything else independent.

    Args:
        tracks: Number of tracks.
        seed: Another seed, other tracks.
        artists: Number of artists; by default, a tenth of the tracks.
        unknown: Share of tempi, and of keys, that are unknown.
    """
    random = np.random.default_rng(seed)
    genre = random.integers(len(GENRES), size=tracks)
    vectors = random.normal(size=(len(GENRES), 64))[genre] * 0.8 + random.normal(size=(tracks, 64))
    bpm = np.array(list(GENRES.values()))[genre] * np.exp(random.normal(0, 0.04, tracks))
    return Columns(
        bpm=np.where(random.random(tracks) < unknown, np.nan, bpm),
        key=np.where(random.random(tracks) < unknown, -1, random.integers(24, size=tracks)),
        energy=random.normal(6, 1.6, tracks).clip(1, 10),
        loudness=random.normal(-10, 3, tracks),
        year=random.integers(1990, 2026, tracks),
        duration_s=random.normal(240, 50, tracks).clip(60),
        artist=np.array([f"artist {number}" for number in random.integers(artists or -(-tracks // 10), size=tracks)]),
        album=np.full(tracks, ""),
        genre=np.array(list(GENRES))[genre],
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def exact_set(
    worths: Sequence[np.ndarray], artists: np.ndarray, *, start: int, end: int | None, gap: int, limit_s: float
) -> tuple[float, float]:
    """Return the worth of the best set that OR-Tools finds, and the bound that no set can exceed; equal if proven.

    Both are means over the transitions, which is what the beam search maximises.

    Args:
        worths: Per place from the second on, (tracks, tracks) what the transitions into it are worth
            (`SetSettings.worth`).
        artists: (tracks,) a number per artist, -1 if unknown.
        start: The first track.
        end: The last track, None if it is open.
        gap: An artist returns after this many other tracks at the earliest.
        limit_s: When to give up, in seconds of wall-clock time.
    """
    from ortools.linear_solver import pywraplp

    solver = pywraplp.Solver.CreateSolver("SCIP")
    tracks, places = len(artists), len(worths) + 1
    at = [[solver.BoolVar("") for _ in range(tracks)] for _ in range(places)]
    for place, fixed in ((0, start), *([] if end is None else [(places - 1, end)])):
        solver.Add(at[place][fixed] == 1)
    for row in at:
        solver.Add(sum(row) == 1)
    objective = solver.Objective()
    objective.SetMaximization()
    for place in range(1, places):
        # As whole tracks stand at the places, the flow between them is whole as well.
        leads = [[solver.NumVar(0, float(one != other), "") for other in range(tracks)] for one in range(tracks)]
        for track in range(tracks):
            solver.Add(sum(leads[track]) == at[place - 1][track])
            solver.Add(sum(row[track] for row in leads) == at[place][track])
            for other in range(tracks):
                objective.SetCoefficient(leads[track][other], float(worths[place - 1][track, other]))
    for track in range(tracks):
        solver.Add(sum(row[track] for row in at) <= 1)
    for artist in np.unique(artists[artists >= 0]):
        of_artist = np.flatnonzero(artists == artist)
        for first in range(max(1, places - gap) if len(of_artist) > 1 else 0):
            window = range(first, min(places, first + gap + 1))
            solver.Add(sum(at[place][track] for place in window for track in of_artist) <= 1)
    solver.SetNumThreads(1)
    solver.SetTimeLimit(round(1000 * limit_s))
    status = solver.Solve()
    if status == pywraplp.Solver.OPTIMAL:  # what presolving proves has no bound of its own
        return objective.Value() / len(worths), objective.Value() / len(worths)
    if status != pywraplp.Solver.FEASIBLE:
        return float("nan"), objective.BestBound() / len(worths)
    return objective.Value() / len(worths), objective.BestBound() / len(worths)


def place_worths(columns: Columns, tracks: int, start: int, curve: EnergyCurve | None, settings: SetSettings) -> list:
    """Return what all transitions into each place of a set are worth, from the second on."""
    targets = np.full(tracks, np.nan) if curve is None else curve.targets(tracks, float(columns.energy[start]))
    worths = []
    for place in range(1, tracks):
        step = float(np.nan_to_num(targets[place] - targets[place - 1]))
        pairs = settings.transitions.pairs(columns, columns.rows, columns.rows, target=float(targets[place]), step=step)
        worths.append(settings.worth(settings.transitions.scores(pairs)))
    return worths


def set_worth(made: TrackSet, settings: SetSettings) -> float:
    """Return what a set is worth to the search: the mean over its transitions."""
    return float(np.mean(settings.worth(np.array([transition.score for transition in made.transitions]))))


def processor_s(work: Callable) -> tuple[float, object]:
    before = time.process_time()
    result = work()
    return time.process_time() - before, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=30, help="tracks to choose from, against the exact set")
    parser.add_argument("--worlds", type=int, default=3, help="sets of tracks per row")
    parser.add_argument("--limit-s", type=float, default=300.0, help="OR-Tools gives up after this")
    parser.add_argument("--sizes", default="1000,10000,100000", help="tracks of the libraries that are timed")
    parser.add_argument("--library", help="count the transitions in sets of this library, and measure nothing else")
    options = parser.parse_args()
    if options.library:
        count_transitions(output_console(), options.library)
        return
    out, settings = output_console(), SetSettings()
    try:
        import ortools  # noqa: F401
    except ImportError:
        out.print("OR-Tools is not installed: no comparison with the exact set")
    else:
        compare(out, options, settings)
    table = make_table(out, "library", "set", "processor s", "score")
    for size in map(int, options.sizes.split(",")):
        columns = make_tracks(size, seed=0)
        for name, asked in {
            "12 tracks": {"tracks": 12},
            "12 tracks, end and peak": {"tracks": 12, "end": 1, "curve": EnergyCurve(shape="peak")},
            "120 minutes, rise": {"minutes": 120.0, "curve": EnergyCurve(shape="rise")},
            "200 tracks": {"tracks": 200},
            "200 tracks, end and peak": {"tracks": 200, "end": 1, "curve": EnergyCurve(shape="peak")},
        }.items():
            if asked.get("tracks", 0) > size / 2:
                continue
            seconds, made = processor_s(lambda asked=asked, columns=columns: build_set(columns, start=0, **asked))
            table.add_row(f"{size:,}", name, f"{seconds:.2f}", f"{made.score:.3f}")
    out.print(table)


def compare(out, options: argparse.Namespace, settings: SetSettings) -> None:  # type: ignore[no-untyped-def]
    """Print the table against the exact set."""
    table = make_table(out, "set", "seed", "beam", "exact", "bound", "beam / bound", "beam: s", "exact: s")
    few, many = min(12, options.tracks // 2), options.tracks  # of all tracks, artists may not be far enough apart
    for name, count, end, curve in (
        (f"{few} of {many}", few, None, None),
        (f"{few} of {many}, end", few, 1, None),
        (f"{few} of {many}, end, peak", few, 1, EnergyCurve(shape="peak")),
    ):
        for seed in range(options.worlds):
            columns = make_tracks(many, seed=seed, artists=many)
            asked = {"start": 0, "end": end}
            beam_s, made = processor_s(lambda: build_set(columns, tracks=count, curve=curve, **asked))  # noqa: B023
            worths = place_worths(columns, count, 0, curve, settings)
            gap = possible_gap(columns, range(len(columns)), most=settings.artist_gap)
            rules = {"gap": gap, "limit_s": options.limit_s}
            exact_s, (best, bound) = processor_s(lambda: exact_set(worths, columns.artist_codes, **asked, **rules))  # noqa: B023
            worth = set_worth(made, settings)
            numbers = (f"{value:.4f}" for value in (worth, best, bound, worth / bound))
            table.add_row(name, str(seed), *numbers, f"{beam_s:.2f}", f"{exact_s:.1f}")
    out.print(table)


def count_transitions(out, library: str) -> None:  # type: ignore[no-untyped-def]
    """Print what the transitions are in sets of 12 tracks, from every second track of a library."""
    opened = open_library(address(library))
    columns = open_index(opened).everything().columns
    opened.close()
    freely = {"three_to_two": 0.6, "two_to_three": 0.6, "two_against_three": 1.0}
    table = make_table(out, "settings", "score", "weakest", "transitions", "below 0.5", "2 against 3", "key shifts")
    for name, settings in {
        "shortfall_costs: 0, and 2 against 3 and key shifts cost little": set_settings(
            shortfall_costs=0.0, tempo=freely, keys={"transposed": 0.5}
        ),
        "shortfall_costs: 0": set_settings(shortfall_costs=0.0),
        "default": set_settings(),
    }.items():
        sets = [build_set(columns, start=start, tracks=12, settings=settings) for start in range(0, len(columns), 2)]
        made = [transition for one in sets for transition in one.transitions]
        table.add_row(
            name,
            f"{np.mean([one.score for one in sets]):.3f}",
            f"{np.mean([one.weakest for one in sets]):.3f}",
            str(len(made)),
            str(sum(one.score < 0.5 for one in made)),
            str(sum(one.tempo_multiple not in (None, 0.5, 1.0, 2.0) for one in made)),
            str(sum(one.key_shift_semitones != 0 for one in made)),
        )
    out.print(table)


if __name__ == "__main__":
    main()
