"""Playlists of a user."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from musicrec.errors import ConfigError
from musicrec.recommend.profiles.records import Entry, Playlist, checked
from musicrec.recommend.recommender import Recommender
from musicrec.web.errors import WebError
from musicrec.web.opinions import opinions_of
from musicrec.web.playlists import entries_of, playlist_rows
from musicrec.web.profile_schemas import (
    AddedTracks,
    ContinueRequest,
    NewPlaylist,
    PlaylistChange,
    PlaylistContent,
    PlaylistFacts,
    PlaylistName,
)
from musicrec.web.schemas import MOST_TRACKS
from musicrec.web.set_schemas import SetAnswer
from musicrec.web.sets import with_ids
from musicrec.web.state import State, User, WebState

router = APIRouter(prefix="/playlists", tags=["playlists"])

_MOST_PLAYLISTS, _MOST_ENTRIES = 500, 100_000  # of a user; each request reads all of them
Name = Annotated[PlaylistName, Path(description="name of the playlist, which may hold slashes")]


@router.get("", summary="List the playlists", response_model=list[PlaylistFacts])
async def playlists(state: State, user: User) -> list:
    """Return the playlists by name."""

    def listed(recommender: Recommender) -> list:
        with recommender.feedback(user, profiles=state.settings.profiles, read_only=True) as feedback:
            return [
                {"name": one.name, "tracks": len(one.entries), "changed": one.changed_at.isoformat()}
                for one in feedback.playlists.all()
            ]

    return await state.recommender.run(listed)


@router.post("", summary="Make a playlist", response_model=PlaylistContent, status_code=201)
async def create(state: State, user: User, asked: NewPlaylist) -> dict:
    """Make a playlist. A name that is in use is an error."""

    def made(recommender: Recommender) -> dict:
        entries = entries_of(recommender.library, state.track_lists.of(recommender), asked.tracks)
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            known = feedback.playlists.all()
            if _find(known, asked.name) is not None:
                raise WebError(409, f"{asked.name}: there is such a playlist already; choose another name")
            _check_room(known, asked.name, len(entries))
            feedback.playlists.create(asked.name, entries=entries)
        return _content(recommender, state, user, asked.name)

    return await state.recommender.run(made)


@router.get("/{name:path}", summary="Return a playlist", response_model=PlaylistContent)
async def playlist(state: State, user: User, name: Name) -> dict:
    """Return the tracks of a playlist, also those whose file is missing."""
    return await state.recommender.run(lambda recommender: _content(recommender, state, user, name))


@router.put(
    "/{name:path}", summary="Rename a playlist, or put its tracks in another order", response_model=PlaylistContent
)
async def change(state: State, user: User, name: Name, asked: PlaylistChange) -> dict:
    """Replace the tracks, the name, or both."""

    def changed(recommender: Recommender) -> dict:
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            known = feedback.playlists.all()
            _existing(known, name)
            _check_room(known, name, len(asked.tracks or ()))
            if asked.name not in (None, name) and _find(known, asked.name) is not None:
                raise WebError(409, f"{asked.name}: there is such a playlist already; choose another name")
            if asked.tracks is not None:
                wanted, table = asked.tracks, state.track_lists.of(recommender)
                feedback.playlists.edit(name, lambda there: entries_of(recommender.library, table, wanted, there))
            if asked.name not in (None, name):
                feedback.playlists.rename(name, asked.name)
        return _content(recommender, state, user, asked.name or name)

    return await state.recommender.run(changed)


@router.delete("/{name:path}/tracks/{place}", summary="Take a track out of a playlist", response_model=PlaylistContent)
async def remove(state: State, user: User, name: Name, place: Annotated[int, Path(ge=1, le=1_000_000)]) -> dict:
    """Take out the track at a place, from 1."""

    def removed(recommender: Recommender) -> dict:
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            count = len(_existing(feedback.playlists.all(), name).entries)
            if place > count:
                raise WebError(404, f"{place}: the playlist {name} has {count} tracks")
            feedback.playlists.remove(name, place)
        return _content(recommender, state, user, name)

    return await state.recommender.run(removed)


@router.delete("/{name:path}", summary="Delete a playlist", status_code=204)
async def delete(state: State, user: User, name: Name) -> Response:
    """Delete a playlist for good; audio files are not touched."""

    def deleted(recommender: Recommender) -> None:
        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            _existing(feedback.playlists.all(), name)
            feedback.playlists.delete(name)

    await state.recommender.run(deleted)
    return Response(status_code=204)


@router.post("/{name:path}/tracks", summary="Add tracks to a playlist", response_model=PlaylistContent)
async def add(state: State, user: User, name: Name, asked: AddedTracks) -> dict:
    """Add tracks; the playlist is made if there is none of this name."""

    def added(recommender: Recommender) -> dict:
        library, table = recommender.library, state.track_lists.of(recommender)

        def inserted(there: tuple[Entry, ...]) -> list[Entry]:
            at = len(there) + 1 if asked.at is None else asked.at
            if at > len(there) + 1:
                raise ConfigError(f"at={at}: the playlist has {len(there)} tracks; leave it out to add last")
            return [*there[: at - 1], *entries_of(library, table, asked.tracks, there), *there[at - 1 :]]

        with recommender.feedback(user, profiles=state.settings.profiles) as feedback:
            known = feedback.playlists.all()
            found = _find(known, name)
            _check_room(known, name, len(asked.tracks) + len(found.entries if found else ()))
            if found is not None:
                feedback.playlists.edit(name, inserted)
            else:
                feedback.playlists.append(name, inserted(()))
        return _content(recommender, state, user, name)

    return await state.recommender.run(added)


@router.post("/{name:path}/continue", summary="Find tracks that go on after a playlist", response_model=SetAnswer)
async def go_on(state: State, user: User, name: Name, asked: ContinueRequest) -> JSONResponse:
    """Return a set that begins with the last track of the playlist; nothing is added."""

    def found(recommender: Recommender) -> dict:
        with recommender.feedback(user, profiles=state.settings.profiles, read_only=True) as feedback:
            _existing(feedback.playlists.all(), name)
            return with_ids(feedback.playlists.find_next(name, k=asked.k))

    return JSONResponse(await state.slow_recommender.run(found))


def _check_room(playlists: list[Playlist], name: str, size: int) -> None:
    """Raise WebError if a playlist would have too many tracks, or its user too many in all or too many playlists."""
    others = [one for one in playlists if one.name != checked("playlist", name)]
    if size > MOST_TRACKS:
        raise WebError(409, f"{name}: a playlist has at most {MOST_TRACKS:,} tracks here; make another one")
    if len(others) >= _MOST_PLAYLISTS or sum(len(one.entries) for one in others) + size > _MOST_ENTRIES:
        raise WebError(
            409, f"you have {_MOST_PLAYLISTS} playlists, or {_MOST_ENTRIES:,} tracks in them, which is the most here"
        )


def _find(playlists: list[Playlist], name: str) -> Playlist | None:
    name = checked("playlist", name)
    return next((one for one in playlists if one.name == name), None)


def _existing(playlists: list[Playlist], name: str) -> Playlist:
    found = _find(playlists, name)
    if found is None:
        raise WebError(404, f"{name}: there is no such playlist")
    return found


def _content(recommender: Recommender, state: WebState, user: str, name: str) -> dict:
    with recommender.feedback(user, profiles=state.settings.profiles, read_only=True) as feedback:
        found = _existing(feedback.playlists.all(), name)
    table, opinions = state.track_lists.of(recommender), opinions_of(recommender, state, user)
    return {"name": found.name, "tracks": playlist_rows(recommender.library, table, found.entries, opinions)}
