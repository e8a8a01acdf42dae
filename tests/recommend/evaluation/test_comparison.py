"""Comparing rankings on a small library, where the answers are known."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation import report
from musicrec.recommend.evaluation.comparison import Comparison, EvaluationSettings, Subject, compare
from musicrec.recommend.evaluation.exact_search import ExactSearch, library_columns
from musicrec.recommend.evaluation.labels import library_labels
from musicrec.recommend.evaluation.measures import MEASURES
from musicrec.recommend.evaluation.rankers import Query, random_ranker, same_class_ranker
from musicrec.recommend.evaluation.stability import ChangedQueries
from musicrec.recommend.evaluation.usual_rankers import baselines, single_blocks

SETTINGS = EvaluationSettings(k=4, label_k=2)


@pytest.fixture(scope="module")
def subject(make_track, heads: dict) -> Subject:
    """24 tracks: two artists per genre; the tempo tells the genre."""
    import dataclasses

    generator = np.random.default_rng(0)
    tracks = []
    for number in range(24):
        genre = ("house", "jazz", "rock")[number % 3]
        bpm = {"house": 125, "jazz": 95, "rock": 150}[genre] + generator.uniform(-1, 1)
        track = make_track(f"{number:02}", genre=genre, bpm=float(bpm))
        artist = f"{genre} {number // 3 % 2}"
        tracks.append(dataclasses.replace(track, artist=artist, genre=genre, embedding=generator.normal(size=4)))
    values = {name: np.stack([one.probabilities[name] for one in tracks]) for name in tracks[0].probabilities}
    values["embedding"] = np.stack([one.embedding for one in tracks]).astype(np.float32)
    search = ExactSearch(tracks, values)
    columns = library_columns(search, heads)
    queries = [Query(row=row, values={name: of[row] for name, of in values.items()}) for row in (0, 5)]
    wrong = [Query(row=row, values=queries[1 - place].values) for place, row in enumerate((0, 5))]
    return Subject(
        search=search,
        heads=list(heads.values()),
        columns=columns,
        labels=library_labels(tracks, columns),
        playlists={name: [row for row in range(24) if row % 3 == place] for place, name in enumerate(("x", "y", "z"))},
        changed=ChangedQueries(clean=queries, by_change={"mp3": queries, "swap": wrong}),
    )


@pytest.fixture(scope="module")
def compared(subject: Subject) -> Comparison:
    names = [track.artist for track in subject.search.tracks]
    rankers = {
        "artist": same_class_ranker(names),
        **baselines(subject.search, subject.heads, subject.columns),
        **single_blocks(subject.search, subject.heads),
    }
    bootstrap = Bootstrap(resamples=200)
    return compare(subject, rankers, bootstrap=bootstrap, settings=SETTINGS, references=["artist"])


def value(compared: Comparison, ranking: str, measure: str) -> float:
    score = compared.of(ranking, measure)
    assert score is not None
    return score.estimate.value


def test_what_must_be_right_is_right(compared: Comparison):
    assert value(compared, "artist", "same_label") == 1.0
    assert value(compared, "same genre", "genre_precision") == 1.0  # four of the other artist of the genre
    assert value(compared, "block tempo", "genre_precision") == 1.0
    assert value(compared, "block tempo", "tempo") == 1.0
    assert value(compared, "artist", "other_artist") == 0.25  # three of the own artist, then others
    assert value(compared, "block tempo", "kept_mp3") == 1.0
    assert value(compared, "block tempo", "kept_swap") < 1.0
    assert value(compared, "same genre", "playlist_r_precision") == 1.0
    assert value(compared, "random", "coverage") > 0.9
    assert compared.about["chance"]["genre_precision"] == pytest.approx(4 / 20)
    assert compared.about["chance"]["same_label"] == pytest.approx(3 / 23)


def test_random_lists_score_as_by_chance(subject: Subject):
    settings = EvaluationSettings(k=20, label_k=20)
    found = compare(subject, {"random": random_ranker()}, bootstrap=Bootstrap(resamples=100), settings=settings)
    assert value(found, "random", "genre_precision") == pytest.approx(0.2)  # all of the other artists
    assert value(found, "random", "same_label") == pytest.approx(3 / 23, abs=0.02)


def test_differences_are_query_by_query(compared: Comparison):
    found = {(one.other, one.measure): one.estimate for one in compared.differences}
    assert {one.ranking for one in compared.differences} == {"artist"}
    assert found["random", "same_label"].value == pytest.approx(1 - value(compared, "random", "same_label"))
    assert found["random", "same_label"].low > 0
    assert ("random", "hub_skewness") not in found


def test_queries_can_be_drawn_and_mistakes_are_named(subject: Subject):
    settings = EvaluationSettings(k=4, label_k=2, queries=5)
    bootstrap = Bootstrap(resamples=100, units=["artist"])
    found = compare(subject, {"random": random_ranker()}, bootstrap=bootstrap, settings=settings)
    assert found.about["queries"] == 5 and found.of("random", "tempo").queries == 5
    with pytest.raises(ConfigError, match="k=30 tracks of 24"):
        compare(subject, {"random": random_ranker()}, bootstrap=bootstrap, settings=EvaluationSettings(k=30))
    with pytest.raises(ConfigError, match="mix is not among the rankings: random"):
        compare(subject, {"random": random_ranker()}, bootstrap=bootstrap, references=["mix"], settings=settings)
    with pytest.raises(ConfigError, match=r"evaluate\.k=0"):
        EvaluationSettings(k=0)


def test_the_report_has_every_number(compared: Comparison, tmp_path: Path):
    files = report.write_report(tmp_path, compared, about={"library": "x"})
    assert [file.name for file in files] == ["scores.csv", "differences.csv", "evaluation.json", "evaluation.md"]
    with open(files[0], newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(compared.scores)
    one = next(row for row in rows if (row["ranking"], row["measure"]) == ("artist", "same_label"))
    assert (one["value"], one["unit"], one["queries"]) == ("1.0", "share", "24")
    document = json.loads(files[2].read_text())
    assert document["about"]["queries"] == 24 and len(document["differences"]) == len(compared.differences)
    lines = files[3].read_text().splitlines()
    assert lines[0].startswith("| ranking | genre precision@4, other artists | same artist precision@2 |")
    assert lines[-1].startswith("| chance | 0.200 | 0.130 |")


def test_measures_have_names_of_their_own_and_meanings():
    assert len({measure.name for measure in MEASURES}) == len(MEASURES)
    assert all(measure.unit and measure.meaning.endswith(".") for measure in MEASURES)
