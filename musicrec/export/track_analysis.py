"""What models say of one track, as data."""

from dataclasses import dataclass, field

import numpy as np

from musicrec.audio.remark import Remark
from musicrec.export.passages import Passages
from musicrec.heads.beat_grid import BeatGrid


@dataclass(frozen=True, kw_only=True)
class TrackAnalysis:
    """The answers of the models for one track.

    Attributes:
        duration_s: Length of the track in seconds.
        probabilities: {head: (classes,) float32}, the mean over the chunks of the track, calibrated.
        tags: {head: [{"tag", "probability", "present"}]} of the tag heads, most probable first.
        features: {head: decoded answer} of the feature heads, such as {"tempo": {"bpm": 120.1, "probability": 0.4}}.
        embedding: (size,) float32, the mean over the chunks of the embeddings of the networks, side by side.
        variation: How much the sound varies over the track, (size,) float32: the standard deviation over the chunks of
            the embeddings of the networks that predict tags, side by side. NaN if the track is a single chunk.
        passages: The passages of the track: the means over their chunks of the embeddings of the networks that predict
            tags, side by side.
        remarks: What to know about the audio, such as why the answers may be unreliable.
        descriptors: {descriptor: value} of what is computed without a model, such as {"loudness": -14.2}; see
            `musicrec.descriptors.DESCRIPTORS`.
        over_time: What the models said of single chunks, not calibrated: {head: (middles of the chunks in seconds
            (chunks,), probabilities (chunks, classes) float32)}.
        frames: What frame-wise heads say of the track, {head: (classes, frames) float32}, such as beats and downbeats;
            NaN where nothing was heard.
        beat_grid: The beats at a constant tempo, of a model with the head `beats`; None without one, or without a beat.
        phrases: Where phrases of two, four and eight bars begin on that grid, {beats of a phrase: seconds (phrases,)
            float64}, such as 8, 16 and 32; see `musicrec.export.phrases`.
    """

    duration_s: float
    probabilities: dict[str, np.ndarray]
    tags: dict[str, list[dict]]
    features: dict[str, dict]
    embedding: np.ndarray
    variation: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    passages: Passages = field(default_factory=Passages.none)
    remarks: tuple[Remark, ...] = ()
    descriptors: dict[str, float] = field(default_factory=dict)
    over_time: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    frames: dict[str, np.ndarray] = field(default_factory=dict)
    beat_grid: BeatGrid | None = None
    phrases: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def feature_vector(self) -> np.ndarray:
        """The probabilities of all heads side by side, in the order of `probabilities`."""
        return np.concatenate(list(self.probabilities.values()))
