"""Questions: which tracks go with a track. The settings that can be chosen."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from musicrec.errors import ConfigError
from musicrec.recommend.key_relations import CAMELOT_24, KeyTable
from musicrec.recommend.presets import key_table_names, preset_names, read_key_table, read_preset
from musicrec.recommend.query_settings import query_settings
from musicrec.web.asking import ask, library_names
from musicrec.web.opinions import opinions_of
from musicrec.web.page_words import on_the_page
from musicrec.web.queries import preset_facts
from musicrec.web.schemas import Presets, QueryAnswer, QueryRequest, Word
from musicrec.web.state import State, User
from musicrec.web.upload_names import is_upload

router = APIRouter(tags=["query"])


@router.post("/query", summary="Ask which tracks go with a track, or with several", response_model=QueryAnswer)
async def query(state: State, user: User, asked: QueryRequest) -> JSONResponse:
    """Answer as `musicrec query --json` does. Each result, and the query, has the id of its track.

    Beside what the command prints, each result has what the user thinks of it, "opinion" and "rating", and remarks
    speak of the controls of the page.
    """
    content = await ask(state, asked, user=user)
    opinions = await state.table_reader.run(lambda recommender: opinions_of(recommender, state, user))
    content["remarks"] = on_the_page(content["remarks"])
    content["results"] = [opinions.added_to(result) for result in content["results"]]
    shown = asked.tracks[-1 if asked.playlist else 0]
    if is_upload(shown):  # its audio hash names nothing here
        content["query"] = content["query"] | {"id": shown, "path": None}
    return JSONResponse(content)


@router.get("/presets", summary="Return what a query can be asked with", response_model=Presets)
async def presets(state: State, user: User) -> dict:
    """Return the presets, the weights that count without one, and the names that weights and filters know."""
    usual = await state.table_reader.run(lambda recommender: query_settings(recommender.library).preset)
    return {
        "default": preset_facts(usual),
        "presets": [preset_facts(read_preset(name)) for name in preset_names()],
        "key_tables": key_table_names(),
        **await library_names(state),
    }


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
