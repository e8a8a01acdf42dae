"""A listening test: the page, the key, and what is made of the answers."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicrec.errors import AudioError, ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.recommend.evaluation.listening_answers import (
    ANSWERS_FORMAT,
    RaterAnswer,
    agreement,
    count,
    read_answers,
    summarize,
)
from musicrec.recommend.evaluation.listening_test import (
    ListeningSettings,
    Trial,
    draw_trials,
    page_text,
    write_test,
)
from musicrec.recommend.evaluation.rankers import Query, same_class_ranker

BOOTSTRAP = Bootstrap(resamples=500)
QUERIES = [Query(row=row, values={}) for row in range(12)]
AMONG = np.ones(12, dtype=bool)


def by_number(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
    return np.flatnonzero(among)[:k]


def from_the_end(query: Query, *, among: np.ndarray, k: int) -> np.ndarray:
    """As by_number in the first place, then from the last row on."""
    rows = np.flatnonzero(among)
    return np.concatenate([rows[:1], rows[:0:-1]])[:k]


@pytest.fixture
def tracks(make_track, tmp_path: Path) -> list:
    made = []
    for number in range(12):
        path = tmp_path / f"secret name {number}.wav"
        tone = 0.05 * (number + 1) * np.sin(2 * np.pi * 220 * (number + 1) * np.arange(22_050) / 22_050)
        soundfile.write(path, tone, 22_050, subtype="PCM_16")
        made.append(
            dataclasses.replace(make_track(f"t{number}"), path=str(path), duration_s=1.0, title=f"Title {number}")
        )
    return made


def test_the_first_different_answers_are_compared_and_the_seed_decides_the_order():
    settings = ListeningSettings(trials=8, seed=3)
    rankers = {"x": by_number, "y": from_the_end}
    trials, same = draw_trials(rankers, QUERIES, among=AMONG, settings=settings)
    assert len(trials) == 8 and same == 0
    for trial in trials:
        others = [row for row in range(12) if row != trial.query]
        assert trial.rank == 2 and trial.answers == (others[1], others[-1])
    assert {trial.swapped for trial in trials} == {True, False}
    assert draw_trials(rankers, QUERIES, among=AMONG, settings=settings)[0] == trials
    other = draw_trials(rankers, QUERIES, among=AMONG, settings=ListeningSettings(trials=8, seed=4))[0]
    assert [trial.query for trial in other] != [trial.query for trial in trials]


def test_two_equal_rankings_cannot_be_compared():
    settings = ListeningSettings()
    with pytest.raises(ConfigError, match="x and y answer every query in the same way"):
        draw_trials({"x": by_number, "y": by_number}, QUERIES, among=AMONG, settings=settings)
    with pytest.raises(ConfigError, match=r"listen.rankings=\[x\]: name two"):
        draw_trials({"x": by_number}, QUERIES, among=AMONG, settings=settings)
    same = ["a"] * 6 + ["b"] * 6
    mixed = {"x": same_class_ranker(same, 0), "y": same_class_ranker(same, 0)}
    with pytest.raises(ConfigError, match="nothing to compare"):
        draw_trials(mixed, QUERIES, among=AMONG, settings=settings)


def test_the_page_stands_alone_and_tells_nothing(tracks: list, tmp_path: Path):
    trials = [
        Trial(query=0, answers=(1, 2), rank=1, swapped=False),
        Trial(query=3, answers=(4, 5), rank=2, swapped=True),
        Trial(query=6, answers=(7, 8), rank=1, swapped=False),
    ]
    Path(tracks[7].path).unlink()
    settings = ListeningSettings(excerpt_s=1.0)
    page, key = write_test(tmp_path, trials, tracks, rankings=["one way", "other way"], settings=settings, same=4)
    text, known = page.read_text(), json.loads(key.read_text())
    for told in ("secret name", "Title", "one way", "other way", tracks[0].audio_hash + '"', str(tmp_path)):
        assert told not in re.sub(r"base64,[\w+/=]+", "", text)
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)|url\(([^)]+)\)|(https?://\S+)|@import""", text)
    assert not links  # everything is in the file
    assert "default-src 'none'" in text
    test = json.loads(re.search(r'<script type="application/json" id="test">(.*?)</script>', text, re.S)[1])
    assert [one["id"] for one in test["trials"]] == [one["id"] for one in known["trials"]]
    assert all(
        one[part].startswith("data:audio/mpeg;base64,") for one in test["trials"] for part in ("query", "a", "b")
    )
    assert test["id"] == known["test"] and known["same_answers"] == 4
    assert len(known["trials"]) == 2 and "secret name 7" in known["left_out"][0]
    first, second = known["trials"]
    assert [first[side]["ranking"] for side in "ab"] == ["one way", "other way"]
    assert [second[side]["ranking"] for side in "ab"] == ["other way", "one way"]
    assert (first["b"]["track"], second["b"]["track"], second["rank"]) == ("Title 2", "Title 4", 2)
    again, _ = write_test(tmp_path / "2", trials[:2], tracks, rankings=["one way", "other way"], settings=settings)
    assert again.read_text() == text
    with pytest.raises(AudioError, match="no trial of the listening test can be read"):
        write_test(tmp_path / "3", trials[2:], tracks, rankings=["one way", "other way"], settings=settings)


def test_a_title_cannot_end_the_script():
    assert "</script><b>" not in page_text({"id": "</script><b>", "trials": []})


def answers_of(key: dict, rater: str, choices: str) -> dict:
    names = {"a": "a", "b": "b", "-": "same"}
    given = [
        {"trial": trial["id"], "choice": names[choice], "seconds": 1.5}
        for trial, choice in zip(key["trials"], choices, strict=True)
        if choice != " "
    ]
    return {"format": ANSWERS_FORMAT, "test": key["test"], "rater": rater, "answers": given}


def test_answers_come_back(tracks: list, tmp_path: Path):
    trials = [Trial(query=row, answers=(row + 1, row + 2), rank=1, swapped=bool(row % 2)) for row in range(4)]
    settings = ListeningSettings(excerpt_s=1.0)
    _, key = write_test(tmp_path, trials, tracks, rankings=["one way", "other way"], settings=settings)
    known = json.loads(key.read_text())
    files = []
    for rater, choices in {"ann": "abab", "bob": "ab-b", "cy": "b   "}.items():  # "abab" is always one way
        files.append(tmp_path / f"{rater}.json")
        files[-1].write_text(json.dumps(answers_of(known, rater, choices)))
    rankings, answers = read_answers(key, files)
    assert rankings == ("one way", "other way") and len(answers) == 9
    assert [answer.winner for answer in answers] == ["one way"] * 4 + ["one way"] * 2 + [None, "one way", "other way"]
    result = summarize(rankings, answers, BOOTSTRAP)
    assert {name: (one.wins, one.decided, one.undecided) for name, one in result.raters.items()} == {
        "ann": (4, 4, 0),
        "bob": (3, 3, 1),
        "cy": (0, 1, 0),
    }
    assert (result.by_query.wins, result.by_query.decided) == (4, 4)
    assert (result.by_rater.wins, result.by_rater.decided) == (2, 3)
    assert result.share.value == pytest.approx(7 / 8) and result.answers == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "is no file of answers"),
        ({"test": "x"}, "belongs to the listening test x"),
        ({"answers": [{"trial": "x", "choice": "a"}]}, "an answer 'a' to the trial 'x'"),
    ],
)
def test_wrong_answers_are_named(tracks: list, tmp_path: Path, change: dict, message: str):
    trials = [Trial(query=0, answers=(1, 2), rank=1, swapped=False)]
    _, key = write_test(tmp_path, trials, tracks, rankings=["x", "y"], settings=ListeningSettings(excerpt_s=1.0))
    file = tmp_path / "answers.json"
    file.write_text(json.dumps(answers_of(json.loads(key.read_text()), "ann", "a") | change))
    with pytest.raises(ConfigError, match=message):
        read_answers(key, [file])
    with pytest.raises(ConfigError, match="cannot be opened"):
        read_answers(key, [tmp_path / "none.json"])
    with pytest.raises(ConfigError, match="is no key of a listening test"):
        read_answers(file, [file])


def test_counts_are_exact_binomial():
    """8 of 10: the interval of Clopper and Pearson is 0.444 to 0.975, and the sign test 112 / 1024."""
    found = count("x", ["x"] * 8 + ["y"] * 2 + [None])
    assert (found.wins, found.decided, found.undecided, found.share) == (8, 10, 1, 0.8)
    assert (found.low, found.high) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    assert found.p_value == pytest.approx(112 / 1024)
    nothing = count("x", [None])
    assert np.isnan([nothing.share, nothing.low, nothing.p_value]).all()


def test_a_tie_between_raters_is_undecided():
    answers = [RaterAnswer(rater=rater, trial="1", winner=won, query="q") for rater, won in (("a", "x"), ("b", "y"))]
    result = summarize(("x", "y"), answers, BOOTSTRAP)
    assert (result.by_query.decided, result.by_query.undecided) == (0, 1)
    with pytest.raises(ConfigError, match="hold no answers"):
        summarize(("x", "y"), [], BOOTSTRAP)
    same = [RaterAnswer(rater="a", trial=str(trial), winner=None, query="q") for trial in range(3)]
    undecided = summarize(("x", "y"), same, BOOTSTRAP)
    assert np.isnan(undecided.share.value) and np.isnan(undecided.alpha)


# The worked examples of Krippendorff 2011, "Computing Krippendorff's alpha-reliability": A (two observers, two values),
# B (two observers, five values) and C (four observers, with missing values, taken as nominal). "." is missing.
@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["0100000010", "1110010000"], 0.095),
        (["aabbdcccedda", "babbbccceddd"], 0.692),
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
    ],
)
def test_agreement_is_that_of_the_published_examples(rows: list[str], expected: float):
    pytest.importorskip("nltk", reason="nltk is not installed; pip install 'musicrec[listen]'")
    ratings = [
        (str(rater), str(unit), value)
        for rater, row in enumerate(rows)
        for unit, value in enumerate(row)
        if value != "."
    ]
    assert agreement(ratings) == pytest.approx(expected, abs=0.001)
