"""Build a set from a start to an end, over a number of tracks or minutes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from musicrec.config.number_types import Count, Natural, NotNegative, Positive, Share
from musicrec.config.value_check import check_fields, check_value
from musicrec.errors import ConfigError
from musicrec.recommend.columns import Columns
from musicrec.recommend.sets.curve import EnergyCurve
from musicrec.recommend.sets.plan import Plan, check_row, eligible_rows, possible_gap
from musicrec.recommend.sets.search import FoundSet, SetSearch
from musicrec.recommend.sets.shortlist import shortlist
from musicrec.recommend.sets.track_set import TrackSet, describe_track, played_minutes, usual_length_s
from musicrec.recommend.sets.transition import Transition, TransitionScore
from musicrec.system.progress import StepListener, track_progress

_Tracks = Annotated[int, Ge(2)]
_OFF = 1.5  # how far the energy may be from the curve on average, on the scale from 1 to 10, before a remark says so
_SHOWN_AFTER_S = 2.0
_TRIES = 4  # numbers of tracks that are tried for a set of so many minutes


@dataclass(frozen=True, kw_only=True)
class SetSettings:
    """How a set is searched.

    Attributes:
        transitions: How transitions are scored, and the tempo budget.
        artist_gap: Diversity: an artist returns after this many other tracks at the earliest. If there are few artists
            to choose from, after half of the others: otherwise the rule would choose the tracks, and not the music.
        mix_s: How long two tracks overlap, in seconds; for the length of a set in minutes.
        least: The score that every transition should reach. One that does not is taken only if it pays, and named.
        shortfall_costs: What a transition loses for each point that it is below `least`; see `worth`. At most 100: the
            search would weigh more against the artist rule.
        width: Sets that are kept at each place. More finds better sets and takes longer.
        shortlist: Tracks that are looked at closely, of a library with more.
    """

    transitions: TransitionScore = field(default_factory=TransitionScore)
    artist_gap: Natural = 4
    mix_s: NotNegative = 15.0
    least: Share = 0.5
    shortfall_costs: Annotated[float, Ge(0), Le(100)] = 10.0
    width: Count = 512
    shortlist: Count = 400

    def __post_init__(self) -> None:
        check_fields("set", self)

    def worth(self, scores: np.ndarray) -> np.ndarray:
        """Return what transitions are worth to the search, which looks for the set with the highest mean.

        That is the score, minus `shortfall_costs` times what is missing to `least`. The mean of the scores alone would
        pay for one bad transition with slightly better ones elsewhere; on the floor, all hear the bad one.
        """
        return scores - np.float32(self.shortfall_costs) * np.maximum(np.float32(self.least) - scores, 0)


def build_set(
    columns: Columns,
    *,
    start: int,
    end: int | None = None,
    tracks: int | None = None,
    minutes: float | None = None,
    curve: EnergyCurve | None = None,
    locked: Mapping[int, int] | None = None,
    banned: Collection[int] = (),
    allowed: np.ndarray | None = None,
    settings: SetSettings | None = None,
    progress: bool | StepListener = False,
) -> TrackSet:
    """Return a good set; the same one each time.

    Args:
        columns: The facts of all tracks.
        start: Row of the first track.
        end: Row of the last track; None leaves it open.
        tracks: Number of tracks with the first and the last, 2 or more; or
        minutes: Length of the set. The number of tracks is chosen so that the set comes near.
        curve: The wanted energy over the set; None only keeps the steps small.
        locked: {place: row} of tracks that must stand at a place; the start is at place 1.
        banned: Rows that must not be in the set.
        allowed: (rows,) bool, such as what a filter leaves. Locked tracks, start and end need not be among them.
        settings: How the set is searched. None takes the usual ones.
        progress: Show the progress on standard error if it takes long; or what is told each step instead.

    Raises:
        ConfigError: A row or a place does not exist, a track is asked for twice, or there are too few tracks.
    """
    settings = settings or SetSettings()
    if (tracks is None) == (minutes is None):
        raise ConfigError("a set needs a length: give tracks or minutes, and not both")
    if tracks is not None:
        check_value("tracks", tracks, _Tracks, expected="a whole number, 2 or more")
    else:
        check_value("minutes", minutes, Positive)
    places = {0: check_row("start", start, columns)}
    for place, row in sorted((locked or {}).items()):
        check_value("locked place", place, Count)
        if places.setdefault(place - 1, check_row(f"locked.{place}", row, columns)) != row:
            raise ConfigError(f"locked.{place}={row}: the start is there; lock a track at place 2 or behind")
    last = None if end is None else check_row("end", end, columns)
    if last is not None and tracks is not None and places.get(tracks - 1) == last:
        last = None  # it is locked there anyway
    asked = [*places.values(), *([] if last is None else [last])]
    banned = [check_row("banned", row, columns) for row in banned]
    _check_once(columns, asked, banned)
    eligible = eligible_rows(columns, locked=asked, banned=banned, allowed=allowed)
    gap = possible_gap(columns, [*np.flatnonzero(eligible), *asked], most=settings.artist_gap)
    settings = replace(settings, artist_gap=gap)

    def plan(count: int) -> Plan:
        at_places = dict(places)
        if max(at_places) >= count:
            raise ConfigError(f"locked.{max(at_places) + 1}: the set has only {count} places")
        if last is not None and at_places.setdefault(count - 1, last) != last:
            raise ConfigError(f"end={last}: another track is locked at place {count}, the last one")
        targets = np.full(count, np.nan, dtype=np.float32)
        if curve is not None:
            targets = curve.targets(count, float(columns.energy[start]))
        made = Plan(columns=columns, tracks=count, locked=at_places, eligible=eligible, targets=targets)
        if made.available < count:
            raise ConfigError(
                f"a set of {count} tracks: there are only {made.available} to choose from; "
                "ask for a shorter set, or ban and filter less"
            )
        return made

    if tracks is not None:
        made = plan(tracks)
        return _described(made, _search(made, settings, progress)[0], settings)
    assert minutes is not None
    least = max(2, max(places) + 1 + (last is not None))
    return _of_minutes(plan, columns, minutes, least=least, settings=settings, progress=progress)


def _of_minutes(
    plan: Callable[[int], Plan],
    columns: Columns,
    minutes: float,
    *,
    least: int,
    settings: SetSettings,
    progress: bool | StepListener,
) -> TrackSet:
    """Return the best of the sets whose length is near.

    The number of tracks is guessed from the median length, and corrected by how long the sets with it last. A set that
    is off by a tenth of its length loses as much as one that is worth a tenth less.
    """
    most = plan(least).available
    usual_s = usual_length_s(columns) - settings.mix_s
    count = min(max(least, round(60 * minutes / max(usual_s, 30.0))), most)
    tried: dict[int, tuple[float, float, Plan, FoundSet]] = {}
    while count not in tried and len(tried) < _TRIES:
        made = plan(count)
        found = []
        for path in _search(made, settings, progress):
            length = float(played_minutes(columns, path.rows, mix_s=settings.mix_s)[-1])
            worth = path.worth / (count - 1) - abs(length - minutes) / minutes - len(path.relaxed)
            found.append((worth, length, path))
        worth, length, path = max(found, key=lambda one: one[0])  # the first of equal ones
        tried[count] = (worth, length, made, path)
        count = min(max(least, count + round((minutes - length) * count / length)), most)
    _, length, made, path = max(tried.values(), key=lambda one: one[0])
    remarks = []
    if abs(length - minutes) > length / made.tracks:
        why = "that is all that was found"
        if made.tracks == least:
            why = f"it has at least {least} tracks"
        elif made.tracks == most:
            why = f"there are only {most} tracks to choose from"
        remarks = [f"the set lasts {length:.0f} minutes and not {minutes:g}: {why}"]
    return _described(made, path, settings, remarks=remarks)


def _search(plan: Plan, settings: SetSettings, progress: bool | StepListener) -> list[FoundSet]:
    gap, places = settings.artist_gap, 2 * (plan.tracks - 1)  # each place is looked at twice
    with track_progress("building", "built", places, what="steps", shown=progress, after_s=_SHOWN_AFTER_S) as advance:
        size = max(settings.shortlist, 2 * plan.tracks)
        rows = shortlist(plan, settings.transitions, size=size, artist_gap=gap, advance=advance)
        search = SetSearch(plan, settings.transitions, rows, artist_gap=gap, width=settings.width, worth=settings.worth)
        return search.run(advance)


def _check_once(columns: Columns, asked: Sequence[int], banned: Collection[int]) -> None:
    recordings = [int(columns.recording[row]) for row in asked if columns.recording[row] >= 0]
    if len(set(asked)) < len(asked) or len(set(recordings)) < len(recordings):
        raise ConfigError("start, end and locked tracks: a recording is asked for at two places; name each one once")
    for row in asked:
        if row in banned:
            raise ConfigError(f"the track of row {row} is both asked for and banned")


def _described(plan: Plan, path: FoundSet, settings: SetSettings, *, remarks: Sequence[str] = ()) -> TrackSet:
    """Return a set with its transitions explained."""
    columns, scoring = plan.columns, settings.transitions
    left = np.inf if scoring.tempo.set_percent is None else scoring.tempo.set_percent
    transitions: list[Transition] = []
    for place in range(1, plan.tracks):
        target, step = float(plan.targets[place]), plan.step(place)
        pairs = scoring.pairs(columns, [path.rows[place - 1]], [path.rows[place]], target=target, step=step)
        transition = scoring.explain(pairs, set_budget_left=left)
        left -= abs(transition.tempo_change_percent or 0.0)
        unfit = transition.score < settings.least and plan.next_locked(place) is not None
        if place in path.relaxed:
            again = f"an artist who played less than {settings.artist_gap} tracks ago, as no other track was left"
            transition = replace(transition, filler=True, reason=f"{transition.reason}, {again}")
        elif place not in plan.locked and unfit:
            transition = replace(transition, filler=True, reason=f"{transition.reason}, filler on the way")
        transitions.append(transition)
    times = played_minutes(columns, path.rows, mix_s=settings.mix_s)
    return TrackSet(
        tracks=tuple(
            describe_track(
                columns,
                row,
                starts_min=float(times[place]),
                target=float(plan.targets[place]),
                locked=place in plan.locked,
            )
            for place, row in enumerate(path.rows)
        ),
        transitions=tuple(transitions),
        score=float(np.mean([transition.score for transition in transitions])),
        minutes=float(times[-1]),
        remarks=tuple([*remarks, *_off_the_curve(plan, path.rows), *_remarks(transitions, settings)]),
    )


def _remarks(transitions: Sequence[Transition], settings: SetSettings) -> list[str]:
    remarks = []
    fillers = [str(place) for place, transition in enumerate(transitions, 2) if transition.filler]
    if fillers:
        many = len(fillers) > 1
        remarks.append(
            f"track{'s' * many} {', '.join(fillers)} {'are fillers' if many else 'is a filler'}: nothing better leads "
            "to what follows; more tracks in the library, or a longer set, may help"
        )
    weak = [
        f"{place} → {place + 1} ({transition.score:.2f})"
        for place, transition in enumerate(transitions, 1)
        if round(transition.score, 2) < settings.least and not transition.filler
    ]
    if weak:
        are = "transitions are" if len(weak) > 1 else "transition is"
        remarks.append(
            f"{len(weak)} {are} below {settings.least:.2f}: {', '.join(weak)}; no better set was found: another start, "
            "fewer tracks, or more music in the library may help"
        )
    tempo = settings.transitions.tempo
    spent = sum(abs(transition.tempo_change_percent or 0.0) for transition in transitions)
    if tempo.set_percent is not None and spent > tempo.set_percent:
        remarks.append(f"the tempo changes add up to {spent:.1f} %, more than the budget of {tempo.set_percent:g} %")
    without = sum(transition.axes.get("key") is None for transition in transitions) if _judges(settings, "key") else 0
    if without:
        remarks.append(f"{without} of {len(transitions)} transitions could not be judged by key: it is unknown")
    return remarks


def _off_the_curve(plan: Plan, rows: Sequence[int]) -> list[str]:
    off = plan.columns.energy[list(rows[1:])] - plan.targets[1:]
    off = off[~np.isnan(off)]
    if not off.size or abs(off.mean()) < _OFF:
        return []
    side, other = ("below", "lower") if off.mean() < 0 else ("above", "higher")
    return [
        f"the energy is {abs(off.mean()):.1f} {side} the curve on average: few tracks there lead on; a {other} curve, "
        "or more music in the library, may help"
    ]


def _judges(settings: SetSettings, axis: str) -> bool:
    return any(one.name == axis and one.weight for one in settings.transitions.axes)
