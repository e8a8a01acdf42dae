"""What the API takes and answers, as pydantic models: the source of its description (OpenAPI), and its limits."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
MOST_TRACKS = 10_000  # in a list of ids

TrackId = Annotated[
    str,
    StringConstraints(pattern=ID_PATTERN),
    Field(description="id of a track of the library (its audio hash), or of an upload (u-…)"),
]
Camelot = Annotated[str, StringConstraints(pattern=r"^(1[0-2]|[1-9])[AB]$"), Field(description="Camelot code, 8A")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Weight = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e6)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
Order = Literal["asc", "desc"]
Sort = Literal["title", "artist", "album", "genre", "bpm", "key", "energy", "duration", "year"]
Opinion = Literal["like", "dislike"]


class Strict(BaseModel):
    """What is sent: an unknown setting is a mistake."""

    model_config = ConfigDict(extra="forbid")


class Mistake(BaseModel):
    """An answer with a status from 400 on."""

    detail: str = Field(description="one message: what is wrong, and the way out")


class TrackRow(BaseModel):
    """A track in a table; null where a fact is unknown."""

    id: str
    title: str
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    duration_s: float | None
    bpm: float | None
    key: str | None = Field(description="such as A minor")
    camelot: str | None = Field(description="such as 8A")
    energy: float | None = Field(description="from 1, calm, to 10, hard")
    loudness: float | None = Field(description="in LUFS")
    unreliable: bool = Field(description="whether it is silent or very short")
    rating: int | None = Field(description="stars")
    opinion: Opinion | None


class TrackPage(BaseModel):
    """Some rows of a table."""

    total: int = Field(description="number of tracks that the filters let pass")
    offset: int
    tracks: list[TrackRow]


class Has(BaseModel):
    """What can be had of a track besides its facts."""

    audio: bool = Field(description="whether its file is there")
    peaks: bool
    details: bool = Field(description="whether they have been computed; POST to details does it")


class TrackDetails(TrackRow):
    """All that is known of a track."""

    path: str | None
    tag_groups: dict[str, list[dict[str, Any]]]
    features: dict[str, dict[str, Any]]
    feature_texts: dict[str, str]
    descriptors: dict[str, float]
    from_tags: dict[str, float]
    collections: list[dict[str, Any]]
    remarks: list[str]
    has: Has


class GenreCount(BaseModel):
    """A genre of the library."""

    name: str
    tracks: int


class SourceFacts(BaseModel):
    """A folder, playlist, collection or manifest that was indexed."""

    place: str
    kind: str
    indexed_at: str | None
    files: int
    missing: int


class LibraryFacts(BaseModel):
    """What the library holds."""

    path: str
    tracks: int
    missing: int = Field(description="number of files that are not there")
    models: list[str]
    genres: list[GenreCount]
    bpm: tuple[float, float] | None
    energy: tuple[float, float] | None
    sources: list[SourceFacts]
    remarks: list[str]


class LibraryPlace(BaseModel):
    """Which library it is."""

    path: str
    tracks: int | None = Field(description="null if there is no library yet")


class SessionFacts(BaseModel):
    """Who asks, and what they may do."""

    user: str | None = Field(description="null if nobody is signed in")
    users: bool = Field(description="whether several people use the server")
    names: list[str] = Field(description="who can sign in")
    needs_pin: bool
    can_index: bool
    version: str
    library: LibraryPlace


class QueryTags(Strict):
    """Changes of the first step, the tag filter."""

    any: list[Word] = Field([], max_length=200)
    all: list[Word] = Field([], max_length=200)
    none: list[Word] = Field([], max_length=200)
    match: Literal["any", "all"] | None = None
    top: int | None = Field(None, ge=0, le=1000)


Limits = tuple[Number | None, Number | None]


class QueryFilters(Strict):
    """Musical filters, as `MusicalFilters` takes them. What is not given stays as in the preset; null takes it away."""

    genre: list[Word] | None = Field(None, max_length=200)
    bpm: Limits | None = None
    bpm_percent: Annotated[float, Field(gt=0, lt=100)] | None = None
    multiples: list[Literal["half", "double", "three_to_two", "two_to_three"]] | None = Field(None, max_length=4)
    key: list[Word] | None = Field(None, max_length=50)
    key_least: Share | None = None
    key_table: Word | None = Field(None, description="the name of one that ships; see /keys")
    key_shift: bool | None = None
    key_lock: bool | None = None
    energy: Limits | None = None
    energy_within: Weight | None = None
    loudness: Limits | None = None
    loudness_within: Weight | None = None
    year: Limits | None = None
    year_within: Weight | None = None
    duration_s: Limits | None = None
    not_artist: list[Word] | None = Field(None, max_length=500)
    not_album: list[Word] | None = Field(None, max_length=500)
    same_recording: bool | None = None
    max_per_artist: int | None = Field(None, ge=0, le=100_000)
    keep_unknown: list[Word] | None = Field(None, max_length=20)


ModelWeights = Annotated[dict[Word, Weight | None], Field(max_length=50, description="weights of single models")]


class QueryRequest(Strict):
    """What is asked of the library."""

    tracks: list[TrackId] = Field(min_length=1, max_length=200, description="the first one gives tempo and key")
    unlike: list[TrackId] = Field([], max_length=200)
    playlist: bool = Field(False, description="the tracks are a playlist that is to be continued")
    towards: TrackId | None = Field(None, description="a path leads to this track")
    k: int = Field(20, ge=1, le=1000)
    preset: Word | None = Field(None, description="the name of one that ships; see /presets")
    weights: dict[Word, Weight | ModelWeights | None] = Field({}, max_length=200)
    filters: QueryFilters = QueryFilters()
    tags: QueryTags = QueryTags()
    at_s: float | None = Field(None, ge=0, le=86_400, allow_inf_nan=False, description="a place in the first track")
    passage: Literal["whole", "outro_to_intro", "intro_to_outro", "best"] | None = None
    neighbours: int | None = Field(None, ge=0, le=1000, description="how many tracks around the query count with it")
    hubs: Share | None = None
    balance: Share | None = None
    metric: Literal["cosine", "euclidean", "correlation"] = "cosine"
    include_unreliable: bool = False


class QueryAnswer(BaseModel):
    """The answer, as `musicrec query --json` prints it; docs/recommend.md explains it."""

    remarks: list[str]
    query: dict[str, Any]
    library: dict[str, Any]
    filter: dict[str, Any]
    similarity: dict[str, Any]
    results: list[dict[str, Any]]


class PresetFacts(BaseModel):
    """A preset."""

    name: str
    about: str
    weights: dict[str, float]
    tags: dict[str, Any]
    filters: dict[str, Any]
    reranking: dict[str, Any]
    passage: str


class Presets(BaseModel):
    """The settings of a query that are to be had with this library."""

    default: PresetFacts
    presets: list[PresetFacts]
    blocks: list[str] = Field(description="what can be weighed")
    genres: list[str] = Field(description="what the filter by genre knows")
    tags: list[str] = Field(description="what the tag filter knows")
    key_tables: list[str]


MISTAKES: dict[int | str, dict[str, Any]] = {
    status: {"model": Mistake, "description": text}
    for status, text in {
        400: "A setting does not fit this library",
        401: "The token is missing, or nobody is signed in",
        403: "The request comes from a page of another server",
        404: "There is no such track or thing",
        409: "There is no library yet, or it cannot be read now",
        413: "The request is too large",
        421: "The header Host names another server",
        422: "A parameter is missing, or out of range",
        429: "Too many requests of this kind; Retry-After says when to try again",
    }.items()
}
"""Which mistakes any endpoint may answer with."""
