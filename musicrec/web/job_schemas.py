"""What the endpoints of jobs, uploads and media take and answer, as pydantic models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

JobId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]


class JobFacts(BaseModel):
    """A job: work that takes longer than an answer may."""

    id: str
    kind: Literal["analysis", "index", "details"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    done: int = Field(description="how many of `total` are done")
    total: int = Field(description="0 while that is not known")
    message: str = Field(description="what it does now, or why it failed")
    track: str | None = Field(description="id of the track that it is about")
    result: dict[str, Any] | None = Field(description="what it gave; of an index job also what it has done so far")


class UploadFacts(BaseModel):
    """An upload that was received."""

    id: str
    name: str = Field(description="the name to show; control characters and folders are removed")
    job: JobFacts


class FolderToIndex(BaseModel):
    """What is to be indexed."""

    model_config = ConfigDict(extra="forbid")
    folder: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        description="absolute path of a folder on the computer of the server"
    )


class Folders(BaseModel):
    """The folders in a folder."""

    path: str
    parent: str | None = Field(description="null for the topmost folder")
    folders: list[str] = Field(description="their names, without hidden ones")


class PeaksFacts(BaseModel):
    """The outline of a waveform."""

    duration_s: float
    peaks: list[float] = Field(description="the largest amplitude in each of 1,500 equal parts, 0 to 1")


class Predictions(BaseModel):
    """What the models say of the parts of a track."""

    times_s: list[float] = Field(description="middles of the parts")
    tags: dict[str, list[float]] = Field(description="strength per part of the strongest tags")
    bpm: list[float | None]
    key: list[str | None] = Field(description="Camelot codes")


class DetailsFacts(BaseModel):
    """How a track develops."""

    hop_s: float = Field(description="seconds between two points of the curves")
    roll_off_hz: list[float | None] = Field(description="null where it is silent")
    zero_crossings_per_s: list[float]
    predictions: Predictions
