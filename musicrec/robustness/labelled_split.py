"""The tracks of a split with the labels that the models are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor

from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.heads.frames import is_frame_wise
from musicrec.robustness.excerpts import Excerpts
from musicrec.robustness.models_under_test import ModelUnderTest


@dataclass(frozen=True, kw_only=True)
class LabelledSplit:
    """Tracks of a split and their labels.

    Attributes:
        name: The name of the split.
        frame: Rows of the manifest, one per track.
        labels: For each model, {head: labels of the tracks}.
        left_out: What a report cannot contain, and why.
    """

    name: str
    frame: pl.DataFrame
    labels: list[dict[str, Tensor]]
    left_out: list[str]

    @property
    def artists(self) -> list[str | None]:
        """The artist of each track; None where the manifest names none."""
        return self.frame["artist"].to_list()


def read_split(
    name: str,
    data: MusicDataModule,
    models: Sequence[ModelUnderTest],
    frame: pl.DataFrame,
    bootstrap: Bootstrap | None,
) -> LabelledSplit:
    """Read the labels of the tracks of a split for every head of every model.

    Args:
        name: The name of the split.
        data: To which the tracks belong.
        models: To be tested.
        frame: Rows of the manifest.
        bootstrap: The settings of the intervals; None for none.

    Raises:
        ConfigError: No track has a label for any head of a model, or the bootstrap cannot draw these tracks.
    """
    labels, left_out = [], [] if bootstrap is None else bootstrap.check(frame["artist"].to_list(), split=name)
    for tested in models:
        found = {head.name: data.labels(head, frame) for head in tested.model.heads}
        unlabelled = [head for head, target in found.items() if target.isnan().all()]
        if len(unlabelled) == len(found):
            raise ConfigError(
                f"export={tested.name}: no track of split '{name}' in {data.manifest_path} has a label for "
                f"{', '.join(found)}; fill in these labels, or choose other data or splits"
            )
        labels.append(found)
        left_out += [f"{head} of {tested.name}: no track of split '{name}' has a label for it" for head in unlabelled]
    return LabelledSplit(name=name, frame=frame, labels=labels, left_out=left_out)


def labels_of_excerpts(
    split: LabelledSplit, models: Sequence[ModelUnderTest], excerpts: Excerpts, *, sample_rate: int
) -> list[dict[str, Tensor]]:
    """Return the labels of what was heard of the tracks: those of frame-wise heads count from the start of the excerpt.

    Args:
        split: The tracks.
        models: To be tested.
        excerpts: What was heard, one excerpt per track if a model has a frame-wise head.
        sample_rate: Of the excerpts, in Hz.

    Returns:
        For each model, {head: labels}, as `LabelledSplit.labels`.
    """
    place = {
        "start_s": torch.from_numpy(excerpts.start / sample_rate),
        "length_s": torch.from_numpy(excerpts.length / sample_rate),
    }
    return [
        {
            head.name: head.cut(labels[head.name], **place) if is_frame_wise(head) else labels[head.name]
            for head in tested.model.heads
        }
        for tested, labels in zip(models, split.labels, strict=True)
    ]
