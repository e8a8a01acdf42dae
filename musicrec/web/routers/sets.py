"""Sets: tracks in an order that works, with a reason for each transition."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from musicrec.errors import ConfigError
from musicrec.recommend.recommender import Recommender
from musicrec.web.reading import check_ids
from musicrec.web.set_schemas import OrderRequest, SetAnswer, SetRequest
from musicrec.web.sets import energy_curve, tuned, with_ids
from musicrec.web.state import State, User

router = APIRouter(tags=["sets"])

_USUAL_TRACKS = 12


@router.post("/sets", summary="Build a set", response_model=SetAnswer)
async def build(state: State, user: User, asked: SetRequest) -> JSONResponse:
    """Build as `musicrec set --json` does. What the user never wants again is left out, unless it is named."""
    if asked.tracks is not None and asked.minutes is not None:
        raise ConfigError(f"tracks={asked.tracks}, minutes={asked.minutes:g}: give one of them")
    ends = [asked.start] if asked.end is None else [asked.start, asked.end]
    if len(set(ends)) < len(ends):
        raise ConfigError("end: the set begins with this track; leave end out, or name another track")
    if set(ends) & set(asked.banned):
        raise ConfigError("banned: the set begins or ends with a track of these; ban it, or ask for it")
    curve, settings = energy_curve(asked.curve), tuned(asked.settings)

    def made(recommender: Recommender) -> dict:
        check_ids(recommender, state, [*ends, *asked.locked.values()])
        known = state.track_lists.of(recommender).row_of
        usual = _USUAL_TRACKS if asked.minutes is None else None
        return with_ids(
            recommender.build_set(
                asked.start,
                end=asked.end,
                tracks=usual if asked.tracks is None else asked.tracks,
                minutes=asked.minutes,
                curve=curve,
                locked={int(place): track for place, track in asked.locked.items()},
                banned=[one for one in asked.banned if one in known],
                without=recommender.never_again(user, profiles=state.settings.profiles),
                settings=settings,
            )
        )

    return JSONResponse(await state.slow_pool.run(made))


@router.post("/sets/order", summary="Explain a set in a given order", response_model=SetAnswer)
async def order(state: State, user: User, asked: OrderRequest) -> JSONResponse:
    """Return the transitions and the score of these tracks in this order."""
    curve, settings = energy_curve(asked.curve), tuned(asked.settings)
    first, *others = asked.tracks

    def made(recommender: Recommender) -> dict:
        check_ids(recommender, state, asked.tracks)
        return with_ids(
            recommender.build_set(
                first,
                tracks=len(asked.tracks),
                curve=curve,
                locked=dict(enumerate(others, start=2)),
                settings=settings,
            )
        )

    return JSONResponse(await state.slow_pool.run(made))
