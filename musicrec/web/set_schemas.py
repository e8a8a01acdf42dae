"""Sets as the API takes and answers them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from musicrec.web.schemas import Number, Share, Strict, TrackId, Weight, Word

MOST_PLACES = 200
MOST_MINUTES = 720

Place = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}$", description="a place, from 1")]
Axis = Literal["key", "bpm", "energy", "genre", "timbre", "loudness", "curve"]
AxisSettings = Annotated[dict[Word, Number | Word], Field(max_length=20)]
Point = tuple[Share, Annotated[float, Field(ge=1, le=10, allow_inf_nan=False)]]
Curve = Literal["flat", "rise", "peak", "wave"] | Annotated[list[Point], Field(min_length=1, max_length=500)]


class SetTuning(Strict):
    """How tracks follow each other: settings that ship by their name, or changes of the usual ones."""

    name: Word | None = Field(None, description="default, vinyl or harmonic")
    axes: dict[Axis, AxisSettings] = Field({}, max_length=7, description="settings of the axes")
    keys: Word | None = Field(None, description="name of a table of keys; see /keys")
    tempo: dict[Word, Number | None] = Field({}, max_length=20)
    artist_gap: int | None = Field(None, ge=0, le=1000)
    mix_s: Weight | None = None
    filler_below: Share | None = None
    missing_costs: Share | None = None


class SetRequest(Strict):
    """A set to be built. Give tracks or minutes; without both, it has 12 tracks."""

    start: TrackId
    end: TrackId | None = None
    tracks: int | None = Field(None, ge=2, le=MOST_PLACES)
    minutes: float | None = Field(None, gt=0, le=MOST_MINUTES, allow_inf_nan=False)
    curve: Curve | None = Field(
        None, description="energy over the set: a shape, or [[place 0 to 1, energy 1 to 10], …]"
    )
    locked: dict[Place, TrackId] = Field({}, max_length=MOST_PLACES, description="{place: track}")
    banned: list[TrackId] = Field([], max_length=10_000)
    settings: SetTuning = SetTuning()


class OrderRequest(Strict):
    """A set in an order that is given."""

    tracks: list[TrackId] = Field(min_length=2, max_length=MOST_PLACES)
    curve: Curve | None = None
    settings: SetTuning = SetTuning()


class SetAnswer(BaseModel):
    """A set, as `musicrec set --json` prints it; docs/sets.md explains it. Each track also has its id."""

    score: float = Field(description="mean of the scores of the transitions, from 0 to 1")
    minutes: float
    remarks: list[str]
    tracks: list[dict[str, Any]]
    transitions: list[dict[str, Any]]
