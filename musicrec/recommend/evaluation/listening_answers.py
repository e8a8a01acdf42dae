"""Read the answers of a listening test: who wins, how sure that is, and how far the raters agree."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.errors import ConfigError
from musicrec.recommend.evaluation.estimates import MeasureEstimate, means
from musicrec.recommend.evaluation.listening_test import KEY_FORMAT

if TYPE_CHECKING:
    from musicrec.evaluation.bootstrap import Bootstrap

ANSWERS_FORMAT = "musicrec listening test answers 1"
NO_DIFFERENCE = "same"
CHOICES = ("a", "b", NO_DIFFERENCE)
EXTRA = "the agreement of raters needs the package nltk: pip install 'musicrec[listen]'"


@dataclass(frozen=True, kw_only=True)
class RaterAnswer:
    """What a rater heard.

    Attributes:
        rater: Who.
        trial: Which trial.
        winner: The ranking whose answer is closer to the query; None for no difference.
        query: Name of the query.
    """

    rater: str
    trial: str
    winner: str | None
    query: str


@dataclass(frozen=True, kw_only=True)
class Count:
    """Wins of the first ranking among decided comparisons, with an exact binomial interval and a sign test.

    Attributes:
        wins: How often the first ranking won.
        decided: How many comparisons were decided.
        undecided: How many were not: no difference, or as many votes for one as for the other.
        low: Lower limit of the share of wins (Clopper and Pearson 1934); NaN if nothing was decided.
        high: Upper limit.
        p_value: Two-sided sign test against one half; NaN if nothing was decided.
    """

    wins: int
    decided: int
    undecided: int
    low: float
    high: float
    p_value: float

    @property
    def share(self) -> float:
        """The share of the decided comparisons that the first ranking won; NaN if there is none."""
        return self.wins / self.decided if self.decided else float("nan")


@dataclass(frozen=True, kw_only=True)
class ListeningResult:
    """The result of a listening test.

    Attributes:
        rankings: The two rankings.
        raters: {rater: count of this rater's answers}.
        by_query: One comparison per query: what most of its raters decided.
        by_rater: One comparison per rater: what most of the rater's answers say.
        share: Share of decided answers that the first ranking won, with a bootstrap interval that draws queries with
            all of their answers, as these are not independent.
        alpha: Krippendorff's alpha over all raters, for nominal data: 1 full agreement, 0 as by chance. NaN if no trial
            has two raters, or if all answers are the same.
        answers: Number of answers.
    """

    rankings: tuple[str, str]
    raters: dict[str, Count]
    by_query: Count
    by_rater: Count
    share: MeasureEstimate
    alpha: float
    answers: int


def read_answers(key: Path, files: Sequence[Path]) -> tuple[tuple[str, str], list[RaterAnswer]]:
    """Read the key of a test and the files that raters downloaded.

    Args:
        key: The key.
        files: One per rater. Of two with the same rater and trial, the later one counts.

    Returns:
        The two rankings, and the answers.

    Raises:
        ConfigError: A file is not what it should be, or belongs to another test.
    """
    known = _read(key, expected=KEY_FORMAT, what="key of a listening test")
    trials = {trial["id"]: trial for trial in known["trials"]}
    found: dict[tuple[str, str], RaterAnswer] = {}
    for file in files:
        given = _read(file, expected=ANSWERS_FORMAT, what="file of answers")
        if given.get("test") != known["test"]:
            raise ConfigError(
                f"{file}: belongs to the listening test {given.get('test')}, and {key} to {known['test']}"
            )
        rater = str(given.get("rater") or file.stem)
        for answer in given["answers"]:
            trial, choice = answer.get("trial"), answer.get("choice")
            if trial not in trials or choice not in CHOICES:
                raise ConfigError(f"{file}: holds an answer {choice!r} to the trial {trial!r}, which is not in {key}")
            one = trials[trial]
            winner = None if choice == NO_DIFFERENCE else one[choice]["ranking"]
            found[rater, trial] = RaterAnswer(rater=rater, trial=trial, winner=winner, query=one["query"]["audio_hash"])
    first, second = known["rankings"]
    return (first, second), list(found.values())


def summarize(rankings: tuple[str, str], answers: Sequence[RaterAnswer], bootstrap: "Bootstrap") -> ListeningResult:
    """Count wins, by rater and by query, and measure how far raters agree.

    Args:
        rankings: The two rankings; wins of the first are counted.
        answers: The answers.
        bootstrap: Draws the queries.

    Raises:
        ConfigError: There are no answers.
    """
    if not answers:
        raise ConfigError("the files hold no answers")
    first = rankings[0]
    votes: dict[tuple[str, str], list[str | None]] = {}
    for answer in answers:
        votes.setdefault(("rater", answer.rater), []).append(answer.winner)
        votes.setdefault(("query", answer.trial), []).append(answer.winner)
    raters = {name: count(first, of) for (kind, name), of in votes.items() if kind == "rater"}
    majorities = {kind: [_majority(of) for (one, _), of in votes.items() if one == kind] for kind in ("rater", "query")}
    decided = [answer for answer in answers if answer.winner is not None]
    won = np.array([[float(answer.winner == first)] for answer in decided]).reshape(-1, 1)
    clusters = np.unique([answer.trial for answer in decided], return_inverse=True)[1]
    nothing = MeasureEstimate(value=np.nan, low=np.nan, high=np.nan)
    return ListeningResult(
        rankings=rankings,
        raters=raters,
        by_query=count(first, majorities["query"]),
        by_rater=count(first, majorities["rater"]),
        share=means(won, bootstrap, clusters)[0] if decided else nothing,
        alpha=agreement([(answer.rater, answer.trial, answer.winner or NO_DIFFERENCE) for answer in answers]),
        answers=len(answers),
    )


def count(first: str, winners: Sequence[str | None]) -> Count:
    """Count the wins of a ranking.

    Args:
        first: The ranking.
        winners: Who won each comparison; None if nobody did.
    """
    from scipy.stats import binomtest

    decided = [winner for winner in winners if winner is not None]
    wins = sum(winner == first for winner in decided)
    low = high = p_value = float("nan")
    if decided:
        tested = binomtest(wins, len(decided))
        limits = tested.proportion_ci(confidence_level=0.95, method="exact")
        low, high, p_value = float(limits.low), float(limits.high), float(tested.pvalue)
    return Count(
        wins=wins,
        decided=len(decided),
        undecided=len(winners) - len(decided),
        low=low,
        high=high,
        p_value=p_value,
    )


def agreement(ratings: Sequence[tuple[str, str, str]]) -> float:
    """Return Krippendorff's alpha for nominal data, by nltk; NaN where it is not defined.

    Units with a single rating do not count (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").

    Args:
        ratings: (rater, unit, value) of each rating.

    Raises:
        ConfigError: The package nltk is missing.
    """
    units = Counter(unit for _, unit, _ in ratings)
    paired = [rating for rating in ratings if units[rating[1]] > 1]
    if len({value for _, _, value in paired}) < 2:
        return float("nan")
    try:
        from nltk.metrics.agreement import AnnotationTask
    except ImportError:
        raise ConfigError(EXTRA) from None
    return float(AnnotationTask(data=paired).alpha())


def _majority(winners: Sequence[str | None]) -> str | None:
    """Return who won more comparisons than the other; None if nobody did."""
    ordered = Counter(winner for winner in winners if winner is not None).most_common(2)
    if not ordered or (len(ordered) == 2 and ordered[0][1] == ordered[1][1]):
        return None
    return ordered[0][0]


def _read(path: Path, *, expected: str, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be opened: {error.strerror}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != expected:
        raise ConfigError(f"{path}: is no {what}")
    return content
