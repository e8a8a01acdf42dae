"""What the library holds."""

from dataclasses import asdict

from fastapi import APIRouter

from musicrec.recommend.recommender import Recommender
from musicrec.web.page_words import on_the_page
from musicrec.web.schemas import LibraryFacts
from musicrec.web.state import State, User

router = APIRouter(tags=["library"])


@router.get("/library", summary="Return what the library holds", response_model=LibraryFacts)
async def library(state: State, user: User) -> dict:
    """Return counts, models, genres, the limits of tempo and energy, and the sources that were indexed."""

    def facts(recommender: Recommender) -> dict:
        version = recommender.library.version()
        if state.library_facts is not None and state.library_facts[0] == version:
            return state.library_facts[1]
        status, tracks = recommender.status(), state.track_lists.of(recommender)
        state.metrics.tracks.set(len(tracks))
        found = {
            "path": status.path,
            "tracks": status.tracks,
            "missing": status.missing,
            "models": status.models,
            "genres": [{"name": name, "tracks": count} for name, count in tracks.genre_counts],
            "bpm": tracks.limits("bpm"),
            "energy": tracks.limits("energy"),
            "sources": [asdict(source) for source in status.sources],
            "remarks": on_the_page(status.remarks),
        }
        state.library_facts = version, found
        return found

    return await state.table_reader.run(facts)
