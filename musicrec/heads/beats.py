"""Beats and downbeats, frame by frame."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from musicrec.config.number_types import NotNegative, Positive
from musicrec.errors import ManifestError
from musicrec.heads.answers import DJFacts, ranked
from musicrec.heads.beat_decoding import NEAR_S, place_in_bar, track_beats
from musicrec.heads.beat_grid import BeatGrid, fit_grid
from musicrec.heads.beat_times import parse_beats
from musicrec.heads.pictures import NoPicture

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor

    from musicrec.heads.metrics import Scores


@dataclass(frozen=True, kw_only=True)
class BeatHead:
    """Whether there is a beat and a downbeat at each frame. A change of speed moves them.

    A frame-wise head (`musicrec.heads.frames`): logits and probabilities are (tracks, 2, frames). The target is
    (tracks, beats, 2): times in seconds, and 1 for downbeats, 0 for other beats, NaN if that is not known; NaN fills up
    the rows of tracks with fewer beats.

    The loss is a weighted binary cross-entropy that tolerates small shifts, as in beat_this (Foscarin et al. 2024): at
    a beat, the highest logit within the tolerance counts, and the frames around it that this could be do not.

    Attributes:
        column: Manifest column of beat times, such as "0.480/4 0.960/1" (`musicrec.heads.beat_times`).
        frame_rate: Frames per second of the network: sample rate divided by hop length of its front end.
        tolerance_s: By how much a beat may be early or late in the loss.
        beat_weight: How much more a beat counts than a frame without one.
        downbeat_weight: The same for downbeats.
    """

    name: str = "beats"
    column: str = "beats"
    frame_rate: Positive = 62.5
    tolerance_s: NotNegative = 0.032
    beat_weight: Positive = 15.0
    downbeat_weight: Positive = 40.0
    weight: NotNegative = 1.0
    temperature: Positive = 1.0
    exclusive = False
    calibrates = False  # the loss weighs beats more, so no probability says how often it is right
    tunes_thresholds = False
    open_vocabulary = False
    unit = None
    activation = "sigmoid"
    role = "feature"
    primary = "f_measure"
    comparison_metrics = ("f_measure", "cmlt")
    classes = ("beat", "downbeat")

    # The labels of a manifest.

    def fit(self, frame: "pl.DataFrame") -> "BeatHead":
        return self

    def encode(self, frame: "pl.DataFrame") -> "Tensor":
        import torch

        try:
            beats = [parse_beats(cell) or [] for cell in frame[self.column].to_list()]
        except ManifestError as error:
            raise ManifestError(f"column {self.column}: {error}") from None
        target = torch.full((len(beats), max([1, *map(len, beats)]), 2), math.nan)
        for row, of_track in enumerate(beats):
            if of_track:
                target[row, : len(of_track)] = torch.tensor(of_track)
        return target

    def cut(self, target: "Tensor", *, start_s: "Tensor", length_s: "Tensor | None" = None) -> "Tensor":
        import torch

        times_s = target[..., 0] - start_s[:, None].to(target)
        part = torch.stack([times_s, target[..., 1]], dim=-1)
        if length_s is None:
            return part
        inside = (times_s >= 0) & (times_s < length_s[:, None].to(target))
        return torch.where(inside[..., None], part, math.nan)

    def last_s(self, target: "Tensor") -> "Tensor":
        return target[..., 0].nan_to_num(-math.inf).amax(dim=1)

    def one_hot(self, target: "Tensor") -> "Tensor":
        last = target[..., 0].nan_to_num(0.0).max() if target.numel() else 0.0
        truth = self._frames(target, int(float(last) * self.frame_rate) + 2)
        return truth.where(self._known(target)[..., None], math.nan)

    def _frames(self, target: "Tensor", frames: int) -> "Tensor":
        """Return (tracks, 2, frames) float32: 1 in the frame nearest to each beat and downbeat."""
        import torch

        position = (target[..., 0] * self.frame_rate).round()
        inside = (position >= 0) & (position < frames)  # False for NaN
        index = position.where(inside, 0.0).long()
        marks = torch.stack([inside, inside & (target[..., 1] == 1)], dim=1).float()
        truth = torch.zeros(len(target), 2, frames, device=target.device)
        return truth.scatter_reduce(2, index[:, None].expand_as(marks), marks, reduce="amax")

    def _known(self, target: "Tensor") -> "Tensor":
        """Return (tracks, 2) bool: whether the beats of a track are known, and whether its downbeats are."""
        import torch

        beats = ~target[..., 0].isnan()
        return torch.stack([beats.any(dim=1), (beats & ~target[..., 1].isnan()).any(dim=1)], dim=1)

    def label(self, value: float) -> str:
        return f"{value:.2f}"

    def groups(self, target: "Tensor") -> list[tuple[str, "Tensor"]]:
        known = self._known(target)[:, 0]
        return [("labelled", known)] if known.any() else []

    def move(self, target: "Tensor", *, shift_semitones: "Tensor", tempo_ratio: "Tensor") -> "Tensor":
        import torch

        return torch.stack([target[..., 0] / tempo_ratio[:, None].to(target), target[..., 1]], dim=-1)

    # Learning and answering.

    def loss(self, logits: "Tensor", target: "Tensor") -> "Tensor":
        import torch
        import torch.nn.functional as F

        reach = round(self.tolerance_s * self.frame_rate)
        truth = self._frames(target, logits.shape[2]).to(logits)
        known = self._known(target)[..., None]
        highest = F.max_pool1d(logits, 2 * reach + 1, stride=1, padding=reach)
        around = F.max_pool1d(truth, 4 * reach + 1, stride=1, padding=2 * reach)
        counts = ((around == 0) | (truth == 1)) & known
        positive = torch.tensor([self.beat_weight, self.downbeat_weight], device=logits.device)[:, None]
        loss = F.binary_cross_entropy_with_logits(highest, truth, pos_weight=positive, reduction="none")
        return (loss * counts).sum() / counts.sum().clamp(min=1)

    def probabilities(self, logits: "Tensor") -> "Tensor":
        return logits.float().sigmoid()

    def calibrated(self, probabilities: "Tensor") -> "Tensor":
        return probabilities

    def answer(self, probabilities: "Tensor") -> "Tensor":
        import torch
        from torch.nn.utils.rnn import pad_sequence

        found = [torch.from_numpy(self.beats(track)) for track in probabilities.detach().cpu().numpy()]
        return pad_sequence([torch.full((1, 2), math.nan), *found], batch_first=True, padding_value=math.nan)[1:]

    def beats(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the beats of a track, (beats, 2) float32: times in seconds, and 1 for downbeats.

        Args:
            probabilities: (2, frames); NaN where nothing was heard.
        """
        beats_s = track_beats(probabilities[0], frame_rate=self.frame_rate)
        places = place_in_bar(probabilities[1], beats_s, frame_rate=self.frame_rate)
        return np.stack([beats_s, places == 1], axis=1).astype(np.float32)

    def grid(self, probabilities: np.ndarray) -> BeatGrid | None:
        beats_s = track_beats(probabilities[0], frame_rate=self.frame_rate)
        places = place_in_bar(probabilities[1], beats_s, frame_rate=self.frame_rate)
        duration_s = probabilities.shape[1] / self.frame_rate
        return fit_grid(beats_s, places, probabilities, frame_rate=self.frame_rate, duration_s=duration_s)

    def agrees(self, answer: "Tensor", expected: "Tensor") -> "Tensor":
        """Return whether each expected beat is among the answered ones within 70 ms, and whether its downbeat is."""
        import torch

        distance = (expected[:, :, None, 0] - answer[:, None, :, 0]).abs().nan_to_num(math.inf)
        nearest = distance.min(dim=2)
        beat = nearest.values <= NEAR_S
        return torch.stack([beat, beat & (answer[..., 1].gather(1, nearest.indices) == expected[..., 1])], dim=-1)

    # Scores and pictures.

    def score(self, probabilities: "Tensor", target: "Tensor", weights: "Tensor | None" = None) -> "Scores":
        from musicrec.heads.beat_metrics import beat_scores

        return beat_scores(list(self.answer(probabilities)), target, weights)

    def picture(self) -> NoPicture:
        return NoPicture(metrics=("f_measure", "cmlt"))

    def truth_text(self, target: "Tensor") -> str:
        beats = target[~target[:, 0].isnan()].double().numpy()
        return f"{len(beats)} beats from {beats[0, 0]:.2f} s" if len(beats) else ""

    # What a recommender uses, in NumPy.

    @property
    def limits(self) -> np.ndarray:
        return np.full(len(self.classes), 0.5)

    def ranked(self, probabilities: np.ndarray) -> list[dict[str, Any]]:
        highest = np.nan_to_num(probabilities).max(axis=1)
        return ranked(highest, self.classes, highest >= self.limits)

    def decode(self, probabilities: np.ndarray) -> dict[str, Any]:
        grid = self.grid(probabilities)
        return {} if grid is None else grid.as_dict()

    def text(self, answer: dict[str, Any]) -> str:
        if not answer:
            return "no beat"
        return f"{answer['bpm']:.2f} BPM from {answer['first_beat_s']:.3f} s ({answer['confidence']:.2f})"

    def dj_facts(self, answer: dict[str, Any]) -> DJFacts:
        return DJFacts(bpm=answer.get("bpm"))

    def compatibility(self) -> np.ndarray:
        return np.eye(len(self.classes), dtype=np.float32)
