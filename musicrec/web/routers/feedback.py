"""What people say of tracks: likes, dislikes, stars, skips, pairs."""

from typing import Annotated

from fastapi import APIRouter, Query

from musicrec.errors import ConfigError
from musicrec.recommend.profiles.records import Event
from musicrec.recommend.recommender import Recommender
from musicrec.web.profile_schemas import Events, Said, Undone
from musicrec.web.reading import library_tracks
from musicrec.web.state import State, User

router = APIRouter(tags=["feedback"])

_NEEDS = {"rate": "stars", "pair": "then"}
_TAKES = {"rate": {"stars"}, "pair": {"then"}, "skip": {"after"}}


@router.post("/feedback", summary="Say something of a track", response_model=Events)
async def say(state: State, user: User, said: Said) -> dict:
    """Remember what the user says; it changes the order of answers at once."""
    given = {name for name in ("stars", "after", "then") if getattr(said, name) is not None}
    needed = _NEEDS.get(said.kind)
    if needed is not None and needed not in given:
        raise ConfigError(f"{needed}: is missing; feedback of the kind {said.kind} needs it")
    if wrong := given - _TAKES.get(said.kind, set()):
        raise ConfigError(f"{min(wrong)}: feedback of the kind {said.kind} does not take it")

    def record(recommender: Recommender) -> list[Event]:
        track, *others = library_tracks(
            recommender, state, [said.track, *(one for one in (said.after, said.then) if one is not None)]
        )
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            if said.kind == "rate":
                return [feedback.rate(track, said.stars or 0)]
            if said.kind == "skip":
                return feedback.skip(track, after=others[0] if others else None)
            if said.kind == "pair":
                return feedback.pair(track, others[0])
            if said.kind == "played":
                return feedback.played(track)
            return feedback.like(track) if said.kind == "like" else feedback.dislike(track)

    return {"events": [event_facts(event) for event in await state.recommender.run(record)]}


@router.post("/feedback/undo", summary="Take back what was said last", response_model=Undone)
async def undo(state: State, user: User) -> dict:
    """Take back the last thing that counts, and return it."""

    def taken_back(recommender: Recommender) -> list[Event]:
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            return feedback.undo()

    return {"undone": [event_facts(event) for event in await state.recommender.run(taken_back)]}


@router.get("/history", summary="Return what was said, the last first", response_model=Events)
async def history(
    state: State,
    user: User,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 50,
    undone: Annotated[bool, Query(description="also what was taken back")] = False,
) -> dict:
    """Return what the user said."""

    def events(recommender: Recommender) -> list[Event]:
        with recommender.feedback(user, profiles=state.settings.profiles, read_only=True) as feedback:
            return feedback.history(limit=limit, undone=undone)

    return {"events": [event_facts(event) for event in await state.recommender.run(events)]}


def event_facts(event: Event) -> dict:
    """Return an event in plain JSON types."""
    return {
        "kind": event.kind,
        "track": event.audio_hash,
        "title": event.title,
        "rating": event.rating,
        "after": event.after_hash,
        "after_title": event.after_title,
        "at": None if event.at is None else event.at.isoformat(),
        "undone_at": None if event.undone_at is None else event.undone_at.isoformat(),
    }
