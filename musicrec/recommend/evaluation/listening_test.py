"""A blind listening test: which of two answers is closer to the query? One HTML file, and a key that stays behind."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le

from musicrec.config.number_types import Count, Seed
from musicrec.config.value_check import check_fields
from musicrec.errors import AudioError, ConfigError
from musicrec.recommend.evaluation.excerpts import as_data_address, equally_loud, read_excerpt
from musicrec.recommend.evaluation.rankers import Query, Ranker, ranked_lists
from musicrec.recommend.track import Track
from musicrec.system.atomic_write import write_json, write_text

KEY_FORMAT = "musicrec listening test key 1"
PAGE, KEY = "listening_test.html", "key.json"
_TEMPLATE = "listening_test.html"
_MARK = "/* the test */"


@dataclass(frozen=True, kw_only=True)
class ListeningSettings:
    """What a listening test consists of.

    Attributes:
        trials: Number of queries.
        excerpt_s: Length of the excerpts in seconds.
        k: Length of the lists in which different answers are looked for.
        seed: Seed of the draw of the queries, their order, and the sides of the answers.

    Raises:
        ConfigError: A setting is out of range.
    """

    trials: Count = 20
    excerpt_s: Annotated[float, Ge(1), Le(60)] = 15.0
    k: Count = 10
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields("listen", self)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A query and two answers.

    Attributes:
        query: Row of the query.
        answers: Rows of the answers of the two rankings, in the order of the rankings.
        rank: The place at which both lists have them, from 1.
        swapped: Whether the second ranking's answer is called A.
    """

    query: int
    answers: tuple[int, int]
    rank: int
    swapped: bool


def draw_trials(
    rankers: Mapping[str, Ranker], queries: Sequence[Query], *, among: np.ndarray, settings: ListeningSettings
) -> tuple[list[Trial], int]:
    """Draw queries, and of each the first place at which two rankings give different answers.

    Args:
        rankers: The two rankings.
        queries: What can be asked.
        among: (tracks,) bool, the tracks that can be recommended.
        settings: Of the test.

    Returns:
        The trials, and the number of queries that were passed over because both lists are the same.

    Raises:
        ConfigError: There are not two rankings, or they answer no query differently.
    """
    if len(rankers) != 2:
        raise ConfigError(f"listen.rankings=[{', '.join(rankers)}]: name two rankings to compare")
    rng = np.random.default_rng(settings.seed)
    trials: list[Trial] = []
    same = 0
    for place in rng.permutation(len(queries)):
        if len(trials) == settings.trials:
            break
        query = queries[place]
        lists = [ranked_lists(ranker, [query], among=among, k=settings.k)[0] for ranker in rankers.values()]
        different = np.flatnonzero((lists[0] != lists[1]) & (lists[0] >= 0) & (lists[1] >= 0))
        if not len(different):
            same += 1
            continue
        rank = int(different[0])
        answers = int(lists[0][rank]), int(lists[1][rank])
        trials.append(Trial(query=query.row, answers=answers, rank=rank + 1, swapped=bool(rng.integers(2))))
    if not trials:
        raise ConfigError(f"{' and '.join(rankers)} answer every query in the same way, so there is nothing to compare")
    return trials, same


def write_test(
    folder: Path,
    trials: Sequence[Trial],
    tracks: Sequence[Track],
    *,
    rankings: Sequence[str],
    settings: ListeningSettings,
    same: int = 0,
    about: Mapping[str, Any] | None = None,
    advance: Callable[[], object] = lambda: None,
) -> tuple[Path, Path]:
    """Write the page, which asks nothing from outside and names no track, and the key.

    Args:
        folder: Where to.
        trials: The trials. One with a file that cannot be read is left out.
        tracks: The tracks of the library.
        rankings: The names of the two rankings.
        settings: Of the test.
        same: Number of queries that both rankings answer in the same way.
        about: What else the key should say, in plain JSON types.
        advance: Is called when a trial has been made.

    Returns:
        The page and the key.

    Raises:
        AudioError: No trial can be read.
    """
    shown, known, problems = [], [], []
    for number, trial in enumerate(trials):
        rows = [trial.query, *(trial.answers[::-1] if trial.swapped else trial.answers)]
        try:
            excerpts = [read_excerpt(tracks[row], length_s=settings.excerpt_s) for row in rows]
        except AudioError as error:
            problems.append(str(error))
            advance()
            continue
        name = hashlib.blake2b(f"{settings.seed} {number} {rows}".encode(), digest_size=6).hexdigest()
        addresses = map(as_data_address, equally_loud(excerpts))
        shown.append({"id": name, **dict(zip(("query", "a", "b"), addresses, strict=True))})
        sides = (1, 0) if trial.swapped else (0, 1)
        known.append(
            {
                "id": name,
                "rank": trial.rank,
                "query": _named(tracks[trial.query], excerpts[0].start_s),
                **{
                    letter: {"ranking": rankings[side], **_named(tracks[rows[1 + place]], excerpts[1 + place].start_s)}
                    for place, (letter, side) in enumerate(zip("ab", sides, strict=True))
                },
            }
        )
        advance()
    if not shown:
        raise AudioError(f"no trial of the listening test can be read; the first problem is: {problems[0]}")
    identity = hashlib.blake2b("".join(one["id"] for one in shown).encode(), digest_size=6).hexdigest()
    page, key = folder / PAGE, folder / KEY
    write_text(page, page_text({"id": identity, "trials": shown}))
    write_json(
        key,
        {
            "format": KEY_FORMAT,
            "test": identity,
            "rankings": list(rankings),
            "settings": vars(settings),
            "same_answers": same,
            "left_out": problems,
            "about": dict(about or {}),
            "trials": known,
        },
    )
    return page, key


def page_text(test: Mapping[str, Any]) -> str:
    """Return the page with a test in it.

    Args:
        test: {"id", "trials": [{"id", "query", "a", "b"}]} with addresses of audio.
    """
    template = files("musicrec.recommend.evaluation").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return template.replace(_MARK, json.dumps(test).replace("<", "\\u003c"))


def _named(track: Track, start_s: float) -> dict[str, Any]:
    return {"track": track.name, "path": track.path, "audio_hash": track.audio_hash, "start_s": round(start_s, 2)}
