"""Questions: which tracks go with a track. The settings that can be chosen."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from musicrec.errors import ConfigError
from musicrec.recommend.answer import Answer
from musicrec.recommend.key_relations import CAMELOT_24, KeyTable
from musicrec.recommend.presets import key_table_names, preset_names, read_key_table, read_preset
from musicrec.recommend.query_settings import query_settings
from musicrec.recommend.recommender import Recommender
from musicrec.web.queries import changed_filters, preset_facts, shipped_preset
from musicrec.web.reading import UPLOAD, asked_tracks
from musicrec.web.schemas import Presets, QueryAnswer, QuerySettings, Word
from musicrec.web.state import State, User

router = APIRouter(tags=["query"])


@router.post("/query", summary="Ask which tracks go with a track, or with several", response_model=QueryAnswer)
async def query(state: State, user: User, asked: QuerySettings) -> JSONResponse:
    """Answer as `musicrec query --json` does. Each result, and the query, has the id of its track."""
    preset = shipped_preset(asked.preset)
    filters = changed_filters(None if preset is None else preset.filters, asked.filters.model_dump(exclude_unset=True))

    def answer(recommender: Recommender) -> Answer:
        ends = [] if asked.towards is None else [asked.towards]
        tracks = asked_tracks(recommender, state, user, [*asked.tracks, *asked.unlike, *ends])
        alike, others = tracks[: len(asked.tracks)], tracks[len(asked.tracks) :]
        return recommender.query(
            alike,
            unlike=others[: len(asked.unlike)],
            playlist=asked.playlist,
            towards=others[-1] if ends else None,
            k=asked.k,
            preset=preset,
            filters=filters,
            tags=asked.tags.model_dump(exclude_defaults=True),
            weights=asked.weights,
            metric=asked.metric,
            at_s=asked.at_s,
            passage=asked.passage,
            neighbours=asked.neighbours,
            hubs=asked.hubs,
            balance=asked.balance,
            include_unreliable=asked.include_unreliable,
            user=user,
            profiles=state.settings.profiles,
        )

    content = (await state.pool.run(answer)).as_dict()
    shown = asked.tracks[-1 if asked.playlist else 0]
    if shown.startswith(UPLOAD):  # its audio hash names nothing here
        content["query"] = content["query"] | {"id": shown, "path": None}
    return JSONResponse(content)


@router.get("/presets", summary="Return what a query can be asked with", response_model=Presets)
async def presets(state: State, user: User) -> dict:
    """Return the presets, the weights that count without one, and the names that weights and filters know."""

    def facts(recommender: Recommender) -> dict:
        library, index = recommender.library, recommender.library_index
        return {
            "default": preset_facts(query_settings(library).preset),
            "presets": [preset_facts(read_preset(name)) for name in preset_names()],
            "blocks": library.blocks(),
            "genres": sorted(genre for genre in index.genres if genre),
            "tags": list(index.tags.names),
            "key_tables": key_table_names(),
        }

    return await state.pool.run(facts)


@router.get("/keys", summary="Return how well keys follow each other")
async def keys(
    user: User, table: Annotated[Word | None, Query(description="name of a table; the usual one without")] = None
) -> dict[str, dict[str, float]]:
    """Return {key that plays: {key that follows: score from 0 to 1}}, in Camelot codes."""
    if table is not None and table not in key_table_names():
        raise ConfigError(f"table={table}: choose from: {', '.join(key_table_names())}")
    scores = (KeyTable() if table is None else read_key_table(table)).scores
    return {
        before: {after: round(float(scores[row, column]), 3) for column, after in enumerate(CAMELOT_24)}
        for row, before in enumerate(CAMELOT_24)
    }
